//! Partition by partition, the worst first: a row of cells each, whose height is the level, so that it can be read without
//! colours; what is not known is hatched to the top.

use chrono::{DateTime, Utc};
use muster_domain::{
    reading::ReadingClass,
    recorder::explorer::{LagExplorer, Level, StripRow, StripRun},
};

use crate::{
    format,
    parts::{moment, percent, ticks},
    words,
};

/// Some time of one level.
#[derive(Debug)]
pub(crate) struct CellView {
    pub(crate) x: f64,
    pub(crate) width: f64,
    /// From the top, in percent.
    pub(crate) y: f64,
    pub(crate) height: f64,
    pub(crate) class: &'static str,
    pub(crate) said: String,
}

/// One partition.
#[derive(Debug)]
pub(crate) struct RowView {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) worst: String,
    pub(crate) when: String,
    pub(crate) unknown: String,
    pub(crate) cells: Vec<CellView>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct StripView {
    pub(crate) note: String,
    pub(crate) rows: Vec<RowView>,
    pub(crate) ticks: Vec<(f64, String, &'static str)>,
    pub(crate) key: Vec<(&'static str, f64, &'static str)>,
}

impl StripView {
    /// Of what was found.
    pub(crate) fn new(found: &LagExplorer) -> Self {
        let strip = &found.strip;
        let all = format::count(strip.partitions, "partition");
        let note = if strip.rows.len() < strip.partitions {
            format!(
                "{} of {all}: those unknown for the longest, then those furthest behind",
                strip.rows.len()
            )
        } else {
            format!("{all}: those unknown for the longest first, then those furthest behind")
        };
        Self {
            note,
            rows: strip.rows.iter().map(|row| view(found, row)).collect(),
            ticks: ticks(found.from, found.to),
            key: Level::KNOWN.iter().map(|level| (class(*level), height(*level), words_of(*level))).collect(),
        }
    }
}

fn view(found: &LagExplorer, row: &StripRow) -> RowView {
    let span = (found.from, found.to);
    let worst = row.worst_records.map_or_else(|| "never known".to_owned(), format::number);
    let when = row.worst_at.map(|at| moment(span, at)).unwrap_or_default();
    let unknown = if row.unknown_ms == 0 { "never".to_owned() } else { format::duration(row.unknown_ms) };
    RowView {
        href: crate::lag::of_partition(found, &row.topic, row.partition),
        label: format!(
            "{}, partition {}: most {worst} records behind; not known: {unknown}",
            row.topic, row.partition
        ),
        topic: row.topic.clone(),
        partition: row.partition,
        worst,
        when,
        unknown,
        cells: row.runs.iter().map(|run| cell(found, run)).collect(),
    }
}

fn cell(found: &LagExplorer, run: &StripRun) -> CellView {
    let span = (found.from, found.to);
    let place = |at: DateTime<Utc>| {
        percent((at - found.from).num_milliseconds(), (found.to - found.from).num_milliseconds())
    };
    let (x, end, height) = (place(run.from), place(run.to), height(run.level));
    let class = if run.class == ReadingClass::Stale && run.level != Level::Unknown {
        "was"
    } else {
        class(run.level)
    };
    CellView {
        x,
        width: ((end - x).max(0.2) * 10.0).round() / 10.0,
        y: 100.0 - height,
        height,
        class,
        said: format!("{} {}, {}", moment(span, run.from), words_of(run.level), words::class(run.class)),
    }
}

fn class(level: Level) -> &'static str {
    match level {
        Level::None => "l0",
        Level::Ones => "l1",
        Level::Tens => "l2",
        Level::Hundreds => "l3",
        Level::Thousands => "l4",
        Level::More => "l5",
        Level::Unknown => "gap",
    }
}

fn height(level: Level) -> f64 {
    match level {
        Level::None => 8.0,
        Level::Ones => 26.0,
        Level::Tens => 44.0,
        Level::Hundreds => 62.0,
        Level::Thousands => 80.0,
        Level::More | Level::Unknown => 100.0,
    }
}

fn words_of(level: Level) -> &'static str {
    match level {
        Level::None => "none",
        Level::Ones => "1 to 9",
        Level::Tens => "10 to 99",
        Level::Hundreds => "100 to 999",
        Level::Thousands => "1,000 to 9,999",
        Level::More => "10,000 or more",
        Level::Unknown => "not known",
    }
}
