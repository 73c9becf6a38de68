//! Topic by topic or partition by partition, the worst first, a page at a time: a row of cells each, whose height is the level, so that it can be read without
//! colours; what is not known is hatched to the top.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    reading::ReadingClass,
    recorder::explorer::{LagExplorer, Level, RowsOf, StripRow, StripRun},
};

use crate::{
    format,
    lag_address::{LagFilter, over, part_of},
    parts::{moment, percent, ticks},
    words,
};

/// Rows of a page, as the server answers them.
const PAGE: usize = 40;

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

/// One topic or partition.
#[derive(Debug)]
pub(crate) struct RowView {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) label: String,
    /// Partitions of a topic; empty for a partition.
    pub(crate) partitions: String,
    pub(crate) worst: String,
    pub(crate) when: String,
    pub(crate) unknown: String,
    pub(crate) cells: Vec<CellView>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct StripView {
    pub(crate) title: &'static str,
    /// What the first column names.
    pub(crate) head: &'static str,
    pub(crate) of_topics: bool,
    pub(crate) note: String,
    /// Where the same is shown in rows of the other kind, in words; `None` where there is one topic only.
    pub(crate) other: Option<(String, &'static str)>,
    /// Pages before and after this one.
    pub(crate) pages: Vec<(String, &'static str)>,
    pub(crate) rows: Vec<RowView>,
    pub(crate) ticks: Vec<(f64, String, &'static str)>,
    pub(crate) key: Vec<(&'static str, f64, &'static str)>,
}

impl StripView {
    /// Of what was found, as it was asked.
    pub(crate) fn new(found: &LagExplorer, filter: &LagFilter) -> Self {
        let of_topics = found.strip.of == RowsOf::Topics;
        let here = |rows: &str, skip: String| {
            let filter = LagFilter { rows: rows.to_owned(), skip, ..filter.clone() };
            format!("/pairs/{}/lag{}#strip", found.pair, filter.query())
        };
        let (other, words) = if of_topics {
            ("partitions", "Show single partitions instead")
        } else {
            ("topics", "Show topics instead")
        };
        Self {
            title: if of_topics { "Topics, worst first" } else { "Partitions, worst first" },
            head: if of_topics { "Topic" } else { "Partition" },
            of_topics,
            note: note(found),
            other: found.topic.is_none().then(|| (here(other, String::new()), words)),
            pages: pages(found, |skip| here(&filter.rows, skip)),
            rows: found.strip.rows.iter().map(|row| view(found, row)).collect(),
            ticks: ticks(found.from, found.to),
            key: Level::KNOWN.iter().map(|level| (class(*level), height(*level), words_of(*level))).collect(),
        }
    }
}

/// What stands in its place where there are too many partitions for the time: why, and where to find them.
#[derive(Debug)]
pub(crate) struct NoStrip {
    pub(crate) title: &'static str,
    pub(crate) why: String,
    /// The same time with a strip, or the longest that has one and ends when this one does, in words; `None` where every time is too long.
    pub(crate) shorter: Option<(String, String)>,
    /// Topics to choose, each over the same time; none where a topic is chosen.
    pub(crate) topics: Vec<(String, String)>,
}

impl NoStrip {
    /// Of what was found; `topics` are offered.
    pub(crate) fn new(found: &LagExplorer, topics: &[String]) -> Self {
        let all = format::count(found.partitions, "partition");
        let (title, of) = if found.topic.is_none() {
            ("Topics, worst first", "Topics one by one")
        } else {
            ("Partitions, worst first", "Partitions one by one")
        };
        let (limit, shorter) = on_demand(found);
        let whole = if found.items.is_empty() && found.flow.is_empty() {
            ""
        } else {
            " What is drawn above is of the flow as a whole."
        };
        Self {
            title,
            why: format!(
                "{of} would be put together from every hour of {all}, for nothing coarser is kept of a partition; {limit}{whole}"
            ),
            shorter,
            topics: topics.iter().map(|topic| (part_of(found, topic, None), topic.clone())).collect(),
        }
    }
}

/// For how long a time they are put together when somebody asks, and where.
fn on_demand(found: &LagExplorer) -> (String, Option<(String, String)>) {
    let longest = TimeDelta::milliseconds(found.longest_ms.unwrap_or_default());
    // As it is said: of some days the hours are left out.
    let longest = if longest.num_days() > 1 { TimeDelta::days(longest.num_days()) } else { longest };
    if longest < TimeDelta::hours(1) {
        return ("of so many that is not done.".to_owned(), None);
    }
    let topic = found.topic.as_deref().unwrap_or_default();
    let link = |from: DateTime<Utc>| {
        let href = over(found, (from, found.to), topic, found.partition);
        // Of a whole flow they have to be asked for.
        if found.topic.is_none() { format!("{href}&rows=topics") } else { href }
    };
    if found.to - found.from <= longest {
        let text = "Show topics one by one over this time; that may take some seconds".to_owned();
        return ("of so many that is done when it is asked for.".to_owned(), Some((link(found.from), text)));
    }
    let said = format::duration(longest.num_milliseconds());
    let text = format!("Show the last {said} of this time");
    (format!("of so many that is done for {said} at a time."), Some((link(found.to - longest), text)))
}

/// Which of how many are here, and in what order.
fn note(found: &LagExplorer) -> String {
    let strip = &found.strip;
    let all = match strip.of {
        RowsOf::Topics => format!(
            "{} with {}",
            format::count(strip.total, "topic"),
            format::count(strip.partitions, "partition")
        ),
        RowsOf::Partitions => format::count(strip.total, "partition"),
    };
    let order = "those unknown for the longest first, then those furthest behind";
    if strip.rows.len() == strip.total {
        format!("{all}: {order}")
    } else if strip.rows.is_empty() {
        format!("none on this page of {all}: {order}")
    } else {
        format!("{} to {} of {all}: {order}", strip.skip + 1, strip.skip + strip.rows.len())
    }
}

fn pages(found: &LagExplorer, here: impl Fn(String) -> String) -> Vec<(String, &'static str)> {
    let (strip, mut pages) = (&found.strip, Vec::new());
    if strip.skip > 0 {
        let before = strip.skip.min(strip.total).saturating_sub(PAGE);
        pages.push((here(if before == 0 { String::new() } else { before.to_string() }), "Worse ones"));
    }
    let behind = strip.skip + strip.rows.len();
    if !strip.rows.is_empty() && behind < strip.total {
        pages.push((here(behind.to_string()), "Better ones"));
    }
    pages
}

fn view(found: &LagExplorer, row: &StripRow) -> RowView {
    let span = (found.from, found.to);
    let worst = row.worst_records.map_or_else(|| "never known".to_owned(), format::number);
    let when = row.worst_at.map(|at| moment(span, at)).unwrap_or_default();
    let unknown = if row.unknown_ms == 0 { "never".to_owned() } else { format::duration(row.unknown_ms) };
    let number = row.partition.filter(|_| found.strip.of == RowsOf::Partitions);
    let (name, said) = match number {
        Some(number) => (format!("{}-{number}", row.topic), format!("{}, partition {number}", row.topic)),
        None => (
            row.topic.clone(),
            format!("{}, worst of {}", row.topic, format::count(row.partitions, "partition")),
        ),
    };
    let partitions = match (row.partition, number) {
        (Some(worst), None) if row.partitions > 1 => format!("{}, worst {worst}", row.partitions),
        (_, None) => row.partitions.to_string(),
        (_, Some(_)) => String::new(),
    };
    RowView {
        href: part_of(found, &row.topic, number),
        label: format!("{said}: most {worst} records behind; not known: {unknown}"),
        name,
        partitions,
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
