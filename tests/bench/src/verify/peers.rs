//! Reading the same bytes of both sides and looking at nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use muster_it::{CENTRAL, WEST};
use muster_lab::{Lab, LabDescription, jars};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio::task::JoinSet;

use super::{PARTITIONS, RECORDS, TOPIC, of_both};
use crate::official::Tools;

/// Reads both sides with librdkafka.
pub(super) async fn read_raw(lab: &LabDescription) -> Result<Duration> {
    let mut sides = JoinSet::new();
    let began = Instant::now();
    for side in [WEST, CENTRAL] {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &lab.cluster(side)?.bootstrap)
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", "muster")
            .set("sasl.password", lab.password("muster")?)
            .set("group.id", "bench-verify")
            .set("enable.auto.commit", "false");
        sides.spawn_blocking(move || -> Result<()> {
            let consumer: BaseConsumer = config.create()?;
            let mut all = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                all.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
            }
            consumer.assign(&all)?;
            let mut left = of_both(RECORDS) / 2;
            while left > 0 {
                let message = consumer.poll(Duration::from_secs(60)).context("no record for a minute")?;
                message?;
                left -= 1;
            }
            Ok(())
        });
    }
    while let Some(side) = sides.join_next().await {
        side??;
    }
    Ok(began.elapsed())
}

/// Reads both sides with Kafka's own tool, at the same time; the slower side counts.
pub(super) async fn read_by_tool(lab: &Lab) -> Result<Duration> {
    let (jars, properties) = (jars::fetch_jars().await?, lab.admin_properties()?);
    let on = |side| -> Result<Tools> {
        Ok(Tools::new(&jars, &lab.describe().cluster(side)?.bootstrap, &properties))
    };
    let (west, central) = (on(WEST)?, on(CENTRAL)?);
    let records = of_both(RECORDS) / 2;
    let (a, b) = tokio::try_join!(west.read_topic(TOPIC, records), central.read_topic(TOPIC, records))?;
    Ok(a.max(b))
}
