//! Reading what lies behind the last record that was copied, where a source's end stands still.
//!
//! Connect commits the offset of a record, and what a transaction leaves behind its last one is a marker: from numbers alone such a
//! partition is behind for ever. Here the few offsets in question are read, once for each end: either nothing is left that could be
//! copied, or it is known which record is missing and when it says it was written. A look reads only, a few partitions at a time,
//! and a survey never waits for it longer than three seconds.

use std::{collections::BTreeMap, time::Instant};

use muster_domain::{
    lag::{copies_all_records, copyable_ends},
    pair::{Flow, Pair, Side},
    patterns::Scope,
    reading::Observed,
    survey::{ConnectorRole, FirstMissing, FlowObservation, Survey},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, KafkaError, KafkaErrorKind, PrintRange, ReadRange, RecordMover};
use uuid::Uuid;

use crate::clients::PairClients;

/// Partitions that are further behind are behind, whatever lies there.
const MOST_BEHIND: i64 = 64;
/// Partitions that are read in one survey of a flow.
const MOST_PARTITIONS: usize = 64;
/// Bound of reading them, in milliseconds.
const WITHIN_MS: u64 = 3_000;
/// Surveys in which nothing is read after a failure: a source that does not let itself be read costs no survey its time.
const REST: u32 = 12;

/// What one process knows of the ends of a pair's sources.
#[derive(Debug, Default)]
pub struct TailMemory {
    read: BTreeMap<Side, ByPartition<Read>>,
    rest: BTreeMap<Side, u32>,
}

/// What lies before an end that stood still when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Read {
    topic: Option<Uuid>,
    end: i64,
    /// `None` when it cannot be read: a batch there is broken. Asked again only once the end has moved.
    records: Option<Records>,
}

/// Records among the last offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Records {
    last: i64,
    first_missing: Option<FirstMissing>,
}

/// The last offsets of a partition, of which none is known to have been copied.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tail {
    at: TopicPartition,
    topic: Option<Uuid>,
    from: i64,
    end: i64,
    /// Its end was the same at the survey before.
    stood_still: bool,
}

/// Adds to a survey what is known of the ends of its flows' sources, and reads what is not known yet. What could not be read stays as
/// it was.
pub async fn read_tails(
    clients: &PairClients,
    survey: &mut Survey,
    previous: Option<&Survey>,
    memory: &mut TailMemory,
) {
    for flow in &clients.pair.flows {
        let from = flow.direction.from;
        let tails = tails(&clients.pair, flow, survey, previous);
        let unread = memory.choose(from, &tails);
        // One that fell silent while it was surveyed would only be waited for again.
        let answers = survey.sides.get(from).cluster.value().is_some();
        if let (true, Some(isolation)) = (answers && !unread.is_empty(), isolation(flow, survey)) {
            let (read, failed) = read(&**clients.mover.get(from), &unread, isolation).await;
            memory.read.entry(from).or_default().extend(read);
            if let Some(cause) = failed {
                tracing::debug!(pair.name = %clients.pair.name, %cause, "could not read the ends of `{from:?}`; tried again after {REST} surveys");
                memory.rest.insert(from, REST);
            }
        }
        let Some(known) = memory.read.get(&from) else { continue };
        add(survey, from, known);
    }
}

