//! What the canary of one partition of a flow says at a time: told when it is read, never when it was kept, so that silence
//! shows.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{CanarySettings, Outstanding, PERIODS, Seen, Track, Turn};
use crate::{
    pair::{Direction, Pair},
    reading::{Reading, ReadingClass},
};

/// How long a turn may take beyond its period before nobody seems to carry the canary.
const TURN_WITHIN: TimeDelta = TimeDelta::seconds(20);

/// How long a turn may be ago before nobody seems to carry the canary; within so long who takes a pair over has carried one
/// out.
#[must_use]
pub fn carried_within(settings: &CanarySettings) -> TimeDelta {
    settings.period * PERIODS + TURN_WITHIN
}

/// How a canary stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryState {
    /// Nothing is to be written on this flow as things are.
    Resting,
    /// The brake is on, or a run moves the pair.
    Paused,
    /// Its records arrive.
    Arrives,
    /// Written for less than three periods and not seen yet.
    Beginning,
    /// The newest record seen is older than two periods.
    Late,
    /// No Muster process carries it.
    Unwatched,
    /// It could not be written or not be looked for.
    NotMeasured,
    /// Nothing was seen for three periods though it is written.
    DoesNotArrive,
}

impl CanaryState {
    /// All, from best to worst.
    pub const ALL: [Self; 8] = [
        Self::Resting,
        Self::Paused,
        Self::Arrives,
        Self::Beginning,
        Self::Late,
        Self::Unwatched,
        Self::NotMeasured,
        Self::DoesNotArrive,
    ];

    /// Its word in figures and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Paused => "paused",
            Self::Arrives => "arrives",
            Self::Beginning => "beginning",
            Self::Late => "late",
            Self::Unwatched => "unwatched",
            Self::NotMeasured => "not_measured",
            Self::DoesNotArrive => "does_not_arrive",
        }
    }

    /// For people.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::Resting => "not written here now",
            Self::Paused => "paused",
            Self::Arrives => "arrives",
            Self::Beginning => "has just begun",
            Self::Late => "late",
            Self::Unwatched => "nobody writes it",
            Self::NotMeasured => "not measured",
            Self::DoesNotArrive => "does not arrive",
        }
    }
}

/// What was measured of one partition in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Hour {
    /// Records seen.
    pub seen: i64,
    /// Milliseconds within which half of them arrived.
    pub p50_ms: i64,
    /// Milliseconds within which 99 of 100 arrived.
    pub p99_ms: i64,
    /// Milliseconds of the slowest.
    pub max_ms: i64,
}

impl Hour {
    /// From single records, in any order; `None` without any. The percentile is the smallest measured value that so many
    /// records do not exceed, never one between two. `seen` and `max_ms` count those that were not kept one by one too.
    #[must_use]
    pub fn of(mut samples: Vec<i64>, seen: i64, max_ms: i64) -> Option<Self> {
        samples.sort_unstable();
        let max_ms = max_ms.max(*samples.last()?);
        let at = |percent: usize| samples[(samples.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            seen: seen.max(i64::try_from(samples.len()).ok()?),
            p50_ms: at(50),
            p99_ms: at(99),
            max_ms,
        })
    }
}

/// The canary of one partition of a flow at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The flow.
    pub direction: Direction,
    /// The partition.
    pub partition: i32,
    /// How it stands.
    pub state: CanaryState,
    /// Why, as a sentence without its point.
    pub reason: String,
    /// What to do; empty when nothing is to be done.
    pub next_step: String,
    /// Milliseconds from the source's acknowledgement to being seen on the target, of the newest record seen.
    pub end_to_end: Reading,
    /// The newest record seen, however long ago that was.
    pub seen: Option<Seen>,
    /// When the newest record was acknowledged.
    pub written_at: Option<DateTime<Utc>>,
    /// What was not seen yet.
    pub outstanding: Option<Outstanding>,
    /// The last hour.
    pub hour: Option<Hour>,
}

impl Standing {
    /// Time since the newest record was seen; `None` when none ever was.
    #[must_use]
    pub fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.seen.map(|seen| now - seen.seen_at)
    }
}

/// What is kept of a partition, read at a time; `None` where nothing is kept.
#[must_use]
pub fn judge(
    pair: &Pair,
    settings: &CanarySettings,
    (direction, partition): (Direction, i32),
    track: Option<&Track>,
    hour: Option<Hour>,
    now: DateTime<Utc>,
) -> Standing {
    let track = track.filter(|track| track.topic == settings.topic);
    let (state, reason) = match track {
        None => (CanaryState::Unwatched, "no Muster process has written it yet".to_owned()),
        Some(track) => state(pair, settings, track, now),
    };
    let seen = track.and_then(|track| track.seen);
    Standing {
        direction,
        partition,
        state,
        next_step: next_step(pair, settings, direction, state),
        end_to_end: end_to_end(state, seen, &reason, now),
        reason,
        seen,
        written_at: track.and_then(|track| track.written_at),
        outstanding: track.and_then(|track| track.outstanding),
        hour,
    }
}

