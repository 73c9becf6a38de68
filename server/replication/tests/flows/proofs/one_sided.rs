//! Content that one side has and the other has nothing to answer with.

use chrono::DateTime;
use muster_domain::proof::content::{ContentAsk, ContentFacts, ContentProof, ContentVerdict};

use super::*;

/// What is said of one stretch alone.
async fn proven(logs: &Logs, stretch: Stretch) -> ContentProof {
    let end = logs.compare(&stretch, &Meter::new(None), None, &Forever).await;
    said(stretch, end)
}

fn said(stretch: Stretch, end: Option<StretchEnd>) -> ContentProof {
    let end = end.expect("nobody stopped it");
    let (began_at, asked) = (DateTime::UNIX_EPOCH, ContentAsk::default());
    let facts = ContentFacts { began_at, took_ms: 1, asked, sampling: None, processes: 1 };
    ContentProof::new(facts, &[(stretch, end)])
}

#[tokio::test]
async fn a_copy_that_retention_emptied_is_not_the_same() {
    let mut logs = Logs::new();
    logs.fill(500);
    let (_, end) = logs.ends();
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").delete_below(end);
    let proof = proven(&logs, logs.stretch(0)).await;
    assert_eq!(proof.summary.verdict, ContentVerdict::CannotSay, "{proof:?}");
    let found = &proof.summary.found;
    assert_eq!((found.matched, found.before, found.missing), (0, found.on_source, 0), "{found:?}");
    let said = proof.sentence();
    assert!(said.starts_with("0 records compared; of 1 partitions not one record"), "{said}");
}

#[tokio::test]
async fn a_copy_that_retention_shortened_is_the_same_as_far_as_it_reaches_back() {
    let mut logs = Logs::new();
    logs.fill(500);
    let (_, first_left) = logs.copies[100];
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").delete_below(first_left);
    let proof = proven(&logs, logs.stretch(0)).await;
    assert_eq!(proof.summary.verdict, ContentVerdict::SameInPart, "{proof:?}");
    let found = &proof.summary.found;
    assert_eq!((found.before, found.matched + 100), (100, found.on_source), "{found:?}");
    assert!(proof.sentence().ends_with("100 older than the other side reaches back"), "{}", proof.sentence());
}

/// As of a topic that the connector leaves out: nothing is known to be copied, so nothing is missing.
#[tokio::test]
async fn what_was_never_copied_is_not_on_its_way() {
    let logs = Logs::new();
    for number in 0..50 {
        let mut world = logs.world.lock();
        world.cluster_mut("A").log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
    }
    let proof = proven(&logs, Stretch { required_until: 0, ..logs.stretch(0) }).await;
    assert_eq!(
        (proof.summary.verdict, proof.summary.uncompared),
        (ContentVerdict::CannotSay, 1),
        "{proof:?}"
    );
    assert!(proof.sentence().ends_with("; 50 not known to be copied yet"), "{}", proof.sentence());
}

/// Gone on with after hours, when retention had passed the place.
#[tokio::test]
async fn what_retention_removed_before_it_was_read_is_neither_missing_nor_foreign() {
    for overtaken in ["A", "B"] {
        let mut logs = Logs::new();
        logs.fill(600);
        let (stopped, left) = (logs.copies[50], logs.copies[200]);
        let below = if overtaken == "A" { left.0 } else { left.1 };
        logs.world.lock().cluster_mut(overtaken).log_mut(&at(0)).expect("the topic").delete_below(below);
        let from = Checkpoint {
            source_next: stopped.0,
            target_next: stopped.1,
            found: Found { on_source: 50, on_target: 50, matched: 50, ..Found::default() },
            source_gone: 0,
            target_gone: 0,
            missed: vec![],
            known_from: Some(0),
        };
        let end = logs.compare(&logs.stretch(0), &Meter::new(None), Some(from), &Forever).await;
        let proof = said(logs.stretch(0), end);
        let found = &proof.summary.found;
        assert_eq!((found.before, found.missing, found.extra), (150, 0, 0), "{overtaken}: {found:?}");
        assert_eq!(found.matched + 150, logs.copies.len() as u64, "{overtaken}: {found:?}");
        assert_eq!(proof.summary.verdict, ContentVerdict::CannotSay, "{overtaken}");
        let gone = (proof.summary.source_gone, proof.summary.target_gone);
        assert_eq!((gone.0 > 0, gone.1 > 0), (overtaken == "A", overtaken == "B"), "{gone:?}");
        assert!(proof.sentence().contains("before they were read"), "{}", proof.sentence());
    }
}

#[tokio::test]
async fn what_stands_where_the_source_never_had_anything_is_foreign() {
    let logs = Logs::new();
    for number in 0..5 {
        let mut world = logs.world.lock();
        world.cluster_mut("B").log_mut(&at(0)).expect("the topic").append(payload(number), 0, false);
    }
    let proof = proven(&logs, logs.stretch(0)).await;
    assert_eq!((proof.summary.verdict, proof.summary.found.extra), (ContentVerdict::Differs, 5), "{proof:?}");
    // Some of it may be gone by now.
    logs.world.lock().cluster_mut("B").log_mut(&at(0)).expect("the topic").delete_below(2);
    let proof = proven(&logs, logs.stretch(0)).await;
    assert_eq!((proof.summary.verdict, proof.summary.found.extra), (ContentVerdict::Differs, 3), "{proof:?}");
    // In a partition that the source does not have.
    let beyond = Stretch { source: at(99), ..logs.stretch(0) };
    let proof = proven(&logs, beyond).await;
    assert_eq!((proof.summary.verdict, proof.summary.found.extra), (ContentVerdict::Differs, 3), "{proof:?}");
}

#[tokio::test]
async fn what_stands_where_retention_emptied_the_source_may_be_older_and_is_not_called_foreign() {
    let mut logs = Logs::new();
    logs.fill(100);
    let (end, _) = logs.ends();
    logs.world.lock().cluster_mut("A").log_mut(&at(0)).expect("the topic").delete_below(end);
    let proof = proven(&logs, logs.stretch(end)).await;
    let found = &proof.summary.found;
    assert_eq!((found.extra, found.before), (0, logs.copies.len() as u64), "{found:?}");
    assert_eq!(proof.summary.verdict, ContentVerdict::CannotSay, "nothing was compared");
}

/// More foreign records in a row than is looked ahead, and no end of the source near.
#[tokio::test]
async fn a_place_that_is_lost_is_told_and_what_is_behind_it_is_not_called_missing() {
    let logs = Logs::new();
    {
        let mut world = logs.world.lock();
        for number in 0..50_000 {
            let log = world.cluster_mut("A").log_mut(&at(0)).expect("the topic");
            log.append(payload(number), 0, false);
        }
        let log = world.cluster_mut("B").log_mut(&at(0)).expect("the topic");
        for number in (0..100).chain(1_000_000..1_021_000).chain(100..50_000) {
            log.append(payload(number), 0, false);
        }
    }
    let proof = proven(&logs, logs.stretch(0)).await;
    let found = &proof.summary.found;
    assert_eq!((found.matched, found.missing, found.extra), (100, 0, 0), "{found:?}");
    assert_eq!(
        (proof.summary.verdict, proof.summary.lost_places),
        (ContentVerdict::CannotSay, 1),
        "{found:?}"
    );
    assert!(
        proof.sentence().contains("in 1 partitions the two sides had nothing in common"),
        "{}",
        proof.sentence()
    );
    let told = proof.partitions[0].unread();
    assert!(told.starts_with("from 100 of the source and 100 of the target on"), "{told}");
}
