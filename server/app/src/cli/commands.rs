//! The words of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::config::{ClientConfig, Config, LogConfig};

/// Disaster recovery for Apache Kafka: know how well one cluster could replace another, and carry it out.
#[derive(Debug, Parser)]
#[command(name = "muster", version, propagate_version = true)]
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
    /// Sealed credentials.
    Secrets {
        /// What about them.
        #[command(subcommand)]
        command: Secrets,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Sign in and keep the session for the client commands.
    Login {
        /// Who; asked for when not given. The password is read from the terminal or from `MUSTER_PASSWORD`.
        #[arg(long, env = "MUSTER_USER")]
        name: Option<String>,
    },
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
    /// Plan a switchover of a pair.
    Plan(Plan),
    /// Runs.
    Run {
        /// What about them.
        #[command(subcommand)]
        command: Run,
    },
    /// The audit.
    Audit {
        /// What about it.
        #[command(subcommand)]
        command: Audit,
    },
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
    /// The readiness checks of a pair.
    Check {
        /// Its name.
        name: String,
    },
}

/// Plan a switchover of a pair.
#[derive(Debug, clap::Args)]
pub struct Plan {
    /// The pair.
    pub pair: String,
    /// Cluster applications move to.
    #[arg(long, value_name = "CLUSTER")]
    pub to: String,
    /// Its end is attested as a drill.
    #[arg(long)]
    pub drill: bool,
    /// Do not ask a person for the final go before the fence.
    #[arg(long)]
    pub unattended: bool,
}

/// Runs.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Runs, newest first.
    List {
        /// Only this pair's.
        #[arg(long)]
        pair: Option<String>,
        /// Only in this state.
        #[arg(long)]
        state: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One run with its steps.
    Show {
        /// The run.
        run: Uuid,
    },
    /// Follow a run until it ends or waits for somebody.
    Watch {
        /// The run.
        run: Uuid,
    },
    /// Ask for a plan to be carried out.
    Request {
        /// The plan.
        plan: Uuid,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Approve it.
    Approve(Commented),
    /// Reject it.
    Reject(Commented),
    /// Start it.
    Start(Followed),
    /// Answer the question it waits with.
    Confirm(Followed),
    /// Pause it at the next step boundary.
    Pause(OfRun),
    /// Go on after a pause.
    Resume(Followed),
    /// Try the failed step again.
    Retry(Reasoned),
    /// Leave a step out.
    Skip {
        /// The run.
        run: Uuid,
        /// The step.
        #[arg(long)]
        step: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Undo everything, in reverse.
    Abort(Reasoned),
    /// Close a stuck run by hand.
    Close(Reasoned),
    /// Attest a drill.
    Attest {
        /// The run.
        run: Uuid,
        /// How it went.
        #[arg(long, value_enum)]
        verdict: Verdict,
        /// In words.
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// The evidence of a run, as JSON.
    Report(OfRun),
}

/// How a drill went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// It proved nothing either way.
    Inconclusive,
}

impl Verdict {
    /// Its word in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A run.
#[derive(Debug, clap::Args)]
pub struct OfRun {
    /// The run.
    pub run: Uuid,
}

/// A run with a comment.
#[derive(Debug, clap::Args)]
pub struct Commented {
    /// The run.
    pub run: Uuid,
    /// In words.
    #[arg(long, default_value = "")]
    pub comment: String,
}

/// A run with a reason.
#[derive(Debug, clap::Args)]
pub struct Reasoned {
    /// The run.
    pub run: Uuid,
    /// Why.
    #[arg(long)]
    pub reason: String,
}

/// A run that may be followed.
#[derive(Debug, clap::Args)]
pub struct Followed {
    /// The run.
    pub run: Uuid,
    /// Follow it until it ends or waits for somebody.
    #[arg(long)]
    pub wait: bool,
}

/// The audit.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Entries, newest first.
    List {
        /// Only of this actor.
        #[arg(long)]
        actor: Option<String>,
        /// Only this action; ending in a dot, all that begin with it: `run.`.
        #[arg(long)]
        action: Option<String>,
        /// Only about this object.
        #[arg(long)]
        object: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Check the whole chain.
    Verify,
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
