//! Bars drawn by the server: no script, printable, each with its finding in words.

use askama::{Template, filters::HtmlSafe};

use super::Spoken;
use crate::format;

/// Something measured against an objective: track, fill, mark. All in percent of the track.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/bar.html")]
pub struct Bar {
    spoken: Spoken,
    fill: f64,
    fill_class: &'static str,
    human: Option<(f64, f64)>,
    rest: Option<(f64, f64)>,
    mark: Option<f64>,
}
impl HtmlSafe for Bar {}

impl Bar {
    /// `value` of `whole`, drawn under an id of its own; `figures` say both in words.
    #[must_use]
    pub fn of(id: &str, name: impl Into<String>, value: i64, whole: i64, figures: impl Into<String>) -> Self {
        let (human, rest, mark) = (None, None, None);
        let spoken = Spoken::new(id, name, figures);
        Self { spoken, fill: percent(value, whole), fill_class: "", human, rest, mark }
    }

    /// A duration against its objective: the track is 1.4 objectives, or the duration if it is longer.
    #[must_use]
    pub fn against(id: &str, name: impl Into<String>, took_ms: i64, objective_ms: i64) -> Self {
        let whole = (objective_ms * 7 / 5).max(took_ms * 21 / 20).max(1);
        let figures = format!("{}, objective {}", format::duration(took_ms), format::duration(objective_ms));
        let fill_class = if took_ms > objective_ms { " bad" } else { "" };
        Self {
            fill_class,
            mark: Some(percent(objective_ms, whole)),
            ..Self::of(id, name, took_ms, whole, figures)
        }
    }

    /// Drawn as time of people.
    #[must_use]
    pub fn human(self) -> Self {
        Self { fill_class: " human", ..self }
    }

    /// With a stretch of it drawn as time of people: start and length out of `whole`.
    #[must_use]
    pub fn human_part(self, start: i64, length: i64, whole: i64) -> Self {
        Self { human: Some((percent(start, whole), percent(length, whole))), ..self }
    }

    /// With what is still expected drawn behind.
    #[must_use]
    pub fn forecast(self, start: i64, length: i64, whole: i64) -> Self {
        Self { rest: Some((percent(start, whole), percent(length, whole))), ..self }
    }

    /// With the objective as a mark.
    #[must_use]
    pub fn mark(self, at: i64, whole: i64) -> Self {
        Self { mark: Some(percent(at, whole)), ..self }
    }
}

/// In thousandths, 0 to 1000.
pub(crate) fn thousandths(part: i64, whole: i64) -> i64 {
    if whole <= 0 { 0 } else { (part.clamp(0, whole) * 1000 + whole / 2) / whole }
}

/// In tenths of a percent, 0 to 100.
#[expect(clippy::cast_precision_loss, reason = "a drawing, accurate to a tenth of a percent")]
pub(crate) fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    ((part as f64 / whole as f64).clamp(0.0, 1.0) * 1000.0).round() / 10.0
}

/// A stretch of a phase bar.
#[derive(Debug, Clone)]
pub struct Segment {
    /// CSS class `p0`…`p6`.
    pub class: &'static str,
    /// Start in percent.
    pub x: f64,
    /// Length in percent.
    pub width: f64,
    /// Middle in percent, for its number.
    pub middle: f64,
    /// Number under it; empty when it is too narrow.
    pub no: String,
}
