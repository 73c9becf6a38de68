//! The explorer's figures reckoned once more, from what the recorder has of single partitions at single surveys: nothing here is shared with
//! what makes them, and they are few enough to be sorted.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use muster_domain::recorder::explorer::{LagExplorer, RowsOf, StripRow};
use muster_store::recorder::{self, Selection};

use crate::observer::{FORWARD, Observer};

/// A partition's time in milliseconds since 1970, and how many records it was behind then; `None` is not known.
type Samples = Vec<(i64, Option<i64>)>;

/// Every partition of the flow at every survey of a time.
pub(crate) struct Raw(BTreeMap<(String, i32), Samples>);

/// What one stretch has to show.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    partitions: usize,
    unknown: usize,
    p50: Option<i64>,
    p90: Option<i64>,
    p99: Option<i64>,
    worst: Option<i64>,
}

impl Raw {
    pub(crate) async fn read(observer: &Observer, span: (DateTime<Utc>, DateTime<Utc>)) -> Result<Self> {
        let recorded = "select track.topic, track.partition
            from recorder_track track
            join recorder_stream stream on stream.id = track.stream
            where stream.kind = 'partitions'
                and stream.from_side = 'a'";
        let recorded: Vec<(String, i32)> =
            sqlx::query_as(recorded).fetch_all(observer.database.pool()).await?;
        let mut conn = observer.database.pool().acquire().await?;
        // Stretches of a millisecond are single surveys.
        let points = i32::try_from((span.1 - span.0).num_milliseconds())?;
        let mut all = BTreeMap::new();
        for (topic, number) in recorded {
            let selection = Selection { topic: &topic, partition: Some(number) };
            let of = (&observer.pair, FORWARD);
            let series = recorder::series(&mut conn, of, selection, span, points).await?;
            let sample = |point: &muster_domain::recorder::Point| {
                (point.at.timestamp_millis(), point.worst_lag_records)
            };
            all.insert((topic, number), series.iter().map(sample).collect());
        }
        Ok(Self(all))
    }

    pub(crate) fn partitions(&self) -> usize {
        self.0.len()
    }

    /// What is shown of a topic, a partition or all is what these were like.
    pub(crate) fn holds_what_is_shown(&self, found: &LagExplorer) {
        let topic = found.topic.as_deref();
        let asked = |(name, number): &(String, i32)| {
            topic.is_none_or(|topic| topic == name.as_str())
                && found.partition.is_none_or(|one| one == *number)
        };
        let chosen: Vec<&Samples> =
            self.0.iter().filter(|one| asked(one.0)).map(|(_, samples)| samples).collect();
        assert_eq!(found.partitions, chosen.len(), "{found:#?}");
        let mut shown = found.items.iter();
        for (begin, end) in stretches(found) {
            let worst: Vec<Option<i64>> =
                chosen.iter().filter_map(|samples| worst_within(samples, begin, end)).collect();
            if worst.is_empty() {
                continue;
            }
            let item = shown.next().expect("a stretch with samples is shown");
            let expected = Expected::of(worst);
            let told = (item.at.timestamp_millis(), item.partitions, item.unknown, item.records.worst);
            assert_eq!(
                told,
                (begin, expected.partitions, expected.unknown, expected.worst),
                "{expected:?}: {item:#?}"
            );
            let band = &item.records;
            for (shown, truth) in
                [(band.p50, expected.p50), (band.p90, expected.p90), (band.p99, expected.p99)]
            {
                assert!(as_exact_as_it_is_kept(shown, truth), "{expected:?}: {item:#?}");
            }
        }
        assert_eq!(shown.next(), None, "nothing is shown of which nothing was recorded");
    }

    /// Every partition has a row, with its worst and how long it was not known; those that were so for longest come first, then those
    /// furthest behind.
    pub(crate) fn holds_what_rows_show(&self, found: &LagExplorer) -> Result<()> {
        let strip = &found.strip;
        assert_eq!((strip.of, strip.total, strip.skip), (RowsOf::Partitions, self.0.len(), 0), "{strip:#?}");
        assert_eq!((strip.partitions, strip.rows.len()), (self.0.len(), self.0.len()), "{strip:#?}");
        for row in &strip.rows {
            let number = row.partition.context("it is of one partition")?;
            let samples = self.0.get(&(row.topic.clone(), number)).context("it was recorded")?;
            let of_stretches = stretches(found).filter_map(|(begin, end)| worst_within(samples, begin, end));
            let of_stretches: Vec<Option<i64>> = of_stretches.collect();
            let worst = of_stretches.iter().copied().flatten().max();
            let unknown = i64::try_from(of_stretches.iter().filter(|worst| worst.is_none()).count())?;
            let told = (row.partitions, row.worst_records, row.unknown_ms);
            assert_eq!(told, (1, worst, unknown * found.width_ms), "{row:#?}");
        }
        let rank = |row: &StripRow| (row.unknown_ms, row.worst_records);
        assert!(strip.rows.is_sorted_by(|one, next| rank(one) >= rank(next)), "{strip:#?}");
        Ok(())
    }
}

/// Begins and ends of the stretches of a time, in milliseconds since 1970.
fn stretches(found: &LagExplorer) -> impl Iterator<Item = (i64, i64)> {
    let (from, to, width) = (found.from.timestamp_millis(), found.to.timestamp_millis(), found.width_ms);
    (0..)
        .map(move |number| from + number * width)
        .take_while(move |begin| *begin < to)
        .map(move |begin| (begin, begin + width))
}

/// The worst of a partition in a stretch, and unknown is worst; `None` without a sample.
fn worst_within(samples: &[(i64, Option<i64>)], begin: i64, end: i64) -> Option<Option<i64>> {
    let within = samples.iter().filter(|(at, _)| (begin..end).contains(at));
    within.map(|(_, behind)| *behind).reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))
}

impl Expected {
    /// Of partitions, each at its worst; those that are not known rank above all others.
    fn of(mut worst: Vec<Option<i64>>) -> Self {
        worst.sort_by_key(|one| (one.is_none(), *one));
        let rank = |percent: usize| worst[(worst.len() * percent).div_ceil(100).max(1) - 1];
        Self {
            partitions: worst.len(),
            unknown: worst.iter().filter(|one| one.is_none()).count(),
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            worst: rank(100),
        }
    }
}

/// Percentiles are kept rounded up by less than a hundredth.
fn as_exact_as_it_is_kept(shown: Option<i64>, truth: Option<i64>) -> bool {
    match (shown, truth) {
        (Some(shown), Some(truth)) => shown >= truth && (shown - truth) * 100 <= truth,
        (shown, truth) => shown == truth,
    }
}
