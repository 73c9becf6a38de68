//! The words about the audit and the global stop.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

/// The audit.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Entries, newest first.
    List(Entries),
    /// Check the whole chain.
    Verify,
    /// All entries, one a line, oldest first: what `muster verify` checks without a server.
    Export,
}

/// Which entries.
#[derive(Debug, Args)]
pub struct Entries {
    /// Only of this actor.
    #[arg(long)]
    pub actor: Option<String>,
    /// Only this action; ending in a dot, all that begin with it: `run.`.
    #[arg(long)]
    pub action: Option<String>,
    /// Only about this object.
    #[arg(long)]
    pub object: Option<String>,
    /// Only what was done, or only what was refused.
    #[arg(long, value_parser = ["done", "refused"])]
    pub outcome: Option<String>,
    /// At or after this time (RFC 3339).
    #[arg(long)]
    pub since: Option<DateTime<Utc>>,
    /// Before this time (RFC 3339).
    #[arg(long)]
    pub until: Option<DateTime<Utc>>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
}

/// The global stop.
#[derive(Debug, Subcommand)]
pub enum Brake {
    /// Whether it is on.
    Show,
    /// Put it on: nothing starts, running steps stop at their boundary.
    Set {
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Release it.
    Release,
}
