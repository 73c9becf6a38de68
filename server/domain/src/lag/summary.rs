//! Many partitions in a few figures. One unknown partition makes a sum unknown: it may hold the loss.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Clock, EndsAt, FlowLag, Missing, PartitionLag, Rate, Rpo, TopicLag};
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
    let furthest = furthest_behind(lags);
    let written = Written::between_last_two(history);
    let rpo = rpo(&total, &worst_ms, lags, written.as_ref().map(|written| written.in_all(lags)), clock);
    FlowLag {
        direction: flow.direction,
        worst_records: worst_records.unwrap_or_else(|| nothing.clone()),
        total_records: total.unwrap_or_else(|| nothing.clone()),
        worst_ms: worst_ms.unwrap_or(nothing),
        worst: furthest.map(|lag| lag.partition.clone()),
        first_missing_timestamp: furthest.and_then(|lag| lag.first_missing_timestamp),
        topics: by_topic(lags, written.as_ref(), clock),
        in_open_transactions: lags
            .iter()
            .fold(0, |sum: i64, lag| sum.saturating_add(lag.in_open_transactions)),
        holes: lags.iter().filter_map(|lag| lag.hole.clone()).take(HOLES).collect(),
        rpo,
    }
}

fn furthest_behind(lags: &[PartitionLag]) -> Option<&PartitionLag> {
    let behind = lags.iter().filter(|lag| lag.records.value.is_some_and(|records| records > 0));
    behind.max_by_key(|lag| (lag.ms.value, lag.records.value))
}

fn by_topic(
    lags: &[PartitionLag],
    written: Option<&Written<'_>>,
    clock: Clock,
) -> BTreeMap<String, TopicLag> {
    lags.chunk_by(|a, b| a.partition.topic == b.partition.topic)
        .filter_map(|of_topic| {
            let name = &of_topic[0].partition.topic;
            let total = Some(sum(of_topic.iter().map(|lag| &lag.records))?);
            let worst_ms = Some(worst(of_topic.iter().map(|lag| &lag.ms))?);
            let rate = written.map(|written| written.of_topic(name));
            let rpo = rpo(&total, &worst_ms, of_topic, rate, clock);
            Some((name.clone(), TopicLag { records: total?, ms: worst_ms?, rpo }))
        })
        .collect()
}

fn sum<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<Reading> {
    combine(readings, i64::saturating_add)
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

/// `rate` is what was written of late.
fn rpo(
    total: &Option<Reading>,
    worst_ms: &Option<Reading>,
    lags: &[PartitionLag],
    rate: Option<Rate>,
    clock: Clock,
) -> Rpo {
    let Some(total) = total else { return Rpo::default() };
    let stale = total.class == ReadingClass::Stale;
    let rpo = Missing {
        total: total.value,
        stale,
        proven: lags.iter().fold(0, |sum: i64, lag| sum.saturating_add(lag.surely_missing)),
        worst_ms: worst_ms.as_ref().and_then(|worst| worst.value),
        written: rate,
        unseen_ms: (clock.now - total.at).max(clock.period).num_milliseconds(),
    }
    .rpo();
    let reason = if rpo.records_at_least.is_none() || stale {
        total.reason.clone()
    } else if rpo.ms_at_most.is_none() {
        worst_ms.as_ref().map(|worst| worst.reason.clone()).unwrap_or_default()
    } else if rpo.records_at_most.is_none() {
        "how fast the source is written to is known from the second survey on".to_owned()
    } else {
        String::new()
    };
    Rpo { reason, ..rpo }
}

/// What was written between the last two samples of a history, by topic.
struct Written<'a> {
    by_topic: BTreeMap<&'a str, i64>,
    ms: i64,
}

impl<'a> Written<'a> {
    /// `None` when there are not two samples, or no time between them.
    fn between_last_two(history: &'a [EndsAt]) -> Option<Self> {
        let [.., (before, earlier), (after, later)] = history else { return None };
        let ms = (*after - *before).num_milliseconds();
        if ms <= 0 {
            return None;
        }
        let mut by_topic: BTreeMap<&str, i64> = BTreeMap::new();
        // The run of one topic is added at once: of 100,000 partitions a look-up each would be what this costs.
        let (mut topic, mut grown) = ("", 0_i64);
        // Both maps are in the same order, so they are walked side by side.
        let mut earlier = earlier.iter().peekable();
        for (key, end) in later {
            while earlier.next_if(|(other, _)| *other < key).is_some() {}
            if topic != key.topic {
                let sum = by_topic.entry(topic).or_default();
                *sum = sum.saturating_add(std::mem::take(&mut grown));
                topic = &key.topic;
            }
            if let Some((_, before)) = earlier.next_if(|(other, _)| *other == key) {
                grown = grown.saturating_add(end.saturating_sub(*before).max(0));
            }
        }
        let sum = by_topic.entry(topic).or_default();
        *sum = sum.saturating_add(grown);
        Some(Self { by_topic, ms })
    }

    /// Of the partitions that count: ends are kept of Muster's own canary too, which nobody could lose.
    fn in_all(&self, lags: &[PartitionLag]) -> Rate {
        let topics = lags.chunk_by(|a, b| a.partition.topic == b.partition.topic);
        let written = topics.filter_map(|of| self.by_topic.get(of[0].partition.topic.as_str()));
        let records = written.fold(0, |sum: i64, records| sum.saturating_add(*records));
        Rate { records, ms: self.ms }
    }

    fn of_topic(&self, topic: &str) -> Rate {
        Rate { records: self.by_topic.get(topic).copied().unwrap_or(0), ms: self.ms }
    }
}
