//! Two runs side by side.

use askama::Template;
use muster_domain::{
    comparison::{Compared, Comparison, Counts, StepCompared, StepFigure},
    record::Run,
    run::{Phase, StepState},
};

use crate::{
    chrome::Chrome,
    format,
    parts::{Choice, Field, Link, Mark, Tone},
    words,
};

/// One figure of both runs and what became of it.
#[derive(Debug)]
struct FigureRow {
    name: String,
    first: String,
    second: String,
    change: Mark,
}

/// One step of both runs.
#[derive(Debug)]
struct StepRow {
    title: String,
    name: String,
    first: String,
    second: String,
    change: Mark,
}

/// `GET /runs/{id}/compare?with={id}`.
#[derive(Debug, Template)]
#[template(path = "pages/comparison.html")]
pub struct ComparisonPage {
    chrome: Chrome,
    id: String,
    heading: String,
    choose: Option<Field>,
    first: Option<Link>,
    second: Link,
    said: String,
    figures: Vec<FigureRow>,
    steps: Vec<StepRow>,
}

impl ComparisonPage {
    /// A run beside an earlier one; `others` are those to choose from, newest first. Without a comparison there was nothing
    /// to compare with.
    #[must_use]
    pub fn new(chrome: Chrome, run: &Run, others: &[Run], compared: Option<(&Run, &Comparison)>) -> Self {
        let name = words::run_name(run);
        let choices = others.iter().map(|other| Choice::new(other.id.to_string(), choice(other))).collect();
        let chosen = compared.map(|(first, _)| first.id.to_string()).unwrap_or_default();
        let link = |run: &Run| Link::new(format!("/runs/{}", run.id), words::run_name(run));
        Self {
            id: run.id.to_string(),
            heading: match compared {
                Some((first, _)) => {
                    format!("{} beside {}", words::capital(&name), words::run_name(first))
                }
                None => format!("{} beside others", words::capital(&name)),
            },
            choose: (!others.is_empty()).then(|| Field::select("with", "Beside", choices, chosen)),
            first: compared.map(|(first, _)| link(first)),
            second: link(run),
            said: compared.map(|(first, _)| said(first, run)).unwrap_or_default(),
            figures: compared.iter().flat_map(|(_, c)| &c.figures).filter_map(figure_row).collect(),
            steps: compared.iter().flat_map(|(_, c)| &c.steps).map(step_row).collect(),
            chrome: chrome
                .titled(format!("{name} compared"))
                .here("compared")
                .under("/runs", "Runs")
                .under(format!("/runs/{}", run.id), name),
        }
    }
}

fn choice(run: &Run) -> String {
    let when = run.started_at.unwrap_or(run.created_at).format("%-d %b %Y");
    format!("{}, {when}, {}", words::run_name(run), words::run_state(run.state).2.to_lowercase())
}

/// What differs between the two before anything is measured.
fn said(first: &Run, second: &Run) -> String {
    let mut differs = Vec::new();
    if first.plan_hash == second.plan_hash {
        differs.push("the same plan".to_owned());
    }
    if first.course != second.course {
        differs.push(format!("{} and {}", first.course, second.course));
    }
    if first.drill != second.drill {
        differs.push("one was a drill".to_owned());
    }
    if differs.is_empty() {
        "Same pair and direction; each has a plan of its own.".to_owned()
    } else {
        format!("{}.", words::capital(&differs.join("; ")))
    }
}

fn figure_name(name: &str) -> String {
    match name {
        "write_unavailability" => "Writes away".to_owned(),
        "write_fence" => "Fence to unfence".to_owned(),
        "without_people" => "Whole run, people not counted".to_owned(),
        "lost" => "Records lost".to_owned(),
        "skipped" => "Records skipped by groups".to_owned(),
        "reprocessed" => "Records read again by groups".to_owned(),
        other => {
            let phase =
                Phase::ALL.into_iter().find(|phase| other.strip_prefix("phase_") == Some(phase.as_str()));
            phase.map_or_else(|| other.to_owned(), |phase| format!("Phase: {}", words::phase(phase)))
        }
    }
}

fn figure_row(row: &Compared) -> Option<FigureRow> {
    // A phase neither run had says nothing.
    if row.first.is_none() && row.second.is_none() && row.name.starts_with("phase_") {
        return None;
    }
    let say = |value: Option<i64>| match (value, row.counts) {
        (None, _) => "not measured".to_owned(),
        (Some(value), Counts::Milliseconds) => format::duration(value),
        (Some(value), Counts::Records) => format::number(value),
    };
    Some(FigureRow {
        name: figure_name(&row.name),
        first: say(row.first),
        second: say(row.second),
        change: change(row.change(), row.counts),
    })
}

fn step_row(row: &StepCompared) -> StepRow {
    let took =
        |figure: &Option<StepFigure>| figure.as_ref().filter(|f| f.state.done()).and_then(|f| f.took_ms);
    let both = took(&row.first).zip(took(&row.second)).map(|(first, second)| second - first);
    StepRow {
        title: row.title.clone(),
        name: row.name.clone(),
        first: step_said(&row.first),
        second: step_said(&row.second),
        change: change(both, Counts::Milliseconds),
    }
}

fn step_said(figure: &Option<StepFigure>) -> String {
    let Some(figure) = figure else { return "no such step".to_owned() };
    let took = figure.took_ms.map(format::duration);
    let tries = if figure.attempts > 1 { format!(", {} attempts", figure.attempts) } else { String::new() };
    match (figure.state, took) {
        (StepState::Succeeded, Some(took)) => format!("{took}{tries}"),
        (StepState::NotStarted, _) => "not reached".to_owned(),
        (state, Some(took)) => format!("{}, {took}{tries}", words::step_state(state, false).2),
        (state, None) => words::step_state(state, false).2.to_owned(),
    }
}

/// Less is better for every figure there is. A change of less than 50 ms is noise.
fn change(change: Option<i64>, counts: Counts) -> Mark {
    let (small, say): (i64, fn(i64) -> String) = match counts {
        Counts::Milliseconds => (50, format::duration),
        Counts::Records => (1, format::number),
    };
    match change {
        None => Mark::new(Tone::Unk, "cannot be compared"),
        Some(change) if change.abs() < small => Mark::new(Tone::Idle, "the same"),
        Some(change) if change < 0 => Mark::new(Tone::Ok, format!("{} less", say(-change))),
        Some(change) => Mark::new(Tone::Warn, format!("{} more", say(change))),
    }
}
