//! A source that is back: the true figure beside what was said.

use super::*;
use crate::survey::FirstMissing;

#[test]
fn the_true_figure_comes_beside_what_was_said() {
    let mut loss = story().statement(33, 35);
    let said = loss.total;
    let back = story().survey(33, false);
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(330 - 1 - 196), false, false));
    assert_eq!(loss.topics[0].partitions[0].truth, Some(133));
    assert_eq!(loss.total, said, "what was said stays");
    assert!(settle(&mut loss, &back, &BTreeMap::new()));
    let truth = loss.truth.clone().expect("told");
    // 130 were lost: 3 arrived behind the last position that is known, and nobody can tell.
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(133), false, true));
    assert!(truth.method.contains("at most so many: transaction markers count"), "{}", truth.method);
    assert!(!settle(&mut loss, &back, &BTreeMap::new()), "the last word is said");
}

#[test]
fn how_long_ago_the_oldest_lost_record_was_written_is_told_from_its_timestamp() {
    let mut loss = story().statement(33, 35);
    let mut back = story().survey(33, false);
    settle(&mut loss, &back, &BTreeMap::new());
    let (topic, partition) = (loss.topics[0].topic.clone(), loss.topics[0].partitions[0].clone());
    let written = loss.noticed_at.timestamp_millis() - 4_200;
    let mut missing = |offset| {
        let there = topics(&mut back, Side::A).get_mut(&topic).unwrap();
        let number = usize::try_from(partition.partition).unwrap();
        there.partitions[number].first_missing = Some(FirstMissing { offset, timestamp_ms: written });
        let mut loss = loss.clone();
        settle(&mut loss, &back, &BTreeMap::new());
        let truth = loss.truth.unwrap();
        (loss.topics[0].partitions[0].truth_ms, truth.ms, truth.method.contains("4.2 s before"))
    };
    let through = partition.through.unwrap();
    assert_eq!(missing(through + 1), (Some(4_200), Some(4_200), true));
    assert_eq!(missing(through), (None, None, false), "it had arrived, so it was not lost");
}

#[test]
fn that_nothing_was_lost_is_exact() {
    let story = Story { copied: vec![100; 40], exactly_once: true, ..story() };
    let mut loss = story.statement(30, 35);
    let back = story.survey(30, false);
    settle(&mut loss, &back, &BTreeMap::new());
    settle(&mut loss, &back, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact), (Some(0), true));
}

#[test]
fn a_source_that_is_written_to_again_leaves_an_upper_bound() {
    let mut loss = story().statement(33, 35);
    let (first, second) = (story().survey(34, false), story().survey(36, false));
    settle(&mut loss, &first, &BTreeMap::new());
    settle(&mut loss, &second, &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.exact, truth.settled), (Some(340 - 1 - 196), false, true));
}

#[test]
fn a_source_that_came_back_shorter_tells_nothing() {
    let mut loss = story().statement(33, 35);
    settle(&mut loss, &story().survey(20, false), &BTreeMap::new());
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, loss.topics[0].truth), (None, None));
    assert!(truth.method.contains("not restored whole"), "{}", truth.method);
}

/// `orders` with an id, and another leader than then.
fn orders_of(survey: &mut Survey, id: u128) {
    let topic = topics(survey, Side::A).get_mut("orders").expect("there");
    topic.id = Some(Uuid::from_u128(id));
    topic.partitions[0].leader_epoch = Some(9);
}

#[test]
fn a_topic_that_was_made_anew_tells_nothing_of_the_one_before_however_long_it_is() {
    let mut lost = story().statement(33, 35);
    lost.topics[0].topic_id = Some(Uuid::from_u128(1));
    lost.topics[0].partitions[0].leader_epoch = Some(3);
    let mut back = story().survey(39, false);
    orders_of(&mut back, 2);
    let mut loss = lost.clone();
    assert_eq!(epochs_to_ask(&loss, &back), BTreeMap::new(), "it was never led before");
    for settled in [false, true] {
        assert!(settle(&mut loss, &back, &BTreeMap::new()));
        let truth = loss.truth.clone().expect("told");
        assert_eq!((truth.records, loss.topics[0].truth, truth.settled), (None, None, settled));
        assert!(truth.method.starts_with("`orders` was deleted and made anew"), "{}", truth.method);
    }
    assert_eq!((loss.total, loss.waits_for_leaders), (lost.total, 0), "the interval stands");
    // The same log, and one of which nobody tells which it is.
    for id in [Some(1), None] {
        let mut loss = lost.clone();
        topics(&mut back, Side::A).get_mut("orders").expect("there").id = id.map(Uuid::from_u128);
        assert_eq!(epochs_to_ask(&loss, &back).len(), 1);
        settle(&mut loss, &back, &BTreeMap::new());
        assert_eq!(loss.truth.expect("told").records, Some(390 - 1 - 196), "{id:?}");
    }
}

#[test]
fn which_topic_was_lost_of_is_remembered() {
    let (pair, mut living) = (samples::pair(), story().survey(30, false));
    orders_of(&mut living, 1);
    let (history, high, pace) = ([ends(&living)], seen(Side::A, [&living]), pace(&[]));
    let dead = story().survey(33, true);
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace,
        previous: Some(&living),
        said: None,
        active: None,
    };
    let loss = state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement");
    assert_eq!(loss.topics[0].topic_id, Some(Uuid::from_u128(1)));
    // By a process that knows no more than what was said.
    let unread = LastEnds { at: high.at, ends: high.ends.keys().map(|key| (key.clone(), None)).collect() };
    let later = Evidence { high: &unread, previous: None, said: Some(&loss), ..evidence };
    let again = state_loss(&pair, &pair.flows[0], &dead, &later).expect("a statement");
    assert_eq!(again.topics[0].topic_id, Some(Uuid::from_u128(1)));
}
