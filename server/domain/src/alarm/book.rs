//! Alarms as they are kept: opened by a survey, seen again by later ones, ended by a survey or by a person.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Alarm, AlarmCode, Judged, MOST_PLACES, MOST_SUBJECTS, THE_REST};
use crate::{
    ids::{PairName, TeamName},
    notification::{Event, Severity},
};

/// Places named in a message.
const MOST_TOLD: usize = 5;

/// How an alarm ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ending {
    /// When.
    pub at: DateTime<Utc>,
    /// Who acknowledged it; null when a survey showed that its cause is gone.
    pub by: Option<String>,
    /// What they said of it.
    pub comment: String,
}

/// An alarm as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StandingAlarm {
    /// Its id.
    pub id: Uuid,
    /// Counts up over all alarms.
    pub number: i64,
    /// The pair it is about.
    #[schema(value_type = String)]
    pub pair: PairName,
    /// The pair's team.
    #[schema(value_type = String)]
    pub team: TeamName,
    /// What is wrong, as the newest survey that showed it says.
    pub alarm: Alarm,
    /// `critical` or `warning`.
    pub severity: String,
    /// Number of the survey that opened it.
    pub opened_survey: i64,
    /// When that survey began.
    pub opened_at: DateTime<Utc>,
    /// When the newest survey that showed it began.
    pub last_seen_at: DateTime<Utc>,
    /// Why it could not be looked at again since then; empty when it could.
    pub not_seen_because: String,
    /// How it ended; null while it is open.
    pub ended: Option<Ending>,
}

impl StandingAlarm {
    /// Whether somebody may acknowledge it: it tells of something that happened and is not undone by itself.
    #[must_use]
    pub fn waits_for_somebody(&self) -> bool {
        self.ended.is_none() && self.alarm.code.stays()
    }

    /// Whether it counts as a problem and not only as a warning: it is critical, or nobody can see whether it is over.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !self.not_seen_because.is_empty() || self.alarm.severity() == Severity::Critical
    }

    /// What the team is told of it.
    #[must_use]
    pub fn event(&self, over: bool) -> Event {
        let alarm = &self.alarm;
        let mut places: Vec<String> = alarm
            .places
            .iter()
            .take(MOST_TOLD)
            .map(|place| format!("{} {}", place.name, place.said))
            .collect();
        let more = alarm.places.len().saturating_sub(MOST_TOLD) + alarm.more_places;
        if more > 0 {
            places.push(format!("and {more} more"));
        }
        Event::Alarm {
            pair: self.pair.clone(),
            id: self.id,
            number: Some(self.number),
            code: alarm.code,
            likely: alarm.likely,
            about: alarm.subject.clone(),
            said: alarm.said.clone(),
            places,
            since: alarm.since.said(),
            lost: alarm.lost.said(),
            next: alarm.next_step.clone(),
            over,
        }
    }
}

/// What a survey does to the alarms of its pair.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new one.
    Open(Alarm),
    /// It still stands, perhaps with more places; told again when `grown`.
    Seen {
        /// Which.
        id: Uuid,
        /// As it is now.
        alarm: Alarm,
        /// Whether it has places or losses it did not have, or is proven now.
        grown: bool,
    },
    /// It could not be looked at.
    NotSeen {
        /// Which.
        id: Uuid,
        /// Why.
        reason: String,
    },
    /// It happened and stays until somebody acknowledges it; nothing new.
    Stays {
        /// Which.
        id: Uuid,
    },
    /// Its cause is gone.
    End {
        /// Which.
        id: Uuid,
    },
}

/// What has to be done so that the open alarms of a pair are those that stand. Nothing ends that could not be looked at.
#[must_use]
pub fn settle(open: &[StandingAlarm], mut judged: Judged) -> Vec<Change> {
    let mut standing = bounded(open, std::mem::take(&mut judged.standing));
    let mut changes = Vec::new();
    for kept in open {
        let change = match (standing.remove(&key(&kept.alarm)), judged.why_unknown(&kept.alarm)) {
            (Some(now), _) => {
                let alarm = merged(&kept.alarm, now);
                let more = kept.alarm.code.stays()
                    && (alarm.lost != kept.alarm.lost || alarm.places.len() > kept.alarm.places.len());
                let grown = more || (kept.alarm.likely && !alarm.likely);
                Change::Seen { id: kept.id, alarm, grown }
            }
            (None, Some(reason)) => Change::NotSeen { id: kept.id, reason: reason.clone() },
            (None, None) if kept.alarm.code.stays() => Change::Stays { id: kept.id },
            (None, None) => Change::End { id: kept.id },
        };
        changes.push(change);
    }
    let ended =
        |id: &Uuid| changes.iter().any(|change| matches!(change, Change::End { id: over } if over == id));
    let staying = open.iter().filter(|kept| !ended(&kept.id));
    let mut taken: BTreeSet<(AlarmCode, String)> =
        staying.map(|kept| (kept.alarm.code, kept.alarm.subject.clone())).collect();
    // One is open of each code and subject: the same of another flow has its course behind it.
    let opened: Vec<Change> = standing
        .into_values()
        .map(|alarm| {
            let free = taken.insert((alarm.code, alarm.subject.clone()));
            Change::Open(if free { alarm } else { alarm.naming_its_course() })
        })
        .collect();
    changes.extend(opened);
    changes
}

