//! The words of `muster channels`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ById, Change};

/// Notification channels.
#[derive(Debug, Subcommand)]
pub enum Channels {
    /// All channels.
    List,
    /// One channel.
    Show(ById),
    /// Make a channel from a JSON file (`-` for stdin), as POST /api/v1/channels takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a channel by a JSON file (`-` for stdin), as PATCH /api/v1/channels/… takes it.
    Edit {
        /// Its id.
        id: uuid::Uuid,
        /// How.
        #[command(flatten)]
        change: Change,
    },
    /// Remove a channel with what it was still to send.
    Delete(ById),
    /// Send a message that only tries the channel.
    Test(ById),
    /// What was and is to be sent there, newest first.
    Deliveries {
        /// Its id.
        id: uuid::Uuid,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}
