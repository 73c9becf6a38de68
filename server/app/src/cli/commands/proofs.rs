//! The words of `muster proofs`.

use clap::Subcommand;
use uuid::Uuid;

/// Proofs. Exit code 3: it is done, and some group would not go on exactly.
#[derive(Debug, Subcommand)]
pub enum Proofs {
    /// Proofs of a pair, newest first.
    List {
        /// The pair.
        pair: String,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Prove where every group would go on reading on the other side. Reads only.
    Translation {
        /// The pair.
        pair: String,
        /// Cluster whose groups are taken as they stand; the active side when not given.
        #[arg(long)]
        from: Option<String>,
        /// Wait for the result.
        #[arg(long)]
        wait: bool,
    },
    /// One proof with its result.
    Show {
        /// The proof.
        proof: Uuid,
    },
    /// Stop one.
    Stop {
        /// The proof.
        proof: Uuid,
    },
}
