//! By which flows positions are translated: the one that copies this way, and the one whose records came from there.

use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_kafka::Isolation;
use muster_replication::{FlowSettings, Replication};

use super::{ProofError, unreadable};
use crate::clients::PairClients;

/// The flows whose offset syncs lead from one side to the other.
pub(super) struct Ways<'a> {
    pub(super) scope: Scope,
    direction: Direction,
    /// Copies this way.
    pub(super) forward: Option<Way<'a>>,
    /// Copies the other way: leads back to where records came from.
    pub(super) back: Option<Way<'a>>,
}

/// A flow with what reading it takes.
pub(super) struct Way<'a> {
    pub(super) flow: &'a Flow,
    pub(super) replication: &'a dyn Replication,
    pub(super) isolation: Isolation,
}

impl<'a> Ways<'a> {
    /// Reads how flows copy. One that does not answer leads nowhere, unless there is no other.
    pub(super) async fn read(clients: &'a PairClients, direction: Direction) -> Result<Self, ProofError> {
        let other = Direction { from: direction.to() };
        let (forward, back) = (Way::read(clients, direction).await, Way::read(clients, other).await.ok());
        let scope = Scope::of(&clients.pair);
        match (forward, back) {
            (Err(error), None) => Err(error),
            (forward, back) => Ok(Self { scope, direction, forward: forward.ok(), back }),
        }
    }

    /// Whether a topic of the side groups are on is copied to the other.
    pub(super) fn is_copied(&self, topic: &str) -> bool {
        self.forward.is_some() && self.scope.application_topic(self.direction.from, topic)
    }

    pub(super) fn leads_from(&self, topic: &str) -> bool {
        let came = |way: &Way<'_>| self.scope.original(way.flow.direction, topic).is_some();
        self.is_copied(topic) || self.back.as_ref().is_some_and(came)
    }

    /// The partition a group goes to.
    pub(super) fn target_of(&self, partition: &TopicPartition) -> TopicPartition {
        let came = |way: &Way<'_>| self.scope.original(way.flow.direction, &partition.topic);
        match (&self.forward, self.back.as_ref().and_then(came)) {
            (Some(way), _) if self.is_copied(&partition.topic) => target_of(way.flow, partition),
            (_, Some(original)) => TopicPartition::new(original, partition.partition),
            (_, None) => partition.clone(),
        }
    }
}

impl<'a> Way<'a> {
    async fn read(clients: &'a PairClients, direction: Direction) -> Result<Self, ProofError> {
        let (flow, replication) = flow_of(clients, direction)?;
        let config = replication.config(ConnectorRole::Source).await;
        let settings =
            FlowSettings::from_config(flow, &config.map_err(unreadable("read how the flow copies"))?);
        Ok(Self { flow, replication, isolation: settings.isolation })
    }
}

pub(crate) fn target_of(flow: &Flow, partition: &TopicPartition) -> TopicPartition {
    TopicPartition::new(flow.naming.target_name(&flow.source_alias, &partition.topic), partition.partition)
}

pub(crate) fn flow_of(
    clients: &PairClients,
    direction: Direction,
) -> Result<(&Flow, &dyn Replication), ProofError> {
    let pair = &clients.pair;
    match (pair.flow(direction), clients.flow(direction)) {
        (Some(flow), Some(replication)) => Ok((flow, &**replication)),
        (None, _) | (_, None) => Err(ProofError::NoFlow {
            from: pair.cluster(direction.from).to_string(),
            to: pair.cluster(direction.to()).to_string(),
        }),
    }
}
