//! What holds of every page: well-formed, nothing inline, every button says what it does and to what.

use muster_web::{assets, samples};

/// Elements without an end tag.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "circle"];

/// Start and end tags in order with their whole text; comments and the doctype left out.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if rest.starts_with("<!--") {
            rest = &rest[rest.find("-->").expect("a comment ends") + 3..];
            continue;
        }
        let mut quote = None;
        let end = rest
            .char_indices()
            .find(|(_, c)| match (quote, c) {
                (Some(open), c) if *c == open => {
                    quote = None;
                    false
                }
                (Some(_), _) => false,
                (None, '"' | '\'') => {
                    quote = Some(*c);
                    false
                }
                (None, c) => *c == '>',
            })
            .map(|(i, _)| i)
            .expect("a tag ends");
        tags.push(&rest[..=end]);
        rest = &rest[end + 1..];
    }
    tags
}

fn name_of(tag: &str) -> &str {
    tag.trim_start_matches(['<', '/'])
        .split(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .next()
        .unwrap_or("")
}

#[test]
fn every_page_is_well_formed() {
    for (page, html) in samples::all() {
        let mut open: Vec<&str> = Vec::new();
        for tag in tags(&html) {
            let name = name_of(tag);
            if tag.starts_with("</") {
                assert_eq!(open.pop(), Some(name), "{page}: {tag} closes something else");
            } else if !tag.ends_with("/>") && !tag.starts_with("<!") && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{page}: never closed: {open:?}");
    }
}

#[test]
fn no_page_needs_more_than_the_strict_policy() {
    for (page, html) in samples::all() {
        for tag in tags(&html) {
            for forbidden in [" style=", " onclick=", " onload=", " hx-on", "javascript:", "js:"] {
                assert!(!tag.contains(forbidden), "{page}: {tag}");
            }
            assert!(name_of(tag) != "style", "{page}: inline style");
        }
        for script in html.split("<script").skip(1) {
            let body = script.split_once('>').expect("a script tag ends").1;
            assert!(body.starts_with("</script>"), "{page}: inline script");
        }
        for reference in html.split("/assets/").skip(1) {
            let path = format!("/assets/{}", reference.split('"').next().unwrap_or(""));
            assert!(assets::find(&path).is_some(), "{page}: {path} is no asset");
        }
    }
}

/// Text between tags, spaces folded.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_button_is_a_verb_and_an_object() {
    for (page, html) in samples::all() {
        for button in html.split("<button").skip(1) {
            let inner = button.split_once('>').expect("a tag ends").1;
            let said = text(inner.split("</button>").next().unwrap_or(""));
            assert!(said.split(' ').count() >= 2, "{page}: a button says only “{said}”");
            let first = said.chars().next().unwrap_or(' ');
            assert!(first.is_uppercase(), "{page}: “{said}” does not begin with a verb");
            for word in ["OK", "Submit", "Continue", "Are you sure"] {
                assert!(!said.contains(word), "{page}: “{said}”");
            }
        }
    }
}

#[test]
fn every_page_has_its_landmarks_and_one_heading() {
    for (page, html) in samples::all().into_iter().filter(|(page, _)| *page != "run-live") {
        for once in ["<main ", "<h1", "<header class=\"bridge\"", "<footer "] {
            assert_eq!(html.matches(once).count(), 1, "{page}: {once}");
        }
        // Parts of a drawing have titles, too.
        let head = html.split("</head>").next().unwrap_or("");
        assert_eq!(head.matches("<title>").count(), 1, "{page}: title");
        for field in html.split("<label for=\"").skip(1) {
            let id = field.split('"').next().unwrap_or("");
            assert!(html.contains(&format!("id=\"{id}\"")), "{page}: label of nothing: {id}");
        }
    }
}

#[test]
fn ids_are_unique() {
    for (page, html) in samples::all() {
        let mut seen = std::collections::BTreeSet::new();
        for id in tags(&html).into_iter().filter_map(|tag| tag.split(" id=\"").nth(1)) {
            let id = id.split('"').next().unwrap_or("");
            assert!(seen.insert(id.to_owned()), "{page}: id {id} twice");
        }
    }
}

#[test]
fn every_reference_inside_a_page_has_its_target() {
    for (page, html) in samples::all() {
        for reference in ["aria-labelledby=\"", "aria-describedby=\"", "href=\"#"] {
            let named = html.split(reference).skip(1).map(|rest| rest.split('"').next().unwrap_or(""));
            for id in named.flat_map(str::split_whitespace) {
                let here = page == "run-live" && id.starts_with("i-");
                assert!(
                    here || html.contains(&format!("id=\"{id}\"")),
                    "{page}: {reference}{id} has no target"
                );
            }
        }
    }
}

/// Whole drawings, with where they begin; one inside another is part of it.
fn drawings(html: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, _) in html.match_indices("svg") {
        if html[..at].ends_with('<') {
            start = if depth == 0 { at - 1 } else { start };
            depth += 1;
        } else if html[..at].ends_with("</") {
            depth -= 1;
            if depth == 0 {
                found.push((start, &html[start..at + "svg>".len()]));
            }
        }
    }
    found
}

