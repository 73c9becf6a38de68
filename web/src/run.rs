//! The live page of a run, and what it is made from. The part that changes is [`RunLive`], swapped by itself.

use askama::Template;
use muster_domain::{
    break_glass::BreakGlass,
    pair::Objectives,
    plan::Plan,
    record::{Approval, Run, RunStep},
    run::RunEvent,
};

use crate::{chrome::Chrome, parts::Course, run_live::RunLive, words};

/// Everything kept of a run, as pages need it.
#[derive(Debug, Clone, Copy)]
pub struct RunRecord<'a> {
    /// The run.
    pub run: &'a Run,
    /// The plan it carries out.
    pub plan: &'a Plan,
    /// Its steps in order; empty before it started.
    pub steps: &'a [RunStep],
    /// Its events, oldest first. The live page shows the newest sixty.
    pub events: &'a [RunEvent],
    /// Decisions, oldest first.
    pub approvals: &'a [Approval],
    /// How it was started without approval; `None` when it was not.
    pub break_glass: Option<&'a BreakGlass>,
    /// Objectives of the pair, for the clock; `None` when the pair is gone.
    pub objectives: Option<&'a Objectives>,
    /// Channels of its team that are switched on, each with its kind: `room (Slack, or compatible)`.
    pub channels: &'a [String],
}

impl RunRecord<'_> {
    /// Name of the cluster applications leave.
    pub(crate) fn from(&self) -> &str {
        self.run.course.split_once(" → ").map_or("", |(from, _)| from)
    }

    /// Name of the cluster applications move to.
    pub(crate) fn to(&self) -> &str {
        self.run.course.split_once(" → ").map_or("", |(_, to)| to)
    }

    pub(crate) fn past_no_return(&self) -> bool {
        self.run.no_return_at.is_some()
    }
}

/// `GET /runs/{id}`. Without scripts it reads itself again every five seconds, unless `hold` stops that.
#[derive(Debug, Template)]
#[template(path = "pages/run.html")]
pub struct RunPage {
    chrome: Chrome,
    id: String,
    pair: String,
    heading: String,
    course: Course,
    reason: String,
    requested_by: String,
    hold: bool,
    ended: bool,
    live: RunLive,
}

impl RunPage {
    /// The page for the signed-in person of `chrome`.
    #[must_use]
    pub fn new(chrome: Chrome, record: &RunRecord<'_>, hold: bool) -> Self {
        let run = record.run;
        let ended = run.state.ended();
        let doing = words::capital(&words::doing(run.operation, run.pair.as_str()));
        let live = RunLive::new(record, chrome.facts.person.as_ref(), &chrome.facts.brake, chrome.now());
        let mut chrome = chrome
            .titled(format!("{}: {doing}", words::run_title(run)))
            .here(words::run_name(run))
            .under("/", "Fleet")
            .under(format!("/pairs/{}", run.pair), run.pair.as_str());
        if !hold && !ended {
            chrome = chrome.refreshing(5).live();
        }
        let course = Course::of_run(&run.course).big();
        Self {
            chrome,
            id: run.id.to_string(),
            pair: run.pair.to_string(),
            heading: if ended {
                words::capital(&words::asks(run.operation, run.pair.as_str()))
            } else {
                doing
            },
            course: if run.state.holds_pair() { course.moving() } else { course },
            reason: run.reason.clone(),
            requested_by: run.requested_by.name.clone(),
            hold,
            ended,
            live,
        }
    }
}
