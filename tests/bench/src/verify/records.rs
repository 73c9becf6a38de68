//! The records that are compared.

use std::collections::BTreeMap;

use anyhow::Result;
use muster_domain::topic::TopicPartition;
use muster_kafka::{ClusterAdmin as _, RecordMover as _, admin::NewTopic, mover::NewRecord};
use muster_lab::LabDescription;

use super::{
    AT_ONCE, CHANGED, DIFFERS, DIFFERS_EVERY, FEW, LEFT_OUT, PARTITIONS, RECORDS, VALUE, WITHIN_MS, admin,
    mover,
};

/// Makes the topic and writes the same records whichever side it is, but for the differences of the topic that has some.
pub(super) async fn fill(lab: &LabDescription, side: &str, topic: &str) -> Result<()> {
    let name = topic.to_owned();
    let new = NewTopic { name, partitions: PARTITIONS, replication: 1, configs: BTreeMap::new() };
    admin(lab, side)?.create_topic(&new).await?;
    let (mover, differs) = (mover(lab, side)?, topic == DIFFERS);
    let records = if differs { FEW } else { RECORDS };
    for partition in 0..PARTITIONS {
        let at = TopicPartition::new(topic, partition);
        for from in (0..records).step_by(usize::try_from(AT_ONCE)?) {
            let there = |number: &i64| !(differs && number % DIFFERS_EVERY == LEFT_OUT);
            let record = |number: i64| record(number, differs && number % DIFFERS_EVERY == CHANGED);
            let records = (from..from + AT_ONCE).filter(there).map(record).collect();
            mover.write(&at, records, WITHIN_MS).await?;
        }
    }
    Ok(())
}

fn record(number: i64, changed: bool) -> NewRecord {
    let mut value = vec![0x5A; VALUE];
    value[..8].copy_from_slice(&number.to_le_bytes());
    if changed {
        value[VALUE - 1] = 0xA5;
    }
    NewRecord {
        key: Some(format!("{}", number % 10_000).into_bytes().into()),
        value: Some(value.into()),
        timestamp: 1_780_000_000_000 + number,
    }
}
