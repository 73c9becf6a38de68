//! Starting a process: database, key, loops, HTTP; and stopping it without leaving anything half done.

mod database;
mod http;
mod keys;
mod loops;
mod restored;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use muster_routing::RoutingOptions;
use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Hands},
    auth::{oidc, reader::LOOK_AGAIN, setup, tokens::TokenKey},
    following::run_watch::RunWatch,
    http::layers,
    loops::courier::Courier,
    process::{client_source::StoredClients, config::Config, settings, telemetry::Telemetry},
    routes,
};

pub use self::{
    database::{Database, close, open_database},
    http::serve_http,
    keys::{find_key, rotate_secrets},
    restored::park_restored,
};
use database::prepare_database;
use keys::load_key;
use loops::{bind_monitoring, spawn_loops, spawn_monitoring};

/// How long loops get after a signal, once requests have ended: longer than one delivery, and than steps get to end. With
/// what requests get, it is less than the 45 s after which the service unit and Kubernetes kill.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// `muster serve`.
///
/// # Errors
/// When something needed cannot be had; the message says what to do.
pub async fn serve(mut config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown_on_signal()?;
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("could not listen on {} (MUSTER_LISTEN)", config.http.listen))?;
    // Port 0 takes any; people need to know which.
    config.http.listen = listener.local_addr().context("could not tell the address it listens on")?;
    let monitoring = bind_monitoring(&config).await?;
    let Some(database) = database_unless_stopped(&config, &shutdown).await? else { return Ok(()) };
    let started = start(&config, &database.pool).await;
    let (app, router) = match started {
        Ok(started) => started,
        Err(e) => {
            close(database).await;
            return Err(e);
        }
    };
    let mut loops = spawn_loops(&app, &config, &shutdown);
    spawn_monitoring(&mut loops, monitoring, &app, &shutdown);
    tracing::info!(address = %config.http.listen, "Muster serves {}", app.public_url);
    let served = serve_http(listener, router, config.http.patience(), shutdown.clone()).await;
    shutdown.cancel();
    stop(loops, database).await;
    served
}

/// The database, unless a signal comes first: one that does not answer yet must not hold up the stop.
async fn database_unless_stopped(
    config: &Config,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Database>> {
    tokio::select! {
        () = shutdown.cancelled() => {
            tracing::info!("stopped");
            Ok(None)
        }
        database = prepare_database(config) => database.map(Some),
    }
}

async fn start(config: &Config, pool: &PgPool) -> anyhow::Result<(App, Router)> {
    let app = build_app(config, pool).await?;
    let router = layers::wrap(routes::router(&app), &app, config.http.patience())?;
    first_admin(&app, config).await?;
    Ok((app, router))
}

/// `muster worker`.
///
/// # Errors
/// As [`serve`].
pub async fn work(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown_on_signal()?;
    let monitoring = bind_monitoring(&config).await?;
    let Some(database) = database_unless_stopped(&config, &shutdown).await? else { return Ok(()) };
    let app = match build_app(&config, &database.pool).await {
        Ok(app) => app,
        Err(e) => {
            close(database).await;
            return Err(e);
        }
    };
    let mut loops = spawn_loops(&app, &config, &shutdown);
    spawn_monitoring(&mut loops, monitoring, &app, &shutdown);
    tracing::info!("Muster works without pages and API");
    shutdown.cancelled().await;
    stop(loops, database).await;
    Ok(())
}

/// `muster migrate`.
///
/// # Errors
/// When there is no database yet, it cannot be had or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    database::refuse_missing(&config)?;
    let database = prepare_database(&config).await?;
    println!("The schema is up to date.");
    close(database).await;
    Ok(())
}

async fn build_app(config: &Config, pool: &PgPool) -> anyhow::Result<App> {
    let key = Arc::new(load_key(&config.secrets, &config.data.dir(), pool).await?);
    let public_url: Arc<str> = config.http.public_url().into();
    let oidc = oidc::Settings::read(&config.oidc, &public_url)?.map(oidc::Provider::new).transpose()?;
    let allow_private = config.routing.allow_private_webhooks;
    let courier =
        Courier::new(pool.clone(), Arc::clone(&key), Arc::clone(&public_url), allow_private, &config.notify)?;
    let routing = RoutingOptions {
        webhook_secret: config.routing.webhook_secret.clone().map(Into::into),
        allow_private_webhooks: allow_private,
    };
    let hands: Arc<dyn Hands> = Arc::new(StoredClients::new(pool.clone(), Arc::clone(&key), routing));
    Ok(App {
        pool: pool.clone(),
        hands,
        tokens: TokenKey::derive(&key),
        secrets_key: key,
        watch: RunWatch::default(),
        causes: Arc::default(),
        database_size: Arc::default(),
        lag_hours: Arc::default(),
        courier: Arc::new(courier),
        telemetry: Arc::new(Telemetry::new(config.metrics.caps())),
        public_url,
        trusted_proxies: config.http.trusted_proxies.clone().into(),
        hashing: Arc::default(),
        writes_per_minute: config.http.writes_per_minute,
        look_again: LOOK_AGAIN,
        oidc: oidc.map(Arc::new),
        settings: settings::read(std::env::args_os()).into(),
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

/// Listens for signals from now on: whoever starts Muster may stop it at any moment, also while it is starting.
fn shutdown_on_signal() -> anyhow::Result<CancellationToken> {
    let listen = |kind| signal(kind).context("could not listen for signals");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: steps end or are handed over at their boundary");
        token.cancel();
    });
    Ok(shutdown)
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
