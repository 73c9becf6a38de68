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
    chrome::Chrome,
    format,
    parts::{Mark, Notice, ReadingView, Tone, Unit, When},
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
    may_ask: bool,
    may_stop: bool,
    rows: Vec<CanaryRow>,
}
impl HtmlSafe for CanaryPanel {}

impl CanaryPanel {
    /// `None` for a pair without a canary.
    pub(crate) fn new(chrome: &Chrome, pair: &Pair, canaries: &[Standing]) -> Option<Self> {
        let now = chrome.now();
        Some(Self {
            name: pair.name.to_string(),
            topic: pair.canary_topic.clone()?,
            every: format::seconds(pair.canary_seconds),
            may_ask: chrome.may(Role::Operator, &pair.team),
            may_stop: chrome.may(Role::Owner, &pair.team),
            rows: canaries.iter().map(|standing| row(pair, standing, now)).collect(),
        })
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
                format!("{}, since {}", format::number(waiting.records), format::age(now, waiting.since))
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
