//! The canary's topic: made where it is not there, on the source only.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::canary::CanarySettings;
use muster_kafka::{ClusterAdmin, admin::NewTopic};

use super::{FlowCanary, is_refusal};
use crate::clients::PairClients;

/// How long the source keeps a canary record. Longer than replication may stand still without losing what it measures by.
const RETENTION_MS: i64 = 6 * 3_600_000;
/// Segments are closed after so long, or nothing in them would ever go.
const SEGMENT_MS: i64 = 3_600_000;
/// `TOPIC_ALREADY_EXISTS`.
const ALREADY_EXISTS: i16 = 36;

impl FlowCanary {
    /// Makes sure that the topic is there; how many of its partitions are written. It is made on the source only: its copy
    /// is replication's to make.
    pub(super) async fn ready(&mut self, clients: &PairClients) -> Result<i32, String> {
        if let Some(partitions) = self.partitions {
            return Ok(partitions);
        }
        let admin = clients.admin.get(self.flow.direction.from).as_ref();
        let found = match partitions_of(admin, &self.settings.topic).await? {
            Some(partitions) => partitions,
            None => {
                self.create(admin).await?;
                self.settings.partitions
            }
        };
        // One that has too few is looked at again: people may add some.
        self.partitions = (found >= self.settings.partitions).then_some(self.settings.partitions);
        Ok(found.min(self.settings.partitions))
    }

    async fn create(&self, admin: &dyn ClusterAdmin) -> Result<(), String> {
        let CanarySettings { topic, partitions, .. } = &self.settings;
        let configs = BTreeMap::from([
            ("cleanup.policy".to_owned(), "delete".to_owned()),
            ("retention.ms".to_owned(), RETENTION_MS.to_string()),
            ("segment.ms".to_owned(), SEGMENT_MS.to_string()),
        ]);
        let new = NewTopic { name: topic.clone(), partitions: *partitions, replication: -1, configs };
        match admin.create_topic(&new).await {
            Ok(()) => {
                tracing::info!(
                    cluster.name = admin.cluster(),
                    "made the canary topic `{topic}` on `{}`",
                    admin.cluster()
                );
                Ok(())
            }
            Err(e) if e.code() == Some(ALREADY_EXISTS) => Ok(()),
            Err(e) if is_refusal(&e) => Err(format!(
                "`{topic}` is not there, and Muster may not make it: it lacks CREATE on the topic or the cluster `{}`",
                admin.cluster()
            )),
            Err(e) => Err(format!("could not make `{topic}`: {e}")),
        }
    }
}

/// Whether a topic is there; with how many partitions.
pub(super) async fn partitions_of(admin: &dyn ClusterAdmin, topic: &str) -> Result<Option<i32>, String> {
    let names = BTreeSet::from([topic.to_owned()]);
    let found = admin.topics(Some(&names)).await.map_err(|e| e.to_string())?;
    let topic = found.iter().find(|found| found.name == topic);
    Ok(topic.map(|topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
}
