//! The course of many partitions over time: a band between two percentiles, the worst as a line, the objective, gaps with
//! their names, marks of what happened. Drawn by the server; a script may draw the same data anew.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::reading::ReadingClass;

use super::{Spoken, percent};
use crate::{format, parts::lag_chart::level_step, words};

/// Rows of the table behind a chart.
const ROWS: usize = 60;

/// What a chart's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Milliseconds.
    Ms,
    /// Records.
    Records,
}

impl Amount {
    pub(crate) fn said(self, value: i64) -> String {
        match self {
            Self::Ms => format::duration(value),
            Self::Records => format::number(value),
        }
    }

    fn step(self, top: i64) -> i64 {
        match self {
            Self::Ms => level_step(top),
            // Tenths of a record do not exist: at least one a level.
            Self::Records => level_step(top.saturating_mul(100)).div_euclid(100).max(1),
        }
    }
}

/// One stretch; `None` is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dot {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Lower edge of the band.
    pub low: Option<i64>,
    /// Upper edge of the band.
    pub high: Option<i64>,
    /// The line.
    pub worst: Option<i64>,
    /// Whether that is how it was, and not how it is.
    pub stale: bool,
    /// How sure the worst is, in a word.
    pub class: &'static str,
}

/// Time without a value, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedGap {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// `source not read`.
    pub name: String,
    /// Whether there is no sample at all: no line is drawn across.
    pub empty: bool,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawing<'a> {
    /// Begins its label: `Lag in time of orders`.
    pub title: &'a str,
    /// `time`, `records` or `rpo`: which of the data a script draws here.
    pub what: &'static str,
    /// Unit.
    pub amount: Amount,
    /// Heads of the table: low, high, worst.
    pub heads: [&'static str; 3],
    /// Oldest first.
    pub dots: &'a [Dot],
    /// Oldest first.
    pub gaps: &'a [NamedGap],
    /// Begin and end.
    pub span: (DateTime<Utc>, DateTime<Utc>),
    /// The objective, where it is one of this unit.
    pub goal: Option<i64>,
    /// When something happened, and the class it is drawn with.
    pub marks: &'a [(DateTime<Utc>, &'static str)],
}

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/course_chart.html")]
pub(crate) struct CourseChart {
    what: &'static str,
    spoken: Spoken,
    levels: Vec<(f64, String)>,
    ticks: Vec<(f64, String, &'static str)>,
    area: String,
    low: String,
    line: String,
    stale: String,
    gaps: Vec<(f64, f64, String)>,
    goal: Option<(f64, String)>,
    peak: Option<(f64, f64, String)>,
    marks: Vec<(f64, &'static str)>,
    heads: [&'static str; 3],
    rows: Vec<[String; 5]>,
    each: String,
}
impl HtmlSafe for CourseChart {}

#[derive(Clone, Copy)]
struct Plot<'a> {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    top: i64,
    drawing: Drawing<'a>,
}

impl CourseChart {
    /// The drawing.
    pub(crate) fn new(drawing: &Drawing<'_>) -> Self {
        let (from, to) = drawing.span;
        let dots = drawing.dots;
        let peak = dots.iter().filter_map(|dot| Some((dot.at, dot.worst?))).max_by_key(|(_, value)| *value);
        let highest = dots.iter().filter_map(|dot| dot.worst.max(dot.high)).max();
        let top = drawing.goal.unwrap_or(0).max(highest.unwrap_or(0));
        let step = drawing.amount.step(top.saturating_mul(11) / 10);
        let plot = Plot { from, to, top: step.saturating_mul(4), drawing: *drawing };
        let each = dots.len().div_ceil(ROWS).max(1);
        Self {
            what: drawing.what,
            spoken: Spoken::new(format!("chart-{}", drawing.what), drawing.title, figures(drawing, peak)),
            levels: (0..=4)
                .map(|i| (f64::from(i) * 25.0, drawing.amount.said(step * i64::from(4 - i))))
                .collect(),
            ticks: ticks(from, to),
            area: plot.area(),
            low: plot.path(|dot| dot.low, None),
            line: plot.path(|dot| dot.worst, Some(false)),
            stale: plot.path(|dot| dot.worst, Some(true)),
            gaps: drawing
                .gaps
                .iter()
                .map(|gap| {
                    let (x, end) = (plot.x(gap.from), plot.x(gap.to));
                    let long = format::seconds((gap.to - gap.from).num_seconds());
                    (x, (end - x).max(0.4), format!("{long}: {}", gap.name))
                })
                .collect(),
            goal: drawing.goal.map(|goal| (plot.y(goal), drawing.amount.said(goal))),
            peak: peak.filter(|(_, value)| *value > 0).map(|(at, value)| {
                (
                    plot.x(at),
                    plot.y(value),
                    format!("{} at {}", drawing.amount.said(value), clock(drawing, at)),
                )
            }),
            marks: drawing.marks.iter().map(|(at, class)| (plot.x(*at), *class)).collect(),
            heads: drawing.heads,
            rows: dots.chunks(each).map(|part| row(drawing, part)).collect(),
            each: if each == 1 {
                String::new()
            } else {
                format!("each row is the worst of {each} stretches")
            },
        }
    }
}

impl Plot<'_> {
    fn x(&self, at: DateTime<Utc>) -> f64 {
        percent((at - self.from).num_milliseconds(), (self.to - self.from).num_milliseconds())
    }

    fn y(&self, value: i64) -> f64 {
        ((100.0 - percent(value, self.top)) * 10.0).round() / 10.0
    }

    /// Whether nothing was seen between two stretches.
    fn broken(&self, a: &Dot, b: &Dot) -> bool {
        self.drawing.gaps.iter().any(|gap| gap.empty && gap.from < b.at && gap.to > a.at)
    }

    /// A path over what is known; it breaks where something is missing. `stale`: only lines that lead to such values, or only the
    /// others.
    fn path(&self, value: fn(&Dot) -> Option<i64>, stale: Option<bool>) -> String {
        let mut path = String::new();
        let mut before: Option<(&Dot, i64)> = None;
        let mut down = false;
        for dot in self.drawing.dots {
            let Some(here) = value(dot) else {
                (before, down) = (None, false);
                continue;
            };
            let wanted = stale.is_none_or(|stale| stale == dot.stale);
            let from = before.filter(|(last, _)| !self.broken(last, dot));
            match (wanted, from) {
                (false, _) => down = false,
                (true, Some((last, was))) => {
                    if !down {
                        path.push_str(&format!("M{} {}", self.x(last.at), self.y(was)));
                    }
                    path.push_str(&format!("L{} {}", self.x(dot.at), self.y(here)));
                    down = true;
                }
                (true, None) => {
                    // A point of its own, for the case that nothing follows.
                    path.push_str(&format!("M{0} {1}L{0} {1}", self.x(dot.at), self.y(here)));
                    down = true;
                }
            }
            before = Some((dot, here));
        }
        path
    }

    /// What lies between the edges, a closed shape for each time both are known.
    fn area(&self) -> String {
        let mut shapes = String::new();
        let mut run: Vec<(&Dot, i64, i64)> = Vec::new();
        for dot in self.drawing.dots {
            if run.last().is_some_and(|(last, _, _)| self.broken(last, dot)) {
                self.shape(&mut shapes, &mut run);
            }
            match dot.low.zip(dot.high) {
                Some((low, high)) => run.push((dot, low, high)),
                None => self.shape(&mut shapes, &mut run),
            }
        }
        self.shape(&mut shapes, &mut run);
        shapes
    }

    fn shape(&self, shapes: &mut String, run: &mut Vec<(&Dot, i64, i64)>) {
        if run.len() > 1 {
            let there = run.iter().map(|(dot, _, high)| (dot, *high));
            let back = run.iter().rev().map(|(dot, low, _)| (dot, *low));
            for (number, (dot, value)) in there.chain(back).enumerate() {
                let word = if number == 0 { "M" } else { "L" };
                shapes.push_str(&format!("{word}{} {}", self.x(dot.at), self.y(value)));
            }
            shapes.push('Z');
        }
        run.clear();
    }
}

/// Seven of them, in the words that fit the span.
pub(crate) fn ticks(from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<(f64, String, &'static str)> {
    let said = match (to - from).num_minutes() {
        ..10 => "%H:%M:%S",
        10..=2_880 => "%H:%M",
        _ => "%-d %b",
    };
    (0..=6)
        .map(|i| {
            let class = match i {
                0 => "first",
                6 => "last",
                1 | 3 | 5 => "minor",
                _ => "",
            };
            let at = from + (to - from) * i / 6;
            (percent(i64::from(i), 6), at.format(said).to_string(), class)
        })
        .collect()
}

fn clock(drawing: &Drawing<'_>, at: DateTime<Utc>) -> String {
    moment(drawing.span, at)
}

/// A moment as short as the span allows.
pub(crate) fn moment((from, to): (DateTime<Utc>, DateTime<Utc>), at: DateTime<Utc>) -> String {
    let said = match (to - from).num_hours() {
        0..=2 => "%H:%M:%S",
        3..=24 => "%H:%M",
        _ => "%-d %b %H:%M",
    };
    at.format(said).to_string()
}

/// What the line comes to.
fn figures(drawing: &Drawing<'_>, peak: Option<(DateTime<Utc>, i64)>) -> String {
    let said = |value: i64| match drawing.amount {
        Amount::Ms => drawing.amount.said(value),
        Amount::Records => format!("{} records", drawing.amount.said(value)),
    };
    let newest = drawing.dots.last().and_then(|dot| dot.worst).map_or_else(|| "not known".to_owned(), said);
    let lowest = drawing.dots.iter().filter_map(|dot| dot.worst).min();
    let finding = match peak.zip(lowest) {
        Some(((at, highest), lowest)) => format!(
            "Highest {} at {}; lowest {}; newest {newest}.",
            said(highest),
            clock(drawing, at),
            said(lowest)
        ),
        None => "No reading in this time.".to_owned(),
    };
    let missing: i64 = drawing.gaps.iter().map(|gap| (gap.to - gap.from).num_seconds()).sum();
    let missing =
        if missing == 0 { String::new() } else { format!(" Not known for {}.", format::seconds(missing)) };
    let goal =
        drawing.goal.map_or_else(String::new, |goal| format!(" Objective {}.", drawing.amount.said(goal)));
    format!("{finding}{missing}{goal}")
}

/// Several stretches in a row: the worst of each figure, and unknown is worst.
fn row(drawing: &Drawing<'_>, part: &[Dot]) -> [String; 5] {
    let worst = |value: fn(&Dot) -> Option<i64>| {
        let worst = part.iter().map(value).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b))).flatten();
        worst.map_or_else(|| "unknown".to_owned(), |value| drawing.amount.said(value))
    };
    let least_sure =
        part.iter().map(|dot| dot.class).max_by_key(|class| sureness(class)).unwrap_or("unknown");
    [
        part.first().map(|dot| clock(drawing, dot.at)).unwrap_or_default(),
        worst(|dot| dot.low),
        worst(|dot| dot.high),
        worst(|dot| dot.worst),
        least_sure.to_owned(),
    ]
}

/// What is least sure is highest; a word that is none of [`words::class`] is not known.
fn sureness(class: &str) -> usize {
    CLASSES.iter().position(|known| words::class(*known) == class).unwrap_or(CLASSES.len())
}

/// The surest first.
const CLASSES: [ReadingClass; 5] = [
    ReadingClass::Exact,
    ReadingClass::Tight,
    ReadingClass::LowerBound,
    ReadingClass::Stale,
    ReadingClass::Unknown,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_less_sure_than_what_is_tight_and_surer_than_what_is_stale() {
        let ranks = CLASSES.map(|class| sureness(words::class(class)));
        assert_eq!(ranks, [0, 1, 2, 3, 4]);
        assert_eq!(sureness("at most"), 2);
    }
}
