//! Starting a process: database, key, loops, HTTP; and stopping it without leaving anything half done.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use muster_domain::people::Actor;
use muster_operations::{ClientSource, Engine};
use muster_routing::RoutingOptions;
use muster_store::{
    StoreError, audit, database,
    secrets::{self, SecretsKey},
};
use serde_json::json;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Hands},
    auth::{setup, tokens::TokenKey},
    client_source::StoredClients,
    config::{Config, DataConfig, DatabaseConfig, SecretsConfig},
    housekeeping,
    http::{failure::chain, layers},
    postgres::{PrivatePostgres, PrivatePostgresOptions},
    routes,
    run_watch::RunWatch,
    survey_loop::SurveyLoop,
};

/// How long an external database is waited for at the start.
const DATABASE_WITHIN: Duration = Duration::from_secs(60);
/// How long open answers and steps get to end after a signal. Streams of runs never end by themselves.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const STREAMS_WITHIN: Duration = Duration::from_secs(3);

/// The database in use, and the private server behind it if that is ours.
#[derive(Debug)]
pub struct Database {
    /// Connections.
    pub pool: PgPool,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// Connections to a server that is not ours to stop.
    #[must_use]
    pub fn external(pool: PgPool) -> Self {
        Self { pool, private: None }
    }
}

/// `muster serve`.
///
/// # Errors
/// When something needed cannot be had; the message says what to do.
pub async fn serve(mut config: Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("could not listen on {} (MUSTER_LISTEN)", config.http.listen))?;
    // Port 0 takes any; people need to know which.
    config.http.listen = listener.local_addr().context("could not tell the address it listens on")?;
    let database = prepare_database(&config).await?;
    let started = start(&config, &database.pool).await;
    let (app, router) = match started {
        Ok(started) => started,
        Err(e) => {
            close(database).await;
            return Err(e);
        }
    };
    let shutdown = shutdown_on_signal();
    let loops = spawn_loops(&app, &config, &shutdown);
    tracing::info!(address = %config.http.listen, "Muster serves {}", app.public_url);
    let served = serve_http(listener, router, shutdown.clone()).await;
    shutdown.cancel();
    stop(loops, database).await;
    served
}

async fn start(config: &Config, pool: &PgPool) -> anyhow::Result<(App, Router)> {
    let app = build_app(config, pool).await?;
    let router = layers::wrap(routes::router(&app), &app.public_url)?;
    first_admin(&app, config).await?;
    Ok((app, router))
}

/// `muster worker`.
///
/// # Errors
/// As [`serve`].
pub async fn work(config: Config) -> anyhow::Result<()> {
    let database = prepare_database(&config).await?;
    let app = match build_app(&config, &database.pool).await {
        Ok(app) => app,
        Err(e) => {
            close(database).await;
            return Err(e);
        }
    };
    let shutdown = shutdown_on_signal();
    let loops = spawn_loops(&app, &config, &shutdown);
    tracing::info!("Muster works without pages and API");
    shutdown.cancelled().await;
    stop(loops, database).await;
    Ok(())
}

/// `muster migrate`.
///
/// # Errors
/// When the database cannot be had or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = prepare_database(&config).await?;
    println!("The schema is up to date.");
    close(database).await;
    Ok(())
}

/// `muster secrets rotate`: seals everything with another key; says how many secrets.
///
/// # Errors
/// When a key cannot be read or a secret does not open; then nothing is rotated.
pub async fn rotate_secrets(config: Config, new_key_file: &Path) -> anyhow::Result<u64> {
    let old = find_key(&config.secrets, &config.data.dir())?.with_context(|| {
        let file = config.secrets.key_file(&config.data.dir());
        format!("there is no present key to rotate from: {} does not exist", file.display())
    })?;
    let new = match new_key_file.exists() {
        true => SecretsKey::from_file(new_key_file)?,
        false => SecretsKey::generate_file(new_key_file)?,
    };
    let database = prepare_database(&config).await?;
    let rotated = rotate(&database.pool, &old, &new).await;
    close(database).await;
    rotated
}

async fn rotate(pool: &PgPool, old: &SecretsKey, new: &SecretsKey) -> anyhow::Result<u64> {
    let rotated = secrets::rotate(pool, old, new).await?;
    let mut tx = pool.begin().await?;
    let detail = json!({"from": old.id(), "to": new.id(), "secrets": rotated.rewrapped});
    audit::append(&mut tx, &Actor::muster().name, "secrets.rotate", "secrets key", "done", detail).await?;
    tx.commit().await?;
    Ok(rotated.rewrapped + rotated.already)
}

/// Opens the database: the one of `DATABASE_URL`, or our own.
///
/// # Errors
/// When it cannot be had.
pub async fn open_database(data: &DataConfig, config: &DatabaseConfig) -> anyhow::Result<Database> {
    if let Some(url) = &config.database_url {
        return Ok(Database::external(connect_patiently(url, config.database_connections).await?));
    }
    let options = PrivatePostgresOptions {
        bin_dir: config.pg_bin_dir.clone(),
        user: config.pg_user.clone(),
        ..PrivatePostgresOptions::new(data.dir())
    };
    tracing::info!(data_dir = %data.dir().display(), "starting the private PostgreSQL (DATABASE_URL is not set)");
    let private = PrivatePostgres::start(options).await?;
    let pool = database::connect_with(private.connect_options(), config.database_connections).await?;
    Ok(Database { pool, private: Some(private) })
}

