//! A flow carried by MirrorMaker 2 connectors on a Connect cluster.
//!
//! Never decides when to stop or start; does what it is asked and proves it. Credentials stay inside: what leaves in
//! observations and errors went through `redact`.

mod observe;
mod offset_pairs;
mod offsets;
mod steer;

#[cfg(test)]
pub(crate) use offsets::sort_out;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_domain::{
    connect_credentials::ConnectCredentials,
    pair::{Flow, Mechanism},
    renaming::Renaming,
    survey::{ConnectorRole, FlowObservation, OffsetPair},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{ClusterAdmin, RecordMover};
use tokio::sync::Mutex;

use crate::{
    FlowState, OffsetPairMemory, OffsetPairRoom, Replication, ReplicationError, ReplicationErrorKind,
    connect::ConnectClient,
    settings::{FlowEnd, FlowSettings},
};
use offset_pairs::{OffsetPairStore, Place};

/// Reading new offset pairs when somebody waits for them.
const OFFSET_PAIRS_WITHIN: Duration = Duration::from_secs(30);

/// Muster's hands on one cluster of a flow.
#[derive(Debug, Clone)]
pub struct ClusterHands {
    /// Looks.
    pub admin: Arc<dyn ClusterAdmin>,
    /// Reads records.
    pub mover: Arc<dyn RecordMover>,
}

/// See the module.
#[derive(Debug)]
pub struct Mm2OnConnect {
    flow: Flow,
    names: BTreeMap<ConnectorRole, String>,
    connect: ConnectClient,
    source: ClusterHands,
    target: ClusterHands,
    worker_cluster: Option<String>,
    offset_pairs: Mutex<OffsetPairStore>,
}

impl Mm2OnConnect {
    /// Takes a flow in hand; connects to nothing yet.
    ///
    /// `worker_cluster` is the id of the cluster that the Connect workers must be attached to (the target's, for a flow
    /// whose producer is not overridden): with another one, nothing is changed.
    pub fn new(
        flow: &Flow,
        source: ClusterHands,
        target: ClusterHands,
        worker_cluster: Option<String>,
    ) -> Result<Self, ReplicationError> {
        let (connect_url, names) = match &flow.mechanism {
            Mechanism::Mm2OnConnect {
                connect_url,
                source_connector,
                checkpoint_connector,
                heartbeat_connector,
            } => {
                let names = [
                    (ConnectorRole::Source, Some(source_connector)),
                    (ConnectorRole::Checkpoint, checkpoint_connector.as_ref()),
                    (ConnectorRole::Heartbeat, heartbeat_connector.as_ref()),
                ];
                let known = names.into_iter().filter_map(|(role, name)| Some((role, name?.clone())));
                (connect_url, known.collect())
            }
            Mechanism::Unattached => {
                return Err(ReplicationError {
                    call: "take the flow in hand".to_owned(),
                    target: format!("{} → {}", flow.source_alias, flow.target_alias),
                    kind: ReplicationErrorKind::Unsupported(
                        "no Connect address is known for this flow; add it to the pair".to_owned(),
                    ),
                });
            }
        };
        Ok(Self {
            flow: flow.clone(),
            names,
            connect: ConnectClient::new(connect_url)?,
            source,
            target,
            worker_cluster,
            offset_pairs: Mutex::new(OffsetPairStore::default()),
        })
    }

    /// It signs in at Connect with that, if it was entered for the flow's address.
    #[must_use]
    pub fn signing_in(mut self, credentials: ConnectCredentials) -> Self {
        self.connect = self.connect.signing_in(credentials);
        self
    }

    /// Its offset pairs are kept there, and what is kept there is known from the beginning.
    #[must_use]
    pub fn remembering(mut self, memory: Arc<dyn OffsetPairMemory>) -> Self {
        self.offset_pairs.get_mut().memory = Some(memory);
        self
    }

    /// It holds its offset pairs in a room with other flows.
    #[must_use]
    pub fn sharing(mut self, room: &OffsetPairRoom) -> Self {
        self.offset_pairs.get_mut().share = Some(room.share());
        self
    }

    /// What the source connector's config decides about reading this flow.
    pub async fn settings(&self) -> Result<FlowSettings, ReplicationError> {
        let config = self.connect.config(self.name(ConnectorRole::Source)?).await?;
        Ok(FlowSettings::from_config(&self.flow, &config))
    }

    /// Restarts a connector and all its tasks, also those that Connect calls RUNNING although they are dead
    /// (mm2-verified, correction 8a), and returns when they run. For flows that are RUNNING but do not move.
    pub async fn restart(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError> {
        let name = self.name(role)?;
        self.check_worker(&format!("restart connector {name}")).await?;
        steer::restart(&self.connect, name, bound_ms).await
    }

    fn name(&self, role: ConnectorRole) -> Result<&str, ReplicationError> {
        self.names.get(&role).map(String::as_str).ok_or_else(|| ReplicationError {
            call: format!("find the {role} connector"),
            target: self.connect.shown().to_owned(),
            kind: ReplicationErrorKind::NoSuchConnector,
        })
    }

    fn hands(&self, end: FlowEnd) -> &ClusterHands {
        match end {
            FlowEnd::Source => &self.source,
            FlowEnd::Target => &self.target,
        }
    }

    /// Where its offset syncs are, by what its source connector's config says.
    fn place(&self, config: &BTreeMap<String, String>) -> Place<'_> {
        let FlowSettings { syncs_on, syncs_topic, .. } = FlowSettings::from_config(&self.flow, config);
        Place {
            flow: &self.flow,
            syncs_on: self.hands(syncs_on),
            syncs_topic,
            target: &*self.target.admin,
            renamed: Renaming::of(config).renames(),
        }
    }

    /// Before every change: an address that was pointed at other workers must not change them.
    async fn check_worker(&self, call: &str) -> Result<(), ReplicationError> {
        let Some(expected) = &self.worker_cluster else { return Ok(()) };
        let found = self.connect.root().await?.kafka_cluster_id;
        if found == *expected {
            return Ok(());
        }
        Err(ReplicationError {
            call: call.to_owned(),
            target: self.connect.shown().to_owned(),
            kind: ReplicationErrorKind::Unsupported(format!(
                "these workers belong to cluster `{found}`, not `{expected}`; nothing was changed"
            )),
        })
    }
}

#[async_trait]
impl Replication for Mm2OnConnect {
    async fn observe(&self, now: DateTime<Utc>) -> FlowObservation {
        observe::observe(self, now).await
    }

    async fn state(&self, role: ConnectorRole) -> Result<Option<FlowState>, ReplicationError> {
        let Some(name) = self.names.get(&role) else { return Ok(None) };
        let status = self.connect.status(name).await?;
        let tasks = status.tasks.iter().map(|task| task.state).collect();
        Ok(Some(FlowState { connector: status.state, tasks }))
    }

    async fn stop(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError> {
        let name = self.name(role)?;
        self.check_worker(&format!("stop connector {name}")).await?;
        steer::stop(&self.connect, name, bound_ms).await
    }

    async fn resume(&self, role: ConnectorRole, bound_ms: u64) -> Result<(), ReplicationError> {
        let name = self.name(role)?;
        self.check_worker(&format!("resume connector {name}")).await?;
        steer::resume(&self.connect, name, bound_ms).await
    }

    async fn config(&self, role: ConnectorRole) -> Result<BTreeMap<String, String>, ReplicationError> {
        self.connect.config(self.name(role)?).await
    }

    async fn change_config(
        &self,
        role: ConnectorRole,
        changes: &BTreeMap<String, Option<String>>,
        bound_ms: u64,
    ) -> Result<(), ReplicationError> {
        let name = self.name(role)?;
        self.check_worker(&format!("change the config of connector {name}")).await?;
        steer::change_config(&self.connect, name, changes, bound_ms).await
    }

    async fn committed_offsets(&self) -> Result<(ByPartition<i64>, Vec<String>), ReplicationError> {
        let stored = self.connect.offsets(self.name(ConnectorRole::Source)?).await?;
        Ok(offsets::sort_out(&stored, &self.flow.source_alias).for_people())
    }

    async fn set_committed_offsets(
        &self,
        offsets: &ByPartition<Option<i64>>,
    ) -> Result<(), ReplicationError> {
        let name = self.name(ConnectorRole::Source)?;
        self.check_worker(&format!("set the offsets of connector {name}")).await?;
        offsets::set(&self.connect, name, &self.flow, offsets).await
    }

    async fn offset_pairs(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<ByPartition<Vec<OffsetPair>>, ReplicationError> {
        let config = self.connect.config(self.name(ConnectorRole::Source)?).await?;
        let mut store = self.offset_pairs.lock().await;
        store.refresh(&self.place(&config), OFFSET_PAIRS_WITHIN).await?;
        Ok(store.of(partitions))
    }
}
