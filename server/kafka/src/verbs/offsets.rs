//! Start, end, stable and by-time offsets: one batch per leader, pipelined, each partition with its own answer.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest, ListOffsetsResponse,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};
use muster_domain::topic::TopicPartition;

use crate::{
    admin::{OffsetSpec, PartitionOffsets},
    asking::routing::{Call, Router, Target},
    broker_error::{broker_error, leader_moved},
    error::{KafkaError, KafkaErrorKind},
    verbs::topics::{left_out, topic_name},
};

/// Partitions per request: large enough to amortise a round trip, small enough to pipeline decoding with waiting.
const BATCH: usize = 4_000;
/// `replica_id` of a consumer.
const CONSUMER: BrokerId = BrokerId(-1);
/// `replica_id` of whoever debugs (`ListOffsetsRequest.DEBUGGING_REPLICA_ID`).
const DEBUGGING_REPLICA: BrokerId = BrokerId(-2);
/// Rounds after which a partition without leader is reported as such: one of them must not delay all others.
const ROUNDS: u32 = 4;

type Answer<'p> = (&'p TopicPartition, Result<i64, Box<KafkaError>>);

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
pub(crate) async fn list_within<'p>(
    call: &Call<'_>,
    mut open: Vec<&'p TopicPartition>,
    spec: OffsetSpec,
) -> Result<PartitionOffsets, KafkaError> {
    let mut answers: Vec<Answer<'p>> = Vec::with_capacity(open.len());
    let mut patience = call.patience();
    for round in 1.. {
        let (found, unsettled) = ask_leaders(call, &open, spec).await?;
        answers.extend(found);
        let last = unsettled.is_empty() || round == ROUNDS || !patience.wait().await;
        if last {
            answers.extend(unsettled);
            break;
        }
        let again: HashSet<&TopicPartition> = unsettled.iter().map(|(tp, _)| *tp).collect();
        call.router.leaders.forget(again.iter().copied());
        open.retain(|tp| again.contains(*tp));
    }
    // Collecting sorts once and packs the tree; inserting one by one would leave its nodes half empty.
    Ok(answers.into_iter().map(|(tp, answer)| (tp.clone(), answer)).collect())
}

/// One round: what is settled, and what a fresh look at the leaders may settle.
async fn ask_leaders<'p>(
    call: &Call<'_>,
    open: &[&'p TopicPartition],
    spec: OffsetSpec,
) -> Result<(Vec<Answer<'p>>, Vec<Answer<'p>>), KafkaError> {
    let grouped = call.by_leader(open).await?;
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        for batch in led.chunks(BATCH) {
            asks.push(ask_leader(call, *node, batch, spec));
        }
    }
    let mut settled = Vec::with_capacity(open.len());
    let leaderless = grouped.leaderless.iter();
    let mut unsettled: Vec<Answer<'p>> =
        leaderless.map(|tp| (*tp, Err(Box::new(call.no_leader(tp))))).collect();
    for (tp, result) in join_all(asks).await.into_iter().flatten() {
        match &result {
            Err(error) if may_have_moved(error) => unsettled.push((tp, result)),
            _ => settled.push((tp, result)),
        }
    }
    Ok((settled, unsettled))
}

/// Whether a fresh look at the leaders may settle it.
pub(crate) fn may_have_moved(error: &KafkaError) -> bool {
    matches!(error.kind, KafkaErrorKind::Connection(_)) || error.code().is_some_and(leader_moved)
}

/// One batch: an error of the whole request is every partition's error.
async fn ask_leader<'p>(
    call: &Call<'_>,
    node: i32,
    batch: &[&'p TopicPartition],
    spec: OffsetSpec,
) -> Vec<Answer<'p>> {
    // Before version 1 there are no timestamps in answers, and 4.0 brokers begin there, too. From 8 on, -4 and -5 exist,
    // which are not used.
    let sent = call.send(Target::Node(node), None, |version| build(batch, spec, version)).await;
    match sent {
        Ok((answer, _)) => read_answer(call, node, batch, answer),
        Err(error) => batch.iter().map(|tp| (*tp, Err(Box::new(error.clone())))).collect(),
    }
}

fn build(batch: &[&TopicPartition], spec: OffsetSpec, version: i16) -> ListOffsetsRequest {
    let (timestamp, isolation) = match spec {
        OffsetSpec::Start => (-2, 0),
        OffsetSpec::End | OffsetSpec::LogEnd => (-1, 0),
        OffsetSpec::Stable => (-1, 1),
        OffsetSpec::AtTime(ms) => (ms, 0),
    };
    // To whoever is no consumer a broker answers with the end of its log (`Partition.fetchOffsetForTimestamp`).
    let asks = if spec == OffsetSpec::LogEnd { DEBUGGING_REPLICA } else { CONSUMER };
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
    let request = ListOffsetsRequest::default().with_replica_id(asks).with_topics(topics);
    if version >= 2 { request.with_isolation_level(isolation) } else { request }
}

fn read_answer<'p>(
    call: &Call<'_>,
    node: i32,
    batch: &[&'p TopicPartition],
    answer: ListOffsetsResponse,
) -> Vec<Answer<'p>> {
    let mut found: Vec<Option<Result<i64, Box<KafkaError>>>> = vec![None; batch.len()];
    let mut places = Places { batch, next: 0, by_name: None };
    for topic in &answer.topics {
        for one in &topic.partitions {
            let Some(place) = places.find(topic.name.as_str(), one.partition_index) else { continue };
            found[place] = Some(match one.error_code {
                0 => Ok(one.offset),
                code => Err(Box::new(call.fail(Some(node), broker_error(code, None)))),
            });
        }
    }
    let missing = |tp: &TopicPartition| Err(Box::new(left_out(call, node, tp)));
    batch.iter().zip(found).map(|(tp, found)| (*tp, found.unwrap_or_else(|| missing(tp)))).collect()
}

/// Where in a batch a partition of the answer stands. Brokers answer in the order they were asked, so most of the time
/// it is the next one.
struct Places<'b> {
    batch: &'b [&'b TopicPartition],
    next: usize,
    by_name: Option<HashMap<(&'b str, i32), usize>>,
}

impl Places<'_> {
    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        let is_next = |tp: &&&TopicPartition| tp.topic == topic && tp.partition == partition;
        if self.batch.get(self.next).filter(is_next).is_some() {
            self.next += 1;
            return Some(self.next - 1);
        }
        let batch = self.batch;
        let by_name = self.by_name.get_or_insert_with(|| {
            batch.iter().enumerate().map(|(place, tp)| ((tp.topic.as_str(), tp.partition), place)).collect()
        });
        let place = *by_name.get(&(topic, partition))?;
        self.next = place + 1;
        Some(place)
    }
}
