//! Many partitions in a few figures. One unknown partition makes a sum unknown: it may hold the loss.

use std::{
    collections::{BTreeMap, btree_map::Iter},
    iter::Peekable,
};

use chrono::{DateTime, Utc};

use super::{
    Clock, CopyMode, FlowLag, Missing, PartitionLag, Past, Rate, Rpo, TopicLag, Unseen, written_end,
};
use crate::{
    pair::Flow,
    reading::{Observed, Reading, ReadingClass},
    survey::{Survey, TopicObservation},
    topic::TopicPartition,
};

/// Holes listed with a flow.
const HOLES: usize = 20;

pub(super) fn summarise(
    flow: &Flow,
    survey: &Survey,
    lags: &[PartitionLag],
    past: Past<'_>,
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
    // In the moment before a survey that was brought forward no rate can be seen.
    let seen = Past { high: past.high.filter(|_| !survey.brought_forward), ..past };
    let written = Written::new(topics, seen, lags);
    let read_committed = CopyMode::of(survey, flow.direction).read_committed;
    let now = Now { read_committed, clock };
    FlowLag {
        direction: flow.direction,
        rpo: now.rpo(&total, &worst_ms, lags, written.all),
        worst_records: worst_records.unwrap_or_else(|| nothing.clone()),
        total_records: total.unwrap_or_else(|| nothing.clone()),
        worst_ms: worst_ms.unwrap_or(nothing),
        worst: furthest.map(|lag| lag.partition.clone()),
        first_missing_timestamp: furthest.and_then(|lag| lag.first_missing_timestamp),
        topics: by_topic(lags, &written, now),
        in_open_transactions: topics.value().and_then(|_| in_open_transactions(lags)),
        holes: lags.iter().filter_map(|lag| lag.hole.clone()).take(HOLES).collect(),
    }
}

/// `None` where it is not known of any: that one may have most.
fn in_open_transactions(lags: &[PartitionLag]) -> Option<i64> {
    lags.iter().try_fold(0_i64, |sum, lag| Some(sum.saturating_add(lag.in_open_transactions?)))
}

fn furthest_behind(lags: &[PartitionLag]) -> Option<&PartitionLag> {
    let behind = lags.iter().filter(|lag| lag.records.value.is_some_and(|records| records > 0));
    behind.max_by_key(|lag| (lag.ms.value, lag.records.value))
}

fn by_topic(lags: &[PartitionLag], written: &Written, now: Now) -> BTreeMap<String, TopicLag> {
    each_topic(lags)
        .zip(&written.topics)
        .filter_map(|(of_topic, written)| {
            let name = &of_topic[0].partition.topic;
            let total = Some(sum(of_topic.iter().map(|lag| &lag.records))?);
            let worst_ms = Some(worst(of_topic.iter().map(|lag| &lag.ms))?);
            let rpo = now.rpo(&total, &worst_ms, of_topic, *written);
            Some((name.clone(), TopicLag { records: total?, ms: worst_ms?, rpo }))
        })
        .collect()
}

fn each_topic(lags: &[PartitionLag]) -> impl Iterator<Item = &[PartitionLag]> {
    lags.chunk_by(|a, b| a.partition.topic == b.partition.topic)
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

/// What all that would be lost has in common.
#[derive(Clone, Copy)]
struct Now {
    /// Whether the flow copies committed records only: what is in open transactions is not among those behind.
    read_committed: bool,
    clock: Clock,
}

impl Now {
    /// `written` is the fastest that was written of late.
    fn rpo(
        self,
        total: &Option<Reading>,
        worst_ms: &Option<Reading>,
        lags: &[PartitionLag],
        written: Option<Rate>,
    ) -> Rpo {
        let Some(total) = total else { return Rpo::default() };
        let stale = total.class == ReadingClass::Stale;
        // Where the total is known all ends were read, the last stable offsets of such a flow among them.
        let open = if self.read_committed { in_open_transactions(lags).unwrap_or(0) } else { 0 };
        let unseen_ms = (self.clock.now - total.at).max(self.clock.period).num_milliseconds();
        let rpo = Missing {
            total: total.value,
            stale,
            proven: lags.iter().fold(0, |sum: i64, lag| sum.saturating_add(lag.surely_missing)),
            open,
            worst_ms: worst_ms.as_ref().and_then(|worst| worst.value),
            written,
            unseen_ms,
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
        let unseen = rpo.is_bounded().then_some(Unseen { since: total.at, ms: unseen_ms, written });
        Rpo { reason, unseen, ..rpo }
    }
}

/// The fastest that was written of late, this survey included: of all together, and of each topic of the lags in their order.
struct Written {
    all: Option<Rate>,
    topics: Vec<Option<Rate>>,
}

impl Written {
    fn new(
        topics: &Observed<BTreeMap<String, TopicObservation>>,
        past: Past<'_>,
        lags: &[PartitionLag],
    ) -> Self {
        let since = past.high.zip(topics.value()).map(|(high, now)| {
            let ms = (topics.at() - high.0).num_milliseconds();
            (high.1.iter().peekable(), now, ms)
        });
        let mut since = since.filter(|(_, _, ms)| *ms > 0);
        let mut of_all = None;
        let mut by_topic = Vec::new();
        for of_topic in each_topic(lags) {
            let name = of_topic[0].partition.topic.as_str();
            let newest = since.as_mut().and_then(|(before, now, ms)| {
                let records = grown(before, name, now.get(name)?)?;
                Some(Rate { records, ms: *ms })
            });
            if let Some(Rate { records, ms }) = newest {
                let sum = of_all.map_or(0, |all: Rate| all.records);
                of_all = Some(Rate { records: records.saturating_add(sum), ms });
            }
            by_topic.push(Rate::faster(past.pace.topic(name), newest));
        }
        Self { all: Rate::faster(past.pace.all(), of_all), topics: by_topic }
    }
}

/// By how much a topic's partitions have grown since their ends were read last; `None` where that was of none of them. Topics are asked
/// about in the order of the ends, which are walked beside them.
fn grown(
    before: &mut Peekable<Iter<'_, TopicPartition, i64>>,
    name: &str,
    topic: &TopicObservation,
) -> Option<i64> {
    let mut sum = None;
    for (number, partition) in (0..).zip(&topic.partitions) {
        let here = (name, number);
        while before.next_if(|(key, _)| (key.topic.as_str(), key.partition) < here).is_some() {}
        let then = before.next_if(|(key, _)| (key.topic.as_str(), key.partition) == here);
        if let (Some((_, then)), Some(end)) = (then, written_end(partition)) {
            sum = Some(end.saturating_sub(*then).max(0).saturating_add(sum.unwrap_or(0)));
        }
    }
    sum
}
