//! Topics: what Metadata shows, creating and deleting with the wait until every broker has followed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use kafka_protocol::{
    messages::{
        CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        delete_topics_request::DeleteTopicState,
        metadata_request::MetadataRequestTopic,
        metadata_response::MetadataResponseTopic,
    },
    protocol::StrBytes,
};
use muster_domain::topic::{PartitionDescription, TopicDescription};

use crate::{
    admin::NewTopic,
    asking::routing::{Call, Router, Target},
    broker_error::{LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION, broker_error},
    error::{KafkaError, KafkaErrorKind},
};

const CAP: i16 = 12;

/// All topics, or the named ones that exist.
pub(crate) async fn list_topics(
    router: &Router,
    names: Option<&BTreeSet<String>>,
) -> Result<Vec<TopicDescription>, KafkaError> {
    let call = router.look("Metadata of topics");
    let names = names.map(|names| names.iter().map(String::as_str).collect());
    let answer = fetch_metadata(&call, Target::Any, names.as_ref(), false).await?;
    let mut topics = Vec::with_capacity(answer.topics.len());
    for topic in &answer.topics {
        topics.extend(known_topic(&call, topic)?);
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(topics)
}

/// How many partitions the named topics have that any broker knows, at most over all brokers.
pub(crate) async fn count_partitions(
    router: &Router,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, usize>, KafkaError> {
    let call = router.look("Metadata of topics on every broker");
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for topic in ask_every_broker(&call, &names).await?.iter().flat_map(|answer| &answer.topics) {
        let Some(described) = known_topic(&call, topic)? else { continue };
        let count = counts.entry(described.name).or_default();
        *count = described.partitions.len().max(*count);
    }
    Ok(counts)
}

/// Asks one broker for metadata of all (`None`) or these topics and remembers the leaders.
pub(crate) async fn fetch_metadata(
    call: &Call<'_>,
    target: Target,
    names: Option<&BTreeSet<&str>>,
    with_rights: bool,
) -> Result<MetadataResponse, KafkaError> {
    let build = |version: i16| {
        let topics = names.map(|names| {
            let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            names.iter().map(topic).collect()
        });
        // Never creates a topic by asking for it, whatever the broker's `auto.create.topics.enable` says.
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        request.with_include_topic_authorized_operations(with_rights && version >= 8)
    };
    let (answer, _) = call.send(target, Some(CAP), build).await?;
    call.router.leaders.learn(&answer);
    Ok(answer)
}

/// Asks every broker for metadata of these topics.
async fn ask_every_broker(
    call: &Call<'_>,
    names: &BTreeSet<&str>,
) -> Result<Vec<MetadataResponse>, KafkaError> {
    let mut asks = Vec::new();
    for node in call.every_broker().await? {
        asks.push(fetch_metadata(call, Target::Node(node), Some(names), false));
    }
    try_join_all(asks).await
}

/// `None` when the broker does not know the topic.
fn known_topic(
    call: &Call<'_>,
    topic: &MetadataResponseTopic,
) -> Result<Option<TopicDescription>, KafkaError> {
    match topic.error_code {
        0 | LEADER_NOT_AVAILABLE => Ok(read_topic(topic)),
        UNKNOWN_TOPIC_OR_PARTITION => Ok(None),
        code => Err(call.fail(None, broker_error(code, None))),
    }
}

fn read_topic(topic: &MetadataResponseTopic) -> Option<TopicDescription> {
    let mut partitions: Vec<PartitionDescription> = topic
        .partitions
        .iter()
        .map(|partition| PartitionDescription {
            partition: partition.partition_index,
            leader: Some(partition.leader_id.0).filter(|leader| *leader >= 0),
            // Brokers before 2.1 do not tell it: the codec then says -1.
            leader_epoch: Some(partition.leader_epoch).filter(|epoch| *epoch >= 0),
            replicas: partition.replica_nodes.iter().map(|node| node.0).collect(),
            isr: partition.isr_nodes.iter().map(|node| node.0).collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    Some(TopicDescription {
        name: topic.name.as_ref()?.to_string(),
        id: Some(topic.topic_id).filter(|id| !id.is_nil()),
        internal: topic.is_internal,
        partitions,
    })
}

/// Creates a topic and waits until every broker's metadata shows it with leaders.
pub(crate) async fn create_topic(router: &Router, topic: &NewTopic) -> Result<(), KafkaError> {
    let what = format!("CreateTopics `{}`", topic.name);
    let call = router.change(&what);
    let mut patience = call.patience();
    while let Err(error) = send_create(&call, topic).await {
        if !patience.after(&error).await {
            return Err(error);
        }
        call.refresh_view().await?;
    }
    let wanted = usize::try_from(topic.partitions).unwrap_or_default();
    wait_until_shown(&call, &topic.name, |shown| {
        shown.error_code == 0
            && shown.partitions.len() >= wanted.max(1)
            && shown.partitions.iter().all(|partition| partition.leader_id.0 >= 0)
    })
    .await
}

async fn send_create(call: &Call<'_>, topic: &NewTopic) -> Result<(), KafkaError> {
    let timeout_ms = timeout_ms(call);
    let build = |_| {
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
        });
        let creatable = CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication)
            .with_configs(configs.collect());
        CreateTopicsRequest::default().with_topics(vec![creatable]).with_timeout_ms(timeout_ms)
    };
    let (answer, _) = call.send(call.controller().await?, None, build).await?;
    answer.topics.iter().try_for_each(|one| call.expect_ok(None, one.error_code, one.error_message.as_ref()))
}

/// Deletes a topic and waits until no broker's metadata shows it.
pub(crate) async fn delete_topic(router: &Router, topic: &str) -> Result<(), KafkaError> {
    let what = format!("DeleteTopics `{topic}`");
    let call = router.change(&what);
    let mut patience = call.patience();
    while let Err(error) = send_delete(&call, topic).await {
        if !patience.after(&error).await {
            return Err(error);
        }
        call.refresh_view().await?;
    }
    wait_until_shown(&call, topic, |shown| shown.error_code == UNKNOWN_TOPIC_OR_PARTITION).await
}

async fn send_delete(call: &Call<'_>, topic: &str) -> Result<(), KafkaError> {
    let timeout_ms = timeout_ms(call);
    let build = |version: i16| {
        let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms);
        match version {
            6.. => request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(topic)))]),
            _ => request.with_topic_names(vec![topic_name(topic)]),
        }
    };
    let (answer, _) = call.send(call.controller().await?, None, build).await?;
    answer
        .responses
        .iter()
        .try_for_each(|one| call.expect_ok(None, one.error_code, one.error_message.as_ref()))
}

