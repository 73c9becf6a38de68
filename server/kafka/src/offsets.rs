//! Start, end, stable and by-time offsets: one batch per leader, pipelined, each partition with its own answer.

use std::collections::HashSet;

use futures_util::future::join_all;
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, ListOffsetsResponse,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};
use muster_domain::topic::TopicPartition;

use crate::{
    admin::{OffsetSpec, PartitionOffsets},
    broker_error::{broker_error, leader_moved},
    error::{KafkaError, KafkaErrorKind},
    routing::{Call, Router, Target},
    topics::{left_out, topic_name},
};

/// Partitions per request: large enough to amortise a round trip, small enough to pipeline decoding with waiting.
const BATCH: usize = 4_000;
/// Rounds after which a partition without leader is reported as such: one of them must not delay all others.
const ROUNDS: u32 = 4;

type Answer = (TopicPartition, Result<i64, KafkaError>);

/// Offsets of partitions, asked of their leaders.
pub(crate) async fn list_offsets(
    router: &Router,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<PartitionOffsets, KafkaError> {
    let what = format!("ListOffsets of {} partitions", partitions.len());
    let call = router.look(&what);
    list_within(&call, partitions.iter().collect(), spec).await
}

/// The same as part of another call.
pub(crate) async fn list_within(
    call: &Call<'_>,
    mut open: Vec<&TopicPartition>,
    spec: OffsetSpec,
) -> Result<PartitionOffsets, KafkaError> {
    let mut answers: Vec<Answer> = Vec::with_capacity(open.len());
    let mut patience = call.patience();
    for round in 1.. {
        let (found, unsettled) = ask_leaders(call, &open, spec).await?;
        answers.extend(found);
        let last = unsettled.is_empty() || round == ROUNDS || !patience.wait().await;
        if last {
            answers.extend(unsettled);
            break;
        }
        let again: HashSet<&TopicPartition> = unsettled.iter().map(|(tp, _)| tp).collect();
        call.router.leaders.forget(again.iter().copied());
        open.retain(|tp| again.contains(*tp));
    }
    // Collecting sorts once and packs the tree; inserting one by one would leave its nodes half empty.
    Ok(answers.into_iter().collect())
}

/// One round: what is settled, and what a fresh look at the leaders may settle.
async fn ask_leaders(
    call: &Call<'_>,
    open: &[&TopicPartition],
    spec: OffsetSpec,
) -> Result<(Vec<Answer>, Vec<Answer>), KafkaError> {
    let grouped = call.by_leader(open).await?;
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        for batch in led.chunks(BATCH) {
            asks.push(ask_leader(call, *node, batch, spec));
        }
    }
    let mut settled = Vec::with_capacity(open.len());
    let leaderless = grouped.leaderless.iter();
    let mut unsettled: Vec<Answer> = leaderless.map(|tp| ((*tp).clone(), Err(call.no_leader(tp)))).collect();
    for (tp, result) in join_all(asks).await.into_iter().flatten() {
        match &result {
            Err(error) if may_have_moved(error) => unsettled.push((tp, result)),
            _ => settled.push((tp, result)),
        }
    }
    Ok((settled, unsettled))
}

fn may_have_moved(error: &KafkaError) -> bool {
    matches!(error.kind, KafkaErrorKind::Connection(_)) || error.code().is_some_and(leader_moved)
}

/// One batch: an error of the whole request is every partition's error.
async fn ask_leader(call: &Call<'_>, node: i32, batch: &[&TopicPartition], spec: OffsetSpec) -> Vec<Answer> {
    // Before version 1 there are no timestamps in answers, and 4.0 brokers begin there, too. From 8 on, -4 and -5 exist,
    // which are not used.
    let sent = call.send(Target::Node(node), None, |version| build(batch, spec, version)).await;
    match sent {
        Ok((answer, _)) => read_answer(call, node, batch, answer),
        Err(error) => batch.iter().map(|tp| ((*tp).clone(), Err(error.clone()))).collect(),
    }
}

fn build(batch: &[&TopicPartition], spec: OffsetSpec, version: i16) -> ListOffsetsRequest {
    let (timestamp, isolation) = match spec {
        OffsetSpec::Start => (-2, 0),
        OffsetSpec::End => (-1, 0),
        OffsetSpec::Stable => (-1, 1),
        OffsetSpec::AtTime(ms) => (ms, 0),
    };
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for tp in batch {
        let partition =
            ListOffsetsPartition::default().with_partition_index(tp.partition).with_timestamp(timestamp);
        match topics.last_mut() {
            Some(topic) if *topic.name == *tp.topic.as_str() => topic.partitions.push(partition),
            _ => topics.push(
                ListOffsetsTopic::default().with_name(topic_name(&tp.topic)).with_partitions(vec![partition]),
            ),
        }
    }
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
    if version >= 2 { request.with_isolation_level(isolation) } else { request }
}

fn read_answer(
    call: &Call<'_>,
    node: i32,
    batch: &[&TopicPartition],
    answer: ListOffsetsResponse,
) -> Vec<Answer> {
    let mut found = Vec::with_capacity(batch.len());
    for topic in &answer.topics {
        for one in &topic.partitions {
            let tp = TopicPartition::new(topic.name.as_str(), one.partition_index);
            let result = match one.error_code {
                0 => Ok(one.offset),
                code => Err(call.fail(Some(node), broker_error(code, None))),
            };
            found.push((tp, result));
        }
    }
    if found.len() < batch.len() {
        let answered: HashSet<TopicPartition> = found.iter().map(|(tp, _)| tp.clone()).collect();
        let missing = batch.iter().filter(|tp| !answered.contains(**tp));
        found.extend(missing.map(|tp| ((*tp).clone(), Err(left_out(call, node, tp)))));
    }
    found
}
