//! The words about runs.

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use uuid::Uuid;

/// Runs.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Runs, newest first.
    List(ListedRuns),
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
    /// Start it without approval. Asks for your password; every channel of the team is told, and somebody else reviews it
    /// within a day.
    BreakGlass {
        /// The run.
        run: Uuid,
        /// Its pair, typed to show that this is the run that is meant.
        #[arg(long)]
        pair: String,
        /// Why nobody can be waited for.
        #[arg(long)]
        reason: String,
        /// A blocker of its plan that you answer for, by its code; once for each.
        #[arg(long = "override", value_name = "CODE")]
        overridden: Vec<String>,
        /// Follow it until it ends or waits for somebody.
        #[arg(long)]
        wait: bool,
    },
    /// Say whether its start without approval was right.
    Review {
        /// The run.
        run: Uuid,
        /// Whether it was.
        #[arg(long, value_enum)]
        verdict: Review,
        /// In words.
        #[arg(long)]
        comment: String,
    },
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
    /// Close a run by hand that is stuck, or was restored from a backup.
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
    /// Two runs side by side: what each measured, and how long each step took.
    Compare {
        /// The run.
        run: Uuid,
        /// The run it is compared with, which is the first of the two.
        #[arg(long, value_name = "RUN")]
        with: Uuid,
    },
}

/// Which runs.
#[derive(Debug, clap::Args)]
pub struct ListedRuns {
    /// Only this pair's.
    #[arg(long)]
    pub pair: Option<String>,
    /// Only of this kind: switchover, readiness_drill.
    #[arg(long)]
    pub operation: Option<String>,
    /// Only in this state.
    #[arg(long)]
    pub state: Option<String>,
    /// Asked for at or after this time (RFC 3339).
    #[arg(long)]
    pub since: Option<DateTime<Utc>>,
    /// Asked for before this time (RFC 3339).
    #[arg(long)]
    pub until: Option<DateTime<Utc>>,
    /// Only drills.
    #[arg(long)]
    pub drill: bool,
    /// No drills.
    #[arg(long, conflicts_with = "drill")]
    pub no_drill: bool,
    /// Only with all of these words, or beginnings of words, in the reason, the course, what deciders said or what was reached.
    #[arg(long)]
    pub text: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

/// What waits for one's own decision.
#[derive(Debug, Subcommand)]
pub enum Approvals {
    /// Runs one may approve or reject and has not.
    List,
    /// One of them: what is asked for, and each step of its plan.
    Show {
        /// The run.
        run: Uuid,
    },
    /// Approve it.
    Approve(Commented),
    /// Reject it.
    Reject(Commented),
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
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What a start without approval was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Review {
    /// Right.
    Justified,
    /// Wrong; leaves a finding.
    #[value(name = "not_justified")]
    NotJustified,
}

impl Review {
    /// Its word in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not_justified",
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
