//! The words of `muster proofs`.

use clap::Subcommand;
use uuid::Uuid;

/// Proofs. Exit code 3: it is done, and some group would not go on exactly, the sides do not hold the same, or the source is dead.
#[derive(Debug, Subcommand)]
pub enum Proofs {
    /// Proofs of a pair, newest first.
    List {
        /// The pair.
        pair: String,
        /// Only of this kind.
        #[arg(long, value_parser = ["translation", "content"])]
        kind: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Prove where every group would go on reading on the other side. Reads only.
    Translation {
        /// The pair.
        pair: String,
        /// Cluster whose groups are taken as they stand; the active side when not given. Where both are active it has to be given.
        #[arg(long)]
        from: Option<String>,
        /// Wait for the result.
        #[arg(long)]
        wait: bool,
    },
    /// Prove whether both sides hold the same records. Reads only; all processes of Muster share the work.
    Content {
        /// The pair.
        pair: String,
        /// Cluster whose records are looked for on the other; the active side when not given. Where both are active it has to be given.
        #[arg(long)]
        from: Option<String>,
        /// Only this topic, by the source's name; may be given several times.
        #[arg(long)]
        topic: Vec<String>,
        /// Only records from here on (RFC 3339).
        #[arg(long)]
        since: Option<String>,
        /// Only records before (RFC 3339).
        #[arg(long)]
        until: Option<String>,
        /// Compare a sample that finds a difference if at least this percentage of stretches differs.
        #[arg(long)]
        sample: Option<f64>,
        /// How sure a sample is to be, in percent.
        #[arg(long, default_value_t = 95.0, requires = "sample")]
        confidence: f64,
        /// Most megabytes read a second, over both sides and all processes.
        #[arg(long)]
        mb_per_second: Option<u32>,
        /// Wait for the result.
        #[arg(long)]
        wait: bool,
    },
    /// One proof with its result.
    Show {
        /// The proof.
        proof: Uuid,
    },
    /// Show a record that a content proof cites, as it stands now, where the pair's owners allow it. The audit says who looked.
    Record {
        /// The pair.
        pair: String,
        /// The proof.
        proof: Uuid,
        /// The topic as its side names it.
        #[arg(long)]
        topic: String,
        /// Partition.
        #[arg(long)]
        partition: i32,
        /// Offset on that side.
        #[arg(long)]
        offset: i64,
        /// `source` or `target`: the side the topic and the offset are of.
        #[arg(long)]
        side: String,
    },
    /// Stop one.
    Stop {
        /// The proof.
        proof: Uuid,
    },
}
