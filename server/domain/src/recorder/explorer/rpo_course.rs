//! What a death would have cost over a long time, from the worst of each hour.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FlowHour, Frame, Why, time, worse};

/// What a death of the flow's source would have cost at the worst moment of a stretch, as an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RpoStretch {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Writes of at least the last so many milliseconds, at the worst moment that was looked at: how long the oldest record that was
    /// proven to be missing, and that nothing copied, had been there. Null when that was unknown at any, or is not kept of an hour.
    #[serde(default)]
    pub ms_at_least: Option<i64>,
    /// Writes of at most so many milliseconds would have been lost; null when that is not known of any time in it.
    pub ms_at_most: Option<i64>,
    /// At least so many records, at the worst moment that was looked at. Null when that was unknown at any, or is not kept of an hour.
    #[serde(default)]
    pub records_at_least: Option<i64>,
    /// At most so many, with what may have been written while nobody looked. Null when that is not known of any time in it, or is not kept of
    /// an hour.
    #[serde(default)]
    pub records_at_most: Option<i64>,
    /// Why the milliseconds are not known: `not_recorded` where nothing is kept of an hour, `in_the_hour` where a survey could not tell; null
    /// where they are.
    pub why: Option<Why>,
}

/// Every stretch that has begun by `now`. `hours` are those of the time, oldest first.
#[must_use]
pub fn rpo_course(frame: &Frame, hours: &[FlowHour], now: DateTime<Utc>) -> Vec<RpoStretch> {
    let end = time(frame.to).min(now);
    let bounds = (0..frame.count).map(|index| (frame.begin(index), frame.begin(index + 1).min(end)));
    let begun = bounds.filter(|(begin, end)| begin < end);
    begun.map(|(begin, end)| stretch(hours, begin, end)).collect()
}

