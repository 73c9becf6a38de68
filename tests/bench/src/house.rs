//! A Muster to ask: its router on a real PostgreSQL, with one pair that was observed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Result;
use async_trait::async_trait;
use chrono::Utc;
use muster_app::{
    acts::plans,
    app::{App, Hands},
    auth::{
        reader::LOOK_AGAIN,
        tokens::{Audience, TokenKey},
    },
    following::run_watch::RunWatch,
    http::layers,
    loops::{
        courier::Courier,
        memory::Memory,
        survey::{RENEW_EVERY, SurveyLoop},
    },
    process::{config::NotifyConfig, telemetry::Beat},
    routes,
};
use muster_domain::{
    hash::sha256_hex,
    ids::{ClusterName, PairName},
    pair::{BySide, Direction, Side},
    people::{Actor, Grant, Role},
    plan::Plan,
    record::Run,
    run::Operation,
};
use muster_kafka::{ClusterAdmin, RecordMover};
use muster_operations::{ClientSource, OperationError, PairClients, clients::FlowKey, decisions};
use muster_replication::{
    Replication,
    double::{SmallWorld, small_world},
};
use muster_store::{
    clusters, connect_with, leases, pairs, people,
    secrets::SecretsKey,
    sessions,
    teams::{self, Team},
    testing::TestDatabase,
    tokens,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Map;
use uuid::Uuid;

/// Connections to the database, as `muster serve` has when nothing else is said.
const CONNECTIONS: u32 = 20;

/// See the module.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) small: SmallWorld,
    pub(crate) admin: Actor,
    /// Dropped last: everything goes with it.
    pub(crate) database: TestDatabase,
}

/// The simulated clusters, whatever pair is asked for.
struct Doubles(PairClients);

#[async_trait]
impl ClientSource for Doubles {
    async fn pair_clients(&self, _: &PairName) -> Result<PairClients, OperationError> {
        Ok(self.0.clone())
    }
}

#[async_trait]
impl Hands for Doubles {
    async fn cluster_admin(&self, _: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        Ok(Arc::clone(&self.0.admin.a))
    }
}

fn clients(small: &SmallWorld) -> PairClients {
    let admin =
        |side| -> Arc<dyn ClusterAdmin> { Arc::new(small.world.admin(small.pair.cluster(side).as_str())) };
    let mover =
        |side| -> Arc<dyn RecordMover> { Arc::new(small.world.mover(small.pair.cluster(side).as_str())) };
    let flows: BTreeMap<FlowKey, Arc<dyn Replication>> = Side::BOTH
        .into_iter()
        .map(|from| {
            let flow: Arc<dyn Replication> = Arc::new(small.flow(Direction { from }).clone());
            (FlowKey::from(Direction { from }), flow)
        })
        .collect();
    PairClients {
        pair: small.pair.clone(),
        clusters: small.clusters.clone(),
        admin: BySide { a: admin(Side::A), b: admin(Side::B) },
        mover: BySide { a: mover(Side::A), b: mover(Side::B) },
        flows,
        routing: Vec::new(),
    }
}