/// Partitions that are a few offsets behind.
fn tails(pair: &Pair, flow: &Flow, survey: &Survey, previous: Option<&Survey>) -> Vec<Tail> {
    let (Some(topics), Some(observed)) = (
        survey.sides.get(flow.direction.from).topics.value(),
        survey.flows.iter().find(|observed| observed.direction == flow.direction),
    ) else {
        return Vec::new();
    };
    let before = previous.and_then(|previous| previous.sides.get(flow.direction.from).topics.value());
    let scope = Scope::of(pair);
    let reach = copyable_ends(flow, survey);
    let mut tails = Vec::new();
    for (name, topic) in topics.iter().filter(|(name, _)| scope.application_topic(flow.direction.from, name))
    {
        let before = before.and_then(|topics| topics.get(name)).filter(|before| before.id == topic.id);
        let mut at = TopicPartition::new(name.clone(), 0);
        for (number, partition) in topic.partitions.iter().enumerate() {
            let Ok(as_number) = i32::try_from(number) else { break };
            at.partition = as_number;
            let (Some(start), Some(end)) = (partition.start, reach(partition)) else { continue };
            let Some(through) = through(observed, &at) else { continue };
            let from = through.saturating_add(1).max(start);
            if !(1..=MOST_BEHIND).contains(&end.saturating_sub(from)) {
                continue;
            }
            // Both ends as the brokers gave them: what an earlier look found out is not in the way.
            let then = before.and_then(|before| before.partitions.get(number));
            let stood_still =
                then.is_some_and(|then| (then.end, then.stable) == (partition.end, partition.stable));
            tails.push(Tail { at: at.clone(), topic: topic.id, from, end, stood_still });
        }
    }
    tails
}

/// The last source offset that is proven to be on the target.
fn through(observed: &FlowObservation, at: &TopicPartition) -> Option<i64> {
    observed.committed_offset(at).max(observed.newest_pair(at).map(|pair| pair.upstream))
}

/// What the flow reads; `None` while Connect does not say.
fn isolation(flow: &Flow, survey: &Survey) -> Option<Isolation> {
    let observed = survey.flows.iter().find(|observed| observed.direction == flow.direction)?;
    let source = observed.connectors.get(&ConnectorRole::Source)?.value()?;
    Some(if copies_all_records(source) { Isolation::ReadUncommitted } else { Isolation::ReadCommitted })
}

impl TailMemory {
    /// Forgets what is not as it was, and says what is to be read.
    fn choose(&mut self, from: Side, tails: &[Tail]) -> Vec<Tail> {
        let mut known = self.read.remove(&from).unwrap_or_default();
        let mut kept = ByPartition::new();
        let mut unread = Vec::new();
        for tail in tails {
            match known.remove(&tail.at).filter(|read| read.topic == tail.topic && read.end == tail.end) {
                Some(read) => {
                    kept.insert(tail.at.clone(), read);
                }
                None if tail.stood_still && unread.len() < MOST_PARTITIONS => unread.push(tail.clone()),
                None => {}
            }
        }
        self.read.insert(from, kept);
        let rest = self.rest.entry(from).or_default();
        if *rest > 0 {
            *rest -= 1;
            return Vec::new();
        }
        unread
    }
}

/// What was read, and what made it end before the rest was. All together, which asks each leader once; where something that was
/// answered cannot be read, one by one, so that nothing is known of that partition alone.
async fn read(
    mover: &dyn RecordMover,
    tails: &[Tail],
    isolation: Isolation,
) -> (ByPartition<Read>, Option<KafkaError>) {
    let began = Instant::now();
    match read_together(mover, tails, isolation, began).await {
        Ok(read) => return (read, None),
        Err(error) if !is_unreadable(&error) => return (ByPartition::new(), Some(error)),
        Err(_) => {}
    }
    let mut all = ByPartition::new();
    for tail in tails {
        match read_together(mover, std::slice::from_ref(tail), isolation, began).await {
            Ok(read) => all.extend(read),
            Err(error) if is_unreadable(&error) => {
                tracing::debug!(partition = %tail.at, cause = %error, "what lies before this end stays unknown");
                all.insert(tail.at.clone(), Read { topic: tail.topic, end: tail.end, records: None });
            }
            Err(error) => return (all, Some(error)),
        }
    }
    (all, None)
}

/// Whether an answer came that cannot be read: asked again, it is the same one.
fn is_unreadable(error: &KafkaError) -> bool {
    matches!(error.kind, KafkaErrorKind::Protocol(_))
}

