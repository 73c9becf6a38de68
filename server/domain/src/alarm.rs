//! Silent loss: what goes wrong while everything says it is well. A closed list of alarms, judged from what surveys show.
//!
//! Rules are pure over the newest survey, the one before, and the little that has to be remembered from earlier ones
//! ([`Memory`]). An input that is unknown neither raises nor ends an alarm: what stood before stands on, as not seen again.
//! Positions of groups and offset syncs are whatever somebody wrote: sums and differences of them saturate, for one that wraps
//! round would prove what is not so.

mod book;
mod code;
mod connectors;
mod copying;
mod leftover;
mod memory;
mod settings;
mod stalled;
mod standby;
mod tasks;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_doubt;
#[cfg(test)]
mod tests_of_keeping;
#[cfg(test)]
mod tests_of_numbers;
#[cfg(test)]
mod tests_of_writers;
mod topics;
mod view;
mod ways;
mod writers;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    book::{Change, Ending, StandingAlarm, settle},
    code::AlarmCode,
    memory::Memory,
};
pub(crate) use self::{
    settings::{live_identity_flows, rewriting},
    standby::{blocks_syncing, reads_copies_itself},
};
use self::{view::View, ways::Ways};
use crate::{
    cluster::Cluster,
    notification::Severity,
    pair::{BySide, Pair},
    survey::Survey,
    topic::TopicPartition,
};

/// Places named with one alarm; the rest is counted.
const MOST_PLACES: usize = 20;
/// Subjects of one code that have an alarm of their own; the rest is one alarm together.
const MOST_SUBJECTS: usize = 20;
/// The subject of the alarm that stands for all subjects beyond [`MOST_SUBJECTS`].
const THE_REST: &str = "others";

/// When it began, by Muster's clock: after one survey and by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Since {
    /// The last survey that did not show it; null when it was so when Muster first looked.
    pub after: Option<DateTime<Utc>>,
    /// The first survey that showed it.
    pub by: DateTime<Utc>,
}

impl Since {
    /// In words.
    #[must_use]
    pub fn said(&self) -> String {
        let time = |at: DateTime<Utc>| at.format("%-d %b %Y %H:%M:%S").to_string();
        match self.after {
            Some(after) => format!("between {} and {} UTC", time(after), time(self.by)),
            None => format!("before {} UTC, when Muster first looked", time(self.by)),
        }
    }
}

/// Records lost. Null is not known, never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lost {
    /// At least so many.
    pub at_least: Option<i64>,
    /// At most so many.
    pub at_most: Option<i64>,
}

impl Lost {
    /// Nothing is lost by it.
    pub const NOTHING: Self = Self { at_least: Some(0), at_most: Some(0) };

    /// Between none and so many: offsets also count what is no record (markers, compacted records).
    #[must_use]
    pub fn up_to(most: i64) -> Self {
        Self { at_least: None, at_most: Some(most) }
    }

    /// In words.
    #[must_use]
    pub fn said(&self) -> String {
        match (self.at_least, self.at_most) {
            (_, Some(0)) => "no record".to_owned(),
            (Some(least), Some(most)) if least == most => format!("{most} records"),
            (None | Some(0), Some(most)) => format!("at most {most} records"),
            (Some(least), Some(most)) => format!("{least} to {most} records"),
            (None | Some(0), None) => "not known".to_owned(),
            (Some(least), None) => format!("at least {least} records"),
        }
    }

    /// At all of some places.
    fn at_all(places: &[Place]) -> Self {
        places.iter().map(|place| place.lost).reduce(Self::and).unwrap_or(Self::NOTHING)
    }

    /// Both together; what is not known of one is not known of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let at_least = match (self.at_least, other.at_least) {
            (None, None) => None,
            (one, another) => Some(one.unwrap_or(0).saturating_add(another.unwrap_or(0))),
        };
        let at_most = self.at_most.zip(other.at_most).map(|(one, another)| one.saturating_add(another));
        Self { at_least, at_most }
    }
}

/// Where exactly: a partition, a setting, a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Place {
    /// `orders-0`.
    pub name: String,
    /// What is so there: `offsets 1000 to 1699`.
    pub said: String,
    /// What tells two occurrences at one place apart: the first offset concerned, or 0.
    #[serde(default)]
    pub mark: i64,
    /// Records lost there.
    pub lost: Lost,
    /// The partition of the source whose lag tells more of it; null where it is none, or one of the target's topics only.
    #[serde(default)]
    pub partition: Option<TopicPartition>,
}

impl Place {
    fn new(name: impl Into<String>, said: impl Into<String>) -> Self {
        Self { name: name.into(), said: said.into(), mark: 0, lost: Lost::NOTHING, partition: None }
    }

    /// A partition of the source.
    fn of(partition: TopicPartition, said: impl Into<String>) -> Self {
        Self { partition: Some(partition.clone()), ..Self::new(partition.to_string(), said) }
    }

    fn losing(self, mark: i64, lost: Lost) -> Self {
        Self { mark, lost, ..self }
    }
}

/// An alarm that stands, as a survey shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alarm {
    /// Which.
    pub code: AlarmCode,
    /// The topic, group, connector or transaction it is about: one alarm of a code and subject is open at a time. Where both flows are
    /// judged, or an alarm about the same of the other flow is open, the course stands behind it: `orders (eu-west → eu-central)`.
    pub subject: String,
    /// The flow it concerns: `eu-west → eu-central`.
    pub course: String,
    /// True when it is likely and not proven: its facts say what would have to be so for nothing to be wrong. It is a
    /// warning then, whatever its code.
    #[serde(default)]
    pub likely: bool,
    /// What is so, in a sentence.
    pub said: String,
    /// Where, at most 20 places.
    pub places: Vec<Place>,
    /// Places beyond those.
    pub more_places: usize,
    /// Since when.
    pub since: Since,
    /// Records lost.
    pub lost: Lost,
    /// What it is concluded from.
    pub facts: Vec<String>,
    /// What to do.
    pub next_step: String,
    /// A command for it, to be copied; null when there is none.
    pub command: Option<String>,
}

