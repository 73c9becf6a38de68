//! Where clients come from: built from the stored clusters and their opened secrets, kept warm, and built anew when a
//! version changed. Building connects to nothing; whatever is wrong with a cluster shows at its first call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use muster_domain::{
    cluster::Cluster,
    connect_credentials::KeptCredentials,
    ids::{ClusterName, PairName},
    pair::{BySide, Flow, Mechanism, Pair},
};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin, KafkaMover};
use muster_operations::{
    OperationError, PairClients,
    clients::{ClientSource, FlowKey},
};
use muster_replication::{ClusterHands, Mm2OnConnect, OffsetPairRoom, Replication};
use muster_routing::RoutingOptions;
use muster_store::{clusters, pairs, secrets, secrets::SecretsKey};
use sqlx::{PgConnection, PgPool};

use crate::{app::Hands, process::kept_offset_pairs::KeptOffsetPairs};

/// Offset pairs that a process holds in memory, of all flows together: 160 MB, as much as five flows can fill alone.
const MOST_OFFSET_PAIRS: usize = 10_000_000;

/// See the module.
#[derive(Debug)]
pub struct StoredClients {
    pool: PgPool,
    key: Arc<SecretsKey>,
    routing: RoutingOptions,
    keeps_offset_pairs: bool,
    offset_pair_room: OffsetPairRoom,
    clusters: Mutex<BTreeMap<ClusterName, (i64, ClusterHands)>>,
    pairs: Mutex<BTreeMap<PairName, (Versions, PairClients)>>,
}

/// What clients were built from: versions of the pair and of both clusters, and what was kept to sign in with at Connect.
type Versions = (i64, i64, i64, Vec<KeptCredentials>);

impl StoredClients {
    /// Clients of what is stored there, its secrets opened with that key.
    #[must_use]
    pub fn new(pool: PgPool, key: Arc<SecretsKey>, routing: RoutingOptions) -> Self {
        Self {
            pool,
            key,
            routing,
            keeps_offset_pairs: true,
            offset_pair_room: OffsetPairRoom::of(MOST_OFFSET_PAIRS),
            clusters: Mutex::default(),
            pairs: Mutex::default(),
        }
    }

    /// Clients that keep nothing of what they read, for those who only look.
    #[must_use]
    pub fn keeping_nothing(self) -> Self {
        Self { keeps_offset_pairs: false, ..self }
    }

    async fn hands(
        &self,
        conn: &mut PgConnection,
        cluster: &Cluster,
    ) -> Result<ClusterHands, OperationError> {
        let kept = lock(&self.clusters).get(&cluster.name).cloned();
        if let Some((version, hands)) = kept
            && version == cluster.version
        {
            return Ok(hands);
        }
        let secrets = secrets::get(conn, &self.key, &cluster.name).await?;
        let options = ClientOptions::default();
        let admin = Arc::new(KafkaAdmin::new(cluster, &secrets, options));
        let mover = Arc::new(KafkaMover::new(cluster, &secrets, options));
        let hands = ClusterHands { admin, mover };
        lock(&self.clusters).insert(cluster.name.clone(), (cluster.version, hands.clone()));
        Ok(hands)
    }

    async fn build(
        &self,
        conn: &mut PgConnection,
        pair: &Pair,
        clusters: BySide<Cluster>,
    ) -> Result<PairClients, OperationError> {
        let hands =
            BySide { a: self.hands(conn, &clusters.a).await?, b: self.hands(conn, &clusters.b).await? };
        let mut credentials = secrets::connect::get(conn, &self.key, &pair.name).await?;
        let mut flows: BTreeMap<FlowKey, Arc<dyn Replication>> = BTreeMap::new();
        for flow in pair.flows.iter().filter(|flow| flow.mechanism != Mechanism::Unattached) {
            let attached = attach(pair, flow, &hands, &clusters)?.sharing(&self.offset_pair_room);
            let attached = match credentials.remove(&flow.direction.from) {
                Some(credentials) => attached.signing_in(credentials),
                None => attached,
            };
            let attached = match self.keeps_offset_pairs {
                true => attached.remembering(Arc::new(self.kept_offset_pairs(pair, flow))),
                false => attached,
            };
            flows.insert(FlowKey::from(flow.direction), Arc::new(attached));
        }
        Ok(PairClients {
            pair: pair.clone(),
            admin: BySide { a: hands.a.admin.clone(), b: hands.b.admin.clone() },
            mover: BySide { a: hands.a.mover.clone(), b: hands.b.mover.clone() },
            flows,
            routing: muster_routing::build(&pair.routing, &self.routing),
            clusters,
        })
    }

    fn kept_offset_pairs(&self, pair: &Pair, flow: &Flow) -> KeptOffsetPairs {
        KeptOffsetPairs::of(self.pool.clone(), pair.name.clone(), flow.direction)
    }
}

fn attach(
    pair: &Pair,
    flow: &Flow,
    hands: &BySide<ClusterHands>,
    clusters: &BySide<Cluster>,
) -> Result<Mm2OnConnect, OperationError> {
    let (from, to) = (flow.direction.from, flow.direction.to());
    let worker_cluster = clusters.get(to).expected_cluster_id.clone();
    let attached = Mm2OnConnect::new(flow, hands.get(from).clone(), hands.get(to).clone(), worker_cluster);
    attached.map_err(|e| refused(pair.name.as_str(), e))
}

fn refused(pair: &str, reason: impl ToString) -> OperationError {
    OperationError::Clients { pair: pair.to_owned(), reason: reason.to_string() }
}

/// A panic elsewhere must not take the clients away from a run.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_cluster(
    conn: &mut PgConnection,
    pair: &str,
    name: &ClusterName,
) -> Result<Cluster, OperationError> {
    clusters::get(conn, name).await?.ok_or_else(|| refused(pair, format!("there is no cluster `{name}`")))
}

#[async_trait]
impl ClientSource for StoredClients {
    async fn pair_clients(&self, name: &PairName) -> Result<PairClients, OperationError> {
        let mut conn = self.pool.acquire().await.map_err(|source| muster_store::StoreError::Database {
            op: "get a connection to build clients",
            source,
        })?;
        let pair = pairs::get(&mut conn, name)
            .await?
            .ok_or_else(|| refused(name.as_str(), "there is no such pair"))?;
        let a = read_cluster(&mut conn, name.as_str(), &pair.clusters.a).await?;
        let b = read_cluster(&mut conn, name.as_str(), &pair.clusters.b).await?;
        // Before they are opened: what is entered meanwhile is built in by the next call.
        let signs_in = secrets::connect::kept(&mut conn, name).await?;
        let versions = (pair.version, a.version, b.version, signs_in);
        let kept = lock(&self.pairs).get(name).cloned();
        if let Some((of, clients)) = kept
            && of == versions
        {
            return Ok(clients);
        }
        let clients = self.build(&mut conn, &pair, BySide { a, b }).await?;
        lock(&self.pairs).insert(name.clone(), (versions, clients.clone()));
        Ok(clients)
    }

    fn forget(&self, pair: &PairName) {
        lock(&self.pairs).remove(pair);
    }
}

#[async_trait]
impl Hands for StoredClients {
    async fn cluster_admin(&self, name: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        let mut conn = self.pool.acquire().await.map_err(|source| muster_store::StoreError::Database {
            op: "get a connection to build clients",
            source,
        })?;
        let cluster = read_cluster(&mut conn, "(none)", name).await?;
        Ok(self.hands(&mut conn, &cluster).await?.admin)
    }
}
