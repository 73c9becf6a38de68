//! Content verification beside reading the same bytes with librdkafka and looking at nothing: hashing and comparing are to
//! cost little, and memory nothing that grows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use clap::Args;
use muster_domain::{
    content::Compacted,
    proof::content::{Checkpoint, Stretch, StretchEnd},
    topic::TopicPartition,
};
use muster_it::{CENTRAL, WEST, cluster};
use muster_kafka::{
    ClientOptions, ClusterAdmin as _, Isolation, KafkaAdmin, KafkaMover, RecordMover, admin::NewTopic,
    mover::NewRecord,
};
use muster_lab::{Lab, LabDescription, LabOptions};
use muster_replication::{
    FlowRecords,
    verify::{CompareStretch, Keep, Meter},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, task::JoinSet};

use crate::{
    figures::{Bench, Figure, median},
    machine,
};

const TOPIC: &str = "bench.verify";
const PARTITIONS: i32 = 4;
/// Records of each partition, on each side.
const RECORDS: i64 = 500_000;
const VALUE: usize = 256;
const AT_ONCE: i64 = 10_000;
const ROUNDS: usize = 3;
const WITHIN_MS: u64 = 60_000;

/// What a process that verifies is given.
#[derive(Debug, Args)]
pub(crate) struct Task {
    /// The lab's description.
    lab: PathBuf,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
struct Verified {
    seconds: f64,
    records: u64,
    peak_mb: f64,
}

pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let lab = Lab::start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    let description = lab.describe().write()?;
    for side in [WEST, CENTRAL] {
        let name = TOPIC.to_owned();
        let topic = NewTopic { name, partitions: PARTITIONS, replication: 1, configs: BTreeMap::new() };
        admin(lab.describe(), side)?.create_topic(&topic).await?;
        fill(&mover(lab.describe(), side)?).await?;
    }
    let (mut raw, mut verified, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(rate(read_raw(lab.describe()).await?));
        let found = verify_elsewhere(&description).await?;
        ensure!(found.records == records(), "{} records were compared", found.records);
        verified.push(rate(Duration::from_secs_f64(found.seconds)));
        peaks.push(found.peak_mb);
    }
    lab.expect_running().await?;
    let (limit, ours) = (median(&raw), median(&verified));
    Ok(Bench {
        name: "verify",
        how: vec![how(), String::new()],
        load_before,
        versions: vec![
            ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
            ("librdkafka", rdkafka::util::get_rdkafka_version().1),
        ],
        figures: vec![
            Figure::new("records of both sides compared", ours, "a second").beside(limit),
            // Told as a cost, so that less is better as with all figures.
            Figure::new("time beside librdkafka's", limit / ours, "times").under(1.25),
            Figure::new("most memory", peaks.iter().copied().fold(0.0, f64::max), "MB").under(300.0),
        ],
    })
}

fn how() -> String {
    format!(
        "A topic of {PARTITIONS} partitions with {RECORDS} records each, values of {VALUE} bytes, the same on both clusters of \
         the lab. *Peer*: librdkafka consumers, assigned by hand, one a side, that read the same bytes of both sides at the \
         same time and look at nothing. Muster, in a process of its own, compares count, order, keys, values, headers and \
         timestamps of all of them. {ROUNDS} rounds in turns, the middle one counts; of memory, the most."
    )
}

/// Records of both sides.
fn records() -> u64 {
    2 * u64::from(PARTITIONS.unsigned_abs()) * RECORDS.unsigned_abs()
}

fn rate(took: Duration) -> f64 {
    records() as f64 / took.as_secs_f64()
}

fn mover(lab: &LabDescription, side: &str) -> Result<KafkaMover> {
    let (cluster, secrets) = cluster(lab, side)?;
    Ok(KafkaMover::new(&cluster, &secrets, ClientOptions::default()))
}

fn admin(lab: &LabDescription, side: &str) -> Result<KafkaAdmin> {
    let (cluster, secrets) = cluster(lab, side)?;
    Ok(KafkaAdmin::new(&cluster, &secrets, ClientOptions::default()))
}

/// Nobody goes on with it.
struct Nobody;

#[async_trait]
impl Keep for Nobody {
    async fn keep(&self, _: Checkpoint) -> bool {
        true
    }
}

/// Writes the same records whichever side it is.
async fn fill(mover: &KafkaMover) -> Result<()> {
    for partition in 0..PARTITIONS {
        let at = TopicPartition::new(TOPIC, partition);
        for from in (0..RECORDS).step_by(usize::try_from(AT_ONCE)?) {
            let record = |number: i64| {
                let mut value = vec![0x5A; VALUE];
                value[..8].copy_from_slice(&number.to_le_bytes());
                let key = format!("{}", number % 10_000);
                NewRecord {
                    key: Some(key.into_bytes().into()),
                    value: Some(value.into()),
                    timestamp: 1_780_000_000_000 + number,
                }
            };
            mover.write(&at, (from..from + AT_ONCE).map(record).collect(), WITHIN_MS).await?;
        }
    }
    Ok(())
}

/// Reads both sides with librdkafka.
async fn read_raw(lab: &LabDescription) -> Result<Duration> {
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
            let mut left = records() / 2;
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

/// In a process of its own, so that its peak of memory is the verification's.
async fn verify_elsewhere(lab: &Path) -> Result<Verified> {
    let output = Command::new(std::env::current_exe()?)
        .arg("verify-content")
        .arg(lab)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("start the process that verifies")?;
    ensure!(output.status.success(), "the process that verifies: {}", output.status);
    serde_json::from_slice(&output.stdout).context("read what it found")
}

/// Compares the whole topic and prints what that took.
pub(crate) async fn verify(task: &Task) -> Result<()> {
    let lab = LabDescription::read(&task.lab)?;
    let (source, target) = (Arc::new(mover(&lab, WEST)?), Arc::new(mover(&lab, CENTRAL)?));
    let (west, central) = (Arc::new(admin(&lab, WEST)?), Arc::new(admin(&lab, CENTRAL)?));
    let meter = Arc::new(Meter::new(None));
    let began = Instant::now();
    let mut partitions = JoinSet::new();
    for partition in 0..PARTITIONS {
        let (source, target, meter) = (Arc::clone(&source), Arc::clone(&target), Arc::clone(&meter));
        let (west, central) = (Arc::clone(&west), Arc::clone(&central));
        partitions.spawn(async move {
            let at = TopicPartition::new(TOPIC, partition);
            let stretch = Stretch {
                source: at.clone(),
                target: at,
                source_from: 0,
                source_until: RECORDS,
                required_until: RECORDS,
                target_until: RECORDS,
                source_goes_on: false,
                timestamps: true,
                compacted: Compacted::default(),
            };
            let records = FlowRecords {
                source: &*source,
                target: &*target,
                isolation: Isolation::ReadCommitted,
                deadline_ms: WITHIN_MS,
            };
            let (source, target) = (&*west, &*central);
            let compare = CompareStretch {
                records: &records,
                source,
                target,
                pairs: &[],
                stretch: &stretch,
                meter: &meter,
            };
            compare.run(None, &Nobody).await
        });
    }
    while let Some(compared) = partitions.join_next().await {
        let end = compared??;
        ensure!(matches!(&end, Some(StretchEnd::Compared { found, .. }) if found.equal()), "{end:?}");
    }
    let (seconds, peak_mb) = (began.elapsed().as_secs_f64(), machine::peak_resident_mb()?);
    println!("{}", serde_json::to_string(&Verified { seconds, records: meter.records(), peak_mb })?);
    Ok(())
}
