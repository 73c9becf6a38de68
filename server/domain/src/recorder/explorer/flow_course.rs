//! A whole flow over a long time, from what is kept of it by the hour.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{FlowHour, Frame, HourBand, OfSurveys, Stretch, Why};
use crate::reading::ReadingClass;

/// Hours by the stretches they are in. One of which no whole band is kept is not in it, as if nothing were kept of it.
#[derive(Debug, Default)]
pub(super) struct FlowCourse {
    stretches: BTreeMap<usize, HourBand>,
    hours: BTreeSet<i64>,
    /// When the last survey was, in milliseconds since 1970, and how sure the records of its hour are.
    newest: Option<(i64, ReadingClass)>,
}

impl FlowCourse {
    /// Of hours in the order of time.
    pub(super) fn of(frame: &Frame, hours: &[FlowHour]) -> Self {
        let mut course = Self::default();
        for hour in hours {
            let at = hour.rpo.at.timestamp_millis();
            let Some((band, index)) = hour.whole_band().zip(frame.index(at)) else { continue };
            let joined = course.stretches.get(&index).map_or_else(|| band.clone(), |kept| kept.joined(band));
            course.stretches.insert(index, joined);
            course.hours.insert(at);
            course.newest = Some((band.until.timestamp_millis(), band.records.class));
        }
        course
    }

    /// Whether it has the hour that begins then.
    pub(super) fn has(&self, at: i64) -> bool {
        self.hours.contains(&at)
    }

    /// The begins of all hours it has.
    pub(super) fn hours(&self) -> impl Iterator<Item = i64> + use<'_> {
        self.hours.iter().copied()
    }

    pub(super) fn newest(&self) -> Option<(i64, ReadingClass)> {
        self.newest
    }

    /// `None` where nothing is kept of it, and where there was no partition and that was known.
    pub(super) fn stretch(&self, index: usize, at: DateTime<Utc>) -> Option<Stretch> {
        let band = self.stretches.get(&index)?;
        let unknown = band.unknown_surveys > 0;
        (band.partitions > 0 || unknown).then(|| Stretch {
            at,
            partitions: band.partitions,
            unknown: band.by_class.unknown,
            why: unknown.then_some(Why::InTheHour),
            records: band.records,
            ms: Some(band.ms),
            total_records: band.total_records,
            rpo: None,
            of_surveys: Some(OfSurveys {
                surveys: band.surveys,
                unknown: band.unknown_surveys,
                partitions: band.by_class,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        lag::RpoLook,
        recorder::{
            Block,
            explorer::{Course, Explorer, FlowLook, Resolution, RowsOf, Track, Wanted, time},
        },
    };

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> DateTime<Utc> {
        time(1_760_000_400_000 + seconds * 1_000)
    }

    /// An hour of one survey, of a flow of one partition that is so far behind.
    fn hour(number: i64, records: Option<i64>) -> FlowHour {
        let at = at(number * HOUR + 60);
        let band = HourBand::sample(at, &[records]);
        let rpo = RpoLook { at, ms_at_most: records, ms_then: records };
        FlowHour::with(None, &FlowLook { rpo, band }).expect("an hour")
    }

    /// One that a process of the version before made.
    fn of_before(number: i64) -> FlowHour {
        FlowHour { band: None, ..hour(number, Some(0)) }
    }

    /// Three hours in stretches of so many, and where given what the partition was like in some hours.
    fn course(hours: &[FlowHour], points: usize, rolled_up: &[(i64, i64)]) -> Course {
        let frame = Frame::new(at(0), at(3 * HOUR), points, Resolution::Hour);
        let mut explorer = Explorer::new(frame, Wanted::worst(RowsOf::Topics, 5));
        explorer.add_flow_hours(hours);
        let track = Track { slot: 0, topic: "orders".into(), partition: 0, keeps_all: true };
        let mut chunk = explorer.chunk(vec![track]);
        for (number, behind) in rolled_up {
            let cells = vec![Some(1_000), Some(*behind), Some(0)];
            let begin = at(number * HOUR);
            chunk.add_hour(begin, &Block::of(3, &[(begin.timestamp_millis(), vec![cells])]), None);
        }
        chunk.done();
        explorer.finish(at(3 * HOUR))
    }

    fn worst(course: &Course) -> Vec<(i64, Option<i64>, Option<usize>)> {
        let of = |item: &Stretch| {
            let surveys = item.of_surveys.map(|of| of.surveys);
            ((item.at - at(0)).num_hours(), item.records.worst, surveys)
        };
        course.items.iter().map(of).collect()
    }

    #[test]
    fn a_stretch_has_the_worst_of_its_hours_and_one_that_could_not_tell_is_a_gap() {
        let hours = [hour(0, Some(3)), hour(1, Some(7)), hour(2, None)];
        let found = course(&hours, 3, &[]);
        assert_eq!(
            worst(&found),
            [(0, Some(3), Some(1)), (1, Some(7), Some(1)), (2, None, Some(1))],
            "{found:?}"
        );
        let gap = found.gaps[0];
        assert_eq!((found.gaps.len(), gap.from, gap.why), (1, at(2 * HOUR), Why::InTheHour), "{gap:?}");
        assert_eq!(worst(&course(&hours[..2], 1, &[])), [(0, Some(7), Some(2))]);
        assert_eq!(found.newest, Some(at(2 * HOUR + 60)), "the last survey, not the begin of its hour");
    }

    #[test]
    fn an_hour_of_which_no_band_is_kept_is_not_recorded_and_never_zero() {
        let cut_short = FlowHour {
            rpo: crate::lag::RpoHour { last_at: at(HOUR + 120), ..hour(1, Some(0)).rpo },
            ..hour(1, Some(0))
        };
        for without in [of_before(1), cut_short] {
            let found = course(&[hour(0, Some(3)), without, hour(2, Some(0))], 3, &[]);
            assert_eq!(worst(&found), [(0, Some(3), Some(1)), (2, Some(0), Some(1))], "{found:?}");
            let gap = found.gaps[0];
            let of = (gap.from, gap.to, gap.why);
            assert_eq!((found.gaps.len(), of), (1, (at(HOUR), at(2 * HOUR), Why::NotRecorded)));
        }
    }

    #[test]
    fn where_partitions_were_read_a_stretch_with_such_an_hour_is_told_from_them() {
        let hours = [of_before(0), hour(1, Some(7)), hour(2, Some(2))];
        let rolled_up = [(0, 900), (1, 7), (2, 2)];
        let found = course(&hours, 3, &rolled_up);
        assert_eq!(worst(&found), [(0, Some(900), None), (1, Some(7), Some(1)), (2, Some(2), Some(1))]);
        assert_eq!(found.gaps, []);
        let wide = course(&hours, 1, &rolled_up);
        assert_eq!(worst(&wide), [(0, Some(900), None)], "the hour before bands is not forgotten");
        assert_eq!(wide.gaps, []);
        assert!(wide.newest >= Some(at(2 * HOUR)) && wide.newest < Some(at(2 * HOUR) + TimeDelta::hours(1)));
    }
}
