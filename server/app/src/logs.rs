//! Logs to stderr, as lines for people or as JSON for collectors.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogConfig;

/// Starts logging. A filter that cannot be read is replaced by `info`, and the first line says so.
pub fn start(config: &LogConfig) {
    // What PostgreSQL remarks on its own is noise ("relation exists, skipping"), unless it is asked for by name.
    let filter = EnvFilter::try_new(format!("sqlx::postgres::notice=warn,{}", config.log));
    let bad = filter.is_err();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for terminals; in a file they are noise.
    let colours = std::io::stderr().is_terminal();
    let base =
        fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    // Somebody else has set a subscriber up already only in tests.
    let _ = match config.log_format.as_str() {
        "json" => base.json().flatten_event(true).try_init(),
        _ => base.try_init(),
    };
    if bad {
        tracing::warn!(filter = %config.log, "MUSTER_LOG cannot be read; `info` is used instead");
    }
}
