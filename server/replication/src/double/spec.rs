//! What a simulated flow is, and the connector configs that follow from it.

use std::collections::BTreeMap;

use muster_domain::{pair::NamingPolicy, survey::ConnectorRole};

/// What a flow is.
#[derive(Debug, Clone)]
pub struct FlowSpec {
    /// Prefix of its connectors' names: `west-to-central` has `west-to-central-source`, `-checkpoint`, `-heartbeat`.
    pub name: String,
    /// Cluster copied from.
    pub source: String,
    /// Cluster copied to.
    pub target: String,
    /// `source.cluster.alias`.
    pub source_alias: String,
    /// `target.cluster.alias`.
    pub target_alias: String,
    /// How topics are named on the target.
    pub naming: NamingPolicy,
    /// Principal on both clusters.
    pub principal: String,
    /// Topics, a list of full-match patterns separated by commas.
    pub topics: String,
    /// Groups, the same.
    pub groups: String,
    /// `exactly.once.support=required`.
    pub exactly_once: bool,
}

impl FlowSpec {
    /// The config a connector would show.
    pub(super) fn config(&self, role: ConnectorRole) -> BTreeMap<String, String> {
        let class = match role {
            ConnectorRole::Source => "MirrorSourceConnector",
            ConnectorRole::Checkpoint => "MirrorCheckpointConnector",
            ConnectorRole::Heartbeat => "MirrorHeartbeatConnector",
        };
        let policy = match &self.naming {
            NamingPolicy::Identity => "IdentityReplicationPolicy",
            NamingPolicy::Prefixed { .. } => "DefaultReplicationPolicy",
        };
        let mirror = "org.apache.kafka.connect.mirror";
        let mut config = BTreeMap::from([
            ("name".to_owned(), format!("{}-{role}", self.name)),
            ("connector.class".to_owned(), format!("{mirror}.{class}")),
            ("replication.policy.class".to_owned(), format!("{mirror}.{policy}")),
            ("source.cluster.alias".to_owned(), self.source_alias.clone()),
            ("target.cluster.alias".to_owned(), self.target_alias.clone()),
            ("topics".to_owned(), self.topics.clone()),
            ("groups".to_owned(), self.groups.clone()),
            (
                "source.cluster.sasl.jaas.config".to_owned(),
                "ScramLoginModule required password=\"hush\";".to_owned(),
            ),
        ]);
        let mut set = |key: &str, value: &str| config.insert(key.to_owned(), value.to_owned());
        match role {
            ConnectorRole::Source => {
                set("source.consumer.isolation.level", "read_committed");
                for key in ["key.converter", "value.converter", "header.converter"] {
                    set(key, "org.apache.kafka.connect.converters.ByteArrayConverter");
                }
                set("sync.topic.acls.enabled", "false");
                set("sync.topic.configs.enabled", "true");
                set("offset-syncs.topic.location", "target");
                set("exactly.once.support", if self.exactly_once { "required" } else { "requested" });
            }
            ConnectorRole::Checkpoint => {
                set("sync.group.offsets.enabled", "true");
                set("emit.checkpoints.interval.seconds", "2");
            }
            ConnectorRole::Heartbeat => {}
        }
        config
    }
}
