//! Logs to stderr, as lines for people or as JSON for collectors; traces to a collector when the build has them.
//!
//! A request, a survey and a run are spans: every line logged inside one, in whatever room, has its id (`request.id`,
//! `pair.name`, `run.id`). As JSON these are members of `spans`.

#[cfg(feature = "otlp")]
mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::LogConfig;

/// Sends the last traces when it is dropped.
#[derive(Debug, Default)]
#[must_use = "the last traces are sent when it is dropped"]
pub struct Logs {
    #[cfg(feature = "otlp")]
    _traces: Option<traces::Traces>,
}

/// Starts logging. A filter that cannot be read is replaced by `info`, and the first line says so.
pub fn start(config: &LogConfig) -> Logs {
    let (filter, bad_filter) = filter(config);
    let (traces, logs, no_traces) = start_traces(config);
    // Somebody else has set a subscriber up already only in tests.
    let _ = tracing_subscriber::registry()
        .with(traces.with_filter(filter.clone()))
        .with(lines(config).with_filter(filter))
        .try_init();
    if bad_filter {
        tracing::warn!(filter = %config.log, "MUSTER_LOG cannot be read; `info` is used instead");
    }
    if let Some(cause) = no_traces {
        tracing::warn!(cause, "no traces are sent: {cause}");
    }
    logs
}

/// A part of the subscriber.
type Part = Box<dyn tracing_subscriber::Layer<Registry> + Send + Sync>;

fn filter(config: &LogConfig) -> (EnvFilter, bool) {
    // What PostgreSQL remarks on its own is noise ("relation exists, skipping"), unless it is asked for by name.
    match EnvFilter::try_new(format!("sqlx::postgres::notice=warn,{}", config.log)) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("info"), true),
    }
}

fn lines<S>(config: &LogConfig) -> Box<dyn tracing_subscriber::Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    // Colours are for terminals; in a file they are noise.
    let colours = std::io::stderr().is_terminal();
    let base = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    match config.log_format.as_str() {
        "json" => base.json().flatten_event(true).boxed(),
        _ => base.boxed(),
    }
}

#[cfg(feature = "otlp")]
fn start_traces(config: &LogConfig) -> (Option<Part>, Logs, Option<String>) {
    let Some(endpoint) = &config.otlp_endpoint else { return (None, Logs::default(), None) };
    match traces::Traces::start(endpoint) {
        Ok((traces, layer)) => (Some(layer), Logs { _traces: Some(traces) }, None),
        Err(e) => (None, Logs::default(), Some(e)),
    }
}

#[cfg(not(feature = "otlp"))]
fn start_traces(config: &LogConfig) -> (Option<Part>, Logs, Option<String>) {
    let set = config.otlp_endpoint.is_some();
    let cause =
        set.then(|| "MUSTER_OTLP_ENDPOINT is set, and this build is without the feature `otlp`".to_owned());
    (None, Logs::default(), cause)
}
