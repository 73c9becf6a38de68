//! Effective configs of topics and brokers, and changing single ones.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};
use muster_domain::topic::{ConfigEntry, ConfigSource, Configs};

use crate::{
    admin::TopicConfigs,
    asking::routing::{Call, Router, Target},
    broker_error::UNKNOWN_TOPIC_OR_PARTITION,
    error::KafkaError,
    verbs::{acls::until_controller_answers, group_members::text, topics::left_out},
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Topics per request: each answers some 35 configs.
const BATCH: usize = 250;
/// Requests under way at each broker: one is answered while the next travels.
const IN_FLIGHT: usize = 2;

/// Effective configs of topics, each with its own answer: of one nobody may read, the others are told all the same. A topic that is gone is
/// left out.
pub(crate) async fn topic_configs(router: &Router, topics: &[String]) -> Result<TopicConfigs, KafkaError> {
    let what = format!("DescribeConfigs of {} topics", topics.len());
    let call = router.look(&what);
    if topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let brokers = &call.view().await?.description.brokers;
    // Any broker can answer: spread the work.
    let batches = topics.chunks(BATCH).zip(brokers.iter().cycle());
    let asks: Vec<_> =
        batches.map(|(batch, broker)| describe(&call, Target::Node(broker.id), TOPIC, batch)).collect();
    // Read as they come, and not all at once: an answer is many times larger than what is kept of it.
    let mut asks = stream::iter(asks).buffer_unordered(brokers.len().max(1) * IN_FLIGHT);
    let (mut found, mut alike) = (BTreeMap::new(), Alike::default());
    while let Some(answer) = asks.try_next().await? {
        for result in answer.results {
            if result.error_code == UNKNOWN_TOPIC_OR_PARTITION {
                continue;
            }
            let told = call.expect_ok(None, result.error_code, result.error_message.as_ref());
            let name = result.resource_name.to_string();
            found.insert(name, told.map(|()| alike.share(result)).map_err(Box::new));
        }
    }
    Ok(found)
}

/// Effective configs of a broker, asked of that broker.
pub(crate) async fn broker_configs(router: &Router, broker: i32) -> Result<Configs, KafkaError> {
    let call = router.look("DescribeConfigs of a broker");
    let answer = describe(&call, Target::Node(broker), BROKER, &[broker.to_string()]).await?;
    let result =
        answer.results.into_iter().next().ok_or_else(|| left_out(&call, broker, "the broker's configs"))?;
    call.expect_ok(Some(broker), result.error_code, result.error_message.as_ref())?;
    Ok(read_configs(result))
}

async fn describe(
    call: &Call<'_>,
    target: Target,
    kind: i8,
    names: &[String],
) -> Result<DescribeConfigsResponse, KafkaError> {
    let build = |_| {
        let resources = names.iter().map(|name| {
            let resource = DescribeConfigsResource::default().with_resource_type(kind);
            resource.with_resource_name(text(name)).with_configuration_keys(None)
        });
        DescribeConfigsRequest::default().with_resources(resources.collect())
    };
    Ok(call.send(target, None, build).await?.0)
}

/// Configs read so far: most topics of a cluster are configured alike.
#[derive(Default)]
struct Alike(HashMap<u64, Vec<Arc<Configs>>>);

impl Alike {
    fn share(&mut self, result: DescribeConfigsResult) -> Arc<Configs> {
        let mut hasher = DefaultHasher::new();
        for config in &result.configs {
            (config.name.as_str(), value_of(config), config.config_source).hash(&mut hasher);
        }
        let candidates = self.0.entry(hasher.finish()).or_default();
        let same = |known: &&Arc<Configs>| {
            known.len() == result.configs.len()
                && result.configs.iter().all(|config| {
                    known.get(config.name.as_str()).is_some_and(|entry| {
                        entry.value.as_deref() == value_of(config)
                            && entry.source == read_source(config.config_source)
                    })
                })
        };
        if let Some(known) = candidates.iter().find(same) {
            return Arc::clone(known);
        }
        let configs = Arc::new(read_configs(result));
        candidates.push(Arc::clone(&configs));
        configs
    }
}

/// Nothing of what is sensitive.
fn value_of(config: &DescribeConfigsResourceResult) -> Option<&str> {
    config.value.as_ref().filter(|_| !config.is_sensitive).map(|value| value.as_str())
}

fn read_configs(result: DescribeConfigsResult) -> Configs {
    let entries = result.configs.iter().map(|config| {
        let value = value_of(config).map(str::to_owned);
        (config.name.to_string(), ConfigEntry { value, source: read_source(config.config_source) })
    });
    entries.collect()
}

fn read_source(code: i8) -> ConfigSource {
    match code {
        1 => ConfigSource::Topic,
        // One broker's own, and the whole cluster's.
        2 | 3 => ConfigSource::DynamicBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        _ => ConfigSource::Other,
    }
}

/// Sets or resets single configs of a topic. The older AlterConfigs would reset all others: never used.
pub(crate) async fn alter_topic_configs(
    router: &Router,
    topic: &str,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), KafkaError> {
    if changes.is_empty() {
        return Ok(());
    }
    let what = format!("IncrementalAlterConfigs of topic `{topic}`");
    let call = router.change(&what);
    until_controller_answers(&call, |target| send_alter(&call, target, topic, changes)).await
}

async fn send_alter(
    call: &Call<'_>,
    target: Target,
    topic: &str,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<(), KafkaError> {
    let build = |_| {
        let configs = changes.iter().map(|(name, value)| {
            // 0 sets, 1 deletes, which falls back to the default.
            let config = AlterableConfig::default().with_name(text(name));
            config.with_config_operation(i8::from(value.is_none())).with_value(value.as_deref().map(text))
        });
        let resource =
            AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(topic));
        IncrementalAlterConfigsRequest::default()
            .with_resources(vec![resource.with_configs(configs.collect())])
    };
    let (answer, _) = call.send(target, None, build).await?;
    answer
        .responses
        .iter()
        .try_for_each(|one| call.expect_ok(None, one.error_code, one.error_message.as_ref()))
}
