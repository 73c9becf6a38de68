//! The words of `muster pairs`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};

use super::{Change, Named, lag::Lag};

/// Pairs.
#[derive(Debug, Subcommand)]
pub enum Pairs {
    /// All pairs with how ready they are.
    List,
    /// One pair.
    Show(Named),
    /// Make a pair from a JSON file (`-` for stdin), as POST /api/v1/pairs takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a pair by a JSON file (`-` for stdin), as PATCH /api/v1/pairs/… takes it.
    Edit {
        /// Its name.
        name: String,
        /// How.
        #[command(flatten)]
        change: Change,
    },
    /// Remove a pair of which no drill is scheduled and no run goes on; its runs and audit entries stay.
    Delete(Named),
    /// Import an mm2.properties file.
    Import {
        /// The file, `-` for stdin.
        file: PathBuf,
        /// Team the pair belongs to.
        #[arg(long)]
        team: String,
        /// Name of the pair; the clusters' names joined when not given.
        #[arg(long)]
        name: Option<String>,
    },
    /// What Muster signs in with at the Connect of each flow of a pair: what is kept, never the password or the token.
    Connect {
        /// Its name.
        name: String,
    },
    /// Enter what Muster signs in with at the Connect of a flow. The password is read from the terminal or from
    /// `MUSTER_CONNECT_PASSWORD`, a token from `MUSTER_CONNECT_TOKEN`.
    ConnectEnter {
        /// The pair's name.
        name: String,
        /// The cluster the flow's records come from.
        #[arg(long, value_name = "CLUSTER")]
        from: String,
        /// User name.
        #[arg(long, required_unless_present = "bearer", conflicts_with = "bearer")]
        user: Option<String>,
        /// A bearer token is entered, no user and password.
        #[arg(long)]
        bearer: bool,
    },
    /// Remove what Muster signs in with at the Connect of a flow.
    ConnectRemove {
        /// The pair's name.
        name: String,
        /// The cluster the flow's records come from.
        #[arg(long, value_name = "CLUSTER")]
        from: String,
    },
    /// What applications would find different on the other side of a pair, by cause or by who is affected, worst first.
    Differences {
        /// Its name.
        name: String,
        /// Only of this kind: topic_missing, config, grant, …
        #[arg(long)]
        kind: Option<String>,
        /// Only those that concern a topic, group or principal with this in its name.
        #[arg(long)]
        who: Option<String>,
        /// Each cause once, or under each whom it affects.
        #[arg(long, value_enum, default_value = "cause")]
        by: DifferencesBy,
    },
    /// The readiness checks of a pair.
    Check(Named),
    /// How long Muster's own records take to the other side of a pair, and whether they arrive.
    Canary {
        /// Its name.
        name: String,
        /// Write one on each partition now and wait until it is seen; exit code 3 when one is not.
        #[arg(long)]
        now: bool,
    },
    /// What is kept of a pair's sources for the day one is dead, and what is in the way.
    Rings(Named),
    /// How far the target of a pair is behind: now, or over a time.
    Lag(Lag),
    /// What was lost when a source of a pair died.
    Loss {
        /// Its name.
        name: String,
        /// The loss that stood at this time (RFC 3339) instead of now.
        #[arg(long)]
        at: Option<DateTime<Utc>>,
        /// The cluster that died; the last one that did when not given.
        #[arg(long, value_name = "CLUSTER")]
        source: Option<String>,
        /// As CSV.
        #[arg(long)]
        csv: bool,
    },
    /// What was lost when sources died, of all pairs one may read, by owner.
    Losses {
        /// Noticed after this time (RFC 3339); a day before the end when not given.
        #[arg(long)]
        from: Option<DateTime<Utc>>,
        /// Noticed until this time; now when not given.
        #[arg(long)]
        to: Option<DateTime<Utc>>,
        /// Of one pair only.
        #[arg(long)]
        pair: Option<String>,
    },
    /// All that was last observed of a pair, as JSON.
    Survey(Named),
    /// Topics in scope on both sides, as last observed.
    Topics(Named),
    /// Groups in scope on both sides, as last observed.
    Groups(Named),
    /// When readiness checks of a pair changed, newest first.
    Changes {
        /// Its name.
        name: String,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Where a group stood at a time: as a survey saw it while that is kept, by the hour for a year.
    Positions {
        /// The pair's name.
        name: String,
        /// The group.
        #[arg(long)]
        group: String,
        /// When (RFC 3339); now when not given.
        #[arg(long)]
        at: Option<DateTime<Utc>>,
        /// The cluster it reads on; the pair's first one when not given.
        #[arg(long, value_name = "CLUSTER")]
        source: Option<String>,
    },
    /// What ACLs or configs of a cluster were at a time, since when and until when.
    Facts {
        /// The pair's name.
        name: String,
        /// Which of them.
        #[arg(long, value_parser = ["acls", "configs"], default_value = "configs")]
        kind: String,
        /// When (RFC 3339); now when not given.
        #[arg(long)]
        at: Option<DateTime<Utc>>,
        /// Whose; the pair's first cluster when not given.
        #[arg(long)]
        cluster: Option<String>,
    },
    /// What runs of a pair measured, newest first, beside its RTO objective.
    Rto(Named),
}

/// The order of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DifferencesBy {
    /// Each cause once.
    Cause,
    /// Each cause under each whom it affects.
    Who,
}
