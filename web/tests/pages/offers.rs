//! What pages offer and what they refuse, each with its rule, and the words they use for it.

use muster_web::samples;

use super::{sample, text};

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
