//! The course of many partitions in a few figures: percentiles over them, what a death would have cost, which were worst.
//!
//! Samples are taken in chunk by chunk and block by block, so that what is held at once does not grow with the pair.
//! Unknown is worst and stays visible: it counts as the highest rank of a percentile, and where the worst is unknown the time
//! is a gap with its reason.

mod answer;
mod ends;
mod flow_course;
mod flow_hour;
mod gaps;
mod grid;
mod hour_times;
mod marks;
mod moments;
mod rows;
mod rpo_course;
mod sketch;
mod strip;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    answer::{FlowStretch, Freshness, LagExplorer, Series},
    flow_hour::{ByClass, FlowHour, FlowLook, HourBand},
    gaps::{Gap, Why},
    grid::OfChunk,
    hour_times::{HourInTime, HourTimes, Left},
    marks::{Mark, MarkKind, lanes},
    moments::RpoSpan,
    rpo_course::{RpoStretch, rpo_course},
    strip::{Level, RowsOf, Strip, StripRow, StripRun, Wanted},
};
use self::{
    flow_course::FlowCourse,
    gaps::{gaps, quiet},
    grid::StretchSketch,
    hour_times::InTime,
    moments::{Moment, OfAll},
    rows::Rows,
};
use crate::reading::ReadingClass;

/// How fine what is shown is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Every survey.
    Survey,
    /// The worst of each hour. Of single topics and partitions the last minutes may not be added up yet, and in time an hour is told when the
    /// next one is.
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

/// The surveys that a stretch of a whole flow is told from, by the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfSurveys {
    /// How many there were.
    pub surveys: usize,
    /// In so many of them it was unknown of some partition how far it was behind.
    pub unknown: usize,
    /// How sure the records of each partition were, at the one survey that was least sure: the one with most that were unknown, then most
    /// that were stale, and so on.
    pub partitions: ByClass,
}

/// What the chosen partitions were like in one stretch of time, each at its worst. Where it has surveys that it is told from (`of_surveys`),
/// all of them at the worst survey: of each figure that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stretch {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Partitions there were.
    pub partitions: usize,
    /// How many of them were unknown at any time of it; told from surveys, most at one of them.
    pub unknown: usize,
    /// Why, when any was.
    pub why: Option<Why>,
    /// Records behind.
    pub records: Band,
    /// Milliseconds behind; null where it is not kept of every hour in it: of hours from before it was, and of the present one of a topic.
    pub ms: Option<Band>,
    /// Records all of them together were behind at the worst moment; null when any was unknown.
    pub total_records: Option<i64>,
    /// What would have been lost if the source had died, at its worst moment. By the hour it is told of a topic or partition, in time only and
    /// of the partition that is worst, and null where it is not kept of every hour in it; of the whole flow it is in `rpo_course`.
    pub rpo: Option<RpoSpan>,
    /// Where it is told from what each survey said of the whole flow, by the hour; null where it is put together from partitions.
    #[serde(default)]
    pub of_surveys: Option<OfSurveys>,
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
    flow: FlowCourse,
    in_time: InTime,
    rows: Rows,
}

impl Explorer {
    /// Nothing yet.
    #[must_use]
    pub fn new(frame: Frame, rows: Wanted) -> Self {
        let stretches = vec![StretchSketch::default(); frame.count];
        Self {
            frame,
            stretches,
            moments: BTreeMap::new(),
            flow: FlowCourse::default(),
            in_time: InTime::default(),
            rows: Rows::new(rows),
        }
    }

    /// Takes in what is kept of the whole flow by the hour, oldest first: stretches of which anything is are told from it.
    pub fn add_flow_hours(&mut self, hours: &[FlowHour]) {
        self.flow = FlowCourse::of(&self.frame, hours);
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
        let from_partitions = |index: usize, sketch: &StretchSketch| {
            let of_all = figures.get(&index).copied().unwrap_or_default();
            let rpo = match frame.resolution {
                Resolution::Survey => of_all.rpo,
                Resolution::Hour => self.in_time.rpo(index),
            };
            (sketch.partitions() > 0).then(|| sketch.stretch(frame.begin(index), OfAll { rpo, ..of_all }))
        };
        // Where some hour is known by its partitions only, the whole stretch is told from them: nothing of it is left out.
        let from_both: BTreeSet<usize> =
            self.moments.keys().filter(|at| !self.flow.has(**at)).filter_map(|at| frame.index(*at)).collect();
        let items: Vec<Stretch> = self
            .stretches
            .iter()
            .enumerate()
            .filter_map(|(index, sketch)| {
                let of_flow = self.flow.stretch(index, frame.begin(index));
                let of_flow = of_flow.filter(|_| !from_both.contains(&index));
                of_flow.or_else(|| from_partitions(index, sketch))
            })
            .collect();
        let told = |at: &i64| frame.index(*at).is_some_and(|index| !from_both.contains(&index));
        let mut times: Vec<i64> =
            self.moments.keys().copied().chain(self.flow.hours().filter(told)).collect();
        times.sort_unstable();
        times.dedup();
        let of_partitions = self.moments.last_key_value().map(|(at, moment)| (*at, moment.class()));
        let newest = [of_partitions, self.flow.newest()].into_iter().flatten().max_by_key(|(at, _)| *at);
        Course {
            gaps: gaps(&frame, &times, &items, now),
            strip: self.rows.strip(&frame, quiet(&frame, &times)),
            newest: newest.map(|(at, _)| time(at)),
            newest_class: newest.map_or(ReadingClass::Unknown, |(_, class)| class),
            items,
        }
    }
}

/// The worst of both, and unknown is worst.
fn worse(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.zip(b).map(|(a, b)| a.max(b))
}
