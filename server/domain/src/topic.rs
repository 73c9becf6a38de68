//! Topics, partitions and configs as a broker describes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A partition of a topic. Ordered by topic, then partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A map by partition that is a JSON list of entries (JSON keys must be strings).
pub type ByPartition<T> = BTreeMap<TopicPartition, T>;

/// Serde for [`ByPartition`] as `{"topic": {"0": value}}`; use as `#[serde(with = "by_partition")]`.
pub mod by_partition {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{ByPartition, TopicPartition};

    /// Writes the nested form.
    pub fn serialize<T: Serialize, S: Serializer>(map: &ByPartition<T>, s: S) -> Result<S::Ok, S::Error> {
        let mut nested: BTreeMap<&str, BTreeMap<i32, &T>> = BTreeMap::new();
        for (tp, value) in map {
            nested.entry(&tp.topic).or_default().insert(tp.partition, value);
        }
        nested.serialize(s)
    }

    /// Reads the nested form.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<ByPartition<T>, D::Error> {
        let nested: BTreeMap<String, BTreeMap<Number, T>> = BTreeMap::deserialize(d)?;
        Ok(nested
            .into_iter()
            .flat_map(|(topic, partitions)| {
                partitions
                    .into_iter()
                    .map(move |(Number(p), value)| (TopicPartition::new(topic.clone(), p), value))
            })
            .collect())
    }

    /// A partition number as JSON writes it: the name of a member. Read as text, because inside a tagged enum (every
    /// `Observed`) serde no longer turns names of members into numbers.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct Number(i32);

    impl<'de> Deserialize<'de> for Number {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            let text = String::deserialize(d)?;
            let number = text.parse().map_err(|_| {
                serde::de::Error::custom(format_args!("`{text}` is not the number of a partition"))
            })?;
            Ok(Self(number))
        }
    }
}

/// A topic as Metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicDescription {
    /// Topic name.
    pub name: String,
    /// Topic id (KIP-516); `None` from brokers before 2.8. A changed id means the topic was recreated.
    pub id: Option<Uuid>,
    /// True for `__consumer_offsets` and the like.
    pub internal: bool,
    /// Partitions by number, dense from 0.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition as Metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionDescription {
    /// Partition number, from 0.
    pub partition: i32,
    /// Broker id of the leader; `None` while there is none.
    pub leader: Option<i32>,
    /// Counts up with each election; `None` when the broker does not tell it.
    #[serde(default)]
    pub leader_epoch: Option<i32>,
    /// Broker ids of all replicas.
    pub replicas: Vec<i32>,
    /// Broker ids of the replicas in sync.
    pub isr: Vec<i32>,
}

/// Where an effective config value comes from (`DescribeConfigsResponse.config_source`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigSource {
    /// Set on the topic itself.
    Topic,
    /// Set dynamically on a broker or for the whole cluster.
    DynamicBroker,
    /// From the broker's properties file.
    StaticBroker,
    /// The built-in default.
    Default,
    /// Anything else (client metrics, groups, a newer broker).
    Other,
}

/// An effective config value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConfigEntry {
    /// The value as text; `None` when sensitive or unset.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// Effective configs of one topic or broker by name.
pub type Configs = BTreeMap<String, ConfigEntry>;

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::reading::Observed;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Positions(#[serde(with = "by_partition")] ByPartition<i64>);

    #[test]
    fn what_is_by_partition_reads_back_inside_an_observation() {
        let positions = Positions(BTreeMap::from([
            (TopicPartition::new("orders", 0), 7),
            (TopicPartition::new("orders", 10), 8),
        ]));
        let seen = Observed::known(positions, DateTime::UNIX_EPOCH);
        let written = serde_json::to_value(&seen).unwrap();
        assert_eq!(written["value"], json!({"orders": {"0": 7, "10": 8}}));
        assert_eq!(serde_json::from_value::<Observed<Positions>>(written).unwrap(), seen);
    }

    #[test]
    fn what_is_no_partition_is_told() {
        let refused = serde_json::from_value::<Positions>(json!({"orders": {"first": 7}})).unwrap_err();
        assert_eq!(refused.to_string(), "`first` is not the number of a partition");
    }
}
