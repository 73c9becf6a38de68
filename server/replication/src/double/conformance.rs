//! What every [`Replication`] of a MirrorMaker 2 flow must do, asserted on the double and on real workers alike; and every
//! [`OffsetPairMemory`], asserted on the double and on the database.
#![expect(clippy::unwrap_used, reason = "these are tests, kept where both test crates reach them")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use muster_domain::{
    offset_pairs::{Kept, KeptUntil, PartitionPairs, ReadPairs, Seen, SyncsTopic},
    survey::{ConnectState, ConnectorRole, OffsetPair, UnreadableSyncs},
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin, Isolation, OffsetSpec, ReadRange, Record, RecordMover,
    double::conformance::{eventually, records},
};
use uuid::Uuid;

use crate::{OffsetPairMemory, Replication, ReplicationErrorKind};

const WITHIN_MS: u64 = 60_000;
const SOURCE: ConnectorRole = ConnectorRole::Source;

/// One end of a flow.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Looks.
    pub admin: &'a dyn ClusterAdmin,
    /// Reads and writes.
    pub mover: &'a dyn RecordMover,
}

/// A RUNNING, exactly-once, identity-named flow that copies `topic`, which does not exist on either side. Nobody else
/// may write to the flow's topics meanwhile.
pub async fn flow(flow: &dyn Replication, source: End<'_>, target: End<'_>, topic: &str) {
    let at = TopicPartition::new(topic, 0);
    copies_what_is_written(flow, source, target, &at).await;
    pairs_are_true(flow, source, target, &at).await;
    refuses_offsets_while_running(flow, &at).await;
    stops_and_stays(flow, source, &at).await;
    copies_again_from_where_it_is_put(flow, target, &at).await;
    changes_config(flow).await;
}

async fn read_all(end: End<'_>, at: &TopicPartition) -> Vec<Record> {
    let range = [ReadRange { partition: at.clone(), from: 0, until: ReadRange::TO_THE_END }];
    let read = end.mover.read(&range, Isolation::ReadCommitted, WITHIN_MS).await;
    read.map(|mut read| read.remove(at).unwrap_or_default()).unwrap_or_default()
}

async fn last_copied(flow: &dyn Replication, at: &TopicPartition) -> Option<i64> {
    flow.committed_offsets().await.unwrap().0.get(at).copied()
}

async fn state(flow: &dyn Replication) -> (ConnectState, Vec<ConnectState>) {
    let state = flow.state(SOURCE).await.unwrap().unwrap();
    (state.connector, state.tasks)
}

async fn copies_what_is_written(
    flow: &dyn Replication,
    source: End<'_>,
    target: End<'_>,
    at: &TopicPartition,
) {
    assert_eq!(state(flow).await, (ConnectState::Running, vec![ConnectState::Running]));
    muster_kafka::double::conformance::fresh_topic(source.admin, &at.topic, 1).await;
    source.mover.write(at, records(1_700_000_000_000, 20), WITHIN_MS).await.unwrap();
    eventually("the committed offset is the last record's, inclusive", async || {
        last_copied(flow, at).await == Some(19)
    })
    .await;
    let names = BTreeSet::from([at.topic.clone()]);
    assert_eq!(target.admin.topics(Some(&names)).await.unwrap().len(), 1, "the topic was made on the target");
    let fingerprints = |records: Vec<Record>| records.iter().map(Record::fingerprint).collect::<Vec<_>>();
    assert_eq!(fingerprints(read_all(target, at).await), fingerprints(read_all(source, at).await));
    let ends = target.admin.offsets(std::slice::from_ref(at), OffsetSpec::End).await.unwrap();
    assert!(*ends[at].as_ref().unwrap() > 20, "exactly-once leaves control records on the target");
}

