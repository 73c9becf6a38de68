//! The words about what is registered: clusters, pairs, schedules, people, sessions, teams, tokens.

use std::path::PathBuf;

use clap::Subcommand;

use super::lag::Lag;

/// Clusters.
#[derive(Debug, Subcommand)]
pub enum Clusters {
    /// All clusters.
    List,
    /// One cluster.
    Show {
        /// Its name.
        name: String,
    },
    /// Register a cluster from a JSON file (`-` for stdin), as POST /api/v1/clusters takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a cluster by a JSON file (`-` for stdin), as PATCH /api/v1/clusters/… takes it.
    Edit {
        /// Its name.
        name: String,
        /// The file.
        file: PathBuf,
    },
    /// Connect to a cluster and try each right.
    Check {
        /// Its name.
        name: String,
    },
    /// Forget a cluster no pair uses.
    Delete {
        /// Its name.
        name: String,
    },
}

/// Pairs.
#[derive(Debug, Subcommand)]
pub enum Pairs {
    /// All pairs with how ready they are.
    List,
    /// One pair.
    Show {
        /// Its name.
        name: String,
    },
    /// Make a pair from a JSON file (`-` for stdin), as POST /api/v1/pairs takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a pair by a JSON file (`-` for stdin), as PATCH /api/v1/pairs/… takes it.
    Edit {
        /// Its name.
        name: String,
        /// The file.
        file: PathBuf,
    },
    /// Remove a pair of which no drill is scheduled and no run goes on; its runs and audit entries stay.
    Delete {
        /// Its name.
        name: String,
    },
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
    /// What applications would find different on the other side of a pair, by cause, worst first.
    Differences {
        /// Its name.
        name: String,
        /// Only those that concern a topic, group or principal with this in its name.
        #[arg(long)]
        who: Option<String>,
    },
    /// The readiness checks of a pair.
    Check {
        /// Its name.
        name: String,
    },
    /// How long Muster's own records take to the other side of a pair, and whether they arrive.
    Canary {
        /// Its name.
        name: String,
        /// Write one on each partition now and wait until it is seen; exit code 3 when one is not.
        #[arg(long)]
        now: bool,
    },
    /// How far the target of a pair is behind: now, or over a time.
    Lag(Lag),
    /// What was lost when a source of a pair died.
    Loss {
        /// Its name.
        name: String,
        /// The loss that stood at this time (RFC 3339) instead of now.
        #[arg(long)]
        at: Option<chrono::DateTime<chrono::Utc>>,
        /// As CSV.
        #[arg(long)]
        csv: bool,
    },
    /// What was lost when sources died, of all pairs one may read, by owner.
    Losses {
        /// Noticed after this time (RFC 3339); a day before the end when not given.
        #[arg(long)]
        from: Option<chrono::DateTime<chrono::Utc>>,
        /// Noticed until this time; now when not given.
        #[arg(long)]
        to: Option<chrono::DateTime<chrono::Utc>>,
    },
}

/// Drill schedules.
#[derive(Debug, Subcommand)]
pub enum Schedules {
    /// All schedules with when they are due next.
    List,
    /// One schedule.
    Show {
        /// Its id.
        id: uuid::Uuid,
    },
    /// Make a schedule from a JSON file (`-` for stdin), as POST /api/v1/schedules takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a schedule by a JSON file (`-` for stdin), as PATCH /api/v1/schedules/… takes it.
    Edit {
        /// Its id.
        id: uuid::Uuid,
        /// The file.
        file: PathBuf,
    },
    /// Remove a schedule; what came due of it stays.
    Delete {
        /// Its id.
        id: uuid::Uuid,
    },
    /// What came due, newest first.
    Due {
        /// Only of this pair.
        #[arg(long)]
        pair: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// People who may sign in.
#[derive(Debug, Subcommand)]
pub enum People {
    /// All people.
    List,
    /// One person.
    Show {
        /// The name to sign in with.
        name: String,
    },
    /// Add a person from a JSON file (`-` for stdin), as POST /api/v1/users takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a person by a JSON file (`-` for stdin), as PATCH /api/v1/users/… takes it.
    Edit {
        /// The name to sign in with.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

/// Sessions.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// One's own sessions, newest first.
    List {
        /// Those of this person instead; for admins.
        #[arg(long)]
        user: Option<String>,
    },
    /// End a session.
    End {
        /// Which, by its id.
        id: uuid::Uuid,
    },
    /// End all one's sessions but this one.
    EndAll {
        /// Those of this person instead; for admins.
        #[arg(long)]
        user: Option<String>,
    },
}

/// Teams.
#[derive(Debug, Subcommand)]
pub enum Teams {
    /// All teams.
    List,
    /// One team with its members, pairs and channels.
    Show {
        /// Its name.
        name: String,
    },
    /// Say anew what a team is there for.
    Edit {
        /// Its name.
        name: String,
        /// What it is there for.
        #[arg(long)]
        description: String,
    },
    /// Remove a team nothing belongs to.
    Delete {
        /// Its name.
        name: String,
    },
    /// Add a team.
    Create {
        /// Its name.
        name: String,
        /// What it is there for.
        #[arg(long, default_value = "")]
        description: String,
    },
}

/// One's own API tokens.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// All of them; the tokens themselves are shown only once, when made.
    List,
    /// Make one with one's own rights.
    Create {
        /// What it is for.
        name: String,
        /// Days until it ends.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// What it may use of one's rights: read, operator, approver, owner, admin, or calendar alone; all when not given.
        #[arg(long, value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// Revoke one.
    Revoke {
        /// Which, by its id.
        id: uuid::Uuid,
    },
}
