//! Where a group stood: partition by partition at a time, and hour by hour before it.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::recorder::{GroupHour, GroupThen, PositionThen, explorer::Resolution};
use uuid::Uuid;

use crate::{
    format,
    lag_address::around,
    parts::{Mark, Tone},
    recorded::{RecordedDetail, RecordedFilter},
    runs::query_string,
};

/// Partitions of a group that are listed.
const PARTITIONS: usize = 500;

/// Where the group stood in one partition.
#[derive(Debug)]
pub(crate) struct PositionRow {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) position: String,
    pub(crate) range: String,
    pub(crate) id: String,
}

/// Where the group stood at a time.
#[derive(Debug)]
pub(crate) struct Stood {
    /// How that is known.
    pub(crate) said: String,
    /// Whether lowest and highest of the hour are known beside the last.
    pub(crate) by_hour: bool,
    pub(crate) rows: Vec<PositionRow>,
    pub(crate) left_out: usize,
}

impl Stood {
    pub(crate) fn new(detail: &RecordedDetail<'_>, then: &GroupThen) -> Self {
        let said = match then.resolution {
            Resolution::Survey => format!("as a survey saw it on {} UTC", format::date_time(then.at)),
            Resolution::Hour => format!(
                "no survey of then is kept: the last position between {} and {} UTC",
                format::date_time(then.at),
                format::time(then.at + TimeDelta::hours(1))
            ),
        };
        let row = |at: &PositionThen| position_row(detail, then.at, at);
        let rows: Vec<PositionRow> = then.positions.iter().take(PARTITIONS).map(row).collect();
        Self {
            said,
            by_hour: then.resolution == Resolution::Hour,
            left_out: then.positions.len() - rows.len(),
            rows,
        }
    }
}

fn position_row(detail: &RecordedDetail<'_>, taken: DateTime<Utc>, at: &PositionThen) -> PositionRow {
    let source = detail.pair.cluster(detail.direction.from).as_str();
    let course = around(detail.pair.name.as_str(), source, &at.topic, (taken, taken));
    PositionRow {
        name: format!("{}-{}", at.topic, at.partition),
        href: format!("{course}&partition={}", at.partition),
        position: format::number(at.position),
        range: format!("{} to {}", format::number(at.lowest), format::number(at.highest)),
        id: if at.topic_id == Uuid::nil() { "none".to_owned() } else { at.topic_id.to_string() },
    }
}

/// One hour of the group.
#[derive(Debug)]
pub(crate) struct HourRow {
    pub(crate) href: String,
    pub(crate) text: String,
    pub(crate) moved: String,
    pub(crate) partitions: String,
    pub(crate) back: Option<Mark>,
}

/// An hour, with the way to where the group stood at its end.
pub(crate) fn hour_row(detail: &RecordedDetail<'_>, hour: &GroupHour) -> HourRow {
    let last = hour.at + TimeDelta::minutes(59);
    let there = RecordedFilter { after: String::new(), ..detail.filter.clone() }.at(last);
    HourRow {
        href: there.href(detail.pair.name.as_str()),
        text: hour.at.format("%-d %b %Y %H:%M").to_string(),
        moved: hour.moved.map_or_else(|| "not known".to_owned(), format::number),
        partitions: hour.partitions.to_string(),
        back: (hour.set_back > 0).then(|| {
            Mark::new(Tone::Warn, format!("set back in {}", format::count(hour.set_back, "partition")))
        }),
    }
}

/// The same as JSON.
pub(crate) fn positions_json(detail: &RecordedDetail<'_>) -> String {
    let at = format::iso(detail.at);
    let source = detail.pair.cluster(detail.direction.from).as_str();
    let query = query_string(&[("group", detail.filter.group.trim()), ("source", source), ("at", &at)]);
    format!("/api/v1/pairs/{}/positions{query}", detail.pair.name)
}
