//! The canary on the pair's page: how long Muster's own records take, whether they arrive, and one more on request.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    canary::{CanaryState, Standing},
    pair::{Pair, Side},
    people::Role,
    problem::Problem,
    reading::Reading,
};

use crate::{
    chrome::{Brake, Chrome},
    fleet::PairFacts,
    format,
    parts::{Action, Mark, Notice, ReadingView, Tone, Unit, When},
    sign_in::notice,
};

/// What came of one record that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryTried {
    /// The flow and the partition, as people say them.
    pub place: String,
    /// Milliseconds until it was seen, or why it was not.
    pub outcome: Result<i64, String>,
}

#[derive(Debug)]
struct CanaryRow {
    place: String,
    partition: i32,
    state: Mark,
    end_to_end: Option<ReadingView>,
    hour: String,
    slowest: String,
    seen: Option<When>,
    never: String,
    waiting: String,
    said: String,
    next_step: String,
}

/// See the module.
#[derive(Debug, Template)]
#[template(path = "parts/canary.html")]
pub(crate) struct CanaryPanel {
    name: String,
    topic: String,
    every: String,
    /// One more on request; stopping it.
    acts: [Action; 2],
    rows: Vec<CanaryRow>,
}
impl HtmlSafe for CanaryPanel {}

impl CanaryPanel {
    /// `None` for a pair without a canary.
    pub(crate) fn new(chrome: &Chrome, facts: &PairFacts<'_>, canaries: &[Standing]) -> Option<Self> {
        let (pair, now) = (facts.pair, chrome.now());
        Some(Self {
            name: pair.name.to_string(),
            topic: pair.canary_topic.clone()?,
            every: format::seconds(pair.canary_seconds),
            acts: [ask(chrome, facts), stop(chrome, pair)],
            rows: canaries.iter().map(|standing| row(pair, standing, now)).collect(),
        })
    }
}

/// One more canary, or the rule by which none is written now: the act itself refuses by the same.
fn ask(chrome: &Chrome, facts: &PairFacts<'_>) -> Action {
    let pair = facts.pair;
    let label = format!("Write a canary of {} now", pair.name);
    if !chrome.may(Role::Operator, &pair.team) {
        return Action::refused(label, format!("Only operators of {} write one.", pair.team));
    }
    let rule = match (&chrome.facts.brake, facts.active_run) {
        (Brake::Set { reason, .. }, _) => {
            format!("The brake is on ({reason}). Nothing is written until it is released.")
        }
        (Brake::Unreadable { reason }, _) => {
            format!("Whether the brake is on is not known: {reason}. Nothing is written until it is.")
        }
        (Brake::Released, Some((run, _))) => {
            format!(
                "Run {} holds {} and writes a canary of its own. Wait until it ends.",
                run.number, pair.name
            )
        }
        (Brake::Released, None) if pair.unattached().count() == pair.flows.len() => {
            format!("No flow of {} is attached, so there is nowhere to write.", pair.name)
        }
        (Brake::Released, None) => {
            let effect = "Writes one record on each partition and waits at most 10 s until it is seen. It proves the way of those \
                          partitions' tasks, not of others.";
            return Action::post(format!("/pairs/{}/canary", pair.name), label, effect);
        }
    };
    Action::refused(label, rule)
}

fn stop(chrome: &Chrome, pair: &Pair) -> Action {
    let label = format!("Stop the canary of {}", pair.name);
    if chrome.may(Role::Owner, &pair.team) {
        let effect = "Says first what is no longer known without it.";
        Action::page(format!("/pairs/{}/canary/remove", pair.name), label, effect)
    } else {
        Action::refused(label, format!("Only owners of {} stop it.", pair.team))
    }
}

fn row(pair: &Pair, standing: &Standing, now: DateTime<Utc>) -> CanaryRow {
    let quiet = standing.state == CanaryState::Resting;
    // Where nothing is to be written, there is nothing to miss.
    let unless_quiet = |said: &str| if quiet { String::new() } else { said.to_owned() };
    let hour = standing.hour.map(|hour| {
        let ms = format::duration;
        (
            format!("{} / {}", ms(hour.p50_ms), ms(hour.p99_ms)),
            format!("slowest of {}: {}", format::number(hour.seen), ms(hour.max_ms)),
        )
    });
    let (hour, slowest) = hour.unwrap_or_else(|| (unless_quiet("nothing seen"), String::new()));
    CanaryRow {
        place: pair.course(standing.direction),
        partition: standing.partition,
        state: Mark::new(tone(standing.state), standing.state.said()),
        end_to_end: (!quiet)
            .then(|| ReadingView::new(&standing.end_to_end, Unit::Milliseconds, now).inline()),
        hour,
        slowest,
        seen: standing.seen.map(|seen| When::ago(now, seen.seen_at)),
        never: unless_quiet("never"),
        waiting: match standing.outstanding {
            None => unless_quiet("none"),
            Some(waiting) => {
                let (records, age) = (format::number(waiting.records), format::age(now, waiting.since));
                format!("{records}, the oldest for {age}")
            }
        },
        said: if standing.state == CanaryState::Arrives { String::new() } else { standing.reason.clone() },
        next_step: standing.next_step.clone(),
    }
}

fn tone(state: CanaryState) -> Tone {
    match state {
        CanaryState::Resting | CanaryState::Paused => Tone::Idle,
        CanaryState::Arrives => Tone::Ok,
        CanaryState::Beginning | CanaryState::Late => Tone::Warn,
        CanaryState::Unwatched | CanaryState::NotMeasured => Tone::Unk,
        CanaryState::DoesNotArrive => Tone::Bad,
    }
}

/// The canary of the flow from a side in one reading: its worst partition. `None` for a pair without a canary.
pub(crate) fn worst(pair: &Pair, canaries: &[Standing], from: Side, now: DateTime<Utc>) -> Option<Reading> {
    pair.canary_topic.as_ref()?;
    let of_flow = canaries.iter().filter(|standing| standing.direction.from == from);
    let worst = of_flow.max_by_key(|standing| (standing.end_to_end.class, standing.end_to_end.value));
    Some(match worst {
        Some(standing) => standing.end_to_end.clone(),
        None => Reading::unknown(now, "the flow is not attached, so nothing is written"),
    })
}

/// What is said above the page after somebody has asked for records.
pub(crate) fn tried(tried: &Result<Vec<CanaryTried>, Problem>) -> Notice {
    let tried = match tried {
        Ok(tried) => tried,
        Err(problem) => return notice(problem),
    };
    let said = tried.iter().map(|one| match &one.outcome {
        Ok(ms) => format!("{}: {}.", one.place, format::duration(*ms)),
        Err(reason) => format!("{}: {reason}.", one.place),
    });
    let said = said.collect::<Vec<_>>().join(" ");
    if tried.iter().all(|one| one.outcome.is_ok()) {
        Notice::new(Tone::Ok, "Written, and seen on the other side.", said)
    } else {
        Notice::new(Tone::Bad, "Not everything that was written was seen.", said)
    }
}
