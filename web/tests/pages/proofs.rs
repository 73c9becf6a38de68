//! Pages of proofs and of the records they cite: which proof is shown, what else tells of it, and who may see payload.

use super::{sample, text};

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
