//! Somebody else writes on the standby while replication copies there.

use super::{
    AlarmCode as Code,
    tests::{Story, codes, copied, flow_on, one, orders, source, written},
    *,
};
use crate::{
    pair::Side,
    reading::Observed,
    samples::{at, known},
    survey::{ConnectState, OffsetPair, Rewind, WriterSeen, WritersObservation},
    topic::TopicPartition,
};

/// Replication's own producer.
const OWN: i64 = 11;
const STRANGER: i64 = 99;

fn key() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

/// Wrote so many records, of which the last at this time, in no transaction.
fn plain(producer: i64, sequence: i32) -> WriterSeen {
    let timestamp_ms = i64::from(sequence) + 1;
    WriterSeen { producer, sequence, timestamp_ms, transaction_from: None, transactional: false }
}

/// Ended a transaction at this time.
fn ended(producer: i64, timestamp_ms: i64) -> WriterSeen {
    WriterSeen { producer, sequence: -1, timestamp_ms, transaction_from: None, transactional: true }
}

fn writers(survey: &mut Survey, own: &[i64], seen: &[WriterSeen]) {
    let partitions = [(key(), seen.to_vec())].into();
    let found = WritersObservation { own: own.iter().copied().collect(), partitions, unseen: None };
    survey.flows[0].writers = Observed::known(found, at(0));
}

/// Copies in transactions, and is looked at.
fn exactly_once() -> Survey {
    let mut survey = Story::survey();
    orders(&mut survey, Side::B).leader_epoch = Some(3);
    writers(&mut survey, &[OWN], &[ended(OWN, 1)]);
    survey
}

/// Copies without transactions.
fn at_least_once() -> Survey {
    let mut survey = exactly_once();
    for key in ["exactly.once.support", "source.consumer.isolation.level"] {
        source(&mut survey).config.remove(key);
    }
    writers(&mut survey, &[], &[]);
    survey
}

/// What a survey says after replication went on and these have written.
fn after(story: &mut Story, survey: &mut Survey, own: &[i64], seen: &[WriterSeen]) -> Judged {
    flow_on(survey, 5);
    writers(survey, own, seen);
    story.judge(survey.clone())
}

#[test]
fn a_producer_that_is_none_of_replications_is_told_by_the_next_survey() {
    let (mut story, mut survey) = (Story::new(), exactly_once());
    story.judge(survey.clone());
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 2), plain(STRANGER, 0)]);
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.subject.as_str(), alarm.likely), (Code::ForeignWriter, "orders", false));
    assert_eq!(alarm.places[0].name, "orders-0");
    assert!(alarm.places[0].said.contains("producer 99"), "{:?}", alarm.places);
    assert_eq!((alarm.lost, alarm.since.by), (Lost::NOTHING, at(10)));
    // It is there still and writes no more.
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 3), plain(STRANGER, 0)]);
    assert_eq!(codes(&judged), []);
}

#[test]
fn a_producer_that_was_there_before_is_told_when_it_writes_again() {
    let (mut story, mut survey) = (Story::new(), exactly_once());
    writers(&mut survey, &[OWN], &[ended(OWN, 1), plain(STRANGER, 7)]);
    story.judge(survey.clone());
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 2), plain(STRANGER, 7)]);
    assert_eq!(codes(&judged), []);
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 3), plain(STRANGER, 8)]);
    assert!(!one(&judged).likely);
}

#[test]
fn a_transaction_of_somebody_else_is_likely_to_have_had_records() {
    let open = |from| WriterSeen { transaction_from: Some(from), ..ended(STRANGER, 4) };
    let (mut story, mut survey) = (Story::new(), exactly_once());
    writers(&mut survey, &[OWN], &[ended(OWN, 1), open(60)]);
    story.judge(survey.clone());
    // What hung there since before is ended by the coordinator.
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 2), ended(STRANGER, 5)]);
    assert_eq!(codes(&judged), []);
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 3), ended(STRANGER, 6)]);
    assert_eq!((one(&judged).code, one(&judged).likely), (Code::ForeignWriter, true));
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 4), open(90)]);
    assert_eq!((one(&judged).code, one(&judged).likely), (Code::ForeignWriter, false));
}

#[test]
fn replications_own_producers_are_its_own_also_when_their_ids_change() {
    let (mut story, mut survey) = (Story::new(), exactly_once());
    story.judge(survey.clone());
    // The old id wrote on for a while, then its transactional id got another one.
    let judged = after(&mut story, &mut survey, &[12], &[ended(OWN, 2), ended(12, 2)]);
    assert_eq!(codes(&judged), []);
    let judged = after(&mut story, &mut survey, &[12], &[ended(OWN, 2), ended(12, 3)]);
    assert_eq!(codes(&judged), []);
}

