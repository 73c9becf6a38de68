//! The hands a run or a survey works with: clients of both clusters, of the flows between them, and the switches.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use muster_domain::{
    cluster::Cluster,
    ids::PairName,
    pair::{BySide, Direction, Pair},
};
use muster_kafka::{ClusterAdmin, RecordMover};
use muster_replication::Replication;
use muster_routing::Routing;

use crate::error::OperationError;

/// Clients of one pair.
#[derive(Debug, Clone)]
pub struct PairClients {
    /// The pair as it is configured now.
    pub pair: Pair,
    /// Its clusters as they are registered now.
    pub clusters: BySide<Cluster>,
    /// Admin clients.
    pub admin: BySide<Arc<dyn ClusterAdmin>>,
    /// Record movers.
    pub mover: BySide<Arc<dyn RecordMover>>,
    /// Flows Muster can see and steer, by the direction records flow.
    pub flows: BTreeMap<FlowKey, Arc<dyn Replication>>,
    /// Traffic switches, in the order they are told.
    pub routing: Vec<Arc<dyn Routing>>,
}

/// A [`Direction`] that can be a map key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowKey(pub muster_domain::pair::Side);

impl From<Direction> for FlowKey {
    fn from(direction: Direction) -> Self {
        Self(direction.from)
    }
}

impl PairClients {
    /// The flow of a direction, if Muster can steer it.
    #[must_use]
    pub fn flow(&self, direction: Direction) -> Option<&Arc<dyn Replication>> {
        self.flows.get(&FlowKey::from(direction))
    }
}

/// Where clients come from: the app builds them from the stored clusters and keeps them warm; tests hand out doubles.
#[async_trait]
pub trait ClientSource: Send + Sync {
    /// Clients for a pair as it is configured now. Cheap when nothing changed since the last call.
    async fn pair_clients(&self, pair: &PairName) -> Result<PairClients, OperationError>;

    /// A pair is gone: nothing of it is kept warm any more.
    fn forget(&self, _pair: &PairName) {}
}

#[cfg(test)]
pub(crate) mod tests {
    use muster_domain::pair::Side;
    use muster_replication::double::SmallWorld;

    use super::*;

    /// The pair `clicks` with prefixed names. The flow back is not attached: of a dead source it is not asked.
    pub(crate) fn clicks(small: &SmallWorld) -> PairClients {
        let (a, b) = (small.pair.cluster(Side::A).as_str(), small.pair.cluster(Side::B).as_str());
        let forward: Arc<dyn Replication> = Arc::new(small.clicks.a.clone());
        PairClients {
            pair: small.prefixed_pair.clone(),
            clusters: small.clusters.clone(),
            admin: BySide { a: Arc::new(small.world.admin(a)), b: Arc::new(small.world.admin(b)) },
            mover: BySide { a: Arc::new(small.world.mover(a)), b: Arc::new(small.world.mover(b)) },
            flows: BTreeMap::from([(FlowKey(Side::A), forward)]),
            routing: Vec::new(),
        }
    }
}