impl House {
    /// With the pair registered and observed twice.
    pub(crate) async fn open() -> Result<Self> {
        let database = TestDatabase::new().await;
        let small = small_world();
        let hands = Arc::new(Doubles(clients(&small)));
        let key = Arc::new(SecretsKey::from_bytes([7; 32]));
        let public_url: Arc<str> = "http://muster.example".into();
        // As `muster serve` connects: its settings decide how statements are planned.
        let pool = connect_with(database.connect_options(), CONNECTIONS).await?;
        let mail = NotifyConfig::default();
        let courier = Courier::new(pool.clone(), Arc::clone(&key), Arc::clone(&public_url), false, &mail)?;
        let app = App {
            pool,
            hands: Arc::clone(&hands) as Arc<dyn Hands>,
            tokens: TokenKey::derive(&key),
            secrets_key: key,
            watch: RunWatch::default(),
            causes: Arc::default(),
            database_size: Arc::default(),
            lag_hours: Arc::default(),
            courier: Arc::new(courier),
            telemetry: Arc::default(),
            trusted_proxies: Arc::default(),
            hashing: Arc::default(),
            writes_per_minute: u32::MAX,
            look_again: LOOK_AGAIN,
            oidc: None,
            settings: Arc::default(),
            public_url,
        };
        let roles = [Role::Viewer, Role::Operator, Role::Approver, Role::Owner, Role::Admin];
        let admin = Actor {
            id: Uuid::from_u128(1),
            name: "otto".to_owned(),
            grants: roles.map(|role| Grant { role, team: None }).to_vec(),
        };
        let mut conn = app.pool.acquire().await?;
        let team = Team { name: small.pair.team.clone(), description: String::new() };
        teams::insert(&mut conn, &team).await?;
        people::insert(&mut conn, admin.id, &admin.name, &admin.name, None, &admin.grants).await?;
        for cluster in [&small.clusters.a, &small.clusters.b] {
            clusters::insert(&mut conn, cluster).await?;
        }
        pairs::insert(&mut conn, &small.pair).await?;
        let name = leases::survey_lease(&small.pair.name);
        let lease = leases::claim(&mut conn, &name, "bench", 600.0).await?;
        drop(conn);
        let surveys = SurveyLoop {
            pool: app.pool.clone(),
            clients: hands,
            period: Duration::from_secs(5),
            renew_every: RENEW_EVERY,
            worker: "bench".to_owned(),
            beat: Beat::default(),
        };
        let mut memory = Memory::default();
        let epoch = lease.map_or(0, |lease| lease.epoch);
        for _ in 0..2 {
            small.world.ticks(20);
            surveys.observe(&small.pair.name, epoch, &mut memory).await?;
        }
        Ok(Self { app, small, admin, database })
    }

    /// Listens; answers the address.
    pub(crate) async fn serve(&self) -> Result<String> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = layers::wrap(routes::router(&self.app), &self.app, Duration::from_secs(15))?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }

    /// What a request of the admin carries.
    pub(crate) async fn signed_in(&self) -> Result<HeaderMap> {
        let mut conn = self.app.pool.acquire().await?;
        let hash = sha256_hex(b"muster_bench");
        tokens::insert(&mut conn, Uuid::now_v7(), "bench", self.admin.id, &hash, &[], 3_600.0).await?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer muster_bench"))]))
    }

    /// A session the admin has just opened, and what their requests in it carry. Only this process knows it.
    pub(crate) async fn session(&self) -> Result<(Uuid, HeaderMap)> {
        const SECONDS: u32 = 3_600;
        let id = Uuid::now_v7();
        let mut conn = self.app.pool.acquire().await?;
        sessions::insert(&mut conn, id, self.admin.id, SECONDS.into(), "bench", "127.0.0.1").await?;
        let token = self.app.tokens.sign(Audience::Machine, id, Utc::now().timestamp(), SECONDS.into())?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        Ok((id, HeaderMap::from_iter([(AUTHORIZATION, bearer)])))
    }

    /// A switchover of the pair, planned and asked for.
    pub(crate) async fn request_run(&self) -> Result<(Plan, Run)> {
        let mut tx = muster_store::begin(&self.app.pool).await?;
        let asked = plans::NewPlan {
            operation: Operation::Switchover,
            to: self.small.pair.clusters.b.clone(),
            drill: false,
            rules: Map::new(),
        };
        let pair = &self.small.pair.name;
        let plan = plans::make(&mut tx, pair, &asked, &self.admin, Self::now()).await.map_err(refused)?;
        let run = decisions::request_run(&mut tx, &plan, "brokers are slow", &self.admin).await?;
        tx.commit().await?;
        Ok((plan, run))
    }

    /// What the database says of itself.
    pub(crate) async fn postgres_version(&self) -> Result<String> {
        Ok(sqlx::query_scalar("show server_version").fetch_one(&self.app.pool).await?)
    }

    /// The moment pages are read at.
    pub(crate) fn now() -> chrono::DateTime<Utc> {
        Utc::now()
    }
}

/// What an act refuses, as an error.
pub(crate) fn refused(failure: muster_app::http::Failure) -> anyhow::Error {
    anyhow::anyhow!("{}", failure.problem.detail)
}