async fn read_together(
    mover: &dyn RecordMover,
    tails: &[Tail],
    isolation: Isolation,
    began: Instant,
) -> Result<ByPartition<Read>, KafkaError> {
    let range = |tail: &Tail| ReadRange { partition: tail.at.clone(), from: tail.from, until: tail.end };
    // Prints only: a few records may be large ones.
    let mut ranges: Vec<PrintRange> = tails.iter().map(|tail| PrintRange::new(range(tail))).collect();
    while ranges.iter().any(|range| !range.done) {
        let spent = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut open: Vec<&mut PrintRange> = ranges.iter_mut().filter(|range| !range.done).collect();
        mover.read_on(&mut open, isolation, WITHIN_MS.saturating_sub(spent).max(1)).await?;
    }
    let read = tails.iter().zip(ranges).map(|(tail, range)| {
        let records = range.prints;
        let last = records.last().map_or(tail.from.saturating_sub(1), |last| last.offset);
        let first_missing = records
            .first()
            .map(|first| FirstMissing { offset: first.offset, timestamp_ms: first.timestamp })
            .filter(|first| first.timestamp_ms >= 0);
        let records = Some(Records { last, first_missing });
        (tail.at.clone(), Read { topic: tail.topic, end: tail.end, records })
    });
    Ok(read.collect())
}

