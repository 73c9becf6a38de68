//! A pair whose both sides are active: pages tell both flows, each with its own figures, and say what can be done with it.

use muster_web::samples;

/// What stands for an arrow where no direction is known.
const NOT_KNOWN: &str = "class=\"quiet\">?</span>";

fn sample(name: &str) -> String {
    samples::all().into_iter().find(|(page, _)| *page == name).expect("it is a sample").1
}

#[test]
fn no_page_says_that_a_role_is_unknown_where_both_sides_are_active() {
    for (page, html) in samples::all().into_iter().filter(|(page, _)| page.ends_with("-both-active")) {
        for wrong in ["role unknown", "Which side is active cannot", NOT_KNOWN, "(standby)", "way back: "] {
            assert!(!html.contains(wrong), "{page} says “{wrong}”: {html}");
        }
        for name in ["eu-west", "eu-central"] {
            let solid =
                format!("<span class=\"side active\">{name}<span class=\"vh\"> (active)</span></span>");
            assert!(html.contains(&solid), "{page}: {name} is active: {html}");
        }
        assert!(
            html.contains(" replicates both ways with ") && html.contains("class=\"way both\""),
            "{page}: {html}"
        );
    }
}

#[test]
fn where_it_cannot_be_told_nothing_is_drawn_as_active() {
    let html = sample("pair-dark");
    let heading = html.split("<h1").nth(1).and_then(|rest| rest.split("</h1>").next()).expect("it has one");
    assert!(heading.contains("(role unknown)") && heading.contains(NOT_KNOWN), "{heading}");
    assert!(!heading.contains("class=\"way both\"") && !heading.contains("side active"), "{heading}");
}

#[test]
fn each_flow_has_its_own_figures_on_the_page_and_in_the_drawing() {
    let html = sample("pair-both-active");
    for side in ["eu-west", "eu-central"] {
        for said in [
            format!("<dt>If {side} died now</dt>"),
            format!("<dt>On {side} only</dt>"),
            format!("<dt>Groups on {side}</dt>"),
            format!("<th scope=\"col\">Topic on {side}</th>"),
        ] {
            assert_eq!(html.matches(&said).count(), 1, "{said}: {html}");
        }
        let lag = format!("/pairs/payments/lag?source={side}&#38;topic=payments.captures");
        assert!(html.contains(&lag), "{lag}: a topic leads to its own flow: {html}");
    }
    let drawn = html.split("<svg class=\"topo wide\"").nth(1).and_then(|rest| rest.split("</svg>").next());
    let drawn = drawn.expect("it is drawn");
    assert!(drawn.contains("eu-west and eu-central are both active."), "{drawn}");
    assert_eq!(drawn.matches("<rect class=\"box active\"").count(), 2, "{drawn}");
    assert_eq!(drawn.matches("<path class=\"flow\"").count(), 2, "two arrows: {drawn}");
    assert!(drawn.contains("8,020") && drawn.contains("120,455"), "each with what is behind: {drawn}");
    assert!(html.contains("the worse of both flows"), "which the figure of the pair is: {html}");
    // Of one side nothing is said twice.
    let one = sample("pair");
    assert!(
        !one.contains("died now</dt>") && one.matches("<th scope=\"col\">Topic on ").count() == 1,
        "{one}"
    );
}

#[test]
fn what_is_refused_says_what_was_looked_at_and_what_leads_on() {
    let html = sample("pair-both-active");
    let plan = html.split("id=\"plan\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let plan = plan.expect("the panel is there");
    assert!(plan.contains("aria-disabled=\"true\"") && !plan.contains("value=\"switchover\""), "{plan}");
    for said in [
        "eu-west → eu-central is RUNNING",
        "eu-central → eu-west is RUNNING",
        "no side stands by",
        "nor is failing over when one side dies",
        "payments-eu-central-source",
        "active_passive",
        "translation and content proofs",
        "href=\"/runbooks#both-sides-are-active\"",
    ] {
        assert!(plan.contains(said), "“{said}” is missing: {plan}");
    }
    assert!(sample("runbooks").contains("id=\"both-sides-are-active\""), "the link has its target");
    let fleet = sample("fleet-both-active");
    assert!(!fleet.contains("Plan moving payments"), "it cannot be");
    assert!(fleet.contains("payments</a> (by hand: both sides are active)"), "no run does it: {fleet}");
}

#[test]
fn a_drill_that_only_looks_is_offered_in_either_direction() {
    let panel = |page: &str| {
        let html = sample(page);
        let plan = html.split("id=\"plan\"").nth(1).and_then(|rest| rest.split("</section>").next());
        plan.expect("the panel is there").to_owned()
    };
    let plan = panel("pair-both-active");
    assert_eq!(plan.matches("<form").count(), 2, "{plan}");
    for (from, course) in [("a", "eu-west → eu-central"), ("b", "eu-central → eu-west")] {
        let form = format!(
            "name=\"operation\" value=\"readiness_drill\"><input type=\"hidden\" name=\"from\" value=\"{from}\">\
             <button class=\"btn wide\">Plan a readiness drill of payments, {course}</button>"
        );
        assert_eq!(plan.matches(&form).count(), 1, "{form}: {plan}");
    }
    assert_eq!(plan.matches("nobody has to approve it").count(), 1, "it is said once: {plan}");
    let one = panel("pair");
    for operation in ["switchover", "readiness_drill"] {
        let named = format!("name=\"operation\" value=\"{operation}\"");
        assert_eq!(one.matches(&named).count(), 1, "{operation}: {one}");
    }
}

#[test]
fn a_proof_of_either_direction_says_what_it_is_of_and_none_is_called_outdated() {
    let html = sample("translation-both-active");
    assert!(html.contains("Both sides are active, so neither is proposed."), "{html}");
    assert!(html.contains("say which cluster") && !html.contains("is active now."), "{html}");
}