async fn connect_patiently(url: &str, connections: u32) -> Result<PgPool, StoreError> {
    let give_up = tokio::time::Instant::now() + DATABASE_WITHIN;
    loop {
        match database::connect(url, connections).await {
            Err(e) if tokio::time::Instant::now() < give_up => {
                tracing::warn!(cause = %chain(&e), "the database does not answer yet; tried again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

async fn prepare_database(config: &Config) -> anyhow::Result<Database> {
    let database = open_database(&config.data, &config.database).await?;
    match database::migrate(&database.pool).await {
        Ok(()) => Ok(database),
        Err(e) => {
            close(database).await;
            Err(e.into())
        }
    }
}

/// The secrets key: from `MUSTER_SECRETS_KEY` or from its file; none when there is neither.
///
/// # Errors
/// When it cannot be read or is no key.
pub fn find_key(config: &SecretsConfig, data_dir: &Path) -> anyhow::Result<Option<SecretsKey>> {
    if std::env::var_os("MUSTER_SECRETS_KEY").is_some() {
        return Ok(Some(SecretsKey::from_env("MUSTER_SECRETS_KEY")?));
    }
    let file = config.key_file(data_dir);
    if file.exists() { Ok(Some(SecretsKey::from_file(&file)?)) } else { Ok(None) }
}

/// The secrets key as [`find_key`] finds it, or one made the first time.
fn load_key(config: &SecretsConfig, data_dir: &Path) -> anyhow::Result<SecretsKey> {
    if let Some(key) = find_key(config, data_dir)? {
        return Ok(key);
    }
    let file = config.key_file(data_dir);
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("could not make {}", parent.display()))?;
    }
    let key = SecretsKey::generate_file(&file)?;
    tracing::warn!(file = %file.display(), "made a new secrets key; keep a copy of {} elsewhere", file.display());
    Ok(key)
}

async fn build_app(config: &Config, pool: &PgPool) -> anyhow::Result<App> {
    let key = Arc::new(load_key(&config.secrets, &config.data.dir())?);
    let mut tx = pool.begin().await?;
    secrets::check_key(&mut tx, &key).await.context("the secrets key does not fit the database")?;
    tx.commit().await?;
    let routing = RoutingOptions {
        webhook_secret: config.routing.webhook_secret.clone().map(Into::into),
        allow_private_webhooks: config.routing.allow_private_webhooks,
    };
    let hands: Arc<dyn Hands> = Arc::new(StoredClients::new(pool.clone(), Arc::clone(&key), routing));
    Ok(App {
        pool: pool.clone(),
        hands,
        tokens: TokenKey::derive(&key),
        secrets_key: key,
        watch: RunWatch::default(),
        causes: Arc::default(),
        public_url: config.http.public_url().into(),
    })
}

/// Makes the admin of an unattended installation, or tells how the first one is made.
async fn first_admin(app: &App, config: &Config) -> anyhow::Result<()> {
    let told = |failure: crate::http::Failure| anyhow::anyhow!("{}", failure.problem.detail);
    if let Some(password) = &config.people.admin_password {
        setup::unattended(app, password).await.map_err(told).context("could not make the first admin")?;
    }
    if setup::is_open(app).await.map_err(told)? {
        let (url, code) = (&app.public_url, setup::code(app));
        tracing::warn!("nobody can sign in yet: open {url}/setup and name the admin with the code {code}");
    }
    Ok(())
}

fn spawn_loops(app: &App, config: &Config, shutdown: &CancellationToken) -> JoinSet<()> {
    let worker = worker_name();
    let clients: Arc<dyn ClientSource> = Arc::clone(&app.hands) as Arc<dyn ClientSource>;
    let surveys = SurveyLoop {
        pool: app.pool.clone(),
        clients: Arc::clone(&clients),
        period: config.survey.period(),
        worker: worker.clone(),
    };
    let engine = Engine::new(app.pool.clone(), clients, worker);
    let mut loops = JoinSet::new();
    loops.spawn(surveys.run(shutdown.clone()));
    loops.spawn(housekeeping::run(app.pool.clone(), shutdown.clone()));
    loops.spawn(app.watch.clone().listen(app.pool.clone(), shutdown.clone()));
    let token = shutdown.clone();
    loops.spawn(async move { engine.run_until(token).await });
    loops
}

/// Unique to this start of this process: a restarted one is somebody else to the leases.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{}", host.trim(), std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8])
}

async fn serve_http(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let gone = shutdown.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { gone.cancelled().await });
    tokio::select! {
        served = server => served.context("the HTTP server stopped"),
        () = async {
            shutdown.cancelled().await;
            tokio::time::sleep(STREAMS_WITHIN).await;
        } => Ok(()),
    }
}

fn shutdown_on_signal() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            Err(_) => {
                let _ = tokio::signal::ctrl_c().await;
            }
        }
        tracing::info!("stopping: steps end or are handed over at their boundary");
        token.cancel();
    });
    shutdown
}

async fn stop(mut loops: JoinSet<()>, database: Database) {
    let ended = tokio::time::timeout(STOP_WITHIN, async { while loops.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("some work did not end in time and is left to whoever adopts it");
        loops.shutdown().await;
    }
    close(database).await;
    tracing::info!("stopped");
}

/// Closes the connections and stops the private server.
pub async fn close(database: Database) {
    // Connections somebody still holds are cut off when the server goes; they must not keep us from stopping it.
    let _ = tokio::time::timeout(Duration::from_secs(5), database.pool.close()).await;
    if let Some(private) = database.private
        && let Err(e) = private.stop().await
    {
        tracing::error!(cause = %chain(&e), "the private PostgreSQL did not stop");
    }
}