#[test]
fn every_drawing_says_its_name_and_its_figures_and_has_them_in_a_table() {
    let mut seen = std::collections::BTreeSet::new();
    for (page, html) in samples::all() {
        for (start, drawing) in drawings(&html) {
            let tag = &drawing[..=drawing.find('>').expect("a tag ends")];
            if tag.contains(" aria-hidden=\"true\"") {
                continue;
            }
            assert!(tag.contains(" role=\"img\""), "{page}: {tag} is neither decoration nor a drawing");
            let named = tag.split(" aria-labelledby=\"").nth(1).and_then(|rest| rest.split('"').next());
            let (name, figures) = named
                .and_then(|ids| ids.split_once(' '))
                .unwrap_or_else(|| panic!("{page}: {tag} says nothing"));
            for (element, id) in [("title", name), ("desc", figures)] {
                let begin = format!("<{element} id=\"{id}\">");
                let said = drawing.split(&begin).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or("");
                assert!(said.trim().len() > 5, "{page}: {tag}: its {element} says “{said}”");
            }
            let class = tag.split(" class=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
            let in_a_row =
                html[..start].rfind("<td").is_some_and(|cell| !html[cell..start].contains("</td>"));
            let below = html[start + drawing.len()..].split("</section>").next().unwrap_or("");
            // The one figure of a bar stands beside it.
            assert!(class == "bar" || in_a_row || below.contains("<table"), "{page}: {tag} has no table");
            seen.insert(class.split(' ').next().unwrap_or("").to_owned());
        }
    }
    let kinds: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["bar", "cells", "happenings", "phasebar", "plot", "spark", "topo"],
        "all kinds of drawings"
    );
}

#[test]
fn what_is_read_again_in_place_is_in_every_page_that_follows() {
    for (page, html) in samples::all() {
        let Some(part) = html.split(" hx-select=\"#").nth(1).and_then(|rest| rest.split('"').next()) else {
            continue;
        };
        for id in [part, "watch", "places", "freshness"] {
            assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{page}: {id}");
        }
        assert!(html.contains("/live.js\" defer>"), "{page}: nothing says when it is old");
    }
}

#[test]
fn a_dead_source_is_a_named_gap_in_every_chart_of_lag() {
    let (_, html) = samples::all().into_iter().find(|(page, _)| *page == "lag").expect("it is a sample");
    assert_eq!(html.matches("<div class=\"chart course-chart\"").count(), 3);
    assert_eq!(html.matches("4 m 15 s: source not read</text>").count(), 3, "{html}");
    assert!(
        html.contains("eu-west did not answer: connect to 10.20.0.11:9093: connection refused"),
        "{html}"
    );
    assert!(html.contains("1 of 12 partitions"), "a single partition is named, too: {html}");
}

