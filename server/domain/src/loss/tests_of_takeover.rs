//! A process that takes a pair over after the death knows less of the source than the one that stated the loss. It says the same again.

use std::collections::BTreeSet;

use super::{
    tests::{Story, ends, large, pace, seen, story},
    *,
};
use crate::{
    pair::Side,
    patterns::Scope,
    reading::Observed,
    samples::{self, at, known, topics},
    survey::SideObservation,
};

fn first() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// What is said again of a death at 33 s, long after it, by whoever knows these ends of before and such a pace; `change` is what the
/// survey reads otherwise than the one that noticed.
fn again(
    story: &Story,
    said: &Loss,
    (history, pace): (&[EndsAt], &Pace),
    change: impl FnOnce(&mut Survey),
) -> Loss {
    let pair = samples::pair();
    let mut dead = story.survey(33, true);
    dead.sides.a = SideObservation::unreachable("no route to host", at(1_000));
    let previous = dead.clone();
    change(&mut dead);
    let high = seen(Side::A, [&story.survey(30, false)]);
    let evidence =
        Evidence { history, high: &high, pace, previous: Some(&previous), said: Some(said), active: None };
    state_loss(&pair, &pair.flows[0], &dead, &evidence).expect("a statement")
}

/// The end that was read last, and of how fast it was written to that it stood still.
fn stood_still(story: &Story) -> (Vec<EndsAt>, Pace) {
    let last = ends(&story.survey(30, false));
    let pace = pace(&[(at(25), last.1.clone()), last.clone()]);
    (vec![last], pace)
}

#[test]
fn whoever_knows_less_says_what_was_said() {
    for story in [story(), large(), story().twice().silent(1, 26..60), story().twice().silent(1, 0..60)] {
        let said = story.statement(33, 35);
        assert_eq!(again(&story, &said, (&[], &Pace::new()), |_| ()), said, "nothing is read back");
        let (history, slow) = stood_still(&story);
        assert_eq!(again(&story, &said, (&history, &slow), |_| ()), said, "a little is");
    }
}

#[test]
fn what_was_proven_to_be_missing_stands_where_the_target_is_not_read() {
    let said = large().statement(33, 35);
    assert!(said.total.records_at_least > 0);
    let (history, slow) = stood_still(&large());
    let unread = again(&large(), &said, (&history, &slow), |dead| {
        dead.sides.b = SideObservation::unreachable("no route to host", at(1_000));
        dead.flows[0].newest_pairs = Observed::unknown("no route to host", at(1_000));
    });
    assert_eq!(unread, said);
}

/// The connector's committed offset is up to a minute old, so more may be known to have arrived after the death.
#[test]
fn what_is_read_to_have_arrived_since_is_lost_no_more() {
    let said = story().statement(33, 35);
    let (history, slow) = stood_still(&story());
    let moved_to = |upstream: i64| {
        again(&story(), &said, (&history, &slow), |dead| {
            known(&mut dead.flows[0].committed).offsets.insert(first(), upstream);
        })
    };
    let most = 300 - 1 - 196 + 50 + 15;
    assert_eq!((said.topics[0].partitions[0].through, said.total.records_at_most), (Some(196), Some(most)));
    // Also what nobody saw, as far as it was said to be possible: this one knows of nothing that was written.
    for upstream in [196 + 50, 196 + 110, 196 + most] {
        let loss = moved_to(upstream);
        let left = Some(most - (upstream - 196));
        let lost = [loss.total, loss.topics[0].lost, loss.topics[0].partitions[0].lost];
        assert_eq!(lost.map(|lost| lost.records_at_most), [left; 3], "up to {upstream}");
        assert!(loss.total.ms_at_most <= said.total.ms_at_most, "up to {upstream}");
        assert_eq!(loss.method, said.method);
    }
    let beyond = moved_to(196 + most + 1);
    assert_eq!(beyond.topics[0].partitions[0].through, None, "this is no position of that log");
    assert_eq!((beyond.total.records_at_most, beyond.total.ms_at_most), (None, None));
}

#[test]
fn of_a_partition_whose_position_is_known_only_now_as_much_is_said_as_is_known_now() {
    let story = story().twice();
    let mut said = story.statement(33, 35);
    // As it is said where the second partition's position could not be told.
    let unknown = &mut said.topics[0].partitions[1];
    (unknown.through, unknown.lost) = (None, Interval::default());
    let bounds = [&mut said.topics[0].lost, &mut said.total];
    bounds.into_iter().for_each(|lost| (lost.records_at_most, lost.ms_at_most) = (None, None));
    let (history, slow) = stood_still(&story);
    let loss = again(&story, &said, (&history, &slow), |_| ());
    let [stands, anew] = loss.topics[0].partitions.as_slice() else { panic!("{loss:?}") };
    assert_eq!(stands.lost, said.topics[0].partitions[0].lost);
    assert_eq!(anew.lost.records_at_most, Some(300 - 1 - 196), "nothing was seen to be written");
    let sum = stands.lost.records_at_most.zip(anew.lost.records_at_most).map(|(a, b)| a + b);
    assert_eq!((loss.total.records_at_most, loss.topics[0].lost.records_at_most), (sum, sum));
    assert_ne!(loss.method, said.method, "part of it is found otherwise");
}

#[test]
fn records_that_arrived_behind_the_newest_sync_make_what_is_proven_less() {
    let said = large().statement(33, 35);
    let (history, slow) = stood_still(&large());
    let arrived = 500;
    let loss = again(&large(), &said, (&history, &slow), |dead| {
        let copy = topics(dead, Side::B).get_mut("orders").expect("there");
        copy.partitions[0].end = copy.partitions[0].end.map(|end| end + arrived);
    });
    assert_eq!(loss.total.records_at_least, said.total.records_at_least - arrived);
    assert_eq!(loss.total.records_at_most, said.total.records_at_most, "no position moved");
}

/// The last that is left of a source that died longer ago than anybody looks back.
#[test]
fn what_was_stated_tells_how_each_partition_was_last_read() {
    let story = story().twice().silent(1, 26..60);
    let said = story.statement(33, 35);
    let last = LastEnds::stated(&said);
    assert_eq!(last.at, said.seen_at);
    let read: Vec<_> = last.ends.values().map(|last| last.map(|last| (last.at, last.end))).collect();
    assert_eq!(read, [Some((at(30), 300)), Some((at(25), 250))]);
    let never = story.silent(1, 0..60).statement(33, 35);
    assert_eq!(LastEnds::stated(&never).ends.values().filter(|last| last.is_none()).count(), 1);
}

#[test]
fn what_was_stated_tells_a_topic_that_is_made_anew_while_nobody_looked() {
    let mut said = story().statement(33, 35);
    let id = |number| Some(Uuid::from_u128(number));
    said.topics[0].topic_id = id(1);
    let over = |now: Option<Uuid>| {
        let mut back = story().survey(40, false);
        topics(&mut back, Side::A).get_mut("orders").expect("there").id = now;
        LastEnds::stated(&said).see(&Scope::of(&samples::pair()), Side::A, &back)
    };
    assert_eq!([over(id(1)), over(None)], [BTreeSet::new(), BTreeSet::new()], "it goes on");
    assert_eq!(over(id(2)), BTreeSet::from(["orders".to_owned()]));
}
