//! Committed positions: reading those of thousands of groups, and rewriting those of one without members.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::OffsetFetchRequestGroup,
};
use muster_domain::{
    group::CommittedOffset,
    topic::{ByPartition, TopicPartition},
};

use crate::{
    asking::routing::{Call, Router, Target},
    broker_error::{GROUP_ID_NOT_FOUND, UNSTABLE_OFFSET_COMMIT, broker_error},
    error::KafkaError,
    verbs::{
        group_members::{group_id, text},
        groups::{at_coordinator, by_coordinator},
        topics::{by_topic, topic_name},
    },
};

/// Groups per request: a broker serves one request of a connection at a time, and this many answer in milliseconds.
const BATCH: usize = 250;
/// From this version on one request carries many groups (Kafka 3.0).
const MANY_GROUPS: i16 = 8;
/// Versions above speak of topic ids.
const FETCH_CAP: i16 = 9;

type Positions = Vec<(TopicPartition, CommittedOffset)>;
type Fetched<'g> = Vec<(&'g str, Result<Positions, KafkaError>)>;

/// Committed positions of many groups.
pub(crate) async fn fetch_offsets(
    router: &Router,
    groups: &[String],
    stable: bool,
) -> Result<BTreeMap<String, ByPartition<CommittedOffset>>, KafkaError> {
    let what = format!("OffsetFetch of {} groups", groups.len());
    let call = router.look(&what);
    let mut open: Vec<&str> = groups.iter().map(String::as_str).collect();
    let mut found = BTreeMap::new();
    let mut patience = call.patience();
    while !open.is_empty() {
        let mut again = Vec::new();
        let mut reason = None;
        for (group, positions) in fetch_round(&call, &open, stable).await? {
            match positions {
                // Collecting sorts once and packs the tree.
                Ok(positions) => drop(found.insert(group.to_owned(), positions.into_iter().collect())),
                Err(error) if error.may_pass() || error.code() == Some(UNSTABLE_OFFSET_COMMIT) => {
                    again.push(group);
                    reason = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = reason {
            if error.code() != Some(UNSTABLE_OFFSET_COMMIT) {
                call.router.coordinators.forget(again.iter().copied());
            }
            if !patience.wait().await {
                return Err(error);
            }
        }
        open = again;
    }
    Ok(found)
}

async fn fetch_round<'g>(call: &Call<'_>, open: &[&'g str], stable: bool) -> Result<Fetched<'g>, KafkaError> {
    let mut many = Vec::new();
    let mut single = Vec::new();
    for (node, groups) in by_coordinator(call, open).await? {
        let target = Target::Node(node);
        if call.reaches::<OffsetFetchRequest>(target, MANY_GROUPS).await? {
            many.extend(groups.chunks(BATCH).map(|batch| fetch_many(call, node, batch.to_vec(), stable)));
        } else {
            single.extend(groups.into_iter().map(|group| fetch_one(call, node, group, stable)));
        }
    }
    let mut fetched: Fetched<'g> = try_join_all(many).await?.into_iter().flatten().collect();
    fetched.extend(try_join_all(single).await?);
    Ok(fetched)
}

async fn fetch_many<'g>(
    call: &Call<'_>,
    node: i32,
    groups: Vec<&'g str>,
    stable: bool,
) -> Result<Fetched<'g>, KafkaError> {
    let build = |_| {
        let wanted = groups.iter().map(|group| {
            // No topics means all of them.
            OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(None)
        });
        // The codec refuses `None` in the field of older versions, although it is not sent.
        let request = OffsetFetchRequest::default().with_topics(Some(Vec::new()));
        request.with_groups(wanted.collect()).with_require_stable(stable)
    };
    let (answer, _) = call.send(Target::Node(node), Some(FETCH_CAP), build).await?;
    let by_name: std::collections::HashMap<&str, &'g str> =
        groups.iter().map(|group| (*group, *group)).collect();
    let mut fetched = Vec::with_capacity(groups.len());
    for group in answer.groups {
        let Some(name) = by_name.get(group.group_id.as_str()) else { continue };
        let positions = match group.error_code {
            0 => collect(
                call,
                node,
                group.topics.iter().flat_map(|topic| {
                    topic.partitions.iter().map(|p| Row {
                        topic: topic.name.as_str(),
                        partition: p.partition_index,
                        offset: p.committed_offset,
                        epoch: p.committed_leader_epoch,
                        metadata: p.metadata.as_deref(),
                        code: p.error_code,
                    })
                }),
            ),
            code => no_positions(call, node, code),
        };
        fetched.push((*name, positions));
    }
    Ok(fetched)
}

async fn fetch_one<'g>(
    call: &Call<'_>,
    node: i32,
    group: &'g str,
    stable: bool,
) -> Result<(&'g str, Result<Positions, KafkaError>), KafkaError> {
    let build = |version: i16| {
        let request = OffsetFetchRequest::default().with_group_id(group_id(group));
        // Brokers from 2.5 know `require_stable`; older ones have no way to tell, and answer what is there.
        let request = if version >= 7 { request.with_require_stable(stable) } else { request };
        // No topics means all of them, from version 2 on.
        request.with_topics(None)
    };
    let (answer, _) = call.send(Target::Node(node), Some(MANY_GROUPS - 1), build).await?;
    let positions = match answer.error_code {
        0 => collect(
            call,
            node,
            answer.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|p| Row {
                    topic: topic.name.as_str(),
                    partition: p.partition_index,
                    offset: p.committed_offset,
                    epoch: p.committed_leader_epoch,
                    metadata: p.metadata.as_deref(),
                    code: p.error_code,
                })
            }),
        ),
        code => no_positions(call, node, code),
    };
    Ok((group, positions))
}

