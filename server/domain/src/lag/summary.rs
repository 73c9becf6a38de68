//! Many partitions in a few figures. One unknown partition makes a sum unknown: it may hold the loss.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Clock, EndsAt, FlowLag, PartitionLag, Rpo, TopicLag};
use crate::{
    pair::Flow,
    reading::{Observed, Reading, ReadingClass},
    survey::Survey,
};

/// Holes listed with a flow.
const HOLES: usize = 20;

pub(super) fn summarise(
    flow: &Flow,
    survey: &Survey,
    lags: &[PartitionLag],
    history: &[EndsAt],
    clock: Clock,
) -> FlowLag {
    let topics = &survey.sides.get(flow.direction.from).topics;
    let nothing = match topics {
        Observed::Known { at, .. } => Reading::new(0, ReadingClass::Exact, *at, "no topic is in scope"),
        Observed::Unknown { reason, at } => Reading::unknown(*at, reason),
    };
    let all = || lags.iter();
    let (total, worst_records, worst_ms) =
        (sum(all().map(|l| &l.records)), worst(all().map(|l| &l.records)), worst(all().map(|l| &l.ms)));
    let rpo = rpo(&total, &worst_ms, lags, history, clock);
    FlowLag {
        direction: flow.direction,
        worst_records: worst_records.unwrap_or_else(|| nothing.clone()),
        total_records: total.unwrap_or_else(|| nothing.clone()),
        worst_ms: worst_ms.unwrap_or(nothing),
        worst: furthest_behind(lags),
        topics: by_topic(lags),
        in_open_transactions: lags.iter().map(|lag| lag.in_open_transactions).sum(),
        holes: lags.iter().filter_map(|lag| lag.hole.clone()).take(HOLES).collect(),
        rpo,
    }
}

fn furthest_behind(lags: &[PartitionLag]) -> Option<crate::topic::TopicPartition> {
    let behind = lags.iter().filter(|lag| lag.records.value.is_some_and(|records| records > 0));
    behind.max_by_key(|lag| (lag.ms.value, lag.records.value)).map(|lag| lag.partition.clone())
}

fn by_topic(lags: &[PartitionLag]) -> BTreeMap<String, TopicLag> {
    lags.chunk_by(|a, b| a.partition.topic == b.partition.topic)
        .filter_map(|of_topic| {
            let records = sum(of_topic.iter().map(|lag| &lag.records))?;
            let ms = worst(of_topic.iter().map(|lag| &lag.ms))?;
            Some((of_topic[0].partition.topic.clone(), TopicLag { records, ms }))
        })
        .collect()
}

fn sum<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<Reading> {
    combine(readings, |a, b| a + b)
}

fn worst<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<Reading> {
    combine(readings, i64::max)
}

fn combine<'a>(
    readings: impl Iterator<Item = &'a Reading>,
    join: impl Fn(i64, i64) -> i64,
) -> Option<Reading> {
    let mut known: Option<i64> = None;
    let mut oldest: Option<DateTime<Utc>> = None;
    let (mut class, mut reason) = (ReadingClass::Exact, "");
    let (mut count, mut unknown) = (0, 0);
    for reading in readings {
        count += 1;
        oldest = Some(oldest.map_or(reading.at, |oldest| oldest.min(reading.at)));
        if reading.class > class {
            (class, reason) = (reading.class, &reading.reason);
        }
        match reading.value {
            Some(value) => known = Some(known.map_or(value, |known| join(known, value))),
            None => unknown += 1,
        }
    }
    let at = oldest?;
    if unknown == 0 {
        return known.map(|value| Reading::new(value, class, at, reason));
    }
    let rest = known.map_or_else(String::new, |value| format!("; of the others it is {value}"));
    Some(Reading::unknown(at, format!("unknown for {unknown} of {count} partitions ({reason}){rest}")))
}

/// What is behind is lost at least, as far as it is proven to be missing. What was written since the ends were read, or
/// will be before they are read again, comes on top.
fn rpo(
    total: &Option<Reading>,
    worst_ms: &Option<Reading>,
    lags: &[PartitionLag],
    history: &[EndsAt],
    clock: Clock,
) -> Rpo {
    let Some(total) = total else { return Rpo::default() };
    let proven = lags.iter().filter(|lag| lag.records.class <= ReadingClass::Tight);
    let stale = total.class == ReadingClass::Stale;
    let unseen_ms = (clock.now - total.at).max(clock.period).num_milliseconds();
    Rpo {
        records_at_least: total.value.map(|_| proven.filter_map(|lag| lag.records.value).sum()),
        records_at_most: total
            .value
            .filter(|_| !stale)
            .and_then(|value| Some(value + unseen(history, unseen_ms)?)),
        ms_at_most: worst_ms.as_ref().and_then(|worst| worst.value).map(|ms| ms + unseen_ms),
    }
}

/// Records written in so many milliseconds, at the rate of the last two samples.
fn unseen(history: &[EndsAt], ms: i64) -> Option<i64> {
    let [.., (before, earlier), (after, later)] = history else { return None };
    let elapsed = (*after - *before).num_milliseconds();
    if elapsed <= 0 {
        return None;
    }
    // Both maps are in the same order, so they are walked side by side.
    let mut earlier = earlier.iter().peekable();
    let mut grown: i64 = 0;
    for (key, end) in later {
        while earlier.next_if(|(other, _)| *other < key).is_some() {}
        if let Some((_, before)) = earlier.next_if(|(other, _)| *other == key) {
            grown += (end - before).max(0);
        }
    }
    Some((grown * ms).div_euclid(elapsed) + i64::from(grown * ms % elapsed != 0))
}
