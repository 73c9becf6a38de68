//! A source that comes back piece by piece: its true figure waits for those that have no leader yet.

use super::{
    tests::{leaders, story},
    *,
};
use crate::{pair::Side, samples::topics, topic::ByPartition};

/// A survey of the source that is back; these partitions have no leader yet.
fn back(step: usize, leaderless: &[usize]) -> Survey {
    let mut survey = story().twice().survey(step, false);
    let orders = topics(&mut survey, Side::A).get_mut("orders").expect("there");
    for number in leaderless {
        orders.partitions[*number].end = None;
    }
    survey
}

fn lost() -> Loss {
    story().twice().statement(33, 35)
}

/// For how many it waits, and what of each partition, the topic and all is told.
type Told = (usize, Vec<Option<i64>>, Option<i64>, Option<Option<i64>>);

fn told(loss: &Loss) -> Told {
    let partitions = loss.topics[0].partitions.iter().map(|lost| lost.truth).collect();
    (loss.waits_for_leaders, partitions, loss.topics[0].truth, loss.truth.as_ref().map(|truth| truth.records))
}

/// 197 of 330 arrived of each.
const MISSING: i64 = 330 - 1 - 196;

fn nothing() -> ByPartition<LeaderEnds> {
    BTreeMap::new()
}

#[test]
fn the_true_figure_waits_for_every_leader_however_long_and_the_interval_stands() {
    let mut loss = lost();
    let said = loss.total;
    assert!(settle(&mut loss, &back(33, &[0, 1]), &nothing()), "that it waits is news");
    assert_eq!(told(&loss), (2, vec![None, None], None, None));
    for _ in 0..30 {
        assert!(!settle(&mut loss, &back(33, &[0, 1]), &nothing()), "that it still does is none");
    }
    assert!(settle(&mut loss, &back(33, &[1]), &nothing()));
    assert_eq!(told(&loss), (1, vec![Some(MISSING), None], None, None));
    assert!(!settle(&mut loss, &back(33, &[1]), &nothing()));
    assert!(settle(&mut loss, &back(33, &[]), &nothing()));
    let all = Some(2 * MISSING);
    assert_eq!(told(&loss), (0, vec![Some(MISSING), Some(MISSING)], all, Some(all)));
    assert!(settle(&mut loss, &back(33, &[]), &nothing()));
    let truth = loss.truth.clone().expect("told");
    assert_eq!((truth.settled, loss.total), (true, said));
    assert!(truth.method.contains("stood still over two surveys"), "{}", truth.method);
    assert!(loss.topics[0].partitions.iter().all(|lost| lost.read_again.is_none()), "all is told");
}

#[test]
fn that_nobody_adds_to_it_is_not_told_by_a_survey_that_was_brought_forward() {
    let mut loss = lost();
    let early = Survey { brought_forward: true, ..back(33, &[]) };
    assert!(settle(&mut loss, &early, &nothing()), "it may be the first");
    assert!(!settle(&mut loss, &early, &nothing()));
    assert!(!loss.truth.as_ref().expect("told").settled);
    assert!(settle(&mut loss, &back(33, &[]), &nothing()));
    assert!(loss.truth.expect("told").settled);
}

#[test]
fn a_partition_is_told_by_its_first_reading_whatever_is_written_while_others_are_waited_for() {
    let mut loss = lost();
    settle(&mut loss, &back(33, &[1]), &nothing());
    // A minute later the second has a leader, and somebody went on with both.
    settle(&mut loss, &back(39, &[]), &nothing());
    let written_since = 390 - 330;
    let all = Some(2 * MISSING + written_since);
    assert_eq!(told(&loss), (0, vec![Some(MISSING), Some(MISSING + written_since)], all, Some(all)));
    settle(&mut loss, &back(39, &[]), &nothing());
    let truth = loss.truth.expect("told");
    assert!(truth.settled && !truth.method.contains("stood still"), "{}", truth.method);
}

#[test]
fn the_logs_tell_of_each_partition_as_it_comes_back() {
    let mut loss = lost();
    let both = |step: usize, leaderless: &[usize]| {
        let mut survey = back(step, leaderless);
        for partition in &mut topics(&mut survey, Side::A).get_mut("orders").expect("there").partitions {
            partition.leader_epoch = Some(6);
        }
        survey
    };
    for lost in &mut loss.topics[0].partitions {
        lost.leader_epoch = Some(4);
    }
    let asked = |loss: &Loss, survey: &Survey| {
        epochs_to_ask(loss, survey).into_keys().map(|key| key.partition).collect::<Vec<_>>()
    };
    let (first, second) = (both(39, &[1]), both(39, &[]));
    assert_eq!(asked(&loss, &first), [0]);
    settle(&mut loss, &first, &leaders(330, 330));
    assert_eq!(asked(&loss, &second), [1], "each is asked once");
    let of_the_second = leaders(330, 330)
        .into_values()
        .map(|ends| (TopicPartition::new("orders", 1), ends))
        .collect::<ByPartition<LeaderEnds>>();
    settle(&mut loss, &second, &of_the_second);
    let truth = loss.truth.expect("told");
    assert_eq!((truth.records, truth.by_logs), (Some(2 * MISSING), true));
}

#[test]
fn nobody_waits_for_what_is_gone_or_cannot_be_told() {
    let mut loss = lost();
    loss.topics[0].partitions[1].through = None;
    let mut gone = back(33, &[1]);
    assert!(settle(&mut loss.clone(), &gone, &nothing()));
    settle(&mut loss, &gone, &nothing());
    assert_eq!(told(&loss), (0, vec![Some(MISSING), None], None, Some(None)));
    let mut loss = lost();
    topics(&mut gone, Side::A).clear();
    settle(&mut loss, &gone, &nothing());
    assert_eq!(told(&loss), (0, vec![None, None], None, Some(None)));
}
