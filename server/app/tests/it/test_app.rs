//! A Muster of one test's own, and people to use it as.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, Response, header},
};
use muster_app::{
    app::{App, Hands},
    auth::{
        oidc,
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
    process::{
        config::{NotifyConfig, OidcConfig},
        serve::serve_http,
        settings,
        telemetry::Beat,
    },
    routes,
};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    pair::{BySide, Direction, Side},
    people::{Grant, Role},
};
use muster_kafka::{ClusterAdmin, RecordMover};
use muster_operations::{
    ClientSource, Engine, OperationError, PairClients, clients::FlowKey, engine::EngineOptions,
};
use muster_replication::{
    Replication,
    double::{SmallWorld, small_world},
};
use muster_routing::{
    Audience as Apps, Routing,
    double::{MemoryRouting, Moment},
};
use muster_store::{
    clusters, leases, pairs, people, secrets::SecretsKey, sessions, teams, teams::Team, testing::TestDatabase,
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::session::Session;

/// Everybody there is: name, role, and whether for the pair's team (`true`) or another one (`false`).
pub(crate) const PEOPLE: [(&str, Role, bool); 9] = [
    ("ada", Role::Admin, true),
    ("olga", Role::Owner, true),
    ("otto", Role::Operator, true),
    ("mira", Role::Operator, true),
    ("abel", Role::Approver, true),
    ("anna", Role::Approver, true),
    ("vera", Role::Viewer, true),
    ("outis", Role::Operator, false),
    ("orla", Role::Owner, false),
];

/// The secrets key.
pub(crate) const KEY: [u8; 32] = [7; 32];
/// How long a client may be silent.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(75);

/// Muster with its people.
pub(crate) struct TestApp {
    pub(crate) small: SmallWorld,
    pub(crate) app: App,
    pub(crate) surveys: SurveyLoop,
    pub(crate) engine: Engine,
    pub(crate) team: TeamName,
    router: Router,
    // Dropped last: the database goes with it.
    database: TestDatabase,
}

impl TestApp {
    /// Muster with people and no clusters. Receivers of tests are on this machine, so it may call private addresses.
    pub(crate) async fn new() -> Self {
        Self::build(true, &OidcConfig::default()).await
    }

    /// Muster that calls public addresses only.
    pub(crate) async fn guarded() -> Self {
        Self::build(false, &OidcConfig::default()).await
    }

    /// Muster where people sign in at a provider too.
    pub(crate) async fn with_provider(oidc: &OidcConfig) -> Self {
        Self::build(true, oidc).await
    }

    async fn build(allow_private: bool, oidc: &OidcConfig) -> Self {
        let database = TestDatabase::new().await;
        let pool = database.pool().clone();
        let small = small_world();
        let team = small.pair.team.clone();
        let hands = Arc::new(Doubles { pool: pool.clone(), small: small.clone() });
        let key = Arc::new(SecretsKey::from_bytes(KEY));
        let public_url: Arc<str> = "http://muster.test".into();
        let courier = Courier::new(
            pool.clone(),
            Arc::clone(&key),
            Arc::clone(&public_url),
            allow_private,
            &NotifyConfig::default(),
        );
        let app = App {
            pool: pool.clone(),
            hands: Arc::clone(&hands) as Arc<dyn Hands>,
            tokens: TokenKey::derive(&key),
            secrets_key: key,
            watch: RunWatch::default(),
            causes: Arc::default(),
            database_size: Arc::default(),
            lag_hours: Arc::default(),
            courier: Arc::new(courier.unwrap()),
            telemetry: Arc::default(),
            trusted_proxies: Arc::default(),
            hashing: Arc::default(),
            writes_per_minute: 100_000,
            look_again: LOOK_AGAIN,
            oidc: provider(oidc, &public_url),
            settings: settings::read(["muster", "serve"].map(Into::into)).into(),
            public_url,
        };
        let surveys = SurveyLoop {
            pool: pool.clone(),
            clients: Arc::clone(&hands) as Arc<dyn ClientSource>,
            period: std::time::Duration::from_secs(5),
            renew_every: RENEW_EVERY,
            worker: "test".to_owned(),
            beat: Beat::default(),
        };
        let options =
            EngineOptions { lease_seconds: 2.0, poll_ms: 10, retry_ms: 5, ..EngineOptions::default() };
        let engine = Engine::new(pool, hands, "test".to_owned()).with_options(options);
        let router = layers::wrap(routes::router(&app), &app, PATIENCE).unwrap();
        let this = Self { small, app, surveys, engine, team, router, database };
        this.add_people().await;
        this
    }

    /// Muster with people, both clusters and the pair `orders`, observed twice: after one survey nobody can say whether
    /// records move, and no switchover is planned on that.
    pub(crate) async fn with_pair() -> Self {
        let this = Self::new().await;
        let mut conn = this.app.pool.acquire().await.unwrap();
        clusters::insert(&mut conn, &this.small.clusters.a).await.unwrap();
        clusters::insert(&mut conn, &this.small.clusters.b).await.unwrap();
        pairs::insert(&mut conn, &this.small.pair).await.unwrap();
        drop(conn);
        this.observe("orders").await;
        this.observe("orders").await;
        this
    }

    /// How other processes connect to the database.
    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        self.database.connect_options()
    }

    /// What a browser reaches.
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// The router of another process over the same database, which knows nothing of what this one remembers.
    pub(crate) fn another_process(&self, config: &OidcConfig) -> Router {
        self.process_at("http://muster.test", config)
    }

    /// Another one, which people reach by TLS.
    pub(crate) fn behind_tls(&self, config: &OidcConfig) -> Router {
        self.process_at("https://muster.test", config)
    }

    fn process_at(&self, public_url: &str, config: &OidcConfig) -> Router {
        let oidc = provider(config, public_url);
        self.process(App { oidc, public_url: public_url.into(), ..self.app.clone() })
    }

    /// Another one that is set up in its own way.
    #[expect(clippy::unused_self, reason = "it is another process over this one's database")]
    pub(crate) fn process(&self, app: App) -> Router {
        layers::wrap(routes::router(&app), &app, PATIENCE).unwrap()
    }

    /// Another process that delivers messages.
    pub(crate) fn courier(&self, allow_private: bool, config: &NotifyConfig) -> Courier {
        let (pool, key) = (self.app.pool.clone(), Arc::clone(&self.app.secrets_key));
        Courier::new(pool, key, Arc::clone(&self.app.public_url), allow_private, config).unwrap()
    }

    async fn add_people(&self) {
        let mut conn = self.app.pool.acquire().await.unwrap();
        let elsewhere = TeamName::new("elsewhere").unwrap();
        for name in [&self.team, &elsewhere] {
            let team = Team { name: name.clone(), description: String::new() };
            teams::insert(&mut conn, &team).await.unwrap();
        }
        for (name, role, of_the_team) in PEOPLE {
            let team = match role {
                Role::Admin => None,
                Role::Owner | Role::Operator | Role::Approver | Role::Viewer => {
                    Some(if of_the_team { self.team.clone() } else { elsewhere.clone() })
                }
            };
            people::insert(&mut conn, id(name), name, name, None, &[Grant { role, team }]).await.unwrap();
        }
    }

    /// One survey of a pair, now, by a process that remembers nothing: under the lease that `test` holds, or one it claims.
    pub(crate) async fn observe(&self, pair: &str) {
        let pair = PairName::new(pair).unwrap();
        let mut conn = self.app.pool.acquire().await.unwrap();
        let name = leases::survey_lease(&pair);
        let held = leases::held_by(&mut conn, &name, "test", 0.0).await.unwrap();
        let epoch = match held {
            Some((epoch, _)) => {
                assert!(leases::renew(&mut conn, &name, epoch, 60.0).await.unwrap());
                epoch
            }
            None => leases::claim(&mut conn, &name, "test", 60.0).await.unwrap().unwrap().epoch,
        };
        drop(conn);
        self.surveys.observe(&pair, epoch, &mut Memory::default()).await.unwrap();
    }

    /// A program signed in as somebody; `nobody` is nobody.
    pub(crate) async fn as_user(&self, name: &str) -> Session<'_> {
        if name == "nobody" {
            return Session::new(self, None);
        }
        let token = self.session_of(name, Audience::Machine).await;
        Session::new(self, Some((header::AUTHORIZATION.as_str(), format!("Bearer {token}"))))
    }

    /// A browser signed in as somebody.
    pub(crate) async fn as_browser_of(&self, name: &str) -> Session<'_> {
        let token = self.session_of(name, Audience::Browser).await;
        Session::new(self, Some(("cookie", format!("muster={token}"))))
    }

    async fn session_of(&self, name: &str, audience: Audience) -> String {
        let sid = Uuid::now_v7();
        let mut conn = self.app.pool.acquire().await.unwrap();
        sessions::insert(&mut conn, sid, id(name), 3600.0, "test", "").await.unwrap();
        self.app.tokens.sign(audience, sid, chrono::Utc::now().timestamp(), 3600).unwrap()
    }

    /// Serves on a port of its own, for programs that are no test; until the test ends.
    pub(crate) async fn serve(&self) -> String {
        self.serve_with(PATIENCE).await
    }

    /// Serves clients that may be silent for so long.
    pub(crate) async fn serve_with(&self, patience: std::time::Duration) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = layers::wrap(routes::router(&self.app), &self.app, patience).unwrap();
        tokio::spawn(serve_http(listener, router, patience, CancellationToken::new()));
        url
    }

    /// A bearer token of somebody.
    pub(crate) async fn token_of(&self, name: &str) -> String {
        self.session_of(name, Audience::Machine).await
    }

    /// Any request, as it is; the body of the answer is not waited for.
    pub(crate) async fn begin(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Audit entries with an action, oldest first: actor, object, outcome.
    pub(crate) async fn audited(&self, action: &str) -> Vec<(String, String, String)> {
        let mut conn = self.app.pool.acquire().await.unwrap();
        let filter =
            muster_store::audit::AuditFilter { action: Some(action.to_owned()), ..Default::default() };
        let mut entries = muster_store::audit::list(&mut conn, &filter, 1000).await.unwrap();
        entries.reverse();
        entries.into_iter().map(|e| (e.content.actor, e.content.object, e.content.outcome)).collect()
    }
}

