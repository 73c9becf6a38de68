//! Content verification beside reading the same bytes and looking at nothing, with librdkafka and with Kafka's own
//! `ConsumerPerformance`: hashing and comparing are to cost little, and memory nothing that grows, with and without differences.

mod peers;
mod records;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use async_trait::async_trait;
use clap::Args;
use muster_domain::{
    content::Compacted,
    proof::content::{Checkpoint, Stretch, StretchEnd},
    topic::TopicPartition,
};
use muster_it::{CENTRAL, WEST, cluster};
use muster_kafka::{ClientOptions, Isolation, KafkaAdmin, KafkaMover};
use muster_lab::{Lab, LabDescription, LabOptions, jars};
use muster_replication::{
    FlowRecords,
    verify::{CompareStretch, Keep, Meter},
};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, task::JoinSet};

use crate::{
    figures::{Bench, Figure, median},
    machine,
    official::{Tools, java_version},
};

const TOPIC: &str = "bench.verify";
/// On the target alone: the first records of the other, with differences.
const DIFFERS: &str = "bench.verify.differs";
const PARTITIONS: i32 = 4;
/// Records of each partition, on each side.
const RECORDS: i64 = 500_000;
/// What is compared of each partition to see whether memory grows with records, and with differences.
const FEW: i64 = RECORDS / 5;
/// One of so many records is left out where there are differences, and another one has another value.
const DIFFERS_EVERY: i64 = 1_000;
const LEFT_OUT: i64 = 300;
const CHANGED: i64 = 700;
const VALUE: usize = 256;
const AT_ONCE: i64 = 10_000;
const ROUNDS: usize = 3;
const WITHIN_MS: u64 = 60_000;

/// What a process that verifies is given.
#[derive(Debug, Args)]
pub(crate) struct Task {
    /// The lab's description.
    lab: PathBuf,
    /// Records of each partition.
    #[arg(long)]
    records: i64,
    /// The target is the topic with differences.
    #[arg(long)]
    differs: bool,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
struct Verified {
    seconds: f64,
    /// Of both sides.
    records: u64,
    peak_mb: f64,
    found: Differences,
}

/// Differences of all partitions.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Differences {
    missing: u64,
    extra: u64,
    /// Anything else a comparison can find.
    other: u64,
}

impl Verified {
    /// Records a second.
    fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let lab = Lab::start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    let description = lab.describe().write()?;
    for side in [WEST, CENTRAL] {
        records::fill(lab.describe(), side, TOPIC).await?;
    }
    records::fill(lab.describe(), CENTRAL, DIFFERS).await?;
    let (mut raw, mut tool) = (Vec::new(), Vec::new());
    let (mut whole, mut few, mut different) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(rate(peers::read_raw(lab.describe()).await?));
        tool.push(rate(peers::read_by_tool(&lab).await?));
        whole.push(verify_elsewhere(&description, RECORDS, false).await?);
        few.push(verify_elsewhere(&description, FEW, false).await?);
        different.push(verify_elsewhere(&description, FEW, true).await?);
    }
    lab.expect_running().await?;
    for (verified, records) in [(&whole, RECORDS), (&few, FEW)] {
        for found in verified {
            ensure!(found.records == of_both(records), "{} records were compared", found.records);
            ensure!(found.found == Differences::default(), "of equal records: {:?}", found.found);
        }
    }
    let jars = jars::fetch_jars().await?;
    Ok(Bench {
        name: "verify",
        how: vec![how(), String::new()],
        load_before,
        versions: vec![
            ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
            ("librdkafka", rdkafka::util::get_rdkafka_version().1),
            ("Kafka", Tools::new(&jars, "", &jars).kafka_version()?),
            ("Java", java_version().await?),
        ],
        figures: figures((raw.as_slice(), tool.as_slice()), &whole, &few, &different),
    })
}

