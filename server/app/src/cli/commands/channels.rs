//! The words of `muster channels`.

use std::path::PathBuf;

use clap::Subcommand;

use super::IfVersion;

/// Notification channels.
#[derive(Debug, Subcommand)]
pub enum Channels {
    /// All channels.
    List,
    /// One channel.
    Show {
        /// Its id.
        id: uuid::Uuid,
    },
    /// Make a channel from a JSON file (`-` for stdin), as POST /api/v1/channels takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a channel by a JSON file (`-` for stdin), as PATCH /api/v1/channels/… takes it.
    Edit {
        /// Its id.
        id: uuid::Uuid,
        /// The file.
        file: PathBuf,
        /// Which version.
        #[command(flatten)]
        version: IfVersion,
    },
    /// Remove a channel with what it was still to send.
    Delete {
        /// Its id.
        id: uuid::Uuid,
    },
    /// Send a message that only tries the channel.
    Test {
        /// Its id.
        id: uuid::Uuid,
    },
    /// What was and is to be sent there, newest first.
    Deliveries {
        /// Its id.
        id: uuid::Uuid,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}
