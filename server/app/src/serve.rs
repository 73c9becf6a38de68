//! Starting a process: database, key, loops, HTTP; and stopping it without leaving anything half done.

mod database;
mod keys;

use std::{future::IntoFuture as _, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use muster_operations::{ClientSource, Engine};
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
    auth::{setup, tokens::TokenKey},
    client_source::StoredClients,
    config::Config,
    courier::{self, Courier},
    drill_loop, housekeeping,
    http::layers,
    routes,
    run_watch::RunWatch,
    survey_loop::SurveyLoop,
    telemetry::{LoopName, Telemetry},
};

pub use self::{
    database::{Database, close, open_database},
    keys::{find_key, rotate_secrets},
};
use database::prepare_database;
use keys::load_key;

/// How long open answers and steps get to end after a signal. Streams of runs never end by themselves.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// Beyond its pauses, how long a loop may take to turn before it counts as stalled. Longer than a wait for the database.
const TURN_WITHIN: Duration = Duration::from_secs(60);
const STREAMS_WITHIN: Duration = Duration::from_secs(3);

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
    let served = serve_http(listener, router, shutdown.clone()).await;
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
    let router = layers::wrap(routes::router(&app), &app)?;
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
/// When the database cannot be had or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = prepare_database(&config).await?;
    println!("The schema is up to date.");
    close(database).await;
    Ok(())
}

async fn build_app(config: &Config, pool: &PgPool) -> anyhow::Result<App> {
    let key = Arc::new(load_key(&config.secrets, &config.data.dir(), pool).await?);
    let public_url: Arc<str> = config.http.public_url().into();
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
        courier: Arc::new(courier),
        telemetry: Arc::new(Telemetry::new(config.metrics.caps())),
        public_url,
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
    let begin = |name, pause| app.telemetry.loops.begin(name, pause * 3 + TURN_WITHIN);
    let beat = begin(LoopName::Surveys, config.survey.period());
    let surveys = SurveyLoop {
        pool: app.pool.clone(),
        clients: Arc::clone(&clients),
        period: config.survey.period(),
        worker: worker.clone(),
        beat: beat.clone(),
    };
    let stopping = shutdown.clone();
    let told = move || stopping.is_cancelled();
    let mut loops = JoinSet::new();
    loops.spawn(beat.carry(surveys.run(shutdown.clone()), told.clone()));
    let beat = begin(LoopName::Housekeeping, housekeeping::EXPIRE_EVERY);
    let keep = housekeeping::run(app.pool.clone(), beat.clone(), shutdown.clone());
    loops.spawn(beat.carry(keep, told.clone()));
    let beat = begin(LoopName::Schedules, drill_loop::LOOK_EVERY);
    let look = drill_loop::run(app.pool.clone(), beat.clone(), shutdown.clone());
    loops.spawn(beat.carry(look, told.clone()));
    let beat = begin(LoopName::Notifications, courier::LOOK_EVERY);
    let deliver = Arc::clone(&app.courier).run(beat.clone(), shutdown.clone());
    loops.spawn(beat.carry(deliver, told.clone()));
    loops.spawn(app.watch.clone().listen(app.pool.clone(), shutdown.clone()));
    let beat = begin(LoopName::Engine, Duration::from_secs(1));
    let looks = beat.clone();
    let engine =
        Engine::new(app.pool.clone(), clients, worker).telling(Arc::new(move |worked| looks.turned(worked)));
    let token = shutdown.clone();
    loops.spawn(beat.carry(async move { engine.run_until(token).await }, told));
    let (telemetry, token) = (Arc::clone(&app.telemetry), shutdown.clone());
    loops.spawn(async move {
        token.cancelled().await;
        telemetry.stop();
    });
    loops
}

/// The second listener, for monitoring, if there is to be one.
async fn bind_monitoring(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.metrics.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("could not listen on {address} (MUSTER_METRICS_LISTEN)"))?;
    Ok(Some(listener))
}

fn spawn_monitoring(
    loops: &mut JoinSet<()>,
    listener: Option<TcpListener>,
    app: &App,
    shutdown: &CancellationToken,
) {
    let Some(listener) = listener else { return };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "figures for monitoring are at http://{address}/metrics, without signing in");
    }
    let (router, shutdown) = (routes::monitoring_router(app), shutdown.clone());
    loops.spawn(async move {
        tokio::select! {
            served = axum::serve(listener, router).into_future() => {
                tracing::error!(?served, "the monitoring listener stopped");
            }
            () = shutdown.cancelled() => {}
        }
    });
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
