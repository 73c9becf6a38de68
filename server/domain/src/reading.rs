//! Values with their certainty and age. Missing, stale, unreadable and zero are four different things.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How sure a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadingClass {
    /// Proven.
    Exact,
    /// Estimated from inputs that fit together; small error either way.
    Tight,
    /// At least this much arrived, so loss is at most what is shown.
    LowerBound,
    /// It was so; the inputs are older than three survey periods.
    Stale,
    /// Not known; the reason says why.
    Unknown,
}

impl ReadingClass {
    /// All of them, from sure to unsure.
    pub const ALL: [Self; 5] = [Self::Exact, Self::Tight, Self::LowerBound, Self::Stale, Self::Unknown];

    /// Its word in the database, the API and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Tight => "tight",
            Self::LowerBound => "lower_bound",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
        }
    }

    /// The class a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// Something looked at: seen at a time, or not seen, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "observed", rename_all = "snake_case")]
pub enum Observed<T> {
    /// Read successfully.
    Known {
        /// What was read.
        value: T,
        /// When the answer arrived, by Muster's clock.
        at: DateTime<Utc>,
    },
    /// Could not be read.
    Unknown {
        /// What was tried and what came back, as a sentence for people.
        reason: String,
        /// When it was tried, by Muster's clock.
        at: DateTime<Utc>,
    },
}

impl<T> Observed<T> {
    /// A value read at a time.
    pub fn known(value: T, at: DateTime<Utc>) -> Self {
        Self::Known { value, at }
    }

    /// Not read, and why.
    pub fn unknown(reason: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self::Unknown { reason: reason.into(), at }
    }

    /// The value when it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// When it was read, or tried.
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Known { at, .. } | Self::Unknown { at, .. } => *at,
        }
    }

    /// The value, or why there is none.
    pub fn as_result(&self) -> Result<&T, &str> {
        match self {
            Self::Known { value, .. } => Ok(value),
            Self::Unknown { reason, .. } => Err(reason),
        }
    }

    /// Turns the value into another, keeping time and reason.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Known { value, at } => Observed::Known { value: f(value), at },
            Self::Unknown { reason, at } => Observed::Unknown { reason, at },
        }
    }
}

/// A number with its class, unit-bearing name and time, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The value in the unit its field name says; `None` only when the class is `Unknown`.
    pub value: Option<i64>,
    /// How sure.
    pub class: ReadingClass,
    /// When the oldest input was read, by Muster's clock.
    pub at: DateTime<Utc>,
    /// Why it is not exact, or why it is unknown; empty when exact.
    pub reason: String,
}

impl Reading {
    /// A reading with a value.
    pub fn new(value: i64, class: ReadingClass, at: DateTime<Utc>, reason: impl Into<String>) -> Self {
        Self { value: Some(value), class, at, reason: reason.into() }
    }

    /// No value, and why.
    pub fn unknown(at: DateTime<Utc>, reason: impl Into<String>) -> Self {
        Self { value: None, class: ReadingClass::Unknown, at, reason: reason.into() }
    }

    /// The worse of two: the larger value, as sure as the less sure of them and as old as the older. What is not known is worst.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let (at, value) =
            (self.at.min(other.at), self.value.zip(other.value).map(|(one, other)| one.max(other)));
        let less_sure = if other.class > self.class { other } else { self };
        Self { value, at, ..less_sure }
    }
}
