//! Numbers that anybody may write: what they add up to never wraps round, and proves nothing that cannot be.

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    AlarmCode as Code,
    tests::{Story, kept, one, orders, source},
    *,
};
use crate::{
    pair::Side,
    samples::{self, extreme, group, known},
    survey::{ConnectState, OffsetPair, Rewind},
    topic::TopicPartition,
};

fn key() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// All of 1,000 records are copied, the last of them to 1,001 behind two markers; `billing` was put there on the standby.
fn committed_at(position: i64) -> Survey {
    let mut survey = Story::survey();
    for (side, end) in [(Side::A, 1_000), (Side::B, 1_002)] {
        let partition = orders(&mut survey, side);
        (partition.end, partition.stable) = (Some(end), Some(end));
    }
    known(&mut survey.flows[0].committed).offsets.insert(key(), 999);
    let pair = OffsetPair { upstream: 999, downstream: 1_001 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key(), pair);
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(1, position));
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 1_001));
    survey
}

#[test]
fn a_group_that_commits_the_highest_number_there_is_blocks_nothing() {
    for position in [1_000, i64::MAX / 2, i64::MAX] {
        let judged = Story::new().stays(&committed_at(position), 3);
        assert_eq!(judged, Judged::default(), "{position}");
    }
}

#[test]
fn the_highest_number_there_is_on_the_standby_is_too_far() {
    let mut survey = committed_at(1_000);
    known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, i64::MAX));
    let judged = Story::new().stays(&survey, 3);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.lost), (Code::OffsetsBlocking, Lost::up_to(i64::MAX - 1_002)));
    let said = format!("stands at {}; the group belongs at 1002 at most", i64::MAX);
    assert_eq!(alarm.places[0].said, said);
}

/// Of another log, for one of these was never copied: what waits is not known, and is no negative number.
#[test]
fn how_much_waits_behind_a_position_beyond_the_end_is_not_known() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    known(&mut survey.flows[0].committed).offsets.insert(key(), 5_000);
    story.judge(survey.clone());
    for _ in 0..2 {
        let partition = orders(&mut survey, Side::A);
        partition.end = partition.end.map(|end| end + 10);
        partition.stable = partition.end;
        story.judge(survey.clone());
    }
    let partition = orders(&mut survey, Side::A);
    (partition.end, partition.stable) = (Some(130), Some(130));
    let judged = story.judge(survey);
    let gone = judged.standing.iter().find(|alarm| alarm.code == Code::WorkerGone);
    assert_eq!(gone.map(|gone| gone.lost), Some(Lost { at_least: None, at_most: None }), "{judged:#?}");
}

/// What one survey shows of a partition on both sides, and of who copies and reads it.
#[derive(Debug, Clone)]
struct Numbers {
    /// First offset, last stable offset and end, with which topic it is.
    source: ([i64; 3], u128),
    target: ([i64; 3], u128),
    committed: Option<i64>,
    pair: Option<(i64, i64)>,
    /// The higher offset, the lower one, and where that is on the target.
    rewind: Option<(i64, i64, i64)>,
    /// Where `billing` stands on the source and on the target.
    positions: (Option<i64>, Option<i64>),
}

fn topic() -> impl Strategy<Value = ([i64; 3], u128)> {
    let ends = prop::array::uniform3(extreme()).prop_map(|mut ends| {
        ends.sort_unstable();
        ends
    });
    (ends, 1_u128..3)
}

/// Brokers take any number for a position.
fn position() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(prop_oneof![4 => extreme(), 1 => any::<i64>()])
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let rewind = (extreme(), extreme(), extreme()).prop_map(|(a, b, at)| (a.max(b), a.min(b), at));
    let of_flow =
        (prop::option::of(extreme()), prop::option::of((extreme(), extreme())), prop::option::of(rewind));
    (topic(), topic(), of_flow, (position(), position())).prop_map(
        |(source, target, (committed, pair, rewind), positions)| Numbers {
            source,
            target,
            committed,
            pair,
            rewind,
            positions,
        },
    )
}

fn survey(numbers: &Numbers, (exactly_once, paused): (bool, bool)) -> Survey {
    let mut survey = Story::survey();
    if !exactly_once {
        for key in ["exactly.once.support", "source.consumer.isolation.level"] {
            source(&mut survey).config.remove(key);
        }
    }
    if paused {
        source(&mut survey).state = ConnectState::Paused;
    }
    for (side, ([start, stable, end], id)) in [(Side::A, numbers.source), (Side::B, numbers.target)] {
        let topic = samples::topics(&mut survey, side).get_mut("orders").unwrap();
        topic.id = Some(Uuid::from_u128(id));
        let partition = &mut topic.partitions[0];
        (partition.start, partition.stable, partition.end) = (Some(start), Some(stable), Some(end));
    }
    let flow = &mut survey.flows[0];
    let committed = &mut known(&mut flow.committed).offsets;
    committed.clear();
    committed.extend(numbers.committed.map(|offset| (key(), offset)));
    let pairs = &mut known(&mut flow.newest_pairs).0;
    pairs.clear();
    pairs.extend(numbers.pair.map(|(upstream, downstream)| (key(), OffsetPair { upstream, downstream })));
    flow.rewinds
        .extend(numbers.rewind.map(|(from, to, downstream)| (key(), Rewind { from, to, downstream })));
    for (side, position) in [(Side::A, numbers.positions.0), (Side::B, numbers.positions.1)] {
        let groups = known(&mut survey.sides.get_mut(side).groups);
        groups.extend(position.map(|position| ("billing".to_owned(), group(0, position))));
    }
    survey
}

/// Alarms as they are kept after one more survey.
fn kept_after(open: &[StandingAlarm], judged: Judged) -> Vec<StandingAlarm> {
    let changes = settle(open, judged).into_iter().enumerate();
    let after = changes.filter_map(|(number, change)| match change {
        Change::Open(alarm) | Change::Seen { alarm, .. } => Some(kept(alarm)),
        // Of each that was open there is a change, in their order.
        Change::Stays { .. } | Change::NotSeen { .. } => Some(open[number].clone()),
        Change::End { .. } => None,
    });
    after.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Anybody who may commit for a group, write to the offset-syncs topic or set a connector's offsets chooses these numbers. Each is
    /// shown by some surveys in a row, since most alarms need that.
    #[test]
    fn fuzz_no_valid_numbers_overflow(
        shown in prop::collection::vec((numbers(), 1_usize..4), 1..5),
        mode in any::<(bool, bool)>(),
    ) {
        let (mut story, mut open) = (Story::new(), Vec::new());
        for (numbers, times) in &shown {
            for _ in 0..*times {
                let judged = story.judge(survey(numbers, mode));
                open = kept_after(&open, judged);
                for alarm in open.iter().map(|kept| &kept.alarm) {
                    let lost = alarm.places.iter().map(|place| place.lost).chain([alarm.lost]);
                    for Lost { at_least, at_most } in lost {
                        prop_assert!(at_least.is_none_or(|least| least >= 0), "{alarm:#?}");
                        prop_assert!(at_most.is_none_or(|most| most >= at_least.unwrap_or(0)), "{alarm:#?}");
                    }
                    let negative = alarm.places.iter().find(|place| place.said.contains(" -"));
                    prop_assert!(negative.is_none(), "{alarm:#?}");
                }
            }
        }
    }
}
