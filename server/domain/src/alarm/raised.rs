//! An alarm as a survey shows it: what is so, where, since when, and what is lost by it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AlarmCode, MOST_PLACES, behind::Behind, view::View};
use crate::{notification::Severity, topic::TopicPartition};

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
    /// Nobody knows how many are lost by it, if any.
    pub const UNKNOWN: Self = Self { at_least: None, at_most: None };

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
    pub(super) fn at_all(places: &[Place]) -> Self {
        places.iter().map(|place| place.lost).reduce(Self::and).unwrap_or(Self::NOTHING)
    }

    /// The wider of two intervals about the same records.
    pub(super) fn worse(self, other: Self) -> Self {
        let at_least = self.at_least.zip(other.at_least).map(|(one, another)| one.min(another));
        let at_most = self.at_most.zip(other.at_most).map(|(one, another)| one.max(another));
        Self { at_least, at_most }
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
    pub(super) fn new(name: impl Into<String>, said: impl Into<String>) -> Self {
        Self { name: name.into(), said: said.into(), mark: 0, lost: Lost::NOTHING, partition: None }
    }

    /// A partition of the source.
    pub(super) fn of(partition: TopicPartition, said: impl Into<String>) -> Self {
        Self { partition: Some(partition.clone()), ..Self::new(partition.to_string(), said) }
    }

    pub(super) fn losing(self, mark: i64, lost: Lost) -> Self {
        Self { mark, lost, ..self }
    }
}

/// An alarm that stands, as a survey shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alarm {
    /// Which.
    pub code: AlarmCode,
    /// The topic, group or connector it is about: one alarm of a code and subject is open at a time. Where both flows are
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
    pub(super) fn of(
        code: AlarmCode,
        subject: impl Into<String>,
        view: &View<'_>,
        said: impl Into<String>,
    ) -> Self {
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
    pub(super) fn about(&self) -> &str {
        let course = format!(" ({})", self.course);
        self.subject.strip_suffix(course.as_str()).unwrap_or(&self.subject)
    }

    /// With the course behind its subject.
    pub(super) fn naming_its_course(self) -> Self {
        let subject = format!("{} ({})", self.about(), self.course);
        Self { subject, ..self }
    }

    /// Whether both are one alarm: the same of the same flow. What is so of one flow is another thing than what is so of the other.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.course == other.course && self.about() == other.about()
    }

    /// With its places, and what is lost at all of them.
    pub(super) fn at(mut self, places: Vec<Place>) -> Self {
        self.lost = Lost::at_all(&places);
        self.more_places = places.len().saturating_sub(MOST_PLACES);
        self.places = places;
        self.places.truncate(MOST_PLACES);
        self
    }

    /// With the worst of its places, and what is lost at all of them.
    pub(super) fn at_worst_of(self, behind: Behind) -> Self {
        let Behind { places, more, lost } = behind;
        Self { places, more_places: more, lost, ..self }
    }

    /// Whether its places say which partitions of the source it is about.
    pub(super) fn names_partitions(&self) -> bool {
        self.places.iter().any(|place| place.partition.is_some())
    }

    pub(super) fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }

    /// What would have to be so for nothing to be wrong.
    pub(super) fn unless(self, doubt: impl Into<String>) -> Self {
        Self { likely: true, ..self.fact(doubt) }
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.likely { Severity::Warning } else { self.code.severity() }
    }

    pub(super) fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }

    pub(super) fn next(self, step: impl Into<String>, command: Option<String>) -> Self {
        Self { next_step: step.into(), command, ..self }
    }
}