async fn pairs_are_true(flow: &dyn Replication, source: End<'_>, target: End<'_>, at: &TopicPartition) {
    let absent = TopicPartition::new(format!("{}.absent", at.topic), 0);
    let asked = [at.clone(), absent.clone()];
    eventually("an offset sync is there", async || !flow.offset_pairs(&asked).await.unwrap()[at].is_empty())
        .await;
    let pairs = flow.offset_pairs(&asked).await.unwrap();
    assert!(pairs[&absent].is_empty());
    let (here, there) = (read_all(source, at).await, read_all(target, at).await);
    let print = |records: &[Record], offset| {
        records.iter().find(|record| record.offset == offset).map(Record::fingerprint)
    };
    for pair in &pairs[at] {
        assert!(print(&here, pair.upstream).is_some());
        assert_eq!(print(&here, pair.upstream), print(&there, pair.downstream), "{pair:?}");
    }
}

async fn refuses_offsets_while_running(flow: &dyn Replication, at: &TopicPartition) {
    let (mut offsets, foreign) = all_offsets(flow).await;
    assert_eq!(foreign, Vec::<String>::new());
    offsets.insert(at.clone(), Some(5));
    let refused = flow.set_committed_offsets(&offsets).await.unwrap_err().kind;
    assert!(matches!(refused, ReplicationErrorKind::Status { status: 400, .. }), "{refused}");
    assert_eq!(last_copied(flow, at).await, Some(19));
}

async fn all_offsets(flow: &dyn Replication) -> (BTreeMap<TopicPartition, Option<i64>>, Vec<String>) {
    let (offsets, foreign) = flow.committed_offsets().await.unwrap();
    (offsets.into_iter().map(|(at, offset)| (at, Some(offset))).collect(), foreign)
}

async fn stops_and_stays(flow: &dyn Replication, source: End<'_>, at: &TopicPartition) {
    for _ in 0..2 {
        flow.stop(SOURCE, WITHIN_MS).await.unwrap();
        assert_eq!(state(flow).await, (ConnectState::Stopped, Vec::new()));
    }
    source.mover.write(at, records(1_700_000_001_000, 5), WITHIN_MS).await.unwrap();
    assert_eq!(last_copied(flow, at).await, Some(19));
}

async fn copies_again_from_where_it_is_put(flow: &dyn Replication, target: End<'_>, at: &TopicPartition) {
    let (all, _) = all_offsets(flow).await;
    let only = BTreeMap::from([(at.clone(), Some(9))]);
    if all.len() > 1 {
        let kind = flow.set_committed_offsets(&only).await.unwrap_err().kind;
        assert!(matches!(kind, ReplicationErrorKind::NotAsAsked(_)), "unasked partitions are told: {kind}");
    }
    let asked = BTreeMap::from_iter(all.into_iter().chain(only));
    for _ in 0..2 {
        flow.set_committed_offsets(&asked).await.unwrap();
    }
    let negative = BTreeMap::from([(at.clone(), Some(-1))]);
    let kind = flow.set_committed_offsets(&negative).await.unwrap_err().kind;
    assert!(matches!(kind, ReplicationErrorKind::Unsupported(_)), "{kind}");
    assert_eq!(last_copied(flow, at).await, Some(9));
    for _ in 0..2 {
        flow.resume(SOURCE, WITHIN_MS).await.unwrap();
    }
    assert_eq!(state(flow).await, (ConnectState::Running, vec![ConnectState::Running]));
    eventually("the rest is copied", async || last_copied(flow, at).await == Some(24)).await;
    assert_eq!(read_all(target, at).await.len(), 20 + 10 + 5, "ten copied again, five new ones");
}

async fn changes_config(flow: &dyn Replication) {
    let key = "sync.topic.acls.enabled";
    let before = flow.config(SOURCE).await.unwrap().get(key).cloned();
    for value in [Some("false".to_owned()), Some("true".to_owned()), Some("true".to_owned()), before] {
        flow.change_config(SOURCE, &BTreeMap::from([(key.to_owned(), value.clone())]), WITHIN_MS)
            .await
            .unwrap();
        assert_eq!(flow.config(SOURCE).await.unwrap().get(key), value.as_ref());
        assert_eq!(state(flow).await, (ConnectState::Running, vec![ConnectState::Running]));
    }
}

