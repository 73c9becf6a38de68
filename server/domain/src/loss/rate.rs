//! How much can have been written in a time nobody looked.
//!
//! Numbers come from Kafka and may be anything: nothing here overflows.

use chrono::TimeDelta;

use crate::{lag::EndsAt, topic::TopicPartition};

/// The most some partitions together can have grown in a time, if they never grew faster than in the kept history; `None`
/// without two samples. Counts of independent writes vary by about their root, so twice that comes on top.
pub(super) fn most_in<'k>(
    history: &[EndsAt],
    keys: impl Iterator<Item = &'k TopicPartition> + Clone,
    window: TimeDelta,
) -> Option<i64> {
    let window_ms = window.num_milliseconds().max(0) as f64;
    let steps = history.windows(2).filter_map(|step| {
        let [(before, earlier), (after, later)] = step else { return None };
        let elapsed = (*after - *before).num_milliseconds();
        if elapsed <= 0 {
            return None;
        }
        let grown: i64 = keys
            .clone()
            .filter_map(|key| Some(later.get(key)?.saturating_sub(*earlier.get(key)?).max(0)))
            .fold(0, i64::saturating_add);
        Some(grown as f64 / elapsed as f64)
    });
    let fastest = steps.reduce(f64::max)?;
    let expected = fastest * window_ms;
    // Offsets are far below 2^52: exact as floats.
    #[expect(clippy::cast_possible_truncation, reason = "rounded up, and far below 2^63")]
    Some((expected + 2.0 * expected.sqrt()).ceil() as i64)
}

/// Offsets a position may be beyond an end of which no rate is known.
const AHEAD_WITHOUT_RATE: i64 = 10_000;

/// How far a position may be beyond the end of its partition when both are read at the same time, or the end so much earlier: by
/// what was written meanwhile, with as much again for a burst. What is further is not the position of this log.
pub(crate) fn may_run_ahead(history: &[EndsAt], key: &TopicPartition, unseen: TimeDelta) -> i64 {
    let seen_twice = history.windows(2).any(|step| step.iter().all(|(_, ends)| ends.contains_key(key)));
    let most = if seen_twice { most_in(history, std::iter::once(key), unseen) } else { None };
    most.map_or(AHEAD_WITHOUT_RATE, |most| most.saturating_mul(2))
}
