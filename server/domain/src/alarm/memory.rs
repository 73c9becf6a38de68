//! What has to be remembered from one survey to the next beyond the survey itself: little while everything is readable.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::view::View;
use crate::{
    pair::{Direction, Side},
    survey::{CommittedSourceOffsets, ConnectorRole, NewestPairs, TopicObservation},
};

/// Topics that are gone and remembered, of one side: enough to know one again that is made anew.
const MOST_GONE: usize = 20_000;

/// See the module. Kept in the database, so that a restart or another process changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The way records flowed when that was last told.
    pub(super) active: Option<Direction>,
    /// Topics as they were last seen, of those the newest survey does not show.
    pub(super) topics: BTreeMap<Side, BTreeMap<String, LastTopic>>,
    /// Committed source offsets of the active flow, while they are unreadable.
    pub(super) committed: Option<CommittedSourceOffsets>,
    /// Newest offset pairs of the active flow, while they are unreadable.
    pub(super) pairs: Option<NewestPairs>,
    /// When the survey before the newest one began.
    pub(super) before_last: Option<DateTime<Utc>>,
    /// Since when something that must last before it is an alarm has been so.
    pub(super) streaks: BTreeMap<String, Streak>,
    /// Partitions of the active flow between the last two surveys to which something came, or may have come: by topic.
    pub(super) busy: BTreeMap<String, BTreeSet<i32>>,
    /// Whether `busy` is complete; otherwise every partition counts as busy.
    pub(super) busy_known: bool,
    /// Up to where what a source removed before it was copied has been judged, by that side and topic: no offset is told twice.
    pub(super) gone: BTreeMap<Side, BTreeMap<String, Gone>>,
    /// How many tasks the active flow's connectors had.
    pub(super) tasks: BTreeMap<ConnectorRole, Tasks>,
    /// Where both flows are judged, what is about the other one: all of this but what is about sides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) other: Option<Box<Memory>>,
}

/// What a topic's source removed before it was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    /// The topic's id: one that is made anew begins at offset 0.
    pub(super) id: Option<Uuid>,
    /// By partition, the first offset that was not judged: those before it were told, or were no records.
    pub(super) until: BTreeMap<i32, i64>,
}

/// The most tasks a connector had while nothing changed that decides how many it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tasks {
    /// How many.
    pub(super) count: i32,
    /// What there was to do: partitions, or groups.
    pub(super) work: i32,
    /// Its settings that decide.
    pub(super) settings: String,
}

/// A topic as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastTopic {
    /// Its id.
    pub(super) id: Option<Uuid>,
    /// First offset and end of its partitions.
    pub(super) offsets: Vec<(Option<i64>, Option<i64>)>,
    /// When.
    pub(super) seen_at: DateTime<Utc>,
}

impl LastTopic {
    pub(super) fn of(topic: &TopicObservation, seen_at: DateTime<Utc>) -> Self {
        let offsets = topic.partitions.iter().map(|partition| (partition.start, partition.end)).collect();
        Self { id: topic.id, offsets, seen_at }
    }
}

/// Something that is so for some surveys in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Streak {
    /// Surveys that showed it, without a gap; those that were brought forward are not counted.
    pub(super) surveys: u32,
    /// The last survey that did not show it.
    pub(super) after: Option<DateTime<Utc>>,
    /// The first that did.
    pub(super) by: DateTime<Utc>,
    /// A figure that must stay the same all along.
    pub(super) figure: i64,
}

impl Memory {
    /// The way records flowed when that was last told; of two, this one if it is one of them.
    #[must_use]
    pub fn active(&self, asked: Direction) -> Option<Direction> {
        let other = self.other.as_ref().and_then(|other| other.active);
        other.filter(|other| *other == asked).or(self.active)
    }

    /// Whether both flows were judged at the last survey.
    pub(super) fn is_of_both(&self) -> bool {
        self.other.is_some()
    }

