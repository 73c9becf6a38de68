//! Lag over time: the sparkline of the fleet and the chart of a pair.
//!
//! A line breaks where nothing was read and is never drawn across; the missing time is a hatched band.

use std::fmt::Write as _;

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Duration, Utc};

use super::{Spoken, chart::thousandths, course_chart::moment, percent};
use crate::format;

/// One value of a history; `None` is "not read then".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagPoint {
    /// When.
    pub at: DateTime<Utc>,
    /// Worst partition, in milliseconds.
    pub worst_ms: Option<i64>,
}

/// A stretch of time on a horizontal axis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    top_ms: i64,
}

impl Axis {
    fn x(self, at: DateTime<Utc>) -> f64 {
        percent((at - self.from).num_milliseconds(), (self.to - self.from).num_milliseconds())
    }

    fn y(self, ms: i64) -> f64 {
        ((100.0 - percent(ms, self.top_ms)) * 10.0).round() / 10.0
    }

    /// An SVG path over the points that have a value; a missing one breaks it. In thousandths of the drawing, so whole numbers:
    /// making text of fractions was a tenth of the time that a page of hundreds of lines took.
    fn path(self, points: &[LagPoint], value: fn(&LagPoint) -> Option<i64>) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for point in points {
            match value(point) {
                Some(ms) => {
                    let pen = if pen_down { 'L' } else { 'M' };
                    let length = (self.to - self.from).num_milliseconds();
                    let x = thousandths((point.at - self.from).num_milliseconds(), length);
                    let y = 1000 - thousandths(ms, self.top_ms);
                    // Writing into a string does not fail.
                    let _ = write!(path, "{pen}{x} {y}");
                    pen_down = true;
                }
                None => pen_down = false,
            }
        }
        path
    }

    /// Start and width of every stretch without a value.
    fn gaps(self, points: &[LagPoint]) -> Vec<(f64, f64, Duration)> {
        let mut gaps = Vec::new();
        let mut began: Option<DateTime<Utc>> = points.is_empty().then_some(self.from);
        if points.first().is_some_and(|first| self.x(first.at) > 1.0) {
            began = Some(self.from);
        }
        for point in points {
            match (point.worst_ms, began) {
                (None, None) => began = Some(point.at),
                (Some(_), Some(since)) => {
                    gaps.push((self.x(since), self.x(point.at) - self.x(since), point.at - since));
                    began = None;
                }
                (None, Some(_)) | (Some(_), None) => {}
            }
        }
        if let Some(since) = began {
            gaps.push((self.x(since), 100.0 - self.x(since), self.to - since));
        }
        gaps
    }
}

/// What a history comes to, in words.
#[derive(Debug, Clone)]
pub(crate) struct LagFigures {
    pub(crate) newest: String,
    pub(crate) highest: String,
    pub(crate) lowest: String,
    /// For how long nothing was read.
    pub(crate) missing: String,
}

impl LagFigures {
    fn new(points: &[LagPoint], gaps: &[(f64, f64, Duration)], span: (DateTime<Utc>, DateTime<Utc>)) -> Self {
        let said = |point: Option<(DateTime<Utc>, i64)>| {
            point.map_or_else(
                || "not read".to_owned(),
                |(at, ms)| format!("{} at {}", format::duration(ms), moment(span, at)),
            )
        };
        let read = |point: &LagPoint| point.worst_ms.map(|ms| (point.at, ms));
        let missing: i64 = gaps.iter().map(|(_, _, length)| length.num_seconds()).sum();
        Self {
            newest: said(points.last().and_then(read)),
            highest: said(points.iter().filter_map(read).max_by_key(|(_, ms)| *ms)),
            lowest: said(points.iter().filter_map(read).min_by_key(|(_, ms)| *ms)),
            missing: format::seconds(missing),
        }
    }

    fn sentence(&self, objective_ms: i64) -> String {
        format!(
            "Newest {}; highest {}; lowest {}; not read for {}. Objective {}.",
            self.newest,
            self.highest,
            self.lowest,
            self.missing,
            format::duration(objective_ms)
        )
    }
}

/// The last hour in a cell, against the objective.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/spark.html")]
pub struct Spark {
    spoken: Spoken,
    /// For the table beside the drawings.
    pub(crate) figures: LagFigures,
    path: String,
    gaps: Vec<(f64, f64, Duration)>,
    goal: f64,
    end: Option<(f64, f64)>,
}
impl HtmlSafe for Spark {}

impl Spark {
    /// The points from `from` to `to`.
    #[must_use]
    pub fn new(
        name: &str,
        points: &[LagPoint],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        objective_ms: i64,
    ) -> Self {
        let most = points.iter().filter_map(|p| p.worst_ms).max();
        let axis = Axis { from, to, top_ms: (objective_ms * 3 / 2).max(most.unwrap_or(0)).max(1) };
        let gaps = axis.gaps(points);
        let figures = LagFigures::new(points, &gaps, (from, to));
        Self {
            // No name of a pair has a colon, so no row of the fleet has this id.
            spoken: Spoken::new(
                format!("lag:{name}"),
                format!("Lag of {name} in the last hour"),
                figures.sentence(objective_ms),
            ),
            figures,
            path: axis.path(points, |p| p.worst_ms),
            gaps,
            goal: axis.y(objective_ms),
            end: points.last().and_then(|p| p.worst_ms.map(|ms| (axis.x(p.at), axis.y(ms)))),
        }
    }
}

