//! What a process does besides answering: its loops, each watched, and the listener that tells of them.

use std::{future::IntoFuture as _, sync::Arc, time::Duration};

use anyhow::Context as _;
use muster_operations::{ClientSource, Engine};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    loops::{
        canary::{self, CanaryLoop},
        courier, drill, housekeeping, proof,
        ring::{self, RingLoop},
        survey::{RENEW_EVERY, SurveyLoop},
    },
    process::{
        config::Config,
        telemetry::{Beat, LoopName},
    },
    routes,
};

/// Beyond its pauses, how long a loop may take to turn before it counts as stalled. Longer than a wait for the database.
const TURN_WITHIN: Duration = Duration::from_secs(60);
/// How often the engine looks for runs, and more.
const ENGINE_PAUSE: Duration = Duration::from_secs(1);

/// Starts all loops.
pub(super) fn spawn_loops(app: &App, config: &Config, shutdown: &CancellationToken) -> JoinSet<()> {
    let mut loops = Loops { all: JoinSet::new(), app, shutdown };
    let (pool, worker) = (&app.pool, worker_name());
    let clients: Arc<dyn ClientSource> = Arc::clone(&app.hands) as Arc<dyn ClientSource>;
    let period = config.survey.period();
    if let Some(why) = config.survey.shortened() {
        tracing::warn!("{why}");
    }
    loops.spawn(LoopName::Surveys, period, |beat, shutdown| {
        let (pool, clients, worker) = (pool.clone(), Arc::clone(&clients), worker.clone());
        SurveyLoop { pool, clients, period, renew_every: RENEW_EVERY, worker, beat }.run(shutdown)
    });
    loops.spawn(LoopName::Canaries, canary::LOOK_EVERY, |beat, shutdown| {
        let (pool, clients, worker) = (pool.clone(), Arc::clone(&clients), worker.clone());
        CanaryLoop { pool, clients, worker, beat }.run(shutdown)
    });
    loops.spawn(LoopName::Rings, ring::LOOK_EVERY, |beat, shutdown| {
        let (pool, clients, worker) = (pool.clone(), Arc::clone(&clients), worker.clone());
        RingLoop { pool, clients, worker, beat }.run(shutdown)
    });
    loops.spawn(LoopName::Housekeeping, housekeeping::EXPIRE_EVERY, |beat, shutdown| {
        housekeeping::run(pool.clone(), config.survey.recorder_hours, beat, shutdown)
    });
    loops.spawn(LoopName::Schedules, drill::LOOK_EVERY, |beat, shutdown| {
        drill::run(pool.clone(), beat, shutdown)
    });
    loops.spawn(LoopName::Notifications, courier::LOOK_EVERY, |beat, shutdown| {
        Arc::clone(&app.courier).run(beat, shutdown)
    });
    let (proving, process) = (Arc::clone(&clients), worker.clone());
    loops.spawn(LoopName::Proofs, proof::LOOK_EVERY, |beat, shutdown| {
        proof::run(pool.clone(), proving, process, beat, shutdown)
    });
    loops.spawn(LoopName::Engine, ENGINE_PAUSE, |beat, shutdown| {
        let engine = Engine::new(pool.clone(), clients, worker);
        let engine = engine.telling(Arc::new(move |worked| beat.turned(worked)));
        async move { engine.run_until(shutdown).await }
    });
    let mut all = loops.all;
    all.spawn(app.watch.clone().listen(pool.clone(), shutdown.clone()));
    let (telemetry, watch, shutdown) = (Arc::clone(&app.telemetry), app.watch.clone(), shutdown.clone());
    all.spawn(async move {
        shutdown.cancelled().await;
        telemetry.stop();
        watch.close();
    });
    all
}

struct Loops<'a> {
    all: JoinSet<()>,
    app: &'a App,
    shutdown: &'a CancellationToken,
}

impl Loops<'_> {
    /// Starts a loop that pauses so long between its turns.
    fn spawn<F>(&mut self, name: LoopName, pause: Duration, work: impl FnOnce(Beat, CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let beat = self.app.telemetry.loops.begin(name, pause * 3 + TURN_WITHIN);
        let told = self.shutdown.clone();
        let work = work(beat.clone(), self.shutdown.clone());
        self.all.spawn(beat.carry(work, move || told.is_cancelled()));
    }
}

/// Unique to this start of this process: a restarted one is somebody else to the leases.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}:{}", host.trim(), std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8])
}

/// The second listener, for monitoring, if there is to be one.
pub(super) async fn bind_monitoring(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.metrics.metrics_listen else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("could not listen on {address} (MUSTER_METRICS_LISTEN)"))?;
    Ok(Some(listener))
}

/// Serves it.
pub(super) fn spawn_monitoring(
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