    /// What is remembered of one of two flows; nothing but what is about sides where it was not judged before.
    pub(super) fn of(&self, way: Direction) -> Cow<'_, Self> {
        if self.active == Some(way) {
            return Cow::Borrowed(self);
        }
        let other = self.other.as_deref().filter(|other| other.active == Some(way));
        Cow::Owned(Self {
            topics: self.topics.clone(),
            gone: self.gone.clone(),
            before_last: self.before_last,
            ..other.cloned().unwrap_or_default()
        })
    }

    /// With what is remembered of the flow from the other side. What is about sides is kept once.
    pub(super) fn beside(mut self, side: Side, mut other: Self) -> Self {
        self.gone.extend(other.gone.remove(&side).map(|gone| (side, gone)));
        other.gone.clear();
        other.topics.clear();
        self.other = Some(Box::new(other));
        self
    }

    /// A run changes on purpose what the rules would take for trouble. Ids of topics it never changes, nor what is gone.
    pub(super) fn forget_what_runs_change(&mut self) {
        let topics = std::mem::take(&mut self.topics);
        let gone = std::mem::take(&mut self.gone);
        *self = Self { topics, gone, ..Self::default() };
    }

    /// Up to which offset it is judged what a source partition has removed.
    pub(super) fn judged_until(&self, side: Side, topic: &str, number: i32) -> Option<i64> {
        self.gone.get(&side)?.get(topic)?.until.get(&number).copied()
    }

    /// Everything before this offset is judged.
    pub(super) fn judged(&mut self, side: Side, (topic, id): (&str, Option<Uuid>), number: i32, until: i64) {
        let topics = self.gone.entry(side).or_default();
        let gone = topics.entry(topic.to_owned()).or_insert_with(|| Gone { id, until: BTreeMap::new() });
        gone.until.insert(number, until);
    }

    /// Counts one more survey in which something is so; begins anew when its figure is another one. A survey that was brought forward goes
    /// on with what is so and counts for nothing: with the one before it is hardly longer than a single look.
    pub(super) fn again(&mut self, view: &View<'_>, key: String, figure: i64) -> Streak {
        let before = view.memory.streaks.get(&key).filter(|streak| streak.figure == figure);
        let streak = match before {
            Some(streak) => {
                let more = u32::from(!view.survey.brought_forward);
                Streak { surveys: streak.surveys.saturating_add(more), ..streak.clone() }
            }
            None => {
                let since = view.just_now();
                Streak { surveys: 1, after: since.after, by: since.by, figure }
            }
        };
        self.streaks.insert(key, streak.clone());
        streak
    }

    /// The same for what one survey is enough for: it counts as so many, also when the next one is brought forward.
    pub(super) fn surely(&mut self, view: &View<'_>, key: &str, surveys: u32) -> Streak {
        let streak = self.again(view, key.to_owned(), 0);
        let streak = Streak { surveys: streak.surveys.max(surveys), ..streak };
        self.streaks.insert(key.to_owned(), streak.clone());
        streak
    }

    /// The same for what the survey before showed too. Only from the second on it is remembered, so that what is different
    /// in every survey (a transaction that is under way just now) takes no place.
    pub(super) fn still(
        &mut self,
        view: &View<'_>,
        key: String,
        figure: i64,
        was: Option<i64>,
    ) -> Option<Streak> {
        let kept = view.memory.streaks.get(&key).is_some_and(|streak| streak.figure == figure);
        if kept {
            return Some(self.again(view, key, figure));
        }
        let previous = view.previous.filter(|_| was == Some(figure))?;
        let surveys = if view.survey.brought_forward { 1 } else { 2 };
        let streak = Streak { surveys, after: view.memory.before_last, by: previous.began_at, figure };
        self.streaks.insert(key, streak.clone());
        Some(streak)
    }

    /// Keeps the streaks of a kind as they were: what they are about could not be read.
    pub(super) fn keep_streaks(&mut self, view: &View<'_>, prefix: &str) {
        let kept = view.memory.streaks.iter().filter(|(key, _)| key.starts_with(prefix));
        self.streaks.extend(kept.map(|(key, streak)| (key.clone(), streak.clone())));
    }
}

/// What the newest survey adds; the rules add their streaks.
pub(super) fn next(view: &View<'_>) -> Memory {
    let mut memory = Memory {
        active: view.active.as_ref().ok().copied().or(view.memory.active),
        before_last: view.previous.map(|previous| previous.began_at),
        ..Memory::default()
    };
    for side in Side::BOTH {
        let mut last = view.memory.topics.get(&side).cloned().unwrap_or_default();
        let before = view.previous.map(|survey| &survey.sides.get(side).topics);
        let now = view.survey.sides.get(side).topics.value();
        if let Some(Some(topics)) = before.map(|topics| topics.value()) {
            let at = view.previous.map_or(view.survey.began_at, |previous| previous.began_at);
            let hidden = topics.iter().filter(|(name, _)| now.is_none_or(|now| !now.contains_key(*name)));
            last.extend(hidden.map(|(name, topic)| (name.clone(), LastTopic::of(topic, at))));
        }
        if let Some(now) = now {
            last.retain(|name, _| !now.contains_key(name));
            while last.len() > MOST_GONE {
                last.pop_first();
            }
        }
        memory.topics.insert(side, last);
    }
    memory.gone.clone_from(&view.memory.gone);
    for (side, gone) in &mut memory.gone {
        if let Ok(now) = view.topics(*side) {
            gone.retain(|name, gone| now.get(name).is_some_and(|topic| topic.id == gone.id));
        }
    }
    if memory.active == view.memory.active {
        memory.tasks.clone_from(&view.memory.tasks);
    }
    if let Some(flow) = view.observed() {
        let before = view.previous_flow();
        if flow.committed.value().is_none() {
            let last = before.and_then(|flow| flow.committed.value());
            memory.committed = last.or(view.memory.committed.as_ref()).cloned();
        }
        if flow.newest_pairs.value().is_none() {
            let last = before.and_then(|flow| flow.newest_pairs.value());
            memory.pairs = last.or(view.memory.pairs.as_ref()).cloned();
        }
    }
    memory
}