/// Lag of a pair over hours, with its data as a table.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/lag_chart.html")]
pub struct LagChart {
    spoken: Spoken,
    levels: Vec<(f64, String)>,
    ticks: Vec<(f64, String, &'static str)>,
    worst: String,
    gaps: Vec<(f64, f64, String)>,
    goal: (f64, String),
    peak: Option<(f64, f64, String)>,
    rows: Vec<(String, String, String)>,
}
impl HtmlSafe for LagChart {}

impl LagChart {
    /// The points from `from` to `to`, oldest first.
    #[must_use]
    pub fn new(
        name: &str,
        points: &[LagPoint],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        objective_ms: i64,
    ) -> Self {
        let peak = points.iter().filter_map(|p| p.worst_ms.map(|ms| (p.at, ms))).max_by_key(|(_, ms)| *ms);
        let step = level_step(objective_ms.max(peak.map_or(0, |(_, ms)| ms)) * 11 / 10);
        let axis = Axis { from, to, top_ms: step * 4 };
        let gaps: Vec<_> = axis.gaps(points);
        let span_hours = (to - from).num_hours();
        let ticks = (0..=6).map(|i| {
            let at = from + (to - from) * i / 6;
            let format = if span_hours > 48 { "%-d %b" } else { "%H:%M" };
            let class = match i {
                0 => "first",
                6 => "last",
                1 | 3 | 5 => "minor",
                _ => "",
            };
            (axis.x(at), at.format(format).to_string(), class)
        });
        let figures = LagFigures::new(points, &gaps, (from, to));
        Self {
            spoken: Spoken::new(
                "lag-chart",
                format!("Lag of {name}, worst partition, in {}", format::seconds((to - from).num_seconds())),
                figures.sentence(objective_ms),
            ),
            levels: (0..=4)
                .map(|i| (f64::from(i) * 25.0, format::duration(step * i64::from(4 - i))))
                .collect(),
            ticks: ticks.collect(),
            worst: axis.path(points, |p| p.worst_ms),
            gaps: gaps
                .iter()
                .map(|(x, w, length)| (*x, w.max(0.4), format::seconds(length.num_seconds())))
                .collect(),
            goal: (axis.y(objective_ms), format::duration(objective_ms)),
            peak: peak.map(|(at, ms)| {
                (axis.x(at), axis.y(ms), format!("{} at {}", format::duration(ms), at.format("%H:%M")))
            }),
            rows: hourly(points),
        }
    }
}

/// A quarter of the axis: 1, 2 or 5 times a power of ten, in milliseconds, at least 100.
pub(crate) fn level_step(top_ms: i64) -> i64 {
    let quarter = (top_ms + 3) / 4;
    let mut unit = 100;
    loop {
        for factor in [1, 2, 5] {
            if unit * factor >= quarter {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

/// The data behind the drawing: the worst of each hour.
pub(crate) fn hourly(points: &[LagPoint]) -> Vec<(String, String, String)> {
    let mut rows: Vec<(String, Option<i64>, usize)> = Vec::new();
    for point in points {
        let hour = point.at.format("%-d %b %H:00").to_string();
        let missing = usize::from(point.worst_ms.is_none());
        match rows.last_mut() {
            Some(row) if row.0 == hour => {
                row.1 = row.1.max(point.worst_ms);
                row.2 += missing;
            }
            Some(_) | None => rows.push((hour, point.worst_ms, missing)),
        }
    }
    rows.into_iter()
        .map(|(hour, worst, missing)| {
            let worst = worst.map_or_else(|| "no reading".to_owned(), format::duration);
            (hour, worst, if missing == 0 { "none".to_owned() } else { format::count(missing, "reading") })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(points: &[LagPoint]) -> String {
        let from = DateTime::UNIX_EPOCH;
        let html = LagChart::new("orders", points, from, from + Duration::hours(1), 5_000).render().unwrap();
        html.split("<desc id=\"lag-chart-d\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
    }

    #[test]
    fn a_chart_says_newest_highest_lowest_and_for_how_long_nothing_was_read() {
        let point =
            |minute, worst_ms| LagPoint { at: DateTime::UNIX_EPOCH + Duration::minutes(minute), worst_ms };
        let points = [
            point(0, Some(200)),
            point(10, Some(4_000)),
            point(20, None),
            point(30, Some(90)),
            point(59, Some(300)),
        ];
        assert_eq!(
            said(&points),
            "Newest 300 ms at 00:59:00; highest 4 s at 00:10:00; lowest 90 ms at 00:30:00; not read for 10 m. \
             Objective 5 s."
        );
        assert_eq!(
            said(&points[..3]),
            "Newest not read; highest 4 s at 00:10:00; lowest 200 ms at 00:00:00; not read for 40 m. \
             Objective 5 s."
        );
    }

    #[test]
    fn a_chart_of_nothing_says_that_nothing_was_read() {
        assert_eq!(
            said(&[]),
            "Newest not read; highest not read; lowest not read; not read for 1 h. Objective 5 s."
        );
    }
}
