//! Samples of some tracks over some time, and what is made of them: hours, and points of a chart.

use chrono::{DateTime, Utc};

use super::{Cells, Column, class_number, class_of};
use crate::reading::ReadingClass;

/// Samples of some tracks at some times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// When samples were taken, in milliseconds since 1970, ascending.
    pub at: Vec<i64>,
    /// How many tracks there are.
    pub tracks: usize,
    /// By column: the values of the first track at all times, then of the second, and so on.
    pub columns: Vec<Vec<Option<i64>>>,
}

impl Block {
    /// Of single samples, oldest first. Tracks that came later have no values before.
    #[must_use]
    pub fn of(columns: usize, samples: &[(i64, Vec<Cells>)]) -> Self {
        let tracks = samples.iter().map(|(_, tracks)| tracks.len()).max().unwrap_or(0);
        let value = |column: usize, track: usize, sample: &[Cells]| {
            sample.get(track).and_then(|cells: &Cells| cells.get(column).copied().flatten())
        };
        let column = |column| {
            let tracks = 0..tracks;
            tracks
                .flat_map(|track| samples.iter().map(move |(_, sample)| value(column, track, sample)))
                .collect()
        };
        Self {
            at: samples.iter().map(|(at, _)| *at).collect(),
            tracks,
            columns: (0..columns).map(column).collect(),
        }
    }

    /// A value; `None` also for what is not in it.
    #[must_use]
    pub fn value(&self, column: usize, track: usize, sample: usize) -> Option<i64> {
        if sample >= self.at.len() || track >= self.tracks {
            return None;
        }
        self.columns.get(column)?.get(track * self.at.len() + sample).copied().flatten()
    }

    /// Records a track was behind at a sample.
    #[must_use]
    pub fn behind(&self, track: usize, sample: usize) -> Option<i64> {
        let reach = self.value(Column::Reach as usize, track, sample)?;
        let through = self.value(Column::Through as usize, track, sample)?;
        Some(reach.saturating_sub(1).saturating_sub(through).max(0))
    }

    /// High watermark at a sample, without what was known to be no record before it: as it is told of a survey.
    #[must_use]
    pub fn written(&self, track: usize, sample: usize) -> Option<i64> {
        let reach = self.value(Column::Reach as usize, track, sample)?;
        Some(self.open(track, sample).map_or(reach, |(_, end)| end.max(reach)))
    }

    /// Of what lay in open transactions, or behind such, what the flow could not copy yet: where it could, its reach is beyond.
    pub(crate) fn held_back(&self, track: usize, sample: usize) -> i64 {
        let held_back = || {
            let (stable, end) = self.open(track, sample)?;
            let reach = self.value(Column::Reach as usize, track, sample)?;
            (reach <= stable).then(|| end.saturating_sub(stable))
        };
        held_back().unwrap_or(0)
    }

    /// Last stable offset and high watermark, where a transaction was open.
    fn open(&self, track: usize, sample: usize) -> Option<(i64, i64)> {
        let value = |column: Column| self.value(column as usize, track, sample);
        value(Column::Stable).zip(value(Column::End)).filter(|(stable, end)| stable < end)
    }

    /// Whether the track was there at a sample at all.
    pub(crate) fn has(&self, track: usize, sample: usize) -> bool {
        self.value(Column::Class as usize, track, sample).is_some()
    }

    /// How sure the records behind are; unknown without them.
    pub(crate) fn class(&self, track: usize, sample: usize) -> ReadingClass {
        match self.behind(track, sample) {
            Some(_) => class_of(self.value(Column::Class as usize, track, sample)),
            None => ReadingClass::Unknown,
        }
    }
}

/// Columns of a roll-up of partitions: the last end, the most records behind, and the least sure class.
pub struct Hours;

impl Hours {
    /// High watermark at the end of the hour, the last that was read.
    pub const END: usize = 0;
    /// Most records behind; no value when that was unknown at any time of the hour.
    pub const BEHIND: usize = 1;
    /// The least sure class of the hour.
    pub const CLASS: usize = 2;
    /// None moves with another.
    pub const PARENTS: [Option<usize>; 3] = [None; 3];
}

/// Columns of a roll-up of groups' positions: the last, the lowest and the highest of the hour.
pub struct GroupHours;

