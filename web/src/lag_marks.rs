//! What happened while the lag was as it was: runs, deaths of the source, alarms and topics that were made anew, on one axis with the charts.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    loss::LossId,
    recorder::explorer::{LagExplorer, Mark as Happening, MarkKind, lanes},
};

use crate::{
    format,
    parts::{When, percent, ticks},
    recorded::RecordedFilter,
    words,
};

/// More lines are not drawn; the table has all.
const LANES: usize = 8;

/// One mark as it is drawn.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) x: f64,
    pub(crate) width: f64,
    /// Top of its line, in heights of a letter.
    pub(crate) top: usize,
    pub(crate) class: &'static str,
    pub(crate) label: String,
}

/// One mark as a row.
#[derive(Debug)]
pub(crate) struct MarkRow {
    pub(crate) kind: &'static str,
    pub(crate) href: String,
    pub(crate) link: String,
    pub(crate) from: When,
    pub(crate) to: Option<When>,
    pub(crate) said: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) label: String,
    pub(crate) lanes: usize,
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) ticks: Vec<(f64, String, &'static str)>,
    pub(crate) rows: Vec<MarkRow>,
    begins: Vec<(DateTime<Utc>, &'static str)>,
}

impl Happened {
    /// What touches the time.
    pub(crate) fn new(found: &LagExplorer, now: DateTime<Utc>) -> Self {
        let span = found.to - found.from;
        // A label takes about a quarter of the width.
        let apart = span / 4;
        let on: Vec<usize> = lanes(&found.marks, now, apart);
        let drawn: Vec<Drawn> = found
            .marks
            .iter()
            .zip(&on)
            .filter(|(_, lane)| **lane < LANES)
            .map(|(mark, lane)| draw(found, mark, *lane, now))
            .collect();
        let inside = |mark: &&Happening| mark.from >= found.from;
        Self {
            label: format!("{} in this time", format::count(found.marks.len(), "mark")),
            lanes: on.iter().map(|lane| lane + 1).max().unwrap_or(0).min(LANES),
            drawn,
            ticks: ticks(found.from, found.to),
            rows: found.marks.iter().map(|mark| row(found, mark)).collect(),
            begins: found.marks.iter().filter(inside).map(|mark| (mark.from, class(mark))).collect(),
        }
    }

    /// When they began, for hairlines in the charts.
    pub(crate) fn moments(&self) -> Vec<(DateTime<Utc>, &'static str)> {
        self.begins.clone()
    }
}

fn class(mark: &Happening) -> &'static str {
    match mark.what {
        MarkKind::Run { .. } => "run",
        MarkKind::Loss { .. } => "loss",
        MarkKind::Alarm { .. } => "alarm",
        MarkKind::Recreated { .. } => "recreated",
    }
}

fn draw(found: &LagExplorer, mark: &Happening, lane: usize, now: DateTime<Utc>) -> Drawn {
    let span = (found.to - found.from).num_milliseconds();
    let place = |at: DateTime<Utc>| percent((at - found.from).num_milliseconds(), span);
    let (x, end) = (place(mark.from), place(mark.to.unwrap_or(now)));
    let label = match &mark.what {
        MarkKind::Run { number, .. } => format!("run {number}"),
        MarkKind::Loss { .. } => format!("{} away", found.source),
        MarkKind::Alarm { number, .. } => format!("alarm {number}"),
        MarkKind::Recreated { .. } => "topic made anew".to_owned(),
    };
    Drawn { x, width: (end - x).max(0.5), top: lane * 2, class: class(mark), label }
}

fn row(found: &LagExplorer, mark: &Happening) -> MarkRow {
    let (kind, href, link, said) = match &mark.what {
        MarkKind::Run { id, number, operation, drill, state } => {
            let drill = if *drill && !operation.only_looks() { ", a drill" } else { "" };
            let state = words::run_state(*state).2.to_lowercase();
            let said = format!("{}{drill}: {state}", words::operation(*operation));
            ("Run", format!("/runs/{id}"), format!("Run {number}"), said)
        }
        MarkKind::Loss { records_at_least, records_at_most, records, .. } => {
            let said = match (records, records_at_most) {
                (Some(0), _) => format!("no record was missing on {}", found.target),
                (Some(records), _) => {
                    format!("at most {} records were missing on {}", format::number(*records), found.target)
                }
                (None, Some(most)) => format!(
                    "{} to {} records missing on {}",
                    format::number(*records_at_least),
                    format::number(*most),
                    found.target
                ),
                (None, None) => format!(
                    "{} records or more missing on {}; how many at most is not known",
                    format::number(*records_at_least),
                    found.target
                ),
            };
            let link = format!("{} did not answer", found.source);
            let id = LossId::new(found.direction.from, mark.from);
            ("Loss", format!("/pairs/{}/losses/{id}", found.pair), link, said)
        }
        MarkKind::Alarm { number, code, subject, .. } => {
            let href = format!("/alarms?state=all&pair={}#alarm-{number}", found.pair);
            ("Alarm", href, format!("Alarm {number}"), format!("{code}: {subject}"))
        }
        MarkKind::Recreated { side, topic, id_before, id } => {
            let cluster = if *side == found.direction.from { &found.source } else { &found.target };
            let filter = RecordedFilter {
                kind: "topics".to_owned(),
                cluster: cluster.to_string(),
                name: topic.clone(),
                ..RecordedFilter::default()
            };
            let href = format!("{}#topics", filter.href(found.pair.as_str()));
            let said =
                format!("deleted on {cluster} and made again: its id was {id_before} and is {id} since then");
            ("Topic", href, topic.clone(), said)
        }
    };
    MarkRow { kind, href, link, from: When::full(mark.from), to: mark.to.map(When::full), said }
}

/// A time around something that ended or goes on, for [`crate::lag::around`]: never ahead of now.
pub(crate) fn while_it_was(
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let longest = from + TimeDelta::hours(23);
    (from, to.unwrap_or(now).clamp(from, longest.max(from)))
}
