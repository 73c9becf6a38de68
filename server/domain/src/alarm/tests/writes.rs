//! What came to the standby: copied once, copied again, or written by somebody else.

use super::*;
use crate::survey::Rewind;

#[test]
fn going_back_is_told_once_and_an_old_rewind_never() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    let key = TopicPartition::new("orders", 0);
    survey.flows[0].rewinds.insert(key.clone(), Rewind { from: 50, to: 40, downstream: 60 });
    assert_eq!(codes(&story.stays(&survey, 2)), []);
    flow_on(&mut survey, 20);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 90, downstream: 100 });
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::PairsBackwards);
    assert_eq!(alarm.places[0].said, "went back from offset 99 to 90: up to 10 records are there twice");
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn growth_of_the_standby_that_replication_did_not_bring_is_a_foreign_writer() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(103), Some(103));
    assert_eq!(codes(&story.judge(survey.clone())), [], "an offset sync may be on its way");
    // Whether replication goes on meanwhile or not.
    written(&mut survey, 5);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!(alarm.code, Code::ForeignWriter);
    assert_eq!(alarm.places[0].said, "3 offsets from 100 on are not replication's");
    assert_eq!((alarm.lost, alarm.since), (Lost::NOTHING, between(10, 15)));
}

#[test]
fn what_is_copied_again_between_two_surveys_is_no_foreign_writer() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(151), Some(151));
    let key = TopicPartition::new("orders", 0);
    let pair = OffsetPair { upstream: 99, downstream: 149 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key.clone(), pair);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 50, downstream: 100 });
    assert_eq!(codes(&story.judge(survey)), [Code::PairsBackwards]);
}

#[test]
fn what_is_copied_again_is_no_foreign_writer_when_its_sync_comes_a_survey_later() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    let partition = orders(&mut survey, Side::B);
    (partition.end, partition.stable) = (Some(151), Some(151));
    assert_eq!(codes(&story.judge(survey.clone())), []);
    let key = TopicPartition::new("orders", 0);
    let pair = OffsetPair { upstream: 99, downstream: 149 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key.clone(), pair);
    survey.flows[0].rewinds.insert(key, Rewind { from: 99, to: 50, downstream: 100 });
    assert_eq!(codes(&story.judge(survey.clone())), [Code::PairsBackwards]);
    assert_eq!(codes(&story.stays(&survey, 3)), []);
}

#[test]
fn what_arrives_a_survey_after_it_was_written_is_replications_own() {
    let (mut story, mut survey) = (Story::new(), Story::survey());
    story.stays(&survey, 2);
    written(&mut survey, 5);
    story.judge(survey.clone());
    // The position was read before the records came, the end after: it moves on with the next survey.
    orders(&mut survey, Side::B).end = Some(105);
    orders(&mut survey, Side::B).stable = Some(105);
    assert_eq!(codes(&story.judge(survey)), []);
}
