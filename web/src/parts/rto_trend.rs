//! Measured RTO of a pair's runs against the objective, oldest left: a mark a run, and the data as a table.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{record::Run, run::RunState};

use super::{Link, Spoken, percent};
use crate::{format, words};

/// A run on the drawing.
#[derive(Debug, Clone)]
struct Dot {
    x: f64,
    y: f64,
    class: &'static str,
}

/// The same in the table.
#[derive(Debug, Clone)]
struct Row {
    run: Link,
    day: String,
    rto: String,
    met: &'static str,
}

/// See the module.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/rto_trend.html")]
pub struct RtoTrend {
    spoken: Spoken,
    levels: Vec<(f64, String)>,
    goal: (f64, String),
    path: String,
    dots: Vec<Dot>,
    first: String,
    last: String,
    rows: Vec<Row>,
}
impl HtmlSafe for RtoTrend {}

impl RtoTrend {
    /// Runs of a pair that were started, newest first as lists have them; `None` when none measured an RTO.
    #[must_use]
    pub fn new(name: &str, runs: &[Run], objective_seconds: i64) -> Option<Self> {
        let measured = |run: &Run| Some((run.started_at?, run.outcome.as_ref()?.machine_ms()?));
        let shown: Vec<(&Run, DateTime<Utc>, i64)> =
            runs.iter().rev().filter_map(|run| measured(run).map(|(at, ms)| (run, at, ms))).collect();
        let ((_, first, _), (latest, last, newest)) = (shown.first()?, shown.last()?);
        let objective = objective_seconds * 1000;
        let most = shown.iter().map(|(_, _, ms)| *ms).max()?;
        let least = shown.iter().map(|(_, _, ms)| *ms).min()?;
        let step = level_step(objective.max(most));
        let y = |ms: i64| ((100.0 - percent(ms, step * 4)) * 10.0).round() / 10.0;
        // Half a place of room at both ends; runs are evenly apart, whatever lies between them.
        let places = i64::try_from(shown.len()).unwrap_or(i64::MAX);
        let x = |place: usize| percent(i64::try_from(place).unwrap_or(0) * 2 + 1, places * 2);
        let dots: Vec<Dot> = shown
            .iter()
            .enumerate()
            .map(|(place, (run, _, ms))| Dot {
                x: x(place),
                y: y(*ms),
                class: class(run.state, *ms <= objective),
            })
            .collect();
        let path = dots.iter().enumerate().map(|(n, dot)| {
            let pen = if n == 0 { "M" } else { "L" };
            format!("{pen}{} {}", dot.x, dot.y)
        });
        let within = shown.iter().filter(|(_, _, ms)| *ms <= objective).count();
        Some(Self {
            spoken: Spoken::new(
                "rto-trend",
                format!("RTO of {name} by run, oldest first"),
                format!(
                    "{within} of {} within the objective of {}. The newest, {}, took {}; longest {}, shortest {}.",
                    format::count(shown.len(), "measured run"),
                    format::duration(objective),
                    words::run_name(latest),
                    format::duration(*newest),
                    format::duration(most),
                    format::duration(least)
                ),
            ),
            levels: (0..=4)
                .map(|i| (f64::from(i) * 25.0, format::duration(step * i64::from(4 - i))))
                .collect(),
            goal: (y(objective), format::duration(objective)),
            path: path.collect(),
            first: first.format("%-d %b %Y").to_string(),
            last: if shown.len() > 1 { last.format("%-d %b %Y").to_string() } else { String::new() },
            rows: shown.iter().rev().map(|(run, at, ms)| row(run, *at, *ms, objective)).collect(),
            dots,
        })
    }
}

/// A quarter of the axis in milliseconds, a round time; the whole axis leaves some room above `top_ms`.
fn level_step(top_ms: i64) -> i64 {
    const SECONDS: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200];
    let quarter = top_ms * 11 / 40;
    let round = SECONDS.map(|seconds| seconds * 1000).into_iter().find(|step| *step >= quarter);
    round.unwrap_or_else(|| (quarter / 14_400_000 + 1) * 14_400_000)
}

/// A run that failed or proved nothing measured something all the same, but it is no proof.
fn class(state: RunState, within: bool) -> &'static str {
    match (matches!(state, RunState::Failed | RunState::Inconclusive), within) {
        (true, _) => "dot soft",
        (false, true) => "dot ok",
        (false, false) => "dot bad",
    }
}

fn row(run: &Run, at: DateTime<Utc>, ms: i64, objective: i64) -> Row {
    Row {
        run: Link::new(format!("/runs/{}", run.id), words::run_name(run)),
        day: at.format("%-d %b %Y").to_string(),
        rto: format::duration(ms),
        met: if ms <= objective { "within" } else { "over" },
    }
}