fn add(survey: &mut Survey, from: Side, known: &ByPartition<Read>) {
    let Observed::Known { value: topics, .. } = &mut survey.sides.get_mut(from).topics else { return };
    for (at, read) in known {
        let Ok(number) = usize::try_from(at.partition) else { continue };
        let partition = topics.get_mut(&at.topic).and_then(|topic| topic.partitions.get_mut(number));
        if let (Some(partition), Some(records)) = (partition, read.records) {
            partition.last_record = Some(records.last);
            partition.first_missing = records.first_missing;
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_kafka::{
        Record, Tails, WorkShare,
        double::{Health, MemoryMover, Payload, World},
        mover::NewRecord,
    };

    use super::*;

    fn at(number: i32) -> TopicPartition {
        TopicPartition::new("orders", number)
    }

    fn tail(number: i32, from: i64, end: i64) -> Tail {
        Tail { at: at(number), topic: Some(Uuid::from_u128(1)), from, end, stood_still: true }
    }

    /// Three records of a transaction and its marker.
    fn world() -> World {
        let world = World::new(&["west"]);
        let mut state = world.lock();
        let west = state.cluster_mut("west");
        west.authorizer.add_super_user("User:app");
        west.create_topic("orders", 1).expect("a new cluster has no topics");
        for timestamp in [100, 200, 300] {
            let payload = Payload { timestamp, key: None, value: None, headers: Vec::new() };
            west.produce("User:app", &at(0), (7, Some("txn")), payload).expect("it may");
        }
        west.end_transaction("txn", true);
        drop(state);
        world
    }

    #[tokio::test]
    async fn a_marker_is_no_record_and_the_first_missing_record_tells_its_time() {
        let mover = world().mover("west");
        let of = async |from| {
            let (read, failed) = read(&mover, &[tail(0, from, 4)], Isolation::ReadCommitted).await;
            assert!(failed.is_none(), "{failed:?}");
            read[&at(0)].records.unwrap()
        };
        let nothing_left = of(3).await;
        assert_eq!((nothing_left.last, nothing_left.first_missing), (2, None));
        let two_left = of(1).await;
        let first = FirstMissing { offset: 1, timestamp_ms: 200 };
        assert_eq!((two_left.last, two_left.first_missing), (2, Some(first)));
    }

    /// A source one of whose partitions ends with a batch that does not unpack.
    #[derive(Debug)]
    struct Broken(MemoryMover);

    #[async_trait::async_trait]
    impl RecordMover for Broken {
        fn cluster(&self) -> &str {
            self.0.cluster()
        }

        async fn read(
            &self,
            ranges: &[ReadRange],
            isolation: Isolation,
            deadline_ms: u64,
        ) -> Result<ByPartition<Vec<Record>>, KafkaError> {
            if ranges.iter().any(|range| range.partition == at(1)) {
                let kind = KafkaErrorKind::Protocol("orders-1: a batch that cannot be read".to_owned());
                return Err(KafkaError {
                    cluster: "west".to_owned(),
                    call: "read".to_owned(),
                    node: None,
                    kind,
                });
            }
            self.0.read(ranges, isolation, deadline_ms).await
        }

        async fn tails(
            &self,
            until: &ByPartition<i64>,
            isolation: Isolation,
            deadline_ms: u64,
        ) -> Result<Tails, KafkaError> {
            self.0.tails(until, isolation, deadline_ms).await
        }

        async fn share(&self, group: &str, topics: &[String]) -> Result<Box<dyn WorkShare>, KafkaError> {
            self.0.share(group, topics).await
        }

        async fn write(
            &self,
            partition: &TopicPartition,
            records: Vec<NewRecord>,
            deadline_ms: u64,
        ) -> Result<Vec<i64>, KafkaError> {
            self.0.write(partition, records, deadline_ms).await
        }
    }

    #[tokio::test]
    async fn an_end_that_cannot_be_read_is_unknown_and_the_others_are_read() {
        let world = world();
        let mover = Broken(world.mover("west"));
        let tails = [tail(0, 1, 4), tail(1, 1, 4)];
        let (read, failed) = read(&mover, &tails, Isolation::ReadCommitted).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!(read[&at(0)].records.map(|records| records.last), Some(2));
        assert_eq!(read[&at(1)].records, None);
        let mut memory = TailMemory::default();
        memory.read.insert(Side::A, read);
        assert_eq!(memory.choose(Side::A, &tails), [], "neither is asked again while its end stands still");
        world.lock().cluster_mut("west").health = Health::Dead;
        let (read, failed) = super::read(&mover, &tails[..1], Isolation::ReadCommitted).await;
        assert!(read.is_empty() && failed.is_some(), "a source that is away is another matter");
    }

    #[test]
    fn an_end_is_read_once_it_stands_still_and_again_only_when_it_moved() {
        let mut memory = TailMemory::default();
        let all: Vec<Tail> = (0..100).map(|number| tail(number, 9, 10)).collect();
        let moving: Vec<Tail> = all.iter().map(|tail| Tail { stood_still: false, ..tail.clone() }).collect();
        assert_eq!(memory.choose(Side::A, &moving), []);
        let first = memory.choose(Side::A, &all);
        assert_eq!(first, all[..MOST_PARTITIONS]);
        let keep = |memory: &mut TailMemory, tails: &[Tail]| {
            let read = |tail: &Tail| {
                let (topic, end) = (tail.topic, tail.end);
                let records = Some(Records { last: 8, first_missing: None });
                (tail.at.clone(), Read { topic, end, records })
            };
            memory.read.entry(Side::A).or_default().extend(tails.iter().map(read));
        };
        keep(&mut memory, &first);
        let rest = memory.choose(Side::A, &all);
        assert_eq!(rest, all[MOST_PARTITIONS..]);
        keep(&mut memory, &rest);
        assert_eq!(memory.choose(Side::A, &all), []);
        let moved = [tail(3, 9, 11), Tail { topic: None, ..tail(4, 9, 10) }];
        assert_eq!(memory.choose(Side::A, &moved), moved, "another end, another topic");
        assert!(memory.read[&Side::A].is_empty(), "and the rest is forgotten");
    }

    #[test]
    fn a_source_that_cannot_be_read_is_left_alone_for_a_while() {
        let mut memory = TailMemory::default();
        memory.rest.insert(Side::A, 2);
        let all = [tail(0, 9, 10)];
        assert_eq!([(); 3].map(|()| memory.choose(Side::A, &all).len()), [0, 0, 1]);
        assert_eq!(memory.choose(Side::B, &all).len(), 1, "the other one is not");
    }
}
