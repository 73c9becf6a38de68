//! The brake: the global stop. Nothing starts while it is set, or while it cannot be read.

use askama::Template;
use muster_domain::people::Role;

use crate::{
    chrome::{Brake, Chrome},
    format,
    parts::{Field, Notice, Tone},
};

/// `GET /brake`; posts [`crate::forms::BrakeForm`].
#[derive(Debug, Template)]
#[template(path = "pages/brake.html")]
pub struct BrakePage {
    chrome: Chrome,
    state: Notice,
    set: bool,
    refused: Option<String>,
    effect: String,
    reason: Field,
}

/// Runs the brake holds back, or would.
#[derive(Debug, Clone, Copy, Default)]
pub struct BrakedRuns {
    /// Under way: they would stop at their next step.
    pub running: usize,
    /// Approved and not started.
    pub approved: usize,
    /// Paused, by the brake or by somebody.
    pub paused: usize,
}

impl BrakePage {
    /// The brake as it is in `chrome`, with the runs it is about.
    #[must_use]
    pub fn new(chrome: Chrome, runs: BrakedRuns, errors: &[(String, String)]) -> Self {
        let (state, set) = match &chrome.facts.brake {
            Brake::Released => (
                Notice::new(Tone::Ok, "The brake is released.", "Approved runs may start.").icon("brake"),
                false,
            ),
            Brake::Set { by, at, reason } => {
                let lead = format!("{by} pulled the brake {}.", format::ago(chrome.now(), *at));
                (Notice::new(Tone::Bad, lead, format!("“{reason}” Nothing starts.")).icon("brake"), true)
            }
            Brake::Unreadable { reason } => (
                Notice::new(Tone::Unk, "The brake cannot be read.", format!("{reason}. Nothing starts.")),
                true,
            ),
        };
        let effect = if set { released(runs) } else { pulled(runs.running) };
        let reason = Field::area("reason", "Why, shown on every page", "", 2).required().errors(errors);
        Self { refused: refused(&chrome, set), chrome: chrome.titled("Brake"), state, set, effect, reason }
    }
}

/// Who may pull it is more people than who may let go.
fn refused(chrome: &Chrome, set: bool) -> Option<String> {
    let (may, rule): (&[Role], _) = match set {
        true => (&[Role::Owner, Role::Admin], "Only owners and admins release the brake."),
        false => {
            (&[Role::Operator, Role::Owner, Role::Admin], "Only operators, owners and admins pull the brake.")
        }
    };
    (!may.iter().any(|role| chrome.may_anywhere(*role))).then(|| rule.to_owned())
}

/// What pulling it does.
fn pulled(running: usize) -> String {
    match running {
        0 => "No run is under way. None can start until somebody releases it.".to_owned(),
        n => format!(
            "{} at the next step boundary and no run can start, until somebody releases it. One that has taken \
                 writes away and not yet passed the point of no return is taken back, so that they return, unless its plan \
                 says that it waits.",
            if n == 1 { "1 run stops".to_owned() } else { format!("{n} runs stop") }
        ),
    }
}

/// What releasing it does. What was paused stays so.
fn released(runs: BrakedRuns) -> String {
    let approved = match runs.approved {
        0 => "Approved runs may be started; there is none now.".to_owned(),
        1 => "1 approved run may be started.".to_owned(),
        n => format!("{n} approved runs may be started."),
    };
    let paused = match runs.paused {
        0 => "No run is paused.".to_owned(),
        1 => "1 paused run stays paused until somebody resumes it.".to_owned(),
        n => format!("{n} paused runs stay paused until somebody resumes each."),
    };
    format!(
        "{approved} Readiness drills that are due begin by themselves, and canaries are written again. {paused}"
    )
}
