//! The words about alarms of silent loss.

use clap::Subcommand;
use uuid::Uuid;

/// Alarms of silent loss.
#[derive(Debug, Subcommand)]
pub enum Alarms {
    /// Open alarms, newest first.
    List {
        /// Only this pair's.
        #[arg(long)]
        pair: Option<String>,
        /// Those that ended too.
        #[arg(long)]
        all: bool,
        /// Only this one: replication-hole, foreign-writer, …
        #[arg(long)]
        code: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One alarm: where, since when, what was lost, what to do.
    Show {
        /// The alarm.
        id: Uuid,
    },
    /// Say that something that happened is dealt with.
    Acknowledge {
        /// The alarm.
        id: Uuid,
        /// What was done about it.
        #[arg(long)]
        comment: String,
    },
}
