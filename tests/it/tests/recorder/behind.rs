//! A flow that stands: how many records it is behind, how sure that is and for how long, by Muster's clock, with the time of the first one
//! that is missing beside it. When its source freezes then, all of that is told as it was, with its age, and never as nothing.

use anyhow::{Context as _, Result};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use muster_domain::{lag::FlowLag, reading::ReadingClass, topic::TopicPartition};
use muster_it::WEST;
use muster_kafka::mover::NewRecord;
use muster_lab::{Lab, wait_until};

use crate::{
    SOON,
    observer::{FORWARD, PERIOD},
    transforms::Watched,
};

/// Records of each partition that were copied.
const COPIED: i64 = 10;
/// Then so many of each that are not: few enough to be looked at one by one.
const MISSING: i64 = 50;
const PARTITIONS: i32 = 2;
const ALL_MISSING: i64 = 100;
const WITHIN_MS: u64 = 30_000;

pub(crate) async fn tells_how_far_it_is_behind(lab: &Lab) -> Result<()> {
    let watched = Watched::start(lab, "recorder-standing", PARTITIONS, &[]).await?;
    let observer = &watched.observer;
    let topic = watched.at.topic.as_str();
    let both: Vec<_> = (0..PARTITIONS).map(|number| TopicPartition::new(topic, number)).collect();
    for at in &both {
        observer.write(at, COPIED, |_| true).await?;
        observer.copied(at, COPIED - 1).await?;
    }
    watched.steer(true).await?;
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.tick().await;
    let level_from = Utc::now().trunc_subsecs(3);
    observer.observe().await?;
    let level = watched.lag().await?;
    let told = (level.total_records.value, level.total_records.class, level.first_missing_timestamp);
    assert_eq!(told, (Some(0), ReadingClass::Exact, None), "{level:#?}");

    let written_from = Utc::now();
    let own_time = (written_from - TimeDelta::hours(1)).timestamp_millis();
    for at in &both {
        watched.write_dated(at, own_time).await?;
    }
    let mut looked_from = written_from;
    // The second sees that the ends stand still, and reads what is missing before them.
    for _ in 0..2 {
        ticks.tick().await;
        looked_from = Utc::now().trunc_subsecs(3);
        observer.observe().await?;
    }
    let looked_until = Utc::now();
    let lag = watched.lag().await?;
    let total = (lag.total_records.value, lag.total_records.class);
    assert_eq!(total, (Some(ALL_MISSING), ReadingClass::LowerBound), "{lag:#?}");
    assert_eq!(lag.worst_records.value, Some(MISSING), "{lag:#?}");
    let of_topic = lag.topics.get(topic).context("its topic is judged")?;
    assert_eq!((of_topic.records.value, of_topic.ms.value), (Some(ALL_MISSING), lag.worst_ms.value));
    // Since it was seen to be level, which was before anything was written; it was so at the beginning of that look at the earliest.
    let ms = lag.worst_ms.value.context("it is behind for some time")?;
    let bounds =
        (looked_from - written_from).num_milliseconds()..=(looked_until - level_from).num_milliseconds();
    println!("behind for {ms} ms, within {bounds:?}");
    assert!(bounds.contains(&ms) && lag.worst_ms.class == ReadingClass::LowerBound, "{bounds:?}: {lag:#?}");
    assert_eq!(lag.first_missing_timestamp, Some(own_time), "by its own clock it is an hour old: {lag:#?}");

    lab.freeze(WEST).await?;
    observer.observe().await?;
    watched.tells_it_as_it_was(ms, (looked_from, looked_until)).await?;
    lab.thaw(WEST).await?;
    wait_until("the source to be read again", SOON, || async {
        observer.observe().await?;
        let lag = watched.lag().await?;
        let total = (lag.total_records.value, lag.total_records.class);
        Ok((total == (Some(ALL_MISSING), ReadingClass::LowerBound)).then_some(()))
    })
    .await
}

impl Watched {
    async fn lag(&self) -> Result<FlowLag> {
        let judged = self.observer.judged().await?;
        judged.lag.into_iter().find(|lag| lag.direction == FORWARD).context("its flow is judged")
    }

    /// Records that say they were written from then on, a millisecond apart.
    async fn write_dated(&self, at: &TopicPartition, from_ms: i64) -> Result<()> {
        let record = |number: i64| NewRecord {
            key: Some(format!("key {number}").into()),
            value: Some(format!("missing {number}").into()),
            timestamp: from_ms + number,
        };
        let records = (0..MISSING).map(record).collect();
        self.observer.clients.mover.a.write(at, records, WITHIN_MS).await?;
        Ok(())
    }

    /// Its source does not answer: as many are behind as when it was read last, for longer, and all of it is as old as that.
    async fn tells_it_as_it_was(&self, ms: i64, last_read: (DateTime<Utc>, DateTime<Utc>)) -> Result<()> {
        let lag = self.lag().await?;
        let topic = lag.topics.get(&self.at.topic).context("its topic is judged")?;
        let records =
            [(&lag.total_records, ALL_MISSING), (&lag.worst_records, MISSING), (&topic.records, ALL_MISSING)];
        for (reading, value) in records {
            assert_eq!((reading.value, reading.class), (Some(value), ReadingClass::Stale), "{lag:#?}");
        }
        for reading in [&lag.worst_ms, &topic.ms] {
            assert_eq!(reading.class, ReadingClass::Stale, "{lag:#?}");
            assert!(reading.value > Some(ms), "{ms} ms before: {lag:#?}");
        }
        for reading in [&lag.total_records, &lag.worst_records, &lag.worst_ms, &topic.records, &topic.ms] {
            assert!((last_read.0..=last_read.1).contains(&reading.at), "{last_read:?}: {reading:?}");
            assert!(reading.reason.starts_with("the source has not answered for "), "{reading:?}");
        }
        assert_eq!(lag.rpo.records_at_most, None, "what was written since is not known: {lag:#?}");
        Ok(())
    }
}
