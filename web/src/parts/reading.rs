//! A reading: sign, value, class, age. The line under the value is the class.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::reading::{Reading, ReadingClass};

use crate::{format, words};

/// What the number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds, written as a duration.
    Milliseconds,
    /// Records, written as a number.
    Records,
}

impl Unit {
    /// A value in this unit, in words.
    #[must_use]
    pub fn say(self, value: i64) -> String {
        match self {
            Self::Milliseconds => format::duration(value),
            Self::Records => format::number(value),
        }
    }
}

/// See the module. In a cell it is one line ([`ReadingView::inline`]).
#[derive(Debug, Clone, Template)]
#[template(path = "parts/reading.html")]
pub struct ReadingView {
    class: &'static str,
    word: &'static str,
    sign: &'static str,
    value: String,
    age: String,
    reason: String,
    large: bool,
    inline: bool,
    brief: bool,
    over: bool,
}
impl HtmlSafe for ReadingView {}

impl ReadingView {
    /// A reading as it is to be shown at `now`.
    #[must_use]
    pub fn new(reading: &Reading, unit: Unit, now: DateTime<Utc>) -> Self {
        let (class, sign) = match reading.class {
            ReadingClass::Exact => ("exact", "="),
            ReadingClass::Tight => ("tight", "≈"),
            ReadingClass::LowerBound => ("bound", "≤"),
            ReadingClass::Stale => ("stale", "was"),
            ReadingClass::Unknown => ("unk", ""),
        };
        let word = words::class(reading.class);
        let (class, word, sign, value) = match reading.value {
            Some(value) => (class, word, sign, unit.say(value)),
            None => ("unk", "unknown", "", "no reading".to_owned()),
        };
        let (large, inline, brief, over) = (false, false, false, false);
        let reason = reading.reason.clone();
        Self {
            class,
            word,
            sign,
            value,
            age: format::ago(now, reading.at),
            reason,
            large,
            inline,
            brief,
            over,
        }
    }

    /// The end of an interval: at most so much.
    #[must_use]
    pub fn up_to(self) -> Self {
        match self.class {
            "exact" | "tight" | "bound" => Self {
                class: "bound",
                word: words::class(ReadingClass::LowerBound),
                sign: "",
                value: format!("up to {}", self.value),
                ..self
            },
            // What was, and what is not known, is neither.
            _ => self,
        }
    }

    /// In a stat.
    #[must_use]
    pub fn large(self) -> Self {
        Self { large: true, ..self }
    }

    /// In a table cell.
    #[must_use]
    pub fn inline(self) -> Self {
        Self { inline: true, ..self }
    }

    /// In a cell beside another reading of the same class: the sign and the line say it.
    #[must_use]
    pub fn brief(self) -> Self {
        Self { inline: true, brief: true, ..self }
    }

    /// Over its objective.
    #[must_use]
    pub fn over(self, over: bool) -> Self {
        Self { over, ..self }
    }

    /// Why it is not read now; what is read needs no reason beside it.
    fn says_why(&self) -> bool {
        !self.reason.is_empty() && matches!(self.class, "stale" | "unk")
    }

    /// In one phrase, for labels: `≈ 4.2 s, tight, 2 s ago`.
    #[must_use]
    pub fn phrase(&self) -> String {
        let sign = if self.sign.is_empty() { String::new() } else { format!("{} ", self.sign) };
        format!("{sign}{}, {}, {}", self.value, self.word, self.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_reason_are_read_without_a_pointer() {
        let at = DateTime::UNIX_EPOCH;
        let later = at + chrono::Duration::seconds(250);
        let stale = Reading::new(38_000, ReadingClass::Stale, at, "Connect does not answer");
        let view = ReadingView::new(&stale, Unit::Milliseconds, later);
        let cell = view.clone().brief().to_string();
        assert!(cell.contains("<small>4 m 10 s ago: Connect does not answer</small>"), "{cell}");
        assert!(!cell.contains("title="), "{cell}");
        let block = view.to_string();
        assert!(block.contains("<span class=\"c why\">Connect does not answer</span>"), "{block}");
        let exact = Reading::new(0, ReadingClass::Exact, at, "");
        let cell = ReadingView::new(&exact, Unit::Records, at).inline().to_string();
        assert!(cell.contains("<small>0 s ago</small>"), "{cell}");
    }

    #[test]
    fn unknown_is_never_a_number() {
        let at = DateTime::UNIX_EPOCH;
        let html = ReadingView::new(&Reading::unknown(at, "Connect does not answer"), Unit::Milliseconds, at);
        assert!(html.to_string().contains("no reading") && html.to_string().contains("unknown"));
        assert!(!html.to_string().contains("0 s</span>"));
        let stale = Reading::new(38_000, ReadingClass::Stale, at, "old");
        let html = ReadingView::new(&stale, Unit::Milliseconds, at + chrono::Duration::seconds(250));
        assert_eq!(html.clone().up_to().phrase(), html.phrase());
        assert_eq!(html.phrase(), "was 38 s, stale, 4 m 10 s ago");
        let bound = Reading::new(5_000, ReadingClass::LowerBound, at, "");
        let html = ReadingView::new(&bound, Unit::Milliseconds, at);
        assert_eq!(html.phrase(), "≤ 5 s, at most, 0 s ago");
        assert_eq!(html.up_to().phrase(), "up to 5 s, at most, 0 s ago");
    }
}
