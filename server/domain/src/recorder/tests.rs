use super::*;
use crate::{
    lag::{Clock, Past, ends_of, judge_flow},
    pair::Side,
    samples::{self, at, known, topics},
    survey::{OffsetPair, SideObservation},
};

fn clock() -> Clock {
    Clock { now: at(1), period: chrono::TimeDelta::seconds(5) }
}

#[test]
fn a_sample_has_what_the_survey_saw_of_the_partition() {
    let pair = samples::pair();
    let mut survey = samples::survey();
    topics(&mut survey, Side::A).insert("orders".to_owned(), samples::topic(150));
    let newest = &mut known(&mut survey.flows[0].newest_pairs).0;
    newest.insert(TopicPartition::new("orders", 0), OffsetPair { upstream: 98, downstream: 97 });
    let (_, lags) = judge_flow(&pair, &pair.flows[0], &survey, Past::default(), clock());
    let samples = partition_samples(&pair, &pair.flows[0], &survey, &lags);
    let cells = [150, 150, 150, 0, 100, 99, 98, 97, 100, 1].map(Some).to_vec();
    assert_eq!(samples.len(), 1);
    assert_eq!((samples[0].topic.as_str(), &samples[0].tracks), ("orders", &vec![cells]));
}

#[test]
fn of_a_dead_source_what_still_arrives_is_recorded_and_no_end() {
    let pair = samples::pair();
    let history: Vec<_> = ends_of(&pair.flows[0], &samples::survey()).into_iter().collect();
    let mut survey = samples::survey();
    survey.sides.a = SideObservation::unreachable("connection refused", at(5));
    let past = Past { ends: &history, ..Past::default() };
    let (_, lags) = judge_flow(&pair, &pair.flows[0], &survey, past, clock());
    let samples = partition_samples(&pair, &pair.flows[0], &survey, &lags);
    let track = &samples[0].tracks[0];
    assert_eq!(track[Column::End as usize], None);
    assert_eq!(track[Column::Reach as usize], None);
    assert_eq!(track[Column::Committed as usize], Some(99));
    assert_eq!(track[Column::Target as usize], Some(100));
}

#[test]
fn groups_are_recorded_where_they_stand() {
    let pair = samples::pair();
    let mut survey = samples::survey();
    known(&mut survey.sides.a.groups).insert("billing".to_owned(), samples::group(1, 42));
    let samples = group_samples(&pair.flows[0], &survey);
    assert_eq!((samples[0].group.as_str(), &samples[0].tracks), ("billing", &vec![vec![Some(42)]]));
}

/// A partition at some moments: the end, what has arrived, and how sure that is.
fn block(moments: &[(Option<i64>, Option<i64>, ReadingClass)]) -> Block {
    let samples: Vec<(i64, Vec<Cells>)> = (0..)
        .zip(moments)
        .map(|(at, (end, through, class))| {
            let mut cells = vec![None; Column::COUNT];
            cells[Column::End as usize] = *end;
            cells[Column::Reach as usize] = *end;
            cells[Column::Through as usize] = *through;
            cells[Column::Class as usize] = Some(class_number(*class));
            (at * 5_000, vec![cells])
        })
        .collect();
    Block::of(Column::COUNT, &samples)
}

#[test]
fn an_hour_has_the_worst_of_it_and_unknown_is_worst() {
    use ReadingClass::{Exact, LowerBound, Unknown};
    let good =
        block(&[(Some(10), Some(9), Exact), (Some(30), Some(19), LowerBound), (Some(31), Some(30), Exact)]);
    let hour = hours_of(&good, 0);
    let values =
        |hour: &Block| [Hours::END, Hours::BEHIND, Hours::CLASS].map(|column| hour.value(column, 0, 0));
    assert_eq!(values(&hour), [Some(31), Some(10), Some(class_number(LowerBound))]);
    let away = hours_of(&block(&[(None, Some(30), Unknown)]), 0);
    assert_eq!(values(&away), [None, None, Some(class_number(Unknown))]);
    let joined = join_hours(&hour, &away);
    assert_eq!(values(&joined), [Some(31), None, Some(class_number(Unknown))]);
    assert_eq!(values(&join_hours(&away, &hour)), [Some(31), None, Some(class_number(Unknown))]);
    assert_eq!(values(&join_hours(&Block::default(), &hour)), values(&hour));
}

#[test]
fn an_hour_of_a_group_has_its_last_position_and_how_far_it_went_either_way() {
    // The first track is set back in the hour; the second was not read at its end; the third came later.
    let part = |moments: &[[Option<i64>; 3]]| {
        let cells = |seen: &[Option<i64>; 3]| -> Vec<Cells> { seen.iter().map(|at| vec![*at]).collect() };
        let samples: Vec<(i64, Vec<Cells>)> = (0..).zip(moments.iter().map(cells)).collect();
        Kind::Groups.hours_of(&Block::of(1, &samples), 0)
    };
    let values = |hour: &Block, track| {
        [GroupHours::POSITION, GroupHours::LOWEST, GroupHours::HIGHEST]
            .map(|column| hour.value(column, track, 0))
    };
    let early = part(&[[Some(50), Some(7), None], [Some(90), Some(8), None]]);
    let late = part(&[[Some(20), None, Some(0)], [Some(30), None, Some(4)]]);
    assert_eq!(values(&early, 0), [Some(90), Some(50), Some(90)]);
    let hour = Kind::Groups.join_hours(&early, &late);
    assert_eq!(values(&hour, 0), [Some(30), Some(20), Some(90)]);
    assert_eq!(values(&hour, 1), [Some(8), Some(7), Some(8)]);
    assert_eq!(values(&hour, 2), [Some(4), Some(0), Some(4)]);
    assert_eq!(Kind::Groups.join_hours(&Block::default(), &hour), hour);
}

#[test]
fn a_class_of_a_newer_muster_vouches_for_nothing() {
    for class in [
        ReadingClass::Exact,
        ReadingClass::Tight,
        ReadingClass::LowerBound,
        ReadingClass::Stale,
        ReadingClass::Unknown,
    ] {
        assert_eq!(class_of(Some(class_number(class))), class);
    }
    assert_eq!((class_of(Some(9)), class_of(None)), (ReadingClass::Unknown, ReadingClass::Unknown));
}