/// The memory of a flow of which nothing is kept.
pub async fn pair_memory(memory: &dyn OffsetPairMemory) {
    let log = |id| SyncsTopic {
        cluster: "eu-central".to_owned(),
        name: "mm2-offset-syncs.west.internal".to_owned(),
        id: Uuid::from_u128(id),
    };
    let (log, another) = (log(1), log(2));
    let kept = |turn, of: &SyncsTopic, read: &ReadPairs, seen: &Seen| Kept {
        turn,
        pairs: Some((of.clone(), read.clone())),
        seen: seen.clone(),
    };
    assert_eq!((memory.recall().await.unwrap(), memory.kept_until().await.unwrap()), (None, None));
    let nothing = Seen::default();
    let mut read = offsets_read(0, 5);
    let first = memory.keep(None, &log, &read, &nothing).await.unwrap().unwrap();
    let late = memory.keep(None, &log, &offsets_read(0, 7), &nothing).await.unwrap();
    assert_eq!(late, None, "somebody has begun");
    let seen = seen_at(9, &[("orders", 1), ("payments", 2)]);
    let second = memory.keep(Some(first), &log, &offsets_read(5, 9), &seen).await.unwrap().unwrap();
    let twice = memory.keep(Some(first), &log, &offsets_read(5, 9), &nothing).await.unwrap();
    assert_eq!(twice, None, "it is kept once");
    read.append(offsets_read(5, 9));
    assert_eq!(memory.recall().await.unwrap(), Some(kept(second, &log, &read, &seen)));
    let nothing_new = ReadPairs::beginning_at(9, UnreadableSyncs::default());
    let again = seen_at(60, &[("orders", 3)]);
    let second = memory.keep(Some(second), &log, &nothing_new, &again).await.unwrap().unwrap();
    let joined = seen_at(60, &[("orders", 3), ("payments", 2)]);
    let expected = kept(second, &log, &read, &joined);
    assert_eq!(
        memory.recall().await.unwrap(),
        Some(expected),
        "nothing more, as of later and of another copy"
    );
    let third = memory.keep(Some(second), &another, &offsets_read(9, 12), &nothing).await.unwrap().unwrap();
    let made_anew = kept(third, &another, &offsets_read(9, 12), &nothing);
    assert_eq!(memory.recall().await.unwrap(), Some(made_anew), "nothing of one log is told of another");
    let fourth = memory.keep(Some(third), &another, &offsets_read(20, 21), &seen).await.unwrap().unwrap();
    let behind_a_gap = kept(fourth, &another, &offsets_read(20, 21), &seen);
    assert_eq!(
        memory.recall().await.unwrap(),
        Some(behind_a_gap),
        "what is missing is not left out silently"
    );
    let until = KeptUntil { turn: fourth, topic: another, until: 21 };
    assert_eq!(memory.kept_until().await.unwrap(), Some(until));
}

/// As of so many seconds after 1970, of these copies.
fn seen_at(seconds: i64, copies: &[(&str, u128)]) -> Seen {
    let copies = copies.iter().map(|(topic, id)| ((*topic).to_owned(), Uuid::from_u128(*id)));
    Seen { read_at: DateTime::from_timestamp(seconds, 0), copies: copies.collect() }
}

/// A pair at each offset.
fn offsets_read(from: i64, until: i64) -> ReadPairs {
    let pair = |offset| OffsetPair { upstream: offset * 100, downstream: offset * 99 };
    let known = PartitionPairs { pairs: (from..until).map(pair).collect(), ..PartitionPairs::default() };
    let partitions = [(TopicPartition::new("orders", 0), known)].into();
    ReadPairs { partitions, until, ..ReadPairs::beginning_at(from, UnreadableSyncs::default()) }
}
