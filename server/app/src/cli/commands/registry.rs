//! The words about what is registered: clusters, schedules, people, sessions, teams, tokens.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ById, Change, IfVersion, Named};

/// Clusters.
#[derive(Debug, Subcommand)]
pub enum Clusters {
    /// All clusters.
    List,
    /// One cluster.
    Show(Named),
    /// Register a cluster from a JSON file (`-` for stdin), as POST /api/v1/clusters takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a cluster by a JSON file (`-` for stdin), as PATCH /api/v1/clusters/… takes it.
    Edit {
        /// Its name.
        name: String,
        /// How.
        #[command(flatten)]
        change: Change,
    },
    /// Connect to a cluster and try each right.
    Check(Named),
    /// Forget a cluster no pair uses.
    Delete(Named),
}

/// Drill schedules.
#[derive(Debug, Subcommand)]
pub enum Schedules {
    /// All schedules with when they are due next.
    List,
    /// One schedule.
    Show(ById),
    /// Make a schedule from a JSON file (`-` for stdin), as POST /api/v1/schedules takes it.
    Create {
        /// The file.
        file: PathBuf,
    },
    /// Change a schedule by a JSON file (`-` for stdin), as PATCH /api/v1/schedules/… takes it.
    Edit {
        /// Its id.
        id: uuid::Uuid,
        /// How.
        #[command(flatten)]
        change: Change,
    },
    /// Remove a schedule; what came due of it stays.
    Delete(ById),
    /// When drills are due, as an iCalendar file: what came due, and the next 400 days.
    Calendar {
        /// Only drills of this team's pairs.
        #[arg(long)]
        team: Option<String>,
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
        /// How.
        #[command(flatten)]
        change: Change,
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
    Show(Named),
    /// Say anew what a team is there for.
    Edit {
        /// Its name.
        name: String,
        /// What it is there for.
        #[arg(long)]
        description: String,
        /// Which version.
        #[command(flatten)]
        version: IfVersion,
    },
    /// Remove a team nothing belongs to.
    Delete(Named),
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
