//! Producers as partition leaders remember them.

use futures_util::future::try_join_all;
use kafka_protocol::messages::{DescribeProducersRequest, describe_producers_request::TopicRequest};
use muster_domain::topic::{ByPartition, TopicPartition};

use crate::{
    admin::ProducerState,
    broker_error::leader_moved,
    error::KafkaError,
    routing::{Call, Router, Target},
    topics::{by_topic, topic_name},
};

/// Attempts while leaders move.
const ROUNDS: u32 = 6;

/// Producers known to the leaders of these partitions.
pub(crate) async fn describe_producers(
    router: &Router,
    partitions: &[TopicPartition],
) -> Result<ByPartition<Vec<ProducerState>>, KafkaError> {
    let what = format!("DescribeProducers of {} partitions", partitions.len());
    let call = router.look(&what);
    let mut patience = call.patience();
    for round in 1.. {
        match describe_once(&call, partitions).await {
            Err(error)
                if round < ROUNDS && error.code().is_some_and(leader_moved) && patience.wait().await =>
            {
                call.router.leaders.forget(partitions);
            }
            result => return result,
        }
    }
    Err(call.timed_out())
}

async fn describe_once(
    call: &Call<'_>,
    partitions: &[TopicPartition],
) -> Result<ByPartition<Vec<ProducerState>>, KafkaError> {
    let grouped = call.by_leader(&partitions.iter().collect::<Vec<_>>()).await?;
    if let Some(tp) = grouped.leaderless.first() {
        return Err(call.no_leader(tp));
    }
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        asks.push(describe_on(call, *node, led));
    }
    Ok(try_join_all(asks).await?.into_iter().flatten().collect())
}

async fn describe_on(
    call: &Call<'_>,
    node: i32,
    led: &[&TopicPartition],
) -> Result<Vec<(TopicPartition, Vec<ProducerState>)>, KafkaError> {
    let build = |_| {
        let topics = by_topic(led.iter().map(|tp| (tp.topic.as_str(), tp.partition)));
        let topics = topics.into_iter().map(|(topic, partitions)| {
            TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(partitions)
        });
        DescribeProducersRequest::default().with_topics(topics.collect())
    };
    let (answer, _) = call.send(Target::Node(node), None, build).await?;
    let mut found = Vec::with_capacity(led.len());
    for topic in &answer.topics {
        for one in &topic.partitions {
            call.expect_ok(Some(node), one.error_code, one.error_message.as_ref())?;
            let producers = one.active_producers.iter().map(|producer| ProducerState {
                producer_id: producer.producer_id.0,
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp,
                open_transaction_start: Some(producer.current_txn_start_offset).filter(|offset| *offset >= 0),
                ended_transaction: producer.coordinator_epoch >= 0,
            });
            found.push((TopicPartition::new(topic.name.as_str(), one.partition_index), producers.collect()));
        }
    }
    Ok(found)
}
