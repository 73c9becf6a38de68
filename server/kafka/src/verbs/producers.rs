//! Producers as partition leaders remember them: each partition with its own answer.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse,
    describe_producers_request::TopicRequest,
    describe_producers_response::{self, PartitionResponse},
};
use muster_domain::topic::TopicPartition;

use crate::{
    admin::{PartitionProducers, ProducerState},
    asking::routing::{Call, Router, Target},
    error::KafkaError,
    verbs::{
        offsets::may_have_moved,
        topics::{by_topic, left_out, topic_name},
    },
};

/// Rounds while leaders move: then a partition without one is reported as such, and all others are told.
const ROUNDS: u32 = 4;

type Answer<'p> = (&'p TopicPartition, Result<Vec<ProducerState>, Box<KafkaError>>);

/// Producers known to the leaders of these partitions.
pub(crate) async fn describe_producers(
    router: &Router,
    partitions: &[TopicPartition],
) -> Result<PartitionProducers, KafkaError> {
    let what = format!("DescribeProducers of {} partitions", partitions.len());
    let call = router.look(&what);
    let mut open: Vec<&TopicPartition> = partitions.iter().collect();
    let mut answers: Vec<Answer<'_>> = Vec::with_capacity(open.len());
    let mut patience = call.patience();
    for round in 1.. {
        let (settled, unsettled) = ask_leaders(&call, &open).await?;
        answers.extend(settled);
        if unsettled.is_empty() || round == ROUNDS || !patience.wait().await {
            answers.extend(unsettled);
            break;
        }
        let again: HashSet<&TopicPartition> = unsettled.iter().map(|(tp, _)| *tp).collect();
        call.router.leaders.forget(again.iter().copied());
        open.retain(|tp| again.contains(*tp));
    }
    Ok(answers.into_iter().map(|(tp, answer)| (tp.clone(), answer)).collect())
}

/// One round: what is settled, and what a fresh look at the leaders may settle.
async fn ask_leaders<'p>(
    call: &Call<'_>,
    open: &[&'p TopicPartition],
) -> Result<(Vec<Answer<'p>>, Vec<Answer<'p>>), KafkaError> {
    let grouped = call.by_leader(open).await?;
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        asks.push(ask_leader(call, *node, led));
    }
    let answers = join_all(asks).await.into_iter().flatten();
    let (mut unsettled, settled): (Vec<Answer<'p>>, Vec<Answer<'p>>) =
        answers.partition(|(_, answer)| answer.as_ref().is_err_and(|error| may_have_moved(error)));
    unsettled.extend(grouped.leaderless.iter().map(|tp| (*tp, Err(Box::new(call.no_leader(tp))))));
    Ok((settled, unsettled))
}

/// An error of the whole request is every partition's error.
async fn ask_leader<'p>(call: &Call<'_>, node: i32, led: &[&'p TopicPartition]) -> Vec<Answer<'p>> {
    let build = |_| {
        let topics = by_topic(led.iter().map(|tp| (tp.topic.as_str(), tp.partition)));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(partitions)
        });
        DescribeProducersRequest::default().with_topics(topics.collect())
    };
    match call.send(Target::Node(node), None, build).await {
        Ok((answer, _)) => read_answer(call, node, led, &answer),
        Err(error) => led.iter().map(|tp| (*tp, Err(Box::new(error.clone())))).collect(),
    }
}

fn read_answer<'p>(
    call: &Call<'_>,
    node: i32,
    led: &[&'p TopicPartition],
    answer: &DescribeProducersResponse,
) -> Vec<Answer<'p>> {
    let mut told: BTreeMap<(&str, i32), &PartitionResponse> = BTreeMap::new();
    for topic in &answer.topics {
        told.extend(topic.partitions.iter().map(|one| ((topic.name.as_str(), one.partition_index), one)));
    }
    let of = |tp: &TopicPartition| match told.get(&(tp.topic.as_str(), tp.partition)) {
        Some(one) => call
            .expect_ok(Some(node), one.error_code, one.error_message.as_ref())
            .map(|()| producers(one))
            .map_err(Box::new),
        None => Err(Box::new(left_out(call, node, tp))),
    };
    led.iter().map(|tp| (*tp, of(tp))).collect()
}

fn producers(one: &PartitionResponse) -> Vec<ProducerState> {
    let state = |producer: &describe_producers_response::ProducerState| ProducerState {
        producer_id: producer.producer_id.0,
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        open_transaction_start: Some(producer.current_txn_start_offset).filter(|offset| *offset >= 0),
        ended_transaction: producer.coordinator_epoch >= 0,
    };
    one.active_producers.iter().map(state).collect()
}
