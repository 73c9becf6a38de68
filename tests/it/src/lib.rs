//! What is proven on real Kafka, real Connect with MirrorMaker 2 and real PostgreSQL; the tests are in `tests/`.
//!
//! This library turns a running lab into what Muster works with: clusters, pairs, clients.

#[expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]
pub mod alarms;
pub mod connectors;
pub mod program;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context, Result};
use async_trait::async_trait;
use chrono::Utc;
use muster_domain::{
    cluster::{Cluster, ClusterSecrets, ProbePrincipal, Sasl, Security},
    ids::{ClusterName, PairName, TeamName},
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode,
        RoutingTarget, Side,
    },
};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin, KafkaMover, RecordMover};
use muster_lab::LabDescription;
use muster_operations::{ClientSource, OperationError, PairClients, clients::FlowKey};
use muster_replication::{ClusterHands, Mm2OnConnect, Replication};
use muster_store::{
    clusters, pairs,
    teams::{self, Team},
    testing::TestDatabase,
};
use rdkafka::ClientConfig;

/// Side A of every pair of the lab.
pub const WEST: &str = "eu-west";
/// Side B of every pair of the lab.
pub const CENTRAL: &str = "eu-central";

/// A cluster of the lab as people would register it, with its secrets.
///
/// # Errors
/// When the lab does not describe it.
pub fn cluster(lab: &LabDescription, name: &str) -> Result<(Cluster, ClusterSecrets)> {
    let described = lab.cluster(name)?;
    let cluster = Cluster {
        name: ClusterName::new(name)?,
        bootstrap: vec![described.bootstrap.clone()],
        security: Security { tls: None, sasl: Some(Sasl::ScramSha512 { username: "muster".to_owned() }) },
        probe: Some(ProbePrincipal { username: "muster-probe".to_owned() }),
        expected_cluster_id: Some(described.cluster_id.clone()),
        region: name.to_owned(),
        version: 1,
        updated_at: Utc::now(),
    };
    let secrets = ClusterSecrets {
        password: Some(lab.password("muster")?.into()),
        client_key_pem: None,
        probe_password: Some(lab.password("muster-probe")?.into()),
    };
    Ok((cluster, secrets))
}

/// How librdkafka connects to a cluster of the lab, as Muster.
///
/// # Errors
/// When the lab does not describe it.
pub fn librdkafka(lab: &LabDescription, name: &str) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &lab.cluster(name)?.bootstrap)
        .set("security.protocol", &lab.security_protocol)
        .set("sasl.mechanisms", &lab.sasl_mechanism)
        .set("sasl.username", "muster")
        .set("sasl.password", lab.password("muster")?);
    Ok(config)
}

/// A pair of the lab (`orders` or `clicks`) as people would configure it. Applications follow the address book.
///
/// # Errors
/// When the lab does not describe it.
pub fn pair(lab: &LabDescription, name: &str, address_book: &Path) -> Result<Pair> {
    let flows = [Side::A, Side::B].map(|from| flow(lab, name, Direction { from }));
    let (topics, groups) = match name {
        "clicks" => (vec![r"clicks\..*"], vec!["audit-log"]),
        _ => (vec![r"orders\..*", r"payments\..*"], vec!["billing", "shipping", "fraud"]),
    };
    let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    Ok(Pair {
        name: PairName::new(name)?,
        team: TeamName::new("platform")?,
        clusters: BySide { a: ClusterName::new(WEST)?, b: ClusterName::new(CENTRAL)? },
        mode: PairMode::ActivePassive,
        topics: owned(topics),
        topics_exclude: Vec::new(),
        groups: owned(groups),
        groups_exclude: Vec::new(),
        flows: flows.into_iter().collect::<Result<_>>()?,
        objectives: Objectives { rpo_seconds: 10, rto_seconds: 120, verify_within_days: 90 },
        approval: ApprovalRule::new(1, 60, 60),
        routing: vec![RoutingTarget::AddressBook { path: address_book.display().to_string() }],
        canary_topic: Some(format!("muster.canary.{name}")),
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::new(),
        version: 1,
        updated_at: Utc::now(),
    })
}