impl Alarm {
    fn of(code: AlarmCode, subject: impl Into<String>, view: &View<'_>, said: impl Into<String>) -> Self {
        Self {
            code,
            subject: subject.into(),
            course: view.course(),
            likely: false,
            said: said.into(),
            places: Vec::new(),
            more_places: 0,
            since: view.just_now(),
            lost: Lost::NOTHING,
            facts: Vec::new(),
            next_step: String::new(),
            command: None,
        }
    }

    /// What it is about, without the course.
    fn about(&self) -> &str {
        let course = format!(" ({})", self.course);
        self.subject.strip_suffix(course.as_str()).unwrap_or(&self.subject)
    }

    /// With the course behind its subject.
    fn naming_its_course(self) -> Self {
        let subject = format!("{} ({})", self.about(), self.course);
        Self { subject, ..self }
    }

    /// Whether both are one alarm: the same of the same flow. What is so of one flow is another thing than what is so of the other.
    fn is_same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.course == other.course && self.about() == other.about()
    }

    /// With its places, and what is lost at all of them.
    fn at(mut self, places: Vec<Place>) -> Self {
        self.lost = Lost::at_all(&places);
        self.more_places = places.len().saturating_sub(MOST_PLACES);
        self.places = places;
        self.places.truncate(MOST_PLACES);
        self
    }

    fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }

    fn lost(self, lost: Lost) -> Self {
        Self { lost, ..self }
    }

    /// What would have to be so for nothing to be wrong.
    fn unless(self, doubt: impl Into<String>) -> Self {
        Self { likely: true, ..self.fact(doubt) }
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.likely { Severity::Warning } else { self.code.severity() }
    }

    fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    fn next(self, step: impl Into<String>, command: Option<String>) -> Self {
        Self { next_step: step.into(), command, ..self }
    }
}

/// What a survey says about all alarms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Those that stand.
    pub standing: Vec<Alarm>,
    /// Those that could not be judged, whole or in part, and why.
    pub unknown: BTreeMap<AlarmCode, String>,
    /// The same of one flow, by its course, where both are judged.
    pub unknown_of: BTreeMap<(AlarmCode, String), String>,
}

impl Judged {
    /// Nothing could be judged, for one reason.
    #[must_use]
    pub fn nothing(reason: &str) -> Self {
        let unknown = AlarmCode::ALL.into_iter().map(|code| (code, reason.to_owned()));
        Self { unknown: unknown.collect(), ..Self::default() }
    }

    /// Of two rules that say the same of one subject the second only adds what it is concluded from, unless it proves what
    /// the first takes for likely.
    fn raise(&mut self, mut alarm: Alarm) {
        let same = |one: &&mut Alarm| one.is_same_as(&alarm);
        match self.standing.iter_mut().find(same) {
            Some(first) => {
                if first.likely && !alarm.likely {
                    std::mem::swap(first, &mut alarm);
                }
                first.facts.extend(alarm.facts);
            }
            None => self.standing.push(alarm),
        }
    }

    fn unknown(&mut self, code: AlarmCode, reason: impl Into<String>) {
        self.unknown.entry(code).or_insert_with(|| reason.into());
    }

    /// Why it cannot be told whether an open alarm still stands.
    fn why_unknown(&self, open: &Alarm) -> Option<&String> {
        let of_flow = || self.unknown_of.get(&(open.code, open.course.clone()));
        self.unknown.get(&open.code).or_else(of_flow)
    }

    /// Adds what is so of one of two flows that are both judged.
    fn add_flow(&mut self, course: &str, of_flow: Self) {
        self.standing.extend(of_flow.standing.into_iter().map(Alarm::naming_its_course));
        let unknown = of_flow.unknown.into_iter();
        self.unknown_of.extend(unknown.map(|(code, reason)| ((code, course.to_owned()), reason)));
    }
}

/// What alarms are judged from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// Its clusters.
    pub clusters: &'a BySide<Cluster>,
    /// The newest survey.
    pub survey: &'a Survey,
    /// The survey before it.
    pub previous: Option<&'a Survey>,
    /// What was remembered after that one.
    pub memory: &'a Memory,
    /// The run that moves the pair now, by its number. What it does on purpose is no alarm, so nothing is judged.
    pub moved_by: Option<i64>,
}

/// Judges every alarm; answers also what has to be remembered for the next survey. Where both flows copy under distinct names each is
/// judged by itself.
#[must_use]
pub fn judge(inputs: Inputs<'_>) -> (Judged, Memory) {
    let ways = Ways::of(inputs);
    if let Some(number) = inputs.moved_by {
        let mut memory = ways.remembered(inputs);
        memory.forget_what_runs_change();
        return (Judged::nothing(&format!("run {number} moves the pair")), memory);
    }
    match ways {
        Ways::One(active) => ways::judge_one(inputs, active),
        Ways::Both => ways::judge_both(inputs),
    }
}

/// What is so of the flow that a view is of.
fn judge_flow(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    connectors::judge(view, judged, memory);
    if let Err(reason) = &view.active {
        for code in [topics::CODES, copying::CODES, standby::CODES].concat() {
            judged.unknown(code, reason);
        }
        return;
    }
    topics::judge(view, judged);
    copying::judge(view, judged, memory);
    standby::judge(view, judged, memory);
}