fn state(pair: &Pair, settings: &CanarySettings, track: &Track, now: DateTime<Utc>) -> (CanaryState, String) {
    let turned = now - track.turned_at;
    if turned > carried_within(settings) {
        let said = format!("no Muster process has looked after it for {} s", turned.num_seconds());
        return (CanaryState::Unwatched, said);
    }
    let failed = match &track.last {
        Turn::Rested { reason } => return (CanaryState::Resting, reason.clone()),
        Turn::Paused { reason } => return (CanaryState::Paused, reason.clone()),
        Turn::Wrote => None,
        Turn::Failed { reason } => Some(reason),
    };
    let silent_since = track.seen.map(|seen| seen.seen_at).max(track.since);
    // Up to the newest turn: what nobody has looked for since then may have arrived.
    let silent = silent_since.map(|since| track.turned_at - since);
    let there = pair.cluster(track.direction.to());
    match (failed, silent, track.seen) {
        (Some(reason), None, _) => (CanaryState::NotMeasured, reason.clone()),
        (Some(reason), Some(silent), _) if silent > settings.period * PERIODS => {
            (CanaryState::NotMeasured, reason.clone())
        }
        (None, Some(silent), seen) if silent > settings.period * PERIODS => {
            (CanaryState::DoesNotArrive, lost_from_sight(track, seen, there.as_str(), now))
        }
        // Silence after a pause is counted from its end.
        (_, _, Some(seen)) if now - seen.seen_at <= settings.period * 2 => match failed {
            None => (CanaryState::Arrives, format!("the newest record arrived in {} ms", seen.ms)),
            Some(reason) => (CanaryState::Late, reason.clone()),
        },
        (_, _, Some(seen)) => {
            let age = (now - seen.seen_at).num_seconds();
            (CanaryState::Late, format!("the newest record was seen on `{there}` {age} s ago"))
        }
        (_, _, None) => {
            (CanaryState::Beginning, format!("it has just begun and was not seen on `{there}` yet"))
        }
    }
}

fn lost_from_sight(track: &Track, seen: Option<Seen>, there: &str, now: DateTime<Utc>) -> String {
    let waiting = track.outstanding.map(|outstanding| {
        let age = (now - outstanding.since).num_seconds();
        format!("; {} written and not seen, the first {age} s ago", outstanding.records)
    });
    let last = match seen {
        _ if track.copy_missing => format!("`{there}` has no copy of `{}`", track.topic),
        Some(seen) => {
            format!("nothing was seen on `{there}` for {} s", (now - seen.seen_at).num_seconds())
        }
        None => format!("nothing was ever seen on `{there}`"),
    };
    format!("{last}{}", waiting.unwrap_or_default())
}

/// A value is current only while records arrive; whatever else is told of it stays with its age.
fn end_to_end(state: CanaryState, seen: Option<Seen>, reason: &str, now: DateTime<Utc>) -> Reading {
    let Some(seen) = seen else { return Reading::unknown(now, reason) };
    match state {
        CanaryState::Arrives => Reading::new(seen.ms, ReadingClass::Exact, seen.seen_at, ""),
        CanaryState::Late | CanaryState::DoesNotArrive | CanaryState::Paused | CanaryState::Beginning => {
            Reading::new(seen.ms, ReadingClass::Stale, seen.seen_at, reason)
        }
        CanaryState::Resting | CanaryState::Unwatched | CanaryState::NotMeasured => {
            Reading::unknown(seen.seen_at, reason)
        }
    }
}

fn next_step(pair: &Pair, settings: &CanarySettings, direction: Direction, state: CanaryState) -> String {
    let topic = &settings.topic;
    let (from, to) = (pair.cluster(direction.from), pair.cluster(direction.to()));
    match state {
        CanaryState::Resting
        | CanaryState::Paused
        | CanaryState::Arrives
        | CanaryState::Beginning
        | CanaryState::Late => String::new(),
        CanaryState::Unwatched => {
            "Look whether a Muster process observes this pair; canaries are written by the same one."
                .to_owned()
        }
        CanaryState::NotMeasured => format!(
            "Remove what the reason names: Muster needs Create, Describe and Write on `{topic}` of `{from}`, and Describe \
             and Read on its copy on `{to}`."
        ),
        CanaryState::DoesNotArrive => format!(
            "Look at the source connector's tasks and worker log, whether its `topics` name `{topic}`, and whether it may \
             write the copy on `{to}`. It looks for new topics every refresh.topics.interval.seconds only."
        ),
    }
}
