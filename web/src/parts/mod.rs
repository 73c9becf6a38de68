//! The pieces pages are made of. Each is a struct with its own small template and prints itself, escaped, into any
//! other template: `{{ pill }}`. That is what [`HtmlSafe`] means here; nothing stored is ever marked safe by a page.

mod action;
mod chart;
mod course;
mod course_chart;
mod ends;
mod field;
mod lag_chart;
mod reading;
mod rto_trend;
mod said;
mod spoken;
mod status;

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};

pub use action::{Action, Link, Notice};
pub(crate) use chart::percent;
pub use chart::{Bar, Segment};
pub use course::Course;
pub(crate) use course_chart::{Amount, CourseChart, Dot, Drawing, NamedGap, moment, ticks};
pub use ends::Ends;
pub use field::{Choice, Control, Field, FieldSet};
pub use lag_chart::{LagChart, LagPoint, Spark};
pub use reading::{ReadingView, Unit};
pub use rto_trend::RtoTrend;
pub use said::{Said, said};
pub(crate) use spoken::Spoken;
pub use status::{Mark, Pill, Stamp, Tone};

use crate::format;

/// An icon of the sprite, hidden from screen readers: the word beside it says the same.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"<svg class="icon{% if !class.is_empty() %} {{ class }}{% endif %}" aria-hidden="true"><use href="#i-{{ name }}"/></svg>"##,
    ext = "html"
)]
pub struct Icon {
    name: &'static str,
    class: &'static str,
}
impl HtmlSafe for Icon {}

/// An icon in the colour of its surroundings.
#[must_use]
pub fn icon(name: &'static str) -> Icon {
    Icon { name, class: "" }
}

/// An icon with a class for its colour.
#[must_use]
pub fn icon_in(name: &'static str, class: &'static str) -> Icon {
    Icon { name, class }
}

/// A moment: words for people, the whole of it for machines and as a title.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ full }} UTC">{{ text }}</time>"#, ext = "html")]
pub struct When {
    iso: String,
    full: String,
    text: String,
}
impl HtmlSafe for When {}

impl When {
    /// A moment said in those words.
    #[must_use]
    pub fn said(at: DateTime<Utc>, text: impl Into<String>) -> Self {
        Self { iso: format::iso(at), full: format::date_time(at), text: text.into() }
    }

    /// `2 s ago`.
    #[must_use]
    pub fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self::said(at, format::ago(now, at))
    }

    /// Time of day today, date and time otherwise.
    #[must_use]
    pub fn moment(now: DateTime<Utc>, at: DateTime<Utc>) -> Self {
        Self::said(at, format::moment(now, at))
    }

    /// `03:12:40`.
    #[must_use]
    pub fn time(at: DateTime<Utc>) -> Self {
        Self::said(at, format::time(at))
    }

    /// `19 Nov 2026 03:12:40`.
    #[must_use]
    pub fn full(at: DateTime<Utc>) -> Self {
        Self::said(at, format::date_time(at))
    }
}

/// A hash in groups of four, the whole of it in the title.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<span class="hash" title="{{ whole }}">{{ text }}</span>"#, ext = "html")]
pub struct Hash {
    whole: String,
    text: String,
}
impl HtmlSafe for Hash {}

impl Hash {
    /// All of it.
    #[must_use]
    pub fn whole(hex: &str) -> Self {
        Self { whole: hex.to_owned(), text: format::hash(hex) }
    }

    /// Its first eight digits.
    #[must_use]
    pub fn short(hex: &str) -> Self {
        Self { whole: hex.to_owned(), text: format::short_hash(hex) }
    }
}
