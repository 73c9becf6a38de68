//! The words about lag.

use chrono::{DateTime, Utc};
use clap::Args;

/// How far the target of a pair is behind: now, or over a time.
#[derive(Debug, Args)]
pub struct Lag {
    /// The pair's name.
    pub name: String,
    /// Over a time, with percentiles over partitions and what a death would have cost.
    #[arg(long)]
    pub history: bool,
    /// Of the flow from this cluster; from the pair's first one when not given.
    #[arg(long, requires = "history")]
    pub source: Option<String>,
    /// Of one source topic.
    #[arg(long, requires = "history")]
    pub topic: Option<String>,
    /// Of one of its partitions.
    #[arg(long, requires = "topic")]
    pub partition: Option<i32>,
    /// Begin (RFC 3339); an hour before the end when not given.
    #[arg(long, requires = "history")]
    pub from: Option<DateTime<Utc>>,
    /// End (RFC 3339); now when not given.
    #[arg(long, requires = "history")]
    pub to: Option<DateTime<Utc>>,
    /// As CSV.
    #[arg(long, requires = "history")]
    pub csv: bool,
}
