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

impl BrakePage {
    /// The brake as it is in `chrome`; `running` is how many runs would stop at their next step.
    #[must_use]
    pub fn new(chrome: Chrome, running: usize, errors: &[(String, String)]) -> Self {
        let may =
            [Role::Operator, Role::Owner, Role::Admin].into_iter().any(|role| chrome.may_anywhere(role));
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
        let refused = (!may).then(|| "Only operators, owners and administrators touch the brake.".to_owned());
        let effect = match running {
            0 => "No run is under way. None can start until somebody releases it.".to_owned(),
            n => format!(
                "{} at the next step boundary and no run can start, until somebody releases it. One that has taken \
                 writes away and not yet passed the point of no return is taken back, so that they return, unless its plan \
                 says that it waits.",
                if n == 1 { "1 run stops".to_owned() } else { format!("{n} runs stop") }
            ),
        };
        let reason = Field::area("reason", "Why, shown on every page", "", 2).required().errors(errors);
        Self { chrome: chrome.titled("Brake"), state, set, refused, effect, reason }
    }
}