/// Asks every broker until each shows the topic as wanted.
async fn wait_until_shown(
    call: &Call<'_>,
    topic: &str,
    wanted: impl Fn(&MetadataResponseTopic) -> bool,
) -> Result<(), KafkaError> {
    let mut patience = call.patience();
    let names = BTreeSet::from([topic]);
    loop {
        let answers = ask_every_broker(call, &names).await?;
        if answers.iter().all(|answer| answer.topics.iter().all(&wanted)) {
            return Ok(());
        }
        if !patience.wait().await {
            return Err(call.timed_out());
        }
    }
}

/// A topic name for a request.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The time a broker may take, so that its own answer comes before our deadline.
pub(crate) fn timeout_ms(call: &Call<'_>) -> i32 {
    i32::try_from(call.left().as_millis() * 4 / 5).unwrap_or(i32::MAX).max(1)
}

/// Collects partitions by topic for requests that list them so.
pub(crate) fn by_topic<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> BTreeMap<&'a str, Vec<T>> {
    let mut grouped: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (topic, item) in items {
        grouped.entry(topic).or_default().push(item);
    }
    grouped
}

/// For answers that should never be.
pub(crate) fn left_out(call: &Call<'_>, node: i32, what: impl std::fmt::Display) -> KafkaError {
    call.fail(Some(node), KafkaErrorKind::Protocol(format!("the broker's answer leaves out {what}")))
}
