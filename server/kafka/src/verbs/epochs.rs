//! Where leaderships of partitions ended, as the log of their present leader tells (OffsetForLeaderEpoch, KIP-101 and KIP-320):
//! asked of the leaders, each partition with its own answer.

use std::collections::HashMap;

use futures_util::future::join_all;
use kafka_protocol::messages::{
    BrokerId, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    offset_for_leader_epoch_response::EpochEndOffset,
};
use muster_domain::topic::{ByPartition, TopicPartition};

use crate::{
    admin::EpochEnds,
    asking::routing::{Call, Router, Target},
    broker_error::broker_error,
    error::KafkaError,
    verbs::{
        offsets::may_have_moved,
        topics::{by_topic, left_out, topic_name},
    },
};

/// Partitions per request.
const BATCH: usize = 4_000;
/// Rounds after which a partition without leader is reported as such.
const ROUNDS: u32 = 4;
/// `replica_id` of a consumer.
const CONSUMER: BrokerId = BrokerId(-1);

type Answer<'p> = (&'p TopicPartition, Result<Option<i64>, Box<KafkaError>>);

/// For each partition and leader epoch, where the records of leaders up to that epoch end.
pub(crate) async fn end_of_epochs(
    router: &Router,
    epochs: &ByPartition<i32>,
) -> Result<EpochEnds, KafkaError> {
    let what = format!("OffsetForLeaderEpoch of {} partitions", epochs.len());
    let call = router.look(&what);
    let mut open: Vec<&TopicPartition> = epochs.keys().collect();
    let mut answers = EpochEnds::new();
    let mut patience = call.patience();
    for round in 1.. {
        let (unsettled, settled): (Vec<Answer<'_>>, Vec<Answer<'_>>) = ask_leaders(&call, &open, epochs)
            .await?
            .into_iter()
            .partition(|(_, answer)| matches!(answer, Err(error) if may_have_moved(error)));
        answers.extend(settled.into_iter().map(|(tp, answer)| (tp.clone(), answer)));
        if unsettled.is_empty() || round == ROUNDS || !patience.wait().await {
            answers.extend(unsettled.into_iter().map(|(tp, answer)| (tp.clone(), answer)));
            break;
        }
        open = unsettled.iter().map(|(tp, _)| *tp).collect();
        call.router.leaders.forget(open.iter().copied());
    }
    Ok(answers)
}

/// One round.
async fn ask_leaders<'p>(
    call: &Call<'_>,
    open: &[&'p TopicPartition],
    epochs: &ByPartition<i32>,
) -> Result<Vec<Answer<'p>>, KafkaError> {
    let grouped = call.by_leader(open).await?;
    let mut asks = Vec::new();
    for (node, led) in &grouped.led {
        for batch in led.chunks(BATCH) {
            asks.push(ask_leader(call, *node, batch, epochs));
        }
    }
    let mut answers: Vec<Answer<'p>> = join_all(asks).await.into_iter().flatten().collect();
    answers.extend(grouped.leaderless.iter().map(|tp| (*tp, Err(Box::new(call.no_leader(tp))))));
    Ok(answers)
}

/// One batch: an error of the whole request is every partition's error.
async fn ask_leader<'p>(
    call: &Call<'_>,
    node: i32,
    batch: &[&'p TopicPartition],
    epochs: &ByPartition<i32>,
) -> Vec<Answer<'p>> {
    match call.send(Target::Node(node), None, |version| build(batch, epochs, version)).await {
        Ok((answer, _)) => read_answer(call, node, batch, &answer),
        Err(error) => batch.iter().map(|tp| (*tp, Err(Box::new(error.clone())))).collect(),
    }
}

/// The present epoch is left out: Muster need not know it, and a broker checks it only when told.
fn build(batch: &[&TopicPartition], epochs: &ByPartition<i32>, version: i16) -> OffsetForLeaderEpochRequest {
    let topics = by_topic(batch.iter().map(|tp| (tp.topic.as_str(), *tp)));
    let topics = topics.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|tp| {
            OffsetForLeaderPartition::default()
                .with_partition(tp.partition)
                .with_leader_epoch(epochs.get(tp).copied().unwrap_or_default())
        });
        OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(partitions.collect())
    });
    let request = OffsetForLeaderEpochRequest::default().with_topics(topics.collect());
    if version >= 3 { request.with_replica_id(CONSUMER) } else { request }
}

fn read_answer<'p>(
    call: &Call<'_>,
    node: i32,
    batch: &[&'p TopicPartition],
    answer: &OffsetForLeaderEpochResponse,
) -> Vec<Answer<'p>> {
    let mut told: HashMap<(&str, i32), &EpochEndOffset> = HashMap::new();
    for topic in &answer.topics {
        told.extend(topic.partitions.iter().map(|one| ((topic.topic.as_str(), one.partition), one)));
    }
    let of = |tp: &TopicPartition| match told.get(&(tp.topic.as_str(), tp.partition)) {
        Some(one) if one.error_code == 0 => Ok(Some(one.end_offset).filter(|end| *end >= 0)),
        Some(one) => Err(Box::new(call.fail(Some(node), broker_error(one.error_code, None)))),
        None => Err(Box::new(left_out(call, node, tp))),
    };
    batch.iter().map(|tp| (*tp, of(tp))).collect()
}
