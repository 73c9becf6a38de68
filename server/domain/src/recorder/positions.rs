//! Where a group stood: at a time, and hour by hour.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::explorer::Resolution;

/// Where a group stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupThen {
    /// Whether a survey said so, or the roll-up of an hour.
    pub resolution: Resolution,
    /// When the survey began; of an hour its begin.
    pub at: DateTime<Utc>,
    /// By topic and partition, in this order.
    pub positions: Vec<PositionThen>,
}

/// Where it stood in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionThen {
    /// Source topic.
    pub topic: String,
    /// Its id then; all zero where the cluster has none.
    pub topic_id: Uuid,
    /// Its number.
    pub partition: i32,
    /// Next offset to read: of the survey, or the last of the hour.
    pub position: i64,
    /// Lowest of the hour; of a survey the position itself.
    pub lowest: i64,
    /// Highest of the hour; of a survey the position itself.
    pub highest: i64,
}

/// Positions of a group in one partition over an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InHour {
    /// The last of the hour.
    pub position: i64,
    /// The lowest.
    pub lowest: i64,
    /// The highest.
    pub highest: i64,
}

/// The positions of a group in one hour, by track: a topic that was recreated has other tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHour {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// By number of the track.
    pub tracks: BTreeMap<i32, InHour>,
}

/// What a group did in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHour {
    /// Its begin.
    pub at: DateTime<Utc>,
    /// Partitions of which a position is kept.
    pub partitions: usize,
    /// By so many offsets its positions moved since the end of the hour before, all partitions together that both hours have; below
    /// zero when it was set back by more than it read. `None` when nothing is kept of the hour before.
    pub moved: Option<i64>,
    /// Partitions in which it was set back: it stood lower than it had stood before.
    pub set_back: usize,
}

/// What a group did hour by hour; `kept` is oldest first.
#[must_use]
pub fn group_hours(kept: &[KeptHour]) -> Vec<GroupHour> {
    let before = |index: usize| {
        let before = kept.get(index.checked_sub(1)?)?;
        (kept[index].at - before.at == TimeDelta::hours(1)).then_some(&before.tracks)
    };
    kept.iter().enumerate().map(|(index, hour)| group_hour(hour, before(index))).collect()
}

fn group_hour(hour: &KeptHour, before: Option<&BTreeMap<i32, InHour>>) -> GroupHour {
    let earlier = |track: &i32| before.and_then(|before| before.get(track));
    let moved = |(track, now): (&i32, &InHour)| Some(now.position.saturating_sub(earlier(track)?.position));
    let set_back = |(track, now): &(&i32, &InHour)| {
        now.position < now.highest || earlier(track).is_some_and(|earlier| now.lowest < earlier.highest)
    };
    GroupHour {
        at: hour.at,
        partitions: hour.tracks.len(),
        moved: before.map(|_| hour.tracks.iter().filter_map(moved).fold(0, i64::saturating_add)),
        set_back: hour.tracks.iter().filter(set_back).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(number: i64, tracks: &[(i32, i64, i64, i64)]) -> KeptHour {
        let of = |(track, position, lowest, highest): &(i32, i64, i64, i64)| {
            (*track, InHour { position: *position, lowest: *lowest, highest: *highest })
        };
        KeptHour {
            at: DateTime::UNIX_EPOCH + TimeDelta::hours(number),
            tracks: tracks.iter().map(of).collect(),
        }
    }

    #[test]
    fn a_group_that_was_set_back_shows_in_its_hour_and_what_no_hour_is_before_is_not_reckoned() {
        let kept = [
            hour(0, &[(0, 100, 10, 100), (1, 50, 50, 50)]),
            hour(1, &[(0, 160, 100, 160), (1, 50, 50, 50), (2, 900, 900, 900)]),
            // Nothing is kept of hour 2.
            hour(3, &[(0, 400, 300, 400)]),
            // Set back and far on again within the hour.
            hour(4, &[(0, 420, 20, 420)]),
            // Set back to the end of the hour.
            hour(5, &[(0, 30, 30, 500)]),
        ];
        let told: Vec<_> =
            group_hours(&kept).into_iter().map(|hour| (hour.partitions, hour.moved, hour.set_back)).collect();
        assert_eq!(
            told,
            [(2, None, 0), (3, Some(60), 0), (1, None, 0), (1, Some(20), 1), (1, Some(-390), 1)]
        );
        assert_eq!(group_hours(&[]), []);
    }
}