#[test]
fn nothing_is_said_where_replications_own_producers_are_not_known_or_another_leader_answers() {
    let (mut story, mut survey) = (Story::new(), exactly_once());
    writers(&mut survey, &[], &[ended(OWN, 1)]);
    story.judge(survey.clone());
    let judged = after(&mut story, &mut survey, &[], &[ended(OWN, 2), plain(STRANGER, 0)]);
    assert_eq!(codes(&judged), [], "transactional ids may not be seen");
    for epoch in [Some(4), None] {
        let (mut story, mut survey) = (Story::new(), exactly_once());
        story.judge(survey.clone());
        orders(&mut survey, Side::B).leader_epoch = epoch;
        let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 2), plain(STRANGER, 0)]);
        assert_eq!(codes(&judged), [], "{epoch:?}");
    }
    let (mut story, mut survey) = (Story::new(), exactly_once());
    survey.flows[0].writers = Observed::unknown("refused", at(0));
    story.judge(survey.clone());
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 2), plain(STRANGER, 0)]);
    assert_eq!(codes(&judged), [], "nothing to compare with");
}

/// A partition that did not answer hides nobody in the others, and who writes there is not seen.
#[test]
fn that_some_partitions_were_not_looked_at_is_said() {
    let (mut story, mut survey) = (Story::new(), exactly_once());
    let said = |judged: &Judged| judged.unknown.get(&Code::ForeignWriter).cloned();
    assert_eq!(said(&story.judge(survey.clone())), None);
    let silent = Some("producers of 1 of 2 partitions could not be read".to_owned());
    flow_on(&mut survey, 5);
    writers(&mut survey, &[OWN], &[ended(OWN, 2), plain(STRANGER, 0)]);
    known(&mut survey.flows[0].writers).unseen.clone_from(&silent);
    let judged = story.judge(survey.clone());
    assert_eq!((one(&judged).code, said(&judged)), (Code::ForeignWriter, silent.clone()));
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 3), plain(STRANGER, 0)]);
    assert_eq!(said(&judged), silent, "nothing to compare that partition with");
    let judged = after(&mut story, &mut survey, &[OWN], &[ended(OWN, 4), plain(STRANGER, 0)]);
    assert_eq!(said(&judged), None);
    survey.flows[0].writers = Observed::unknown("refused", at(0));
    assert_eq!(said(&story.judge(survey.clone())).as_deref(), Some("refused"));
    source(&mut survey).state = ConnectState::Paused;
    assert_eq!(said(&story.judge(survey)), None, "nothing is copied, so nobody is looked for");
}

/// Replication went on by five records, and the replica grew by so many more.
fn grown(survey: &mut Survey, more: i64) {
    flow_on(survey, 5);
    let partition = orders(survey, Side::B);
    partition.end = partition.end.map(|end| end + more);
    partition.stable = partition.end;
    let pair = known(&mut survey.flows[0].newest_pairs).0.get_mut(&key()).unwrap();
    pair.downstream += more;
}

#[test]
fn more_than_the_source_has_between_two_syncs_is_likely_somebody_elses() {
    let (mut story, mut survey) = (Story::new(), at_least_once());
    story.judge(survey.clone());
    grown(&mut survey, 0);
    assert_eq!(codes(&story.judge(survey.clone())), []);
    grown(&mut survey, 3);
    let judged = story.judge(survey.clone());
    let alarm = one(&judged);
    assert_eq!((alarm.code, alarm.likely), (Code::ForeignWriter, true));
    assert_eq!(
        alarm.places[0].said,
        "has 3 offsets more between 104 and 112 than the source between 104 and 109"
    );
    grown(&mut survey, 0);
    assert_eq!(codes(&story.judge(survey)), []);
}

#[test]
fn markers_and_going_back_make_more_of_what_was_copied() {
    // A worker that writes in transactions, whatever the connector asks for.
    let (mut story, mut survey) = (Story::new(), at_least_once());
    writers(&mut survey, &[], &[ended(OWN, 1)]);
    story.judge(survey.clone());
    grown(&mut survey, 3);
    writers(&mut survey, &[], &[ended(OWN, 2)]);
    assert_eq!(codes(&story.judge(survey.clone())), []);

    let (mut story, mut survey) = (Story::new(), at_least_once());
    story.judge(survey.clone());
    grown(&mut survey, 3);
    survey.flows[0].rewinds.insert(key(), Rewind { from: 99, to: 97, downstream: 100 });
    assert_eq!(codes(&story.judge(survey.clone())), [Code::PairsBackwards]);

    // Fewer: a source in transactions, or a flow that leaves records out.
    let (mut story, mut survey) = (Story::new(), at_least_once());
    story.judge(survey.clone());
    written(&mut survey, 10);
    copied(&mut survey, 5);
    let pair = OffsetPair { upstream: 109, downstream: 104 };
    known(&mut survey.flows[0].newest_pairs).0.insert(key(), pair);
    assert_eq!(codes(&story.judge(survey)), []);
}