fn figures(
    (raw, tool): (&[f64], &[f64]),
    whole: &[Verified],
    few: &[Verified],
    different: &[Verified],
) -> Vec<Figure> {
    let rates = |all: &[Verified]| median(&all.iter().map(Verified::rate).collect::<Vec<_>>());
    let peak = |all: &[Verified]| all.iter().map(|found| found.peak_mb).fold(0.0, f64::max);
    let (limit, by_tool, ours) = (median(raw), median(tool), rates(whole));
    let expected = Differences { missing: 2 * differing(), extra: differing(), other: 0 };
    let wrong = different.iter().filter(|found| found.found != expected).count() as f64;
    vec![
        Figure::new("records of both sides compared, beside librdkafka reading them", ours, "a second")
            .beside(limit),
        // Told as a cost, so that less is better as with all figures.
        Figure::new("time beside librdkafka's", limit / ours, "times").under(1.25),
        Figure::new(
            "records of both sides compared, beside ConsumerPerformance reading them",
            ours,
            "a second",
        )
        .beside(by_tool),
        Figure::new("time beside ConsumerPerformance's", by_tool / ours, "times").under(1.0),
        Figure::new("a fifth of them: most memory", peak(few), "MB"),
        Figure::new("all of them: most memory", peak(whole), "MB").under(300.0).no_more_than_peer(
            peak(few),
            "of a fifth",
            1.5,
        ),
        Figure::new("a fifth of them: records compared", rates(few), "a second"),
        Figure::new("a fifth with differences: records compared", rates(different), "a second"),
        Figure::new("a fifth with differences: most memory", peak(different), "MB").under(300.0),
        Figure::new("a fifth with differences: runs that found others than were made", wrong, "runs").none(),
    ]
}

fn how() -> String {
    format!(
        "A topic of {PARTITIONS} partitions with {RECORDS} records each, values of {VALUE} bytes, the same on both clusters of \
         the lab. *Peer*: librdkafka consumers, assigned by hand, one a side, that read the same bytes of both sides at the \
         same time and look at nothing; and Kafka's `ConsumerPerformance` with the flags of its script, one a side at the same \
         time, of which only the time it says it fetched counts: not the start of its JVM and not the joining of its group. \
         Muster, in a process of its own, compares count, order, keys, values, headers and \
         timestamps of all of them. So that growing memory would show, it also compares the first {FEW} records of each \
         partition alone, and these with a topic that lacks one of {DIFFERS_EVERY} of them and has another value in another \
         one of {DIFFERS_EVERY}. {ROUNDS} rounds in turns, the middle one counts; of memory, the most."
    )
}

/// Records of both sides, where each partition has so many.
fn of_both(records: i64) -> u64 {
    2 * u64::from(PARTITIONS.unsigned_abs()) * records.unsigned_abs()
}

/// Records that were left out where there are differences, in all partitions; as many were changed.
fn differing() -> u64 {
    u64::from(PARTITIONS.unsigned_abs()) * (FEW / DIFFERS_EVERY).unsigned_abs()
}

fn rate(took: Duration) -> f64 {
    of_both(RECORDS) as f64 / took.as_secs_f64()
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

/// In a process of its own, so that its peak of memory is the verification's.
async fn verify_elsewhere(lab: &Path, records: i64, differs: bool) -> Result<Verified> {
    let output = Command::new(std::env::current_exe()?)
        .arg("verify-content")
        .arg(lab)
        .args(["--records", &records.to_string()])
        .args(differs.then_some("--differs"))
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
        let stretch = stretch(task, partition);
        partitions.spawn(async move {
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
    let mut all = Differences::default();
    while let Some(compared) = partitions.join_next().await {
        let end = compared??;
        let Some(StretchEnd::Compared { found, source_gone: 0, target_gone: 0 }) = &end else {
            bail!("it was not compared whole: {end:?}");
        };
        all.missing += found.missing;
        all.extra += found.extra;
        all.other += found.duplicates
            + found.out_of_order
            + found.compacted
            + found.undecided
            + found.pending
            + found.before;
    }
    let (seconds, peak_mb) = (began.elapsed().as_secs_f64(), machine::peak_resident_mb()?);
    let verified = Verified { seconds, records: meter.records(), peak_mb, found: all };
    println!("{}", serde_json::to_string(&verified)?);
    Ok(())
}

/// What is compared of one partition.
fn stretch(task: &Task, partition: i32) -> Stretch {
    let (target, left_out) = if task.differs { (DIFFERS, task.records / DIFFERS_EVERY) } else { (TOPIC, 0) };
    Stretch {
        source: TopicPartition::new(TOPIC, partition),
        target: TopicPartition::new(target, partition),
        source_from: 0,
        source_until: task.records,
        required_until: task.records,
        target_until: task.records - left_out,
        source_goes_on: false,
        timestamps: true,
        compacted: Compacted::default(),
    }
}