#[test]
fn a_statement_of_a_loss_says_nothing_was_lost_only_where_that_is_exact() {
    for (name, tone, comes_to, explains, it_was) in [
        (
            "loss",
            "bad",
            "12 to 1,931 records",
            "of payments are missing on eu-central, written in the last 5.1 s before eu-west was found not to answer.",
            "not known until eu-west can be read again",
        ),
        (
            "loss-unknown",
            "unk",
            "12 records or more",
            "How much of payments is missing on eu-central at most is not known.",
            "not known until eu-west can be read again",
        ),
        (
            "loss-waiting",
            "bad",
            "12 to 1,931 records",
            "eu-west answers again. The true figure waits for 2 of its partitions, still without a leader.",
            "not known yetwaits for 2 of its partitions, still without a leader",
        ),
        (
            "loss-settled",
            "warn",
            "At most 1,204 records",
            "behind what was proven to have reached eu-central.",
            "records; writes of the last 4.2 s, by the timestamp of the oldest",
        ),
        (
            "loss-nothing",
            "ok",
            "Nothing was lost",
            "All that eu-west had of payments when it died had reached",
            "=0exact",
        ),
        (
            "loss-cut",
            "unk",
            "It cannot be told",
            "What was said before stands: 12 to 1,931 records missing on",
            "cannot be told",
        ),
    ] {
        let html = sample(name);
        let said = text(&html);
        assert!(html.contains(&format!("<div class=\"verdict {tone}\">")), "{name}: {html}");
        assert_eq!(html.matches("class=\"verdict ").count(), 1, "{name}");
        for words in [
            comes_to,
            explains,
            it_was,
            "Of whom",
            "payments-core",
            "How this is known",
            "connection refused",
        ] {
            assert!(said.contains(words), "{name} does not say “{words}”: {said}");
        }
        assert_eq!(said.contains("Nothing was lost"), name == "loss-nothing", "{name}");
        // What stands beside a figure is the same loss for machines, and what is done about it.
        let csv = "/loss?source=eu-west&#38;at=2026-11-19T03%3A08%3A28.000000Z&#38;format=csv";
        for href in [
            csv,
            "/pairs/payments/lag?source=eu-west",
            "/pairs/payments/recorded?source=eu-west",
            "/runs?pair=payments",
        ] {
            assert!(html.contains(href), "{name} does not lead to {href}");
        }
    }
}

#[test]
fn what_to_do_about_a_loss_is_another_thing_once_its_source_is_back() {
    let leads = |name: &str, href: &str| sample(name).contains(&format!("href=\"{href}\""));
    for name in ["loss", "loss-unknown", "loss-waiting"] {
        assert!(
            leads(name, "/pairs/payments/translation?from=eu-west") && leads(name, "/pairs/payments#plan"),
            "{name}"
        );
        assert!(!leads(name, "/pairs/payments/content?from=eu-west"), "{name}: it cannot be read");
    }
    for name in ["loss-settled", "loss-cut"] {
        assert!(leads(name, "/pairs/payments/content?from=eu-west"), "{name}");
        assert!(!leads(name, "/pairs/payments#plan"), "{name}");
    }
    assert!(!leads("loss-nothing", "/findings?pair=payments#raise"), "nothing has to be done");
    let says = |name: &str, words: &str| text(&sample(name)).contains(words);
    let (away, back) = ("whether eu-west is dead or only cannot be reached", "Start the brokers of eu-west");
    for (name, first, other) in [("loss", away, back), ("loss-waiting", back, away)] {
        assert!(says(name, first) && !says(name, other), "{name}");
    }
    assert!(!says("loss-waiting", "eu-west is away"), "it answers");
    assert!(
        says("loss-waiting", "184,201, read "),
        "one partition was read before the others for the last time"
    );
}

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
fn no_secret_field_is_ever_filled_in() {
    for (page, html) in samples::all() {
        for tag in tags(&html).into_iter().filter(|tag| tag.contains("type=\"password\"")) {
            let filled = tag.split("value=\"").nth(1).is_some_and(|value| !value.starts_with('"'));
            assert!(!filled, "{page}: {tag}");
        }
    }
}

fn sample(name: &str) -> String {
    samples::all().into_iter().find(|(page, _)| *page == name).expect("it is a sample").1
}

#[test]
fn a_page_before_an_act_says_the_same_in_its_heading_and_on_its_button() {
    for name in [
        "remove-schedule",
        "remove-channel",
        "remove-team",
        "remove-pair",
        "remove-pair-wrong-name",
        "remove-cluster",
        "stop-canary",
        "remove-connect",
        "end-session",
        "end-other-sessions",
        "end-sessions-of",
        "revoke-token",
    ] {
        let html = sample(name);
        let heading = html.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).unwrap_or("");
        assert!(
            html.contains(&format!("<button class=\"btn danger\">{heading}</button>")),
            "{name}: {heading}"
        );
        assert!(text(&html).contains("Leave "), "{name} has a way out");
    }
    let wrong = sample("remove-pair-wrong-name");
    assert!(wrong.contains("aria-invalid=\"true\"") && wrong.contains("value=\"payment\""), "{wrong}");
    for name in ["remove-team-refused", "remove-pair-refused"] {
        let html = sample(name);
        assert!(
            html.contains("Not now.") && !html.contains("<button class=\"btn danger\""),
            "{name}: {html}"
        );
    }
}