/// Hours follow one another without a hole where each holds from where the one before ends, or from before that.
fn stretch(hours: &[FlowHour], begin: DateTime<Utc>, end: DateTime<Utc>) -> RpoStretch {
    let first = hours.partition_point(|hour| hour.rpo.at < begin);
    let until = hours.partition_point(|hour| hour.rpo.at < end);
    let (mut told, mut whole) = (begin, true);
    // Of no hour at all nothing is known.
    let mut worst = if first < until { [Some(0); 4] } else { [None; 4] };
    for hour in hours.get(first..until).unwrap_or_default() {
        let hour_end = hour.rpo.end().min(end);
        whole &= hour.rpo.since <= told;
        let band = hour.whole_band();
        let here = [
            band.and_then(|band| band.ms_at_least),
            hour.rpo.worst_until(hour_end),
            band.and_then(|band| band.records_at_least),
            band.and_then(|band| band.records_at_most_until(hour_end)),
        ];
        for (worst, here) in worst.iter_mut().zip(here) {
            *worst = worse(*worst, here);
        }
        told = hour_end;
    }
    let recorded = whole && told >= end;
    let [ms_at_least, ms_at_most, records_at_least, records_at_most] = worst;
    let why = match (recorded, ms_at_most) {
        (false, _) => Some(Why::NotRecorded),
        (true, None) => Some(Why::InTheHour),
        (true, Some(_)) => None,
    };
    RpoStretch {
        at: begin,
        ms_at_least,
        ms_at_most: ms_at_most.filter(|_| recorded),
        records_at_least,
        records_at_most: records_at_most.filter(|_| recorded),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lag::{RpoHour, RpoLook},
        recorder::explorer::{HourBand, Resolution},
    };

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> DateTime<Utc> {
        time(1_760_000_400_000 + seconds * 1_000)
    }

    /// Surveys every ten minutes of some hours, the first and last of an hour at its begin and ten minutes before its end.
    fn hour(number: i64, since: i64, ms_at_most: Option<i64>) -> FlowHour {
        let looks = (0..6).map(|tenth| RpoLook {
            at: at(number * HOUR + tenth * 600),
            ms_at_most,
            ms_then: ms_at_most.map(|_| 0),
        });
        let hour =
            looks.fold(None, |hour: Option<RpoHour>, look| RpoHour::with(hour.as_ref(), look).or(hour));
        let rpo = RpoHour { since: at(since), ..hour.expect("six surveys") };
        let behind = ms_at_most.map(|_| 7);
        FlowHour { band: Some(HourBand::sample(rpo.last_at, &[behind])), rpo }
    }

    fn course(hours: &[FlowHour], to: i64, points: usize, now: i64) -> Vec<(Option<i64>, Option<Why>)> {
        let frame = Frame::new(at(0), at(to), points, Resolution::Hour);
        rpo_course(&frame, hours, at(now)).iter().map(|one| (one.ms_at_most, one.why)).collect()
    }

    #[test]
    fn an_hour_that_was_not_kept_is_not_recorded_and_one_that_a_survey_could_not_tell_is_unknown() {
        let hours = [
            hour(1, HOUR, Some(700_000)),
            hour(2, 2 * HOUR - 600, None),
            hour(3, 3 * HOUR - 600, Some(900_000)),
        ];
        let found = course(&hours, 4 * HOUR, 100, 9 * HOUR);
        let not_kept = (None, Some(Why::NotRecorded));
        assert_eq!(
            found,
            [not_kept, (Some(700_000), None), (None, Some(Why::InTheHour)), (Some(900_000), None)]
        );
    }

    #[test]
    fn an_hour_that_began_before_anything_was_kept_is_not_told_as_a_whole() {
        let late = hour(0, 5, Some(700_000));
        assert_eq!(course(&[late], HOUR, 1, HOUR), [(None, Some(Why::NotRecorded))]);
    }

    #[test]
    fn a_wide_stretch_is_told_where_its_hours_leave_no_hole() {
        let whole = [hour(0, -5, Some(700_000)), hour(1, HOUR - 600, Some(900_000))];
        assert_eq!(course(&whole, 2 * HOUR, 1, 9 * HOUR), [(Some(900_000), None)]);
        // Nobody looked in the second hour: the third tells of it, where it knows what was before.
        let bridged = [hour(0, -5, Some(700_000)), hour(2, HOUR - 600, Some(4_800_000))];
        assert_eq!(course(&bridged, 3 * HOUR, 1, 9 * HOUR), [(Some(4_800_000), None)]);
        let hole = [hour(0, -5, Some(700_000)), hour(2, 2 * HOUR, Some(700_000))];
        assert_eq!(course(&hole, 3 * HOUR, 1, 9 * HOUR), [(None, Some(Why::NotRecorded))]);
        let ends_early = course(&whole, 4 * HOUR, 1, 9 * HOUR);
        assert_eq!(ends_early, [(None, Some(Why::NotRecorded))], "and nobody has looked since");
    }

    #[test]
    fn in_the_present_hour_it_grows_until_now_and_what_has_not_begun_is_not_there() {
        let hours = [hour(0, -5, Some(700_000))];
        assert_eq!(course(&hours, 3 * HOUR, 100, 3_100), [(Some(700_000), None)]);
        // Between two surveys nobody looks, and so long nothing is seen to arrive.
        assert_eq!(course(&[hour(0, -5, Some(1))], 3 * HOUR, 100, 3_500), [(Some(600_000), None)]);
    }

    #[test]
    fn an_hour_without_a_band_has_the_upper_end_in_time_only() {
        let frame = Frame::new(at(0), at(2 * HOUR), 1, Resolution::Hour);
        let both = [hour(0, -5, Some(700_000)), hour(1, HOUR - 600, Some(900_000))];
        let told = |hours: &[FlowHour]| rpo_course(&frame, hours, at(9 * HOUR))[0];
        let known = told(&both);
        assert_eq!((known.ms_at_least, known.ms_at_most), (Some(0), Some(900_000)));
        assert_eq!(known.records_at_least, Some(0));
        assert!(known.records_at_most > Some(7), "and what may have been written since: {known:?}");
        let [first, second] = both;
        let before = told(&[FlowHour { band: None, ..first }, second.clone()]);
        let nothing = (None, None, None);
        assert_eq!((before.ms_at_least, before.records_at_least, before.records_at_most), nothing);
        assert_eq!((before.ms_at_most, before.why), (Some(900_000), None));
        // What was proven to be missing is no less so for the hour that was not kept; nothing bounds it above.
        let hole = told(&[second]);
        assert_eq!((hole.ms_at_least, hole.ms_at_most, hole.records_at_most), (Some(0), None, None));
        assert_eq!((told(&[]).records_at_least, told(&[]).why), (None, Some(Why::NotRecorded)));
    }
}
