//! The words of the command line.

mod alarms;
mod audit;
mod channels;
mod findings;
mod lag;
mod pairs;
mod plans;
mod proofs;
mod registry;
mod runs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::process::config::{ClientConfig, Config, LogConfig};
pub(super) use alarms::Alarms;
pub(super) use audit::{Audit, Brake, Entries};
pub(super) use channels::Channels;
pub(super) use findings::{FindingEdit, Findings};
pub(super) use lag::Lag;
pub(super) use pairs::{DifferencesBy, Pairs};
pub(super) use plans::{NewPlan, OfPlan, Plan};
pub(super) use proofs::Proofs;
pub(super) use registry::{Clusters, People, Schedules, Sessions, Teams, Tokens};
pub(super) use runs::{Approvals, ListedRuns, Run};

/// What a pipeline can tell by the end of a command; docs/API.md has the same.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done; a watched run succeeded, a watched drill passed
  1  refused or failed, or a check found something missing or not whole; what it is and what to do next is said
  2  the command line is wrong
  3  known, and not good: a watched run ended otherwise, a proof is not exact or not the same, a canary was not seen
  4  a watched run waits for a person: for a decision, because a step failed, or because it is stuck";

/// Disaster recovery for Apache Kafka: know how well one cluster could replace another, and carry it out.
#[derive(Debug, Parser)]
#[command(name = "muster", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Logs.
    #[command(flatten)]
    pub log: LogConfig,
    /// Where the client commands find the server.
    #[command(flatten)]
    pub client: ClientConfig,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages and API, observe pairs and carry out runs.
    Serve(Config),
    /// Observe pairs and carry out runs, without pages and API.
    Worker(Config),
    /// Bring the database's schema up to date and stop.
    Migrate(Config),
    /// Check everything Muster needs, line by line: what is missing and what it would break.
    Doctor(Config),
    /// Park every run that was under way in a database that was restored from a backup, and put the brake on. Run it between
    /// the restore and the start of any process of Muster.
    Restored(Config),
    /// Sealed credentials.
    Secrets {
        /// What about them.
        #[command(subcommand)]
        command: Secrets,
    },
    /// Print what to do when an alert fires, without a server; a server has it at `/runbooks`.
    Runbooks,
    /// Print the OpenAPI document.
    Openapi,
    /// Print every address, who may use it and what the audit calls it.
    Routes,
    /// Print what makes a shell complete these commands: `source <(muster completion bash)`.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Sign in and keep the session for the client commands.
    Login {
        /// Who; asked for when not given. The password is read from the terminal or from `MUSTER_PASSWORD`.
        #[arg(long, env = "MUSTER_USER")]
        name: Option<String>,
    },
    /// Who is signed in, and what they may do.
    Whoami,
    /// Sign out, and forget the session that was kept.
    Logout,
    /// Change one's own password; ends all one's other sessions. Both are read from the terminal, or from `MUSTER_PASSWORD` and
    /// `MUSTER_NEW_PASSWORD`.
    Password,
    /// Clusters.
    Clusters {
        /// What about them.
        #[command(subcommand)]
        command: Clusters,
    },
    /// Pairs.
    Pairs {
        /// What about them.
        #[command(subcommand)]
        command: Pairs,
    },
    /// Drill schedules.
    Schedules {
        /// What about them.
        #[command(subcommand)]
        command: Schedules,
    },
    /// What went wrong or surprised.
    Findings {
        /// What about it.
        #[command(subcommand)]
        command: Findings,
    },
    /// Alarms of silent loss.
    Alarms {
        /// What about them.
        #[command(subcommand)]
        command: Alarms,
    },
    /// Check a run's evidence file or an export of the audit, without a server.
    Verify {
        /// The file, `-` for stdin.
        file: PathBuf,
    },
    /// Notification channels.
    Channels {
        /// What about them.
        #[command(subcommand)]
        command: Channels,
    },
    /// Plan a switchover of a pair, or a drill that only looks; read a plan that was made.
    Plan(Plan),
    /// Runs.
    Run {
        /// What about them.
        #[command(subcommand)]
        command: Run,
    },
    /// What waits for one's own decision.
    Approvals {
        /// What about it.
        #[command(subcommand)]
        command: Approvals,
    },
    /// What comparing the records of both sides shows.
    Proofs {
        /// What about it.
        #[command(subcommand)]
        command: Proofs,
    },
    /// People who may sign in.
    People {
        /// What about them.
        #[command(subcommand)]
        command: People,
    },
    /// Who is signed in as oneself, from where.
    Sessions {
        /// What about them.
        #[command(subcommand)]
        command: Sessions,
    },
    /// Teams: pairs belong to them.
    Teams {
        /// What about them.
        #[command(subcommand)]
        command: Teams,
    },
    /// One's own API tokens.
    Tokens {
        /// What about them.
        #[command(subcommand)]
        command: Tokens,
    },
    /// The audit.
    Audit {
        /// What about it.
        #[command(subcommand)]
        command: Audit,
    },
    /// What the installation is and is set to.
    Settings,
    /// The global stop.
    Brake {
        /// What about it.
        #[command(subcommand)]
        command: Brake,
    },
}

/// Sealed credentials.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Seal every credential with another key. Stop all processes of Muster first.
    Rotate {
        /// How to reach the database and the present key.
        #[command(flatten)]
        config: Config,
        /// File with the new key; made when it does not exist.
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
    },
}

/// Something that has a name.
#[derive(Debug, Args)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// Something that is known by its id.
#[derive(Debug, Args)]
pub struct ById {
    /// Its id.
    pub id: uuid::Uuid,
}

/// A change of something, as its PATCH takes it.
#[derive(Debug, Args)]
pub struct Change {
    /// The file.
    pub file: PathBuf,
    /// Which version.
    #[command(flatten)]
    pub version: IfVersion,
}

/// Which version an edit was made from.
#[derive(Debug, Clone, Copy, Args)]
pub struct IfVersion {
    /// Only if it still has this `version`, as `show` printed it; without it the edit is made of what is there now.
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<i64>,
}
