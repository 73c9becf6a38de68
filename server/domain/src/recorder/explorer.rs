//! The course of many partitions in a few figures: percentiles over them, what a death would have cost, which were worst.
//!
//! Samples are taken in chunk by chunk and block by block, so that what is held at once does not grow with the pair.
//! Unknown is worst and stays visible: it counts as the highest rank of a percentile, and where the worst is unknown the time
//! is a gap with its reason.

mod answer;
mod ends;
mod gaps;
mod grid;
mod marks;
mod moments;
mod rows;
mod rpo_course;
mod sketch;
mod strip;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    answer::{FlowStretch, Freshness, LagExplorer, Series},
    gaps::{Gap, Why},
    grid::OfChunk,
    marks::{Mark, MarkKind, lanes},
    moments::RpoSpan,
    rpo_course::{RpoStretch, rpo_course},
    strip::{Level, RowsOf, Strip, StripRow, StripRun, Wanted},
};
use self::{
    gaps::{gaps, quiet},
    grid::StretchSketch,
    moments::Moment,
    rows::Rows,
};
use crate::reading::ReadingClass;

/// How fine what is shown is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Every survey.
    Survey,
    /// The worst of each hour: records only. The last minutes may not be added up yet.
    Hour,
}

const HOUR_MS: i64 = 3_600_000;

/// A time in stretches of one width, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Begin of the first stretch.
    pub from: i64,
    /// End of what is asked about; the last stretch may reach beyond it.
    pub to: i64,
    /// Width of a stretch; at least 1.
    pub width: i64,
    /// How many there are; at least 1.
    pub count: usize,
    /// What is put into them.
    pub resolution: Resolution,
}

impl Frame {
    /// A time in at most so many stretches. By the hour they are whole hours.
    #[must_use]
    pub fn new(from: DateTime<Utc>, to: DateTime<Utc>, points: usize, resolution: Resolution) -> Self {
        let (from, to) = (from.timestamp_millis(), to.timestamp_millis());
        let points = i64::try_from(points.max(1)).unwrap_or(i64::MAX);
        let (from, unit) = match resolution {
            Resolution::Survey => (from, 1),
            Resolution::Hour => (from - from.rem_euclid(HOUR_MS), HOUR_MS),
        };
        let span = (to - from).max(1);
        let width = up(up(span, points), unit) * unit;
        Self { from, to, width, count: usize::try_from(up(span, width)).unwrap_or(1), resolution }
    }

    /// The stretch a moment is in; `None` outside.
    #[must_use]
    pub fn index(&self, at: i64) -> Option<usize> {
        if at < self.from || at >= self.to {
            return None;
        }
        usize::try_from((at - self.from) / self.width).ok().filter(|index| *index < self.count)
    }

    /// Begin of a stretch.
    #[must_use]
    pub fn begin(&self, index: usize) -> DateTime<Utc> {
        time(self.from + self.width * i64::try_from(index).unwrap_or(i64::MAX / self.width))
    }
}

/// A quotient, rounded up.
fn up(whole: i64, part: i64) -> i64 {
    whole.div_euclid(part) + i64::from(whole.rem_euclid(part) != 0)
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

/// A partition that is looked at.
#[derive(Debug, Clone)]
pub struct Track {
    /// Where it is in the blocks of its chunk.
    pub slot: usize,
    /// Source topic.
    pub topic: Arc<str>,
    /// Its number.
    pub partition: i32,
    /// Whether its flow copies every record and nothing is compacted away, so that what is missing can be proven.
    pub keeps_all: bool,
}

/// Figures over partitions. Unknown partitions rank above all others, so a percentile is null when it falls among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Band {
    /// Half of the partitions are at this or better.
    pub p50: Option<i64>,
    /// Nine of ten are.
    pub p90: Option<i64>,
    /// Ninety-nine of a hundred are.
    pub p99: Option<i64>,
    /// The worst; null when any is unknown.
    pub worst: Option<i64>,
    /// How sure the worst is: the least sure of all.
    pub class: ReadingClass,
    /// The least sure of those that are known; null when none is.
    pub known_class: Option<ReadingClass>,
}

/// What the chosen partitions were like in one stretch of time, each at its worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stretch {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Partitions there were.
    pub partitions: usize,
    /// How many of them were unknown at any time of it.
    pub unknown: usize,
    /// Why, when any was.
    pub why: Option<Why>,
    /// Records behind.
    pub records: Band,
    /// Milliseconds behind; null where it is not kept (by the hour, for single topics).
    pub ms: Option<Band>,
    /// Records all of them together were behind at the worst moment; null when any was unknown.
    pub total_records: Option<i64>,
    /// What would have been lost if the source had died; null where it is not kept (by the hour, which is told of the whole flow only).
    pub rpo: Option<RpoSpan>,
}

/// What came of a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Course {
    /// Stretches with samples, oldest first.
    pub items: Vec<Stretch>,
    /// Where the worst is not known, and why.
    pub gaps: Vec<Gap>,
    /// Topic by topic or partition by partition.
    pub strip: Strip,
    /// When the newest sample was taken; null without any.
    pub newest: Option<DateTime<Utc>>,
    /// How sure the records of the newest sample are.
    pub newest_class: ReadingClass,
}

/// Takes samples in, chunk by chunk.
#[derive(Debug)]
pub struct Explorer {
    frame: Frame,
    stretches: Vec<StretchSketch>,
    moments: BTreeMap<i64, Moment>,
    rows: Rows,
}

impl Explorer {
    /// Nothing yet.
    #[must_use]
    pub fn new(frame: Frame, rows: Wanted) -> Self {
        let stretches = vec![StretchSketch::default(); frame.count];
        Self { frame, stretches, moments: BTreeMap::new(), rows: Rows::new(rows) }
    }

    /// Begins a chunk; its blocks come oldest first.
    pub fn chunk(&mut self, tracks: Vec<Track>) -> OfChunk<'_> {
        OfChunk::new(self, tracks)
    }

    /// All chunks are in. `now` ends the time in which samples can be missing.
    #[must_use]
    pub fn finish(self, now: DateTime<Utc>) -> Course {
        let frame = self.frame;
        let figures = moments::by_stretch(&frame, &self.moments);
        let items: Vec<Stretch> = self
            .stretches
            .iter()
            .enumerate()
            .filter(|(_, sketch)| sketch.partitions() > 0)
            .map(|(index, sketch)| {
                let of_all = figures.get(&index).copied().unwrap_or_default();
                sketch.stretch(frame.begin(index), frame.resolution, of_all)
            })
            .collect();
        let newest = self.moments.last_key_value();
        Course {
            gaps: gaps(&frame, &self.moments, &items, now),
            strip: self.rows.strip(&frame, quiet(&frame, &self.moments)),
            newest: newest.map(|(at, _)| time(*at)),
            newest_class: newest.map_or(ReadingClass::Unknown, |(_, moment)| moment.class()),
            items,
        }
    }
}
