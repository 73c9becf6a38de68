//! Logs to stderr, as lines for people or as JSON for collectors; traces to a collector when the build has them.
//!
//! A request, a survey and a run are spans: every line logged inside one, in whatever room, has its id (`request.id`,
//! `pair.name`, `run.id`). As JSON these are members of `spans`.

#[cfg(feature = "otlp")]
mod traces;

use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    layer::{Layered, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use crate::process::config::LogConfig;

/// Sends the last traces when it is dropped.
#[derive(Debug, Default)]
#[must_use = "the last traces are sent when it is dropped"]
pub struct Logs {
    #[cfg(feature = "otlp")]
    _traces: Option<traces::Traces>,
}

/// Something lines and spans go to, behind the filter.
type Part = Box<dyn Layer<Layered<EnvFilter, Registry>> + Send + Sync>;

/// Starts logging. A filter that cannot be read is replaced by `info`, and the first line says so.
pub fn start(config: &LogConfig) -> Logs {
    let (subscriber, logs, troubles) = prepare(config);
    // Somebody else has set a subscriber up already only in tests.
    let _ = subscriber.try_init();
    for trouble in troubles {
        tracing::warn!("{trouble}");
    }
    logs
}

/// What lines and spans go to, and what of the settings cannot be followed.
pub fn prepare(config: &LogConfig) -> (impl Subscriber + Send + Sync + use<>, Logs, Vec<String>) {
    let mut troubles = Vec::new();
    // What PostgreSQL remarks on its own is noise ("relation exists, skipping"), unless it is asked for by name.
    let filter = EnvFilter::try_new(format!("sqlx::postgres::notice=warn,{}", config.log));
    let filter = filter.unwrap_or_else(|_| {
        troubles.push(format!("MUSTER_LOG `{}` cannot be read; `info` is used instead", config.log));
        EnvFilter::new("info")
    });
    let mut parts = vec![lines(config)];
    let (logs, no_traces) = start_traces(config, &mut parts);
    troubles.extend(no_traces.map(|cause| format!("no traces are sent: {cause}")));
    (tracing_subscriber::registry().with(filter).with(parts), logs, troubles)
}

fn lines(config: &LogConfig) -> Part {
    // Colours are for terminals; in a file they are noise.
    let colours = std::io::stderr().is_terminal();
    let base = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    match config.log_format.as_str() {
        "json" => base.json().flatten_event(true).boxed(),
        _ => base.boxed(),
    }
}

/// Adds the sender of traces when there is to be one, or says why there is none.
#[cfg(feature = "otlp")]
fn start_traces(config: &LogConfig, parts: &mut Vec<Part>) -> (Logs, Option<String>) {
    let Some(endpoint) = &config.otlp_endpoint else { return (Logs::default(), None) };
    match traces::Traces::start(endpoint) {
        Ok((traces, part)) => {
            parts.push(part);
            (Logs { _traces: Some(traces) }, None)
        }
        Err(e) => (Logs::default(), Some(e)),
    }
}

#[cfg(not(feature = "otlp"))]
fn start_traces(config: &LogConfig, _: &mut Vec<Part>) -> (Logs, Option<String>) {
    let set = config.otlp_endpoint.is_some();
    let cause = "MUSTER_OTLP_ENDPOINT is set, and this build is without the feature `otlp`";
    (Logs::default(), set.then(|| cause.to_owned()))
}
