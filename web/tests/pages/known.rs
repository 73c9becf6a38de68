//! What is not known, how old what is known is, and the time it is of: said on the page, and never shown as good.

use muster_web::samples;

use super::{sample, tags, text};

#[test]
fn what_was_recorded_is_told_from_what_is_not_known() {
    let said = text(&sample("recorded"));
    for words in [
        "settlement on eu-west, no survey of then is kept: the last position between",
        "90,000 to 183,390",
        "set back in 1 partition",
        "−88,401",
        "DENY Write on Topic prefix payments. to User:settlement-batch from *.",
        "retention.ms from 604800000 (set on the topic) to 259200000 (set on brokers)",
        "What changed cannot be told: what is kept does not read back.",
        "The first that are kept",
        "not recorded Configs of topics of eu-west from ",
        "changes of that day had taken as much room as they may, so those after them are not recorded.",
        "Something changed that is not kept",
        "They are kept whole again after changes were left out: what changed meanwhile is not known.",
        "until some time on 7 Nov 2026, the last day on which it was seen",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let nobody = sample("recorded-not-known");
    assert!(text(&nobody).contains("not known Nothing is kept of where nobody stood on eu-west"), "{nobody}");
    assert!(nobody.contains("Write a time in UTC") && nobody.contains("value=\"yesterday\""), "{nobody}");
}

#[test]
fn what_is_not_kept_of_one_topic_by_the_hour_is_said() {
    let said = text(&sample("lag-topic-by-hour"));
    let none = "Of no hour of this time as a whole is it kept of one topic: they are from before it was, or not over yet.";
    assert_eq!(said.matches(none).count(), 2, "of lag in time and of the RPO: {said}");
    let some = sample("lag-topic-in-time");
    assert!(!text(&some).contains(none), "{some}");
    for drawn in ["data-draw=\"time\"", "data-draw=\"rpo\"", "not kept, or not told yet"] {
        assert!(some.contains(drawn), "{drawn}: {some}");
    }
}

#[test]
fn what_is_in_open_transactions_is_said_apart_and_unknown_is_not_none() {
    let said = |name: &str| {
        let page = sample(name);
        let row = page.split_once("in or behind open transactions: ").expect("the row").1;
        row.split_once('<').expect("an end").0.to_owned()
    };
    assert_eq!(said("pair"), "1,204 offsets");
    assert_eq!(said("pair-dark"), "unknown");
}

#[test]
fn what_is_read_again_is_what_is_shown() {
    for (name, href) in [
        ("alarms", "/alarms?state=all"),
        ("alarms-empty", "/alarms"),
        ("losses", "/pairs/payments/losses?after=a-1763521708000000"),
        ("losses-empty", "/pairs/payments/losses"),
        ("lag-partitions", "/pairs/payments/lag?source=eu-west&#38;rows=partitions&#38;skip=4"),
    ] {
        let html = sample(name);
        assert!(html.contains(&format!("<a href=\"{href}\">read again</a>")), "{name}: {html}");
    }
    assert!(sample("loss-settled").contains("?topic=captured\">read again</a>"));
}

#[test]
fn what_a_canary_waits_for_is_said_with_how_long() {
    let said = text(&sample("pair-dark"));
    assert!(said.contains("2, the oldest for 4 m 14 s"), "{said}");
    assert!(said.contains("Last hour: half / 99 % within"), "{said}");
}

#[test]
fn what_an_old_survey_showed_is_not_shown_as_how_things_stand() {
    let part = |html: &str, heading: &str| -> String {
        let after = html.split(&format!("aria-labelledby=\"{heading}\"")).nth(1).unwrap_or("");
        after.split("</section>").next().unwrap_or("").to_owned()
    };
    let (fresh, old) = (sample("pair"), sample("pair-old"));
    assert!(!fresh.contains("Nobody has looked for"), "{fresh}");
    assert!(text(&old).contains("Nobody has looked for 3 h: what is below is as of then."), "{old}");
    for heading in ["topics-h", "groups-h", "flows-h"] {
        assert!(part(&fresh, heading).contains("ok-t"), "{heading}: {fresh}");
        assert!(!part(&old, heading).contains("ok-t"), "{heading}: {old}");
    }
    for heading in ["topics-h", "groups-h"] {
        assert!(text(&part(&old, heading)).contains("; read 3 h ago"), "{heading}: {old}");
    }
    assert!(text(&old).contains("without any; read 3 h ago"), "the stat of groups: {old}");
    assert!(text(&old).contains("worker 4.1.0 answered, 3 h ago"), "{old}");
    let differences = sample("differences-old");
    assert!(text(&differences).contains("Nobody has looked for 3 h"), "{differences}");
    assert!(text(&differences).contains("No differences"), "{differences}");
    assert!(!differences.contains("ok-t"), "{differences}");
}

#[test]
fn age_and_reason_of_a_reading_are_not_for_pointers_only() {
    let pair = sample("pair");
    assert!(pair.contains("<small>2 s ago</small>"), "{pair}");
    let dark = sample("pair-dark");
    assert!(dark.contains("<span class=\"c why\">eu-west does not answer</span>"), "{dark}");
    let fleet = sample("fleet");
    assert!(fleet.contains("<span class=\"c why\">no survey has completed since 2 Nov</span>"), "{fleet}");
    for (page, html) in samples::all() {
        for tag in tags(&html).into_iter().filter(|tag| tag.contains(" class=\"rdg")) {
            assert!(!tag.contains(" title="), "{page}: {tag}");
        }
    }
}

#[test]
fn times_of_evidence_name_their_zone() {
    let content = sample("content");
    let written = content.split("<th scope=\"col\">Written</th>").nth(1).unwrap_or("");
    assert!(written.contains(" UTC</td><td><code>"), "{written}");
    assert!(text(&sample("content-record")).contains(" UTC by its producer (CreateTime)"));
    let waiting = text(&sample("loss-waiting"));
    let read = waiting.split("184,201, read ").nth(1).unwrap_or("");
    assert_eq!(read.split_whitespace().nth(4).map(|zone| zone.starts_with("UTC")), Some(true), "{read}");
}

#[test]
fn a_drill_says_day_time_and_end_of_its_window_and_the_time_where_it_is_kept() {
    let html = sample("drills");
    let said = text(&html);
    assert!(said.contains("20 Nov 03:12 UTC, until 07:12"), "what is due: {said}");
    // Every Monday at 06:00 in Berlin.
    assert!(
        html.contains(">23 Nov 05:00 UTC, until 09:00</time><small>23 Nov 06:00 Europe/Berlin</small>"),
        "{html}"
    );
}
