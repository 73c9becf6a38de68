//! Where the worst is not known, and why. A gap has a name; it is never drawn as zero and never drawn across.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Frame, HOUR_MS, Resolution, Stretch, time};

/// Why something is not known, from the least to what says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nobody looked, or nothing is kept of it.
    NotRecorded,
    /// At some time of the hour; which is not kept.
    InTheHour,
    /// The ends on the source were read, and it could not be told how far the target had come.
    TargetNotKnown,
    /// The ends on the source were not read: it did not answer, or a partition had no leader.
    SourceNotRead,
}

/// A time for which the worst is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// Why.
    pub why: Why,
    /// Most partitions that were unknown in one stretch; 0 when nothing was recorded.
    pub unknown: usize,
    /// Of so many.
    pub partitions: usize,
}

/// So many milliseconds without a sample are no gap yet: three times what usually lies between two. By the hour, each hour is
/// there or missing. `times` are those of the samples, in order.
pub(super) fn quiet(frame: &Frame, times: &[i64]) -> i64 {
    if frame.resolution == Resolution::Hour {
        return 0;
    }
    let mut apart: Vec<i64> = times.windows(2).map(|two| two[1] - two[0]).collect();
    apart.sort_unstable();
    3 * apart.get(apart.len() / 2).copied().unwrap_or(5_000).max(1_000)
}

/// Where samples are missing or unknown, oldest first.
pub(super) fn gaps(frame: &Frame, times: &[i64], items: &[Stretch], now: DateTime<Utc>) -> Vec<Gap> {
    let mut found = not_recorded(frame, times, now);
    let end = time(frame.to).min(now);
    // What was seen stands until the next sample.
    let stands = TimeDelta::milliseconds(quiet(frame, times).max(frame.width));
    for (number, item) in items.iter().enumerate() {
        let Some(why) = item.why else { continue };
        let next = items.get(number + 1).map_or(end, |next| next.at);
        let (from, to) = (item.at, (item.at + stands).min(next).max(item.at));
        let (unknown, partitions) = (item.unknown, item.partitions);
        match found.last_mut() {
            // The worst reason of stretches that follow one another stands for them.
            Some(last) if last.why != Why::NotRecorded && from <= last.to => {
                last.to = to;
                last.why = last.why.max(why);
                if unknown > last.unknown {
                    (last.unknown, last.partitions) = (unknown, partitions);
                }
            }
            Some(_) | None => found.push(Gap { from, to, why, unknown, partitions }),
        }
    }
    found.sort_by_key(|gap| gap.from);
    found
}

/// Times without samples.
fn not_recorded(frame: &Frame, times: &[i64], now: DateTime<Utc>) -> Vec<Gap> {
    let end = frame.to.min(now.timestamp_millis());
    let quiet = quiet(frame, times);
    // What an hour holds reaches to its end; the present one is added up after some minutes.
    let (reach, late) = match frame.resolution {
        Resolution::Hour => (HOUR_MS, HOUR_MS / 4),
        Resolution::Survey => (0, quiet),
    };
    let mut found = Vec::new();
    let mut seen_until: Option<i64> = None;
    for at in times.iter().copied().filter(|at| *at < end).chain([end]) {
        let from = seen_until.unwrap_or(frame.from).max(frame.from);
        let allowed = if at == end { late } else { quiet };
        if at - from > allowed || (at == end && seen_until.is_none()) {
            found.push(Gap {
                from: time(from),
                to: time(at),
                why: Why::NotRecorded,
                unknown: 0,
                partitions: 0,
            });
        }
        seen_until = Some(at + reach);
    }
    found
}