fn flow(lab: &LabDescription, pair: &str, direction: Direction) -> Result<Flow> {
    let (way, source, target) = match direction.from {
        Side::A => (muster_lab::Direction::WestToCentral, WEST, CENTRAL),
        Side::B => (muster_lab::Direction::CentralToWest, CENTRAL, WEST),
    };
    let described = lab.flow(pair, way)?;
    Ok(Flow {
        direction,
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: described.connect_url.clone(),
            source_connector: described.source_connector.clone(),
            checkpoint_connector: Some(described.checkpoint_connector.clone()),
            heartbeat_connector: Some(described.heartbeat_connector.clone()),
        },
        source_alias: source.to_owned(),
        target_alias: target.to_owned(),
        naming: match described.naming {
            muster_lab::NamingPolicy::Identity => NamingPolicy::Identity,
            muster_lab::NamingPolicy::Prefixed => NamingPolicy::Prefixed { separator: ".".to_owned() },
        },
        enabled: direction.from == Side::A,
    })
}

/// Real clients of one pair of the lab.
#[derive(Debug, Clone)]
pub struct LabClients(pub PairClients);

impl LabClients {
    /// Builds them; nothing is connected yet.
    ///
    /// # Errors
    /// When the lab does not describe the pair.
    pub fn new(lab: &LabDescription, pair: Pair) -> Result<Self> {
        let (west, central) = (cluster(lab, WEST)?, cluster(lab, CENTRAL)?);
        let options = ClientOptions::default();
        let admin = |c: &(Cluster, ClusterSecrets)| -> Arc<dyn ClusterAdmin> {
            Arc::new(KafkaAdmin::new(&c.0, &c.1, options))
        };
        let mover = |c: &(Cluster, ClusterSecrets)| -> Arc<dyn RecordMover> {
            Arc::new(KafkaMover::new(&c.0, &c.1, options))
        };
        let admin = BySide { a: admin(&west), b: admin(&central) };
        let mover = BySide { a: mover(&west), b: mover(&central) };
        let clusters = BySide { a: west.0, b: central.0 };
        let hands = |side| ClusterHands { admin: admin.get(side).clone(), mover: mover.get(side).clone() };
        let mut flows: BTreeMap<FlowKey, Arc<dyn Replication>> = BTreeMap::new();
        for flow in &pair.flows {
            let (from, to) = (flow.direction.from, flow.direction.to());
            let worker_cluster = clusters.get(to).expected_cluster_id.clone();
            let steered = Mm2OnConnect::new(flow, hands(from), hands(to), worker_cluster)
                .with_context(|| format!("flow {}", pair.course(flow.direction)))?;
            flows.insert(FlowKey::from(flow.direction), Arc::new(steered));
        }
        let routing = muster_routing::build(&pair.routing, &muster_routing::RoutingOptions::default());
        Ok(Self(PairClients { pair, clusters, admin, mover, flows, routing }))
    }

    /// Builds them, and registers team, clusters and pair with a Muster of their own.
    ///
    /// # Errors
    /// When the lab does not describe the pair, or the database refuses.
    pub async fn registered(lab: &LabDescription, pair: Pair) -> Result<(Self, TestDatabase)> {
        let mut clients = Self::new(lab, pair)?;
        let database = TestDatabase::new().await;
        let conn = &mut *database.conn().await;
        let team = Team { name: clients.0.pair.team.clone(), description: String::new() };
        teams::insert(conn, &team).await?;
        for cluster in [&clients.0.clusters.a, &clients.0.clusters.b] {
            clusters::insert(conn, cluster).await?;
        }
        clients.0.pair = pairs::insert(conn, &clients.0.pair).await?;
        Ok((clients, database))
    }
}

#[async_trait]
impl ClientSource for LabClients {
    async fn pair_clients(&self, _pair: &PairName) -> Result<PairClients, OperationError> {
        Ok(self.0.clone())
    }
}