/// What makes an alarm another one: its code, its flow, and what it is about.
type Key = (AlarmCode, String, String);

fn key(alarm: &Alarm) -> Key {
    (alarm.code, alarm.course.clone(), alarm.about().to_owned())
}

/// What was so when it began stays: since when it is so, that it was proven, and how its subject is written. What happened before stays
/// too when it happens again.
fn merged(kept: &Alarm, now: Alarm) -> Alarm {
    let likely = kept.likely && now.likely;
    let now = Alarm { subject: kept.subject.clone(), ..now };
    if !kept.code.stays() {
        return Alarm { since: kept.since, likely, ..now };
    }
    let same = |one: &super::Place, other: &super::Place| one.name == other.name && one.mark == other.mark;
    let mut places: Vec<super::Place> =
        kept.places.iter().filter(|old| !now.places.iter().any(|new| same(old, new))).cloned().collect();
    // What was lost at places beyond those that are named is in the sum only.
    let unnamed = kept
        .lost
        .at_most
        .zip(super::Lost::at_all(&kept.places).at_most)
        .map_or(0, |(all, named)| all.saturating_sub(named).max(0));
    let more = kept.more_places;
    places.extend(now.places.iter().cloned());
    let mut lost = super::Lost::at_all(&places);
    lost.at_most = lost.at_most.map(|most| most.saturating_add(unnamed));
    let beyond = places.len().saturating_sub(MOST_PLACES);
    places.truncate(MOST_PLACES);
    Alarm { since: kept.since, likely, places, more_places: more + now.more_places + beyond, lost, ..now }
}

/// One alarm a subject, and one for all subjects there is no room for, of each flow. Those that are open already keep theirs.
fn bounded(open: &[StandingAlarm], standing: Vec<Alarm>) -> BTreeMap<Key, Alarm> {
    let mut kept = BTreeMap::new();
    let is_open = |alarm: &Alarm| open.iter().any(|kept| kept.alarm.is_same_as(alarm));
    let mut counts: BTreeMap<(AlarmCode, String), usize> = BTreeMap::new();
    // What happened is told once and stays: it keeps its place though this survey does not show it.
    for kept in
        open.iter().map(|kept| &kept.alarm).filter(|kept| kept.code.stays() && kept.about() != THE_REST)
    {
        let shown = standing.iter().any(|now| now.is_same_as(kept));
        *counts.entry((kept.code, kept.course.clone())).or_default() += usize::from(!shown);
    }
    let (known, new): (Vec<Alarm>, Vec<Alarm>) = standing.into_iter().partition(is_open);
    for alarm in known.into_iter().chain(new) {
        let count = counts.entry((alarm.code, alarm.course.clone())).or_default();
        *count += 1;
        if *count <= MOST_SUBJECTS {
            kept.insert(key(&alarm), alarm);
            continue;
        }
        let key = (alarm.code, alarm.course.clone(), THE_REST.to_owned());
        let rest = kept.entry(key).or_insert_with(|| the_rest(&alarm));
        rest.lost = rest.lost.and(alarm.lost);
        rest.likely &= alarm.likely;
        if rest.places.len() < MOST_PLACES {
            let mark = alarm.places.first().map_or(0, |place| place.mark);
            let place = super::Place::new(alarm.about(), &alarm.said).losing(mark, alarm.lost);
            rest.places.push(place);
        } else {
            rest.more_places += 1;
        }
    }
    kept
}

/// The alarm of all subjects there is no room for, by the first of them.
fn the_rest(first: &Alarm) -> Alarm {
    let rest = Alarm {
        subject: THE_REST.to_owned(),
        said: format!("So it is with more than {MOST_SUBJECTS}: there is one alarm for all others."),
        places: Vec::new(),
        more_places: 0,
        lost: super::Lost::NOTHING,
        ..first.clone()
    };
    if first.about() == first.subject { rest } else { rest.naming_its_course() }
}