impl GroupHours {
    /// Next offset to read at the end of the hour, the last that was read.
    pub const POSITION: usize = 0;
    /// The lowest of the hour. Below the highest of the hour before: somebody set the group back.
    pub const LOWEST: usize = 1;
    /// The highest of the hour.
    pub const HIGHEST: usize = 2;
    /// Most groups move little in an hour.
    pub const PARENTS: [Option<usize>; 3] = [None, Some(Self::POSITION), Some(Self::POSITION)];
}

/// The roll-up of a block of groups' positions: one sample, at the given time.
pub(super) fn group_hours_of(block: &Block, at: i64) -> Block {
    let tracks = (0..block.tracks)
        .map(|track| {
            let seen = || (0..block.at.len()).filter_map(move |sample| block.value(0, track, sample));
            vec![seen().next_back(), seen().min(), seen().max()]
        })
        .collect();
    Block::of(3, &[(at, tracks)])
}

/// Two roll-ups of groups' positions of one hour as one; `later` has the later position.
pub(super) fn join_group_hours(earlier: &Block, later: &Block) -> Block {
    let at = later.at.first().or(earlier.at.first()).copied().unwrap_or_default();
    let tracks = (0..earlier.tracks.max(later.tracks))
        .map(|track| {
            let both = |column| [later, earlier].map(|hour| hour.value(column, track, 0));
            let known = |column| both(column).into_iter().flatten();
            let [position, before] = both(GroupHours::POSITION);
            vec![position.or(before), known(GroupHours::LOWEST).min(), known(GroupHours::HIGHEST).max()]
        })
        .collect();
    Block::of(3, &[(at, tracks)])
}

/// The roll-up of a block of partitions: one sample, at the given time.
#[must_use]
pub fn hours_of(block: &Block, at: i64) -> Block {
    let samples = block.at.len();
    let tracks = (0..block.tracks)
        .map(|track| {
            let seen = || (0..samples).filter(|sample| block.has(track, *sample));
            let end = (0..samples).rev().find_map(|sample| block.value(Column::End as usize, track, sample));
            let class = seen().map(|sample| block.class(track, sample)).max();
            let known = class.is_some_and(|class| class != ReadingClass::Unknown);
            let behind =
                known.then(|| seen().filter_map(|sample| block.behind(track, sample)).max()).flatten();
            vec![end, behind, class.map(class_number)]
        })
        .collect();
    Block::of(3, &[(at, tracks)])
}

/// Two roll-ups of partitions of one hour as one; `later` has the later end.
#[must_use]
pub fn join_hours(earlier: &Block, later: &Block) -> Block {
    let at = later.at.first().or(earlier.at.first()).copied().unwrap_or_default();
    let tracks = (0..earlier.tracks.max(later.tracks))
        .map(|track| {
            let both = |column| (earlier.value(column, track, 0), later.value(column, track, 0));
            let (end_before, end) = both(Hours::END);
            let (behind_before, behind) = both(Hours::BEHIND);
            let class = match both(Hours::CLASS) {
                (Some(before), Some(after)) => Some(before.max(after)),
                (one, other) => one.or(other),
            };
            // No class: the track was not there in that part. Unknown in a part is unknown for the hour.
            let unknown = class_of(class) == ReadingClass::Unknown;
            let behind = if unknown { None } else { behind_before.max(behind) };
            vec![end.or(end_before), behind, class]
        })
        .collect();
    Block::of(3, &[(at, tracks)])
}

/// What chosen tracks were like in one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Point {
    /// Start of the stretch.
    pub at: DateTime<Utc>,
    /// Records the worst of them was behind at its worst; `None` when any was unknown at any time.
    pub worst_lag_records: Option<i64>,
    /// Records all of them together were behind at the worst moment (in hours: each at its own worst, so at most).
    pub total_lag_records: Option<i64>,
    /// The least sure class.
    pub records_class: ReadingClass,
}

/// Joins the samples of a moment into the point of its stretch: the worst stands, and unknown is worst.
#[must_use]
pub fn stretch(point: Option<Point>, moment: Point) -> Point {
    let Some(point) = point else { return moment };
    let worse = |a: Option<i64>, b: Option<i64>| a.zip(b).map(|(a, b)| a.max(b));
    Point {
        at: point.at,
        worst_lag_records: worse(point.worst_lag_records, moment.worst_lag_records),
        total_lag_records: worse(point.total_lag_records, moment.total_lag_records),
        records_class: point.records_class.max(moment.records_class),
    }
}
