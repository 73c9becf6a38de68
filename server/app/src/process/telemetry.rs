//! What Muster tells monitoring: figures for Prometheus, and whether the loops of this process live.
//!
//! A scrape reads memory and the database and never asks Kafka, so it is cheap and works when a cluster is dead. What is
//! not known is absent, never 0, and what is too old to stand counts as not known; a figure beside it says which. The
//! number of series is bounded (see [`Caps`]), and what a bound left out is a figure too.

mod fleet;
mod loops;
mod process;
mod requests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::prometheus_text,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

pub use self::{
    loops::{Beat, LoopName, Loops},
    requests::measure,
};
use crate::{app::App, http::failure::chain};

/// What `/metrics` answers with.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;
/// Longest wait for the database in a scrape; the figures of the process come without it.
const DATABASE_WITHIN: Duration = Duration::from_secs(5);

/// Bounds of the number of series.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Pairs, the first by name.
    pub pairs: u32,
    /// Topics of each flow, the shortest names first; with 0 they are neither told nor counted.
    pub topics: u32,
}

impl Default for Caps {
    fn default() -> Self {
        Self { pairs: 200, topics: 50 }
    }
}

/// What is remembered for monitoring by this process.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// Bounds.
    pub caps: Caps,
    /// Its loops.
    pub loops: Arc<Loops>,
    requests: requests::Durations,
    stopping: AtomicBool,
}

impl Telemetry {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(caps: Caps) -> Self {
        Self { caps, ..Self::default() }
    }

    /// The process was told to stop: it is alive and not ready any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// All figures as text.
pub async fn scrape(app: &App) -> String {
    let mut registry = Registry::default();
    process::register(app, &mut registry);
    let read = tokio::time::timeout(DATABASE_WITHIN, fleet::read(app)).await;
    let up = figure(&mut registry, "muster_database_up", "Whether this scrape could read the database");
    set(&up, [], if matches!(read, Ok(Ok(_))) { 1.0 } else { 0.0 });
    match read {
        Ok(Ok(fleet)) => fleet.register(app.telemetry.caps, &mut registry),
        Ok(Err(e)) => tracing::warn!(cause = %chain(&e), "a scrape could not read the database"),
        Err(_) => tracing::warn!("a scrape could not read the database within {DATABASE_WITHIN:?}"),
    }
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry).expect("writing to a string does not fail");
    text
}

/// Labels of a series.
type Labels = Vec<(&'static str, String)>;
/// One figure with all its series.
type Figure = Family<Labels, Gauge<f64, AtomicU64>>;

/// A figure that is told in this scrape.
fn figure(registry: &mut Registry, name: &'static str, help: &'static str) -> Figure {
    let figure = Figure::default();
    registry.register(name, help, figure.clone());
    figure
}

fn set<const N: usize>(figure: &Figure, labels: [(&'static str, &str); N], value: f64) {
    let labels = labels.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    figure.get_or_create(&labels).set(value);
}

/// As [`set`], when there is a value.
fn set_known<const N: usize>(figure: &Figure, labels: [(&'static str, &str); N], value: Option<f64>) {
    if let Some(value) = value {
        set(figure, labels, value);
    }
}

/// Milliseconds as Prometheus has them.
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// A time as Prometheus has it.
fn unix(at: chrono::DateTime<chrono::Utc>) -> f64 {
    seconds(at.timestamp_millis())
}