/// A group that nobody knows has no positions.
fn no_positions(call: &Call<'_>, node: i32, code: i16) -> Result<Positions, KafkaError> {
    match code {
        GROUP_ID_NOT_FOUND => Ok(Vec::new()),
        code => Err(call.fail(Some(node), broker_error(code, None))),
    }
}

/// One partition of either form of the answer.
struct Row<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    epoch: i32,
    metadata: Option<&'a str>,
    code: i16,
}

fn collect<'a>(
    call: &Call<'_>,
    node: i32,
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<Positions, KafkaError> {
    let mut positions = Vec::with_capacity(rows.size_hint().0);
    for row in rows {
        call.expect_ok(Some(node), row.code, None)?;
        if row.offset < 0 {
            continue;
        }
        let committed = CommittedOffset {
            offset: row.offset,
            metadata: row.metadata.unwrap_or_default().to_owned(),
            leader_epoch: Some(row.epoch).filter(|epoch| *epoch >= 0),
        };
        positions.push((TopicPartition::new(row.topic, row.partition), committed));
    }
    Ok(positions)
}

/// Writes positions of a group without members. A live group answers `UNKNOWN_MEMBER_ID`: never worked around.
pub(crate) async fn alter_offsets(
    router: &Router,
    group: &str,
    offsets: &ByPartition<CommittedOffset>,
) -> Result<(), KafkaError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let what = format!("OffsetCommit of {} partitions for group `{group}`", offsets.len());
    let call = router.change(&what);
    at_coordinator(&call, group, |target| commit(&call, target, group, offsets)).await
}

async fn commit(
    call: &Call<'_>,
    target: Target,
    group: &str,
    offsets: &ByPartition<CommittedOffset>,
) -> Result<(), KafkaError> {
    let build = |version: i16| {
        let topics = by_topic(offsets.iter().map(|(tp, committed)| {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(tp.partition)
                .with_committed_offset(committed.offset)
                .with_committed_metadata(Some(text(&committed.metadata)));
            let epoch = committed.leader_epoch.filter(|_| version >= 6).unwrap_or(-1);
            (tp.topic.as_str(), partition.with_committed_leader_epoch(epoch))
        }));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
        });
        let request =
            OffsetCommitRequest::default().with_group_id(group_id(group)).with_topics(topics.collect());
        // No member, no generation: accepted only while nobody is in the group.
        request.with_generation_id_or_member_epoch(-1).with_retention_time_ms(-1)
    };
    let (answer, _) = call.send(target, None, build).await?;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.into_iter().try_for_each(|one| call.expect_ok(None, one.error_code, None))
}

/// Removes committed positions; a group or position that is not there is fine.
pub(crate) async fn delete_offsets(
    router: &Router,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<(), KafkaError> {
    if partitions.is_empty() {
        return Ok(());
    }
    let what = format!("OffsetDelete of {} partitions for group `{group}`", partitions.len());
    let call = router.change(&what);
    at_coordinator(&call, group, |target| delete(&call, target, group, partitions)).await
}

async fn delete(
    call: &Call<'_>,
    target: Target,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<(), KafkaError> {
    let build = |_| {
        let topics = by_topic(partitions.iter().map(|tp| {
            (tp.topic.as_str(), OffsetDeleteRequestPartition::default().with_partition_index(tp.partition))
        }));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            OffsetDeleteRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
        });
        OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(topics.collect())
    };
    let (answer, _) = call.send(target, None, build).await?;
    if answer.error_code == GROUP_ID_NOT_FOUND {
        return Ok(());
    }
    call.expect_ok(None, answer.error_code, None)?;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.into_iter().try_for_each(|one| call.expect_ok(None, one.error_code, None))
}
