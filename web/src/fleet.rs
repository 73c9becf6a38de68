//! The fleet: could we fail over now, and when did we last prove it?

pub use crate::pair_facts::{DrillDuty, Duties, PairFacts, Verification};

use askama::Template;
use chrono::{DateTime, Duration, Utc};
use muster_domain::{direction::ActiveSides, people::Role, record::Run, run::RunState};

use crate::{
    chrome::Chrome,
    format,
    pair_facts::measured_rto,
    parts::{Bar, Course, Link, Mark, Pill, ReadingView, Spark, Stamp, Tone},
    problems::{self, Cause, ProblemRow},
    readiness::{Verdict, why},
    words,
};

/// One answer and the pairs it is true of.
#[derive(Debug)]
struct Roll {
    tone: &'static str,
    icon: &'static str,
    word: &'static str,
    pairs: Vec<(String, String)>,
}

/// Somebody is needed.
#[derive(Debug)]
struct Hand {
    ask: bool,
    link: Link,
    text: String,
}

#[derive(Debug)]
struct Row {
    name: String,
    href: String,
    course: Course,
    team: String,
    pill: Pill,
    why: String,
    spark: Spark,
    rpo: ReadingView,
    objective: String,
    stamp: Stamp,
    stamp_ground: String,
    proof: Option<Proof>,
    rto_objective: String,
    now: Link,
    now_note: String,
    drill: Option<(&'static str, Link)>,
    findings: Option<Link>,
}

#[derive(Debug)]
struct Proof {
    mark: Mark,
    bar: Option<Bar>,
    rto: String,
    of: String,
}

/// `GET /`.
#[derive(Debug, Template)]
#[template(path = "pages/fleet.html")]
pub struct FleetPage {
    chrome: Chrome,
    could: String,
    could_note: String,
    could_rolls: Vec<Roll>,
    proven: String,
    proven_note: String,
    proven_rolls: Vec<Roll>,
    hands: Vec<Hand>,
    problems: Vec<ProblemRow>,
    problems_said: String,
    rows: Vec<Row>,
    said: String,
    may_import: bool,
    may_create: bool,
}

impl FleetPage {
    /// The pairs this person may read, in any order.
    #[must_use]
    pub fn new(chrome: Chrome, pairs: &[PairFacts<'_>]) -> Self {
        let now = chrome.now();
        let with = |verdict| pairs.iter().filter(|facts| facts.verdict() == verdict).count();
        let could = with(Verdict::Yes) + with(Verdict::Warnings);
        let verified =
            pairs.iter().filter(|f| matches!(f.verification, Verification::Verified { .. })).count();
        let causes: Vec<Cause> = pairs.iter().flat_map(|facts| Cause::of_pair(facts, now)).collect();
        let problems = problems::problems(&causes, now);
        let mut sorted: Vec<&PairFacts<'_>> = pairs.iter().collect();
        sorted.sort_by_cached_key(|facts| (facts.active_run.is_none(), facts.verdict(), &facts.pair.name));
        Self {
            could: format!("{could} of {} could", format::count(pairs.len(), "pair")),
            could_note: match with(Verdict::Warnings) {
                0 => String::new(),
                n => format!("{n} with warnings"),
            },
            could_rolls: could_rolls(pairs),
            proven: format!("{verified} of {} verified", format::count(pairs.len(), "plan")),
            proven_note: oldest_drill(pairs, now),
            proven_rolls: proven_rolls(pairs, now),
            hands: hands(&chrome, pairs),
            problems_said: problems::said(&causes),
            problems,
            rows: sorted.iter().map(|facts| row(facts, now)).collect(),
            said: format!("{}, those needing attention first", format::count(pairs.len(), "pair")),
            may_import: chrome.may_anywhere(Role::Owner) || chrome.may_anywhere(Role::Admin),
            may_create: chrome.may_anywhere(Role::Owner),
            chrome: chrome.titled("Fleet").following(30),
        }
    }
}

fn could_rolls(pairs: &[PairFacts<'_>]) -> Vec<Roll> {
    [
        (Verdict::Yes, "Yes"),
        (Verdict::Warnings, "With warnings"),
        (Verdict::Moving, "Moving now"),
        (Verdict::No, "No"),
        (Verdict::Unknown, "Unknown"),
    ]
    .into_iter()
    .map(|(verdict, word)| {
        let of = pairs.iter().filter(|facts| facts.verdict() == verdict);
        let named = of.map(|facts| {
            let step = facts
                .active_run
                .and_then(|(_, steps)| words::current_step(steps).map(|at| (at, steps.len())));
            let note = match (step, facts.active) {
                (Some((at, of)), _) => format!(", step {at} of {of}"),
                // No run moves such a pair, however ready it is.
                (None, ActiveSides::Both) => " (by hand: both sides are active)".to_owned(),
                (None, ActiveSides::One(_) | ActiveSides::NotKnown) => String::new(),
            };
            (facts.pair.name.to_string(), note)
        });
        let tone = verdict.tone();
        Roll { tone: tone.text_class(), icon: tone.icon(), word, pairs: named.collect() }
    })
    .filter(|roll| !roll.pairs.is_empty())
    .collect()
}

fn proven_rolls(pairs: &[PairFacts<'_>], now: DateTime<Utc>) -> Vec<Roll> {
    let mut rolls = [(Tone::Ok, "Verified"), (Tone::Warn, "Needs verification"), (Tone::Bad, "Failed")]
        .map(|(tone, word)| Roll { tone: tone.text_class(), icon: tone.icon(), word, pairs: Vec::new() });
    for facts in pairs {
        let (index, note) = match &facts.verification {
            Verification::Verified { at } => (0, format!(" {}", format::age(now, *at))),
            Verification::NeedsVerification { reason } => (1, format!(" {reason}")),
            Verification::Failed { at } => (2, format!(" {}", format::short(now, *at))),
        };
        rolls[index].pairs.push((facts.pair.name.to_string(), note));
    }
    rolls.into_iter().filter(|roll| !roll.pairs.is_empty()).collect()
}

fn oldest_drill(pairs: &[PairFacts<'_>], now: DateTime<Utc>) -> String {
    let oldest = pairs.iter().filter_map(|facts| match &facts.verification {
        Verification::Verified { at } => Some(*at),
        Verification::NeedsVerification { .. } | Verification::Failed { .. } => None,
    });
    oldest.min().map_or_else(String::new, |at| format!("oldest drill {}", format::age(now, at)))
}

fn hands(chrome: &Chrome, pairs: &[PairFacts<'_>]) -> Vec<Hand> {
    let mut hands = Vec::new();
    for facts in pairs {
        if let Some(run) = facts.waiting {
            let asks = words::asks(run.operation, run.pair.as_str());
            let left = format::left(chrome.now(), run.use_by.unwrap_or(run.decide_by));
            let (href, verb) = if run.state == RunState::Approved {
                (format!("/runs/{}", run.id), format!("Start run {}", run.number))
            } else {
                (format!("/runs/{}/approval", run.id), format!("Approve or reject run {}", run.number))
            };
            let text = format!("{asks}, {}. Asked by {}. {left} left.", run.course, run.requested_by.name);
            hands.push(Hand { ask: true, link: Link::new(href, verb), text });
        }
        if let Some((run, steps)) = facts.active_run {
            let (_, _, state) = words::run_state(run.state);
            let doing = words::capital(&words::doing(run.operation, run.pair.as_str()));
            let at = words::current_step(steps)
                .map_or_else(String::new, |at| format!(", step {at} of {}", steps.len()));
            let driver =
                run.driver.as_ref().map_or_else(String::new, |driver| format!(" {} drives.", driver.name));
            let ask =
                matches!(run.state, RunState::WaitingForInput | RunState::PausedByFailure | RunState::Stuck);
            let verb = if ask { "Decide in" } else { "Follow" };
            let link = Link::new(format!("/runs/{}", run.id), format!("{verb} run {}", run.number));
            hands.push(Hand { ask, link, text: format!("{doing}, {}. {state}{at}.{driver}", run.course) });
        }
    }
    hands.sort_by_key(|hand| !hand.ask);
    hands
}

fn row(facts: &PairFacts<'_>, now: DateTime<Utc>) -> Row {
    let pair = facts.pair;
    let name = pair.name.to_string();
    let (stamp, stamp_ground) = facts.stamp(now);
    let rto_ms = pair.objectives.rto_seconds * 1000;
    let (now_link, now_note) = match (facts.active_run, facts.waiting) {
        (Some((run, _)), _) => (
            Link::new(format!("/runs/{}", run.id), format!("Follow run {}", run.number)),
            "under way".to_owned(),
        ),
        (None, Some(run)) => {
            let page = if run.state == RunState::Approved { "" } else { "/approval" };
            (
                Link::new(format!("/runs/{}{page}", run.id), format!("Open run {}", run.number)),
                words::run_state(run.state).2.to_lowercase(),
            )
        }
        (None, None) => {
            let (label, note) = match facts.active {
                ActiveSides::Both => (format!("See what can be done with {name}"), "both sides are active"),
                ActiveSides::One(_) | ActiveSides::NotKnown => (format!("Plan moving {name}"), "no run"),
            };
            (Link::new(format!("/pairs/{name}#plan"), label), note.to_owned())
        }
    };
    Row {
        href: format!("/pairs/{name}"),
        course: facts.course(),
        team: pair.team.to_string(),
        pill: facts.readiness_pill(),
        why: if facts.active_run.is_some() {
            "no other run may start on this pair".to_owned()
        } else {
            why(facts.checks, now)
        },
        spark: Spark::new(&name, facts.history, now - Duration::hours(1), now, facts.objective_ms()),
        rpo: facts.rpo_view(now),
        objective: format!("objective {}", format::duration(facts.objective_ms())),
        stamp,
        stamp_ground,
        proof: facts.last_proof.map(|run| proof(&name, run, rto_ms, now)),
        rto_objective: format!("objective {}", format::duration(rto_ms)),
        now: now_link,
        now_note,
        drill: facts.duties.map(|duties| drill_duty(duties.drill, now)),
        findings: facts.duties.map(|duties| open_findings(&name, duties.open_findings)),
        name,
    }
}

/// A class of text, and when the next drill is due or since when one is owed.
fn drill_duty(drill: Option<DrillDuty>, now: DateTime<Utc>) -> (&'static str, Link) {
    let (class, text) = match drill {
        Some(DrillDuty::Overdue { since }) => {
            ("bad-t", format!("drill overdue since {}", format::short(now, since)))
        }
        Some(DrillDuty::Now { until }) => {
            ("warn-t", format!("drill due now, until {}", format::short(now, until)))
        }
        Some(DrillDuty::Ahead { due }) => ("quiet", format!("drill due {}", format::short(now, due))),
        None => ("quiet", "no drill scheduled".to_owned()),
    };
    (class, Link::new("/drills", text))
}

fn open_findings(pair: &str, open: i64) -> Link {
    let text = match open {
        0 => "no open finding".to_owned(),
        n => format::count(usize::try_from(n).unwrap_or(0), "open finding"),
    };
    Link::new(format!("/findings?state=open&pair={pair}"), text)
}

fn proof(pair: &str, run: &Run, rto_ms: i64, now: DateTime<Utc>) -> Proof {
    let (tone, icon, word) = words::run_state(run.state);
    let when = format::short(now, run.ended_at.unwrap_or(run.created_at));
    let rto = measured_rto(run);
    Proof {
        mark: Mark::with_icon(tone, icon, format!("{word} {when}")),
        bar: rto
            .map(|ms| Bar::against(&format!("rto:{pair}"), format!("Measured RTO of {pair}"), ms, rto_ms)),
        rto: rto.map_or_else(|| "RTO not measured".to_owned(), format::duration),
        of: format!(" of {}", format::duration(rto_ms)),
    }
}