#[test]
fn a_run_offers_nothing_that_would_be_refused() {
    let go = "/confirm\">";
    assert!(sample("run-asks").contains(go));
    let braked = text(&sample("run-asks-braked"));
    assert!(
        braked.contains("adaeze.obi pulled the brake: Maintenance of the network between both regions. Nothing starts until it is released."),
        "{braked}"
    );
    assert!(!sample("run-asks-braked").contains(go), "{braked}");
    let paused = text(&sample("run-paused"));
    assert!(paused.contains("Everything up to the point of no return must be proven."), "{paused}");
    assert!(!sample("run-paused").contains("/skip?"), "{paused}");
}

#[test]
fn what_has_to_be_done_first_is_said_where_it_is_missed() {
    let imported = sample("pair-imported");
    assert!(imported.contains("<a href=\"/pairs/payments/edit\">Edit payments</a>"), "{imported}");
    assert!(text(&imported).contains("The flow eu-west → eu-central is not attached."), "{imported}");
    let no_team = sample("import-no-team");
    assert!(no_team.contains("<a href=\"/teams\">Create a team first</a>"), "{no_team}");
}

#[test]
fn what_an_abort_undoes_is_told_in_the_order_of_the_engine() {
    let paused = text(&sample("run-paused"));
    assert!(paused.contains("so that eu-west takes writes again, then step"), "{paused}");
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
fn a_page_of_proofs_follows_the_one_under_way_and_leaves_the_rest_alone() {
    for name in ["translation", "content"] {
        let html = sample(name);
        let part = html.split("<section class=\"panel\" id=\"proof-open\"").nth(1).expect("it is under way");
        let tag = part.split('>').next().unwrap_or("");
        let address = format!("hx-get=\"/pairs/payments/{name}?until=ended\"");
        for attribute in [address.as_str(), "hx-select=\"#proof-open\"", "hx-swap=\"outerMorph\""] {
            assert!(tag.contains(attribute), "{name}: {tag}");
        }
        assert!(!html.contains("hx-target=") && html.matches("hx-get=").count() == 1, "{name}: {html}");
        assert!(html.contains("?hold=on\">hold still</a>"), "{name}: {html}");
    }
    let ended = sample("translation-ended");
    let part = ended.split("id=\"proof-open\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let part = part.expect("it is there to be taken out of the answer");
    assert!(text(part).contains("Proof 42 has ended"), "{part}");
    assert!(part.contains("translation?proof=") && part.contains(">Show proof 42</a>"), "{part}");
    assert!(
        !ended.contains("hx-get=") && !ended.contains("until=ended"),
        "nothing is asked any more: {ended}"
    );
    for name in ["translation-dead-source", "translation-not-newest", "content-empty"] {
        assert!(!sample(name).contains("id=\"proof-open\""), "{name}: nobody followed one");
    }
}

#[test]
fn which_proof_is_shown_how_old_it_is_and_whether_another_counts_more_is_said() {
    let said = |name: &str| text(&sample(name));
    for (name, words) in [
        ("translation", "Proof 41, 9 m ago"),
        ("content", "Proof 61, 9 m ago"),
        ("translation-not-newest", "Proof 41 is shown, which is not the newest. Proof 43 was done"),
        ("translation-not-newest", "Proof 41 is of eu-west → eu-central, and eu-central is active now."),
        ("translation-without-result", "Proof 40 has no result"),
        ("translation-without-result", "not reachable: connection refused Show proof 39"),
    ] {
        assert!(said(name).contains(words), "{name} does not say “{words}”: {}", said(name));
    }
    assert!(
        !said("translation").contains("is not the newest") && !said("translation").contains("active now")
    );
    assert!(!said("translation-without-result").contains("Nothing is proven yet"));
    // All groups are all groups of the same proof.
    let one = sample("translation-not-newest");
    let all = one.split("\">Show all groups</a>").next().and_then(|before| before.rsplit('"').next());
    assert!(all.is_some_and(|href| href.starts_with("/pairs/payments/translation?proof=")), "{all:?}");
    assert!(!sample("translation").contains("Show all groups"), "it is not filtered");
}

#[test]
fn lag_and_content_of_a_topic_lead_to_each_other_and_to_what_changed() {
    let lag = sample("lag-topic");
    for href in [
        "/pairs/payments/content?topics=payments.captured&#38;from=eu-west#ask-h",
        "/pairs/payments/recorded?source=eu-west&#38;name=payments.captured&#38;from=2026-11-12T03%3A12%3A40&#38;\
         to=2026-11-19T03%3A12%3A40#changes",
        "/pairs/payments/losses",
    ] {
        assert!(lag.contains(&format!("href=\"{href}\"")), "{href}: {lag}");
    }
    assert!(!sample("lag").contains("Compare content"), "of no topic");
    let asked = sample("content-of-topic");
    assert!(asked.contains("name=\"topics\"") && asked.contains("value=\"payments.captured\""), "{asked}");
    let content = sample("content");
    // A quarter of an hour around the time it compared.
    let then = "from=2026-11-19T02%3A48%3A40&#38;to=2026-11-19T03%3A18%3A58&#38;topic=payments";
    assert!(
        content.contains(&format!("href=\"/pairs/payments/lag?source=eu-west&#38;{then}\">payments</a>")),
        "{content}"
    );
    assert!(
        content.contains(&format!("{then}&#38;partition=3\">Lag of payments-3 at that time</a>")),
        "{content}"
    );
    for name in ["content", "translation"] {
        assert!(sample(name).contains("<li><a href=\"/\">Fleet</a></li>"), "{name}");
    }
}

#[test]
fn payload_is_offered_to_who_may_see_it_and_the_rule_is_said_to_others() {
    let (act, confirm) =
        ("Show record payments-3 @ 1,401,877 on eu-west</button>", "Confirm that it is you</a>");
    let offered = sample("content");
    assert!(offered.contains(act) && !offered.contains(confirm), "{offered}");
    assert!(offered.contains("Show record payments-3 @ 1,399,005 on eu-central</button>"), "{offered}");
    let long_ago = sample("content-signed-in-long-ago");
    assert!(
        long_ago.contains("href=\"/reauthenticate?next=/pairs/payments/content%3Fproof%3D"),
        "{long_ago}"
    );
    assert!(long_ago.contains(confirm) && !long_ago.contains("Show record"), "{long_ago}");
    let shut = sample("content-without-payload");
    assert!(shut.contains("may not be shown") && !shut.contains("Show record"), "{shut}");
}

#[test]
fn a_record_says_how_it_is_written_what_is_cut_and_null_from_empty() {
    let html = sample("content-record");
    let said = text(&html);
    for words in [
        "13 bytes, as text customer-4711",
        "&#34;note&#34;: &#34;&#60;b&#62;for &#38; against&#60;/b&#62;&#34;",
        "schema 6 bytes, as hex 0000000007fe",
        "none null",
        "empty empty: 0 bytes",
        "null: it has no key",
        "the first 4,096 of 5,600 bytes, as text; 1,504 are cut",
        "6 further headers are cut.",
        "by its producer (CreateTime)",
        "by the broker (LogAppendTime)",
        "Its transaction was aborted, or is still open.",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let gone = text(&sample("content-record-gone"));
    assert!(gone.contains("It cannot be read any more: the partition begins at 1402000 now"), "{gone}");
    assert!(
        gone.contains("Another record stands there now") && gone.contains("it has another key"),
        "{gone}"
    );
}

#[test]
fn what_opens_connect_is_told_by_address_and_user_and_never_filled_in() {
    let html = sample("connect");
    let said = text(&html);
    for words in [
        "Muster signs in as muster, with a password, entered 10 Oct 2026 03:12:40 UTC",
        "it is asked without signing in. What is kept was entered 10 Oct 2026 03:12:40 UTC for https://connect.old.example, and is \
         sent nowhere else",
        "Remove what is kept for eu-west → eu-central",
        "A user name needs its password: enter both.",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(html.matches("name=\"a_to_b_username\" type=\"text\" value=\"muster\"").count(), 1, "{html}");
    assert_eq!(said.matches("Set, never shown. Leave empty to keep it.").count(), 2, "{said}");
    assert_eq!(said.matches("Not set. Sealed when stored, never shown again.").count(), 2, "{said}");
    let unattached = sample("connect-unattached");
    assert!(text(&unattached).contains("No flow of this pair is attached to Connect yet"), "{unattached}");
    assert!(!unattached.contains("Save what opens Connect"), "{unattached}");
}

#[test]
fn the_way_to_readiness_is_a_link_and_promises_no_check() {
    let html = sample("pair");
    assert!(html.contains("href=\"#checks\">Go to readiness of payments</a>"), "{html}");
    assert!(!html.contains("/pairs/payments/check") && !html.contains("Check payments now"), "{html}");
}

#[test]
fn each_alarm_has_its_own_form_which_keeps_what_was_written_or_says_why_there_is_none() {
    let html = sample("alarms");
    for number in [42, 39] {
        assert!(html.contains(&format!("<textarea class=\"input\" id=\"alarm-{number}-comment\"")), "{html}");
    }
    assert!(html.contains("\nRetention of payments.captured was one hour.</textarea>"), "{html}");
    assert!(html.contains("aria-describedby=\"h-alarm-42-comment\""), "{html}");
    assert!(html.contains("name=\"back\" value=\"/alarms?state=all\""), "{html}");
    assert!(!html.contains("http-equiv=\"refresh\""), "a form in use is not taken away");
    assert!(sample("alarms-empty").contains("http-equiv=\"refresh\""), "nothing is written there");
    let said = text(&html);
    assert!(
        said.contains("Nobody has to: it ends by itself when a survey shows that its cause is gone."),
        "{said}"
    );
    let reader = sample("alarms-reader");
    assert!(text(&reader).contains("Only operators of payments acknowledge it."), "{reader}");
    assert!(!reader.contains("<textarea"), "{reader}");
    assert!(sample("pair").contains("href=\"/alarms?pair=payments#alarm-42\">Acknowledge alarm 42</a>"));
}

#[test]
fn a_plan_form_that_is_refused_says_why_and_keeps_what_was_chosen() {
    let html = sample("pair-plan-refused");
    let form =
        html.split("id=\"plan\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap_or("");
    for kept in [
        "The longest time without writes is a whole number of seconds.",
        "value=\"two minutes\"",
        "<option value=\"move_out\" selected>",
        "<option value=\"wait\" selected>",
        "name=\"drill\" value=\"on\" checked",
        "name=\"confirm_before_fence\" value=\"on\">",
    ] {
        assert!(form.contains(kept), "{kept}: {form}");
    }
    let untouched = sample("pair");
    assert!(untouched.contains("name=\"confirm_before_fence\" value=\"on\" checked"), "{untouched}");
    assert!(untouched.contains("name=\"drill\" value=\"on\">"), "{untouched}");
}

#[test]
fn what_is_refused_stays_to_be_seen_with_its_rule() {
    for (page, label, rule) in [
        ("pair-reader", "Write a canary of payments now", "Only operators of payments-core write one."),
        ("pair-reader", "Stop the canary of payments", "Only owners of payments-core stop it."),
        ("pair-reader", "Edit payments", "Only owners of payments-core edit it."),
        ("pair-reader", "Remove pair payments", "Only owners of payments-core remove it."),
        (
            "pair-braked",
            "Write a canary of payments now",
            "The brake is on (Maintenance of the network between both regions). Nothing is written until it is released.",
        ),
        (
            "pair-imported",
            "Write a canary of payments now",
            "No flow of payments is attached, so there is nowhere to write.",
        ),
        ("translation", "Prove translation of payments now", "Proof 42 is under way."),
        ("drills-empty", "Schedule the drill", "Only owners of a pair schedule its drills."),
    ] {
        let html = sample(page);
        let refused = html.split("aria-disabled=\"true\"").skip(1);
        let said: Vec<String> = refused
            .map(|rest| {
                text(rest.split_once('>').map_or("", |(_, rest)| rest).split("</div>").next().unwrap_or(""))
            })
            .collect();
        assert!(
            said.iter().any(|said| said.contains(label) && said.contains(rule)),
            "{page}, {label}: {said:?}"
        );
    }
    assert!(!sample("pair-reader").contains("action=\"/pairs/payments/canary\""));
    assert!(sample("pair").contains("action=\"/pairs/payments/canary\""));
    assert!(text(&sample("drills")).contains("only owners of orders change it"));
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
fn pages_speak_the_words_of_the_glossary_and_offer_what_there_is() {
    let runs = sample("runs");
    assert!(runs.contains("<option value=\"readiness_drill\""), "{runs}");
    for never in ["failover", "failback", "game_day", "evacuation"] {
        assert!(!runs.contains(&format!("<option value=\"{never}\"")), "{never} has no runbook: {runs}");
    }
    for (page, words) in [
        ("pair", "A passed run counts for"),
        ("pair-form", "A passed run counts for, days"),
        ("pair-imported", "nothing shows that payments can be moved"),
        ("loss", "True figure, records"),
        ("losses", "True figure, records"),
        ("pair-dark", "True figure, records"),
        ("translation", "On eu-central it"),
    ] {
        assert!(text(&sample(page)).contains(words), "{page}: {words}");
    }
    for (page, html) in samples::all() {
        for word in ["It was<", "There it<", "Stands<", "A proof counts for", "</svg>median<"] {
            assert!(!html.contains(word), "{page}: {word}");
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
