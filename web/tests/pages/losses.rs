//! What pages say of a loss: no better than it is known, and what is to be done about it now.

use super::{sample, text};

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
