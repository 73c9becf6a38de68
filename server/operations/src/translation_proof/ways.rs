//! By which flows positions are translated: the one that copies this way, and the one whose records came from there.

use std::{collections::BTreeMap, time::Duration};

use muster_domain::{
    pair::{Direction, Flow},
    patterns::Scope,
    renaming::Renaming,
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_kafka::Isolation;
use muster_replication::{FlowSettings, Replication, ReplicationError, ReplicationErrorKind};

use super::{ProofError, unreadable};
use crate::clients::PairClients;

/// How often Connect is asked, and the pause between.
const ASKED: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

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
    pub(super) exactly_once: bool,
    pub(super) renaming: Renaming,
}

impl<'a> Ways<'a> {
    /// Reads how flows copy.
    pub(super) async fn read(clients: &'a PairClients, direction: Direction) -> Result<Self, ProofError> {
        let other = Direction { from: direction.to() };
        let (forward, back) = (Way::read(clients, direction).await, Way::read(clients, other).await);
        let scope = Scope::of(&clients.pair);
        match (forward, back) {
            (Err(error), Err(_)) => Err(error),
            // Without the flow that copies this way less would be said than is true; one that is not there leads nowhere.
            (Err(error), Ok(_)) if !matches!(error, ProofError::NoFlow { .. }) => Err(error),
            (forward, back) => Ok(Self { scope, direction, forward: forward.ok(), back: back.ok() }),
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
            (Some(way), _) if self.is_copied(&partition.topic) => way.target_of(partition),
            (_, Some(original)) => TopicPartition::new(original, partition.partition),
            (_, None) => partition.clone(),
        }
    }
}

impl<'a> Way<'a> {
    async fn read(clients: &'a PairClients, direction: Direction) -> Result<Self, ProofError> {
        let (flow, replication) = flow_of(clients, direction)?;
        let config = match read_config(replication).await {
            Ok(config) => config,
            Err(error) if error.kind == ReplicationErrorKind::NoSuchConnector => {
                return Err(no_flow(clients, direction));
            }
            Err(error) => return Err(unreadable("read how the flow copies")(error)),
        };
        let settings = FlowSettings::from_config(flow, &config);
        let FlowSettings { isolation, exactly_once, .. } = settings;
        let renaming = Self::renaming(clients, flow, &config).await?;
        Ok(Self { flow, replication, isolation, exactly_once, renaming })
    }

    /// Where copies are under other names all that is copied has to be known: several topics may get one name.
    async fn renaming(
        clients: &PairClients,
        flow: &Flow,
        config: &BTreeMap<String, String>,
    ) -> Result<Renaming, ProofError> {
        let renaming = Renaming::of(config);
        if !renaming.renames() {
            return Ok(renaming);
        }
        let (scope, from) = (Scope::of(&clients.pair), flow.direction.from);
        let canary = clients.pair.canary_topic.as_deref();
        let topics = clients.admin.get(from).topics(None).await.map_err(unreadable("read topics"))?;
        let copied = topics
            .into_iter()
            .filter(|topic| scope.application_topic(from, &topic.name) || canary == Some(&*topic.name));
        Ok(renaming.among(copied.map(|topic| flow.naming.target_name(&flow.source_alias, &topic.name))))
    }

    /// Where the copies of a partition are, or would be by the naming policy when nothing tells.
    fn target_of(&self, partition: &TopicPartition) -> TopicPartition {
        let named = target_of(self.flow, partition);
        match self.renaming.name_of_copies(&named.topic) {
            Ok(copies) => TopicPartition::new(copies, named.partition),
            Err(_) => named,
        }
    }
}

/// The config of the source connector, asked for again while Connect says that it is not now to be had: workers rebalance.
async fn read_config(replication: &dyn Replication) -> Result<BTreeMap<String, String>, ReplicationError> {
    let mut asked = 1;
    loop {
        match replication.config(ConnectorRole::Source).await {
            Err(error) if error.may_pass() && asked < ASKED => asked += 1,
            answer => return answer,
        }
        tokio::time::sleep(PAUSE).await;
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
        (None, _) | (_, None) => Err(no_flow(clients, direction)),
    }
}

fn no_flow(clients: &PairClients, direction: Direction) -> ProofError {
    let named = |side| clients.pair.cluster(side).to_string();
    ProofError::NoFlow { from: named(direction.from), to: named(direction.to()) }
}