fn provider(config: &OidcConfig, public_url: &str) -> Option<Arc<oidc::Provider>> {
    let settings = oidc::Settings::read(config, public_url).unwrap()?;
    Some(Arc::new(oidc::Provider::new(settings).unwrap()))
}

/// The id of somebody of [`PEOPLE`].
pub(crate) fn id(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

/// Clients of the simulated clusters, for pairs as they are stored.
struct Doubles {
    pool: PgPool,
    small: SmallWorld,
}

#[async_trait]
impl ClientSource for Doubles {
    async fn pair_clients(&self, name: &PairName) -> Result<PairClients, OperationError> {
        let gone =
            |reason: &str| OperationError::Clients { pair: name.to_string(), reason: reason.to_owned() };
        let mut conn = self.pool.acquire().await.map_err(|e| gone(&e.to_string()))?;
        let pair = pairs::get(&mut conn, name).await?.ok_or_else(|| gone("there is no such pair"))?;
        let a = clusters::get(&mut conn, &pair.clusters.a).await?.ok_or_else(|| gone("no cluster"))?;
        let b = clusters::get(&mut conn, &pair.clusters.b).await?.ok_or_else(|| gone("no cluster"))?;
        let world = &self.small.world;
        let admin = |name: &ClusterName| -> Arc<dyn ClusterAdmin> { Arc::new(world.admin(name.as_str())) };
        let mover = |name: &ClusterName| -> Arc<dyn RecordMover> { Arc::new(world.mover(name.as_str())) };
        let mut flows: BTreeMap<FlowKey, Arc<dyn Replication>> = BTreeMap::new();
        for from in Side::BOTH {
            let direction = Direction { from };
            let flow = match name.as_str() {
                "clicks" => self.small.clicks.get(from),
                _ => self.small.flow(direction),
            };
            flows.insert(FlowKey::from(direction), Arc::new(flow.clone()));
        }
        let told = world.clone();
        let routing: Vec<Arc<dyn Routing>> =
            vec![Arc::new(MemoryRouting::new(move |audience, cluster, moment| {
                match (moment, audience) {
                    (Moment::Effect, Apps::Producers) => told.point_producers(cluster),
                    (Moment::Effect, Apps::Consumers) => told.point_consumers(cluster),
                    (Moment::Hold, Apps::Consumers) => told.hold_consumers(),
                    _ => {}
                }
                None
            }))];
        Ok(PairClients {
            admin: BySide { a: admin(&pair.clusters.a), b: admin(&pair.clusters.b) },
            mover: BySide { a: mover(&pair.clusters.a), b: mover(&pair.clusters.b) },
            clusters: BySide { a, b },
            pair,
            flows,
            routing,
        })
    }
}

#[async_trait]
impl Hands for Doubles {
    async fn cluster_admin(&self, name: &ClusterName) -> Result<Arc<dyn ClusterAdmin>, OperationError> {
        Ok(Arc::new(self.small.world.admin(name.as_str())))
    }
}
