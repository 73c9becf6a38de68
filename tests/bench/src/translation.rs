//! Groups that lag, each put where it goes on: by Muster, by MirrorMaker 2's sync of offsets and by its checkpoints.

mod many;

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use muster_domain::{
    group::CommittedOffset,
    pair::{Direction, Side},
    proof::Progress,
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_kafka::{ClusterAdmin, Isolation, OffsetSpec, ReadRange, RecordMover};
use muster_lab::{Lab, LabOptions, WaitBound, jars, wait_until};
use muster_operations::{
    PairClients,
    translation_proof::{Watcher, prove_translation},
};
use muster_replication::formats::decode_checkpoint;

use crate::{
    figures::{Bench, Figure},
    machine,
    official::{Tools, java_version},
};

const RECORDS: i64 = 500_000;
const BYTES: i64 = 256;
/// Records the groups have not read.
const LAGS: [i64; 4] = [0, 1_000, 10_000, 100_000];
const TOPIC: &str = "orders.translated";
const A_TO_B: Direction = Direction { from: Side::A };
const COPIED: WaitBound = WaitBound { within: Duration::from_secs(300), every: Duration::from_millis(500) };
/// MirrorMaker 2's intervals are 2 s each in the lab; their sync is waited for many times as long.
const SYNCED: WaitBound = WaitBound { within: Duration::from_secs(60), every: Duration::from_millis(500) };
const READ_MS: u64 = 60_000;
/// Offsets read at once.
const PIECE: i64 = 50_000;

/// What three ways would make of one group.
#[derive(Debug)]
struct Compared {
    lag: i64,
    muster: Wrong,
    /// Positions written by `sync.group.offsets`; none when MirrorMaker 2 wrote none.
    synced: Option<Wrong>,
    /// What `RemoteClusterUtils.translateOffsets` answers: the newest checkpoint.
    checkpoint: Option<Wrong>,
}

/// How far a position is from the record the group would read next.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    /// Records it would be given again.
    again: i64,
    /// Records it would never be given.
    skipped: i64,
}

/// With and without exactly-once.
pub(crate) async fn run() -> Result<Bench> {
    let load_before = machine::load()?;
    let jars = jars::fetch_jars().await?;
    // Before the labs: nothing else runs in this process.
    let mut figures = many::figures().await?;
    for exactly_once in [true, false] {
        let lab = Lab::start(LabOptions { exactly_once, ..LabOptions::default() }).await?;
        let stage = Stage::build(&lab).await?;
        let (compared, took) = stage.compare().await?;
        let with = if exactly_once { "exactly once" } else { "at least once" };
        for group in &compared {
            eprintln!("{with}: {group:?}");
        }
        figures.extend(compared.iter().flat_map(|group| told(with, group)));
        figures.push(Figure::new(format!("{with}: the four groups proven in"), took.as_secs_f64(), "s"));
    }
    Ok(Bench {
        name: "translation",
        how: vec![how(), String::new(), many::how(), String::new()],
        load_before,
        versions: vec![
            ("Muster", env!("CARGO_PKG_VERSION").to_owned()),
            ("Kafka", Tools::new(&jars, "", &jars).kafka_version()?),
            ("Java", java_version().await?),
        ],
        figures,
    })
}

fn how() -> String {
    format!(
        "{RECORDS} records of {BYTES} B, written by Kafka's `ProducerPerformance` in transactions of 20 ms, copied by MirrorMaker 2 \
         while they are written; one partition. Four groups without members stand {LAGS:?} records before the end. \"peer\" is what \
         MirrorMaker 2's `sync.group.offsets` wrote on the target by the time it stood still; the figures of its checkpoints, which \
         `RemoteClusterUtils.translateOffsets` answers with, stand for themselves. The truth is read from both sides whole: the \
         record each group would read next, found by its content. Records read again are counted, not offsets. That nothing is skipped is tried \
         on more than this: every `./dev test` makes 20,000 random histories for each property of translation, there and back, with \
         restarts, lost offset pairs, compaction and retention, and compares with the plain truth of who copied what."
    )
}

fn told(with: &str, group: &Compared) -> Vec<Figure> {
    let name = |what: &str| format!("{with}, {} behind: {what}", group.lag);
    let mut again = Figure::new(name("read again"), group.muster.again as f64, "records").none();
    if let Some(synced) = group.synced {
        again = again.beside(synced.again as f64);
    }
    let mut figures =
        vec![again, Figure::new(name("skipped"), group.muster.skipped as f64, "records").none()];
    match group.checkpoint {
        Some(wrong) => {
            figures.push(Figure::new(name("read again by its checkpoint"), wrong.again as f64, "records"));
        }
        None => figures.push(Figure::new(name("checkpoints of MirrorMaker 2"), 0.0, "checkpoints")),
    }
    figures
}

/// A topic that is written and copied, and groups that lag on it.
struct Stage {
    clients: PairClients,
    at: TopicPartition,
    groups: BTreeMap<i64, (String, i64)>,
}

impl Stage {
    async fn build(lab: &Lab) -> Result<Self> {
        let described = lab.describe();
        let mut pair = pair(described, "orders", &described.dir.join("unused.json"))?;
        pair.topics = vec![TOPIC.replace('.', r"\.")];
        pair.groups = vec!["translated-.*".to_owned()];
        let clients = LabClients::new(described, pair)?.0;
        lab.create_topic(WEST, TOPIC, 1).await?;
        let mut stage =
            Self { clients, at: TopicPartition::new(TOPIC.to_owned(), 0), groups: BTreeMap::new() };
        stage.write(lab).await?;
        stage.wait_until_copied().await?;
        stage.place_groups().await?;
        Ok(stage)
    }

    fn admin(&self, side: Side) -> &dyn ClusterAdmin {
        &**self.clients.admin.get(side)
    }

    async fn write(&self, lab: &Lab) -> Result<()> {
        let bootstrap = &lab.describe().cluster(WEST)?.bootstrap;
        let properties = lab.admin_properties()?.display().to_string();
        let (records, bytes) = (RECORDS.to_string(), BYTES.to_string());
        let servers = format!("bootstrap.servers={bootstrap}");
        let arguments = [
            "--topic",
            TOPIC,
            "--num-records",
            &records,
            "--record-size",
            &bytes,
            "--throughput",
            "-1",
            "--transactional-id",
            "translated",
            "--transaction-duration-ms",
            "20",
            "--producer.config",
            &properties,
            "--producer-props",
            &servers,
        ];
        lab.java_tool("org.apache.kafka.tools.ProducerPerformance", &arguments).await?;
        Ok(())
    }

    async fn end(&self, side: Side) -> Result<i64> {
        let ends = self.admin(side).offsets(std::slice::from_ref(&self.at), OffsetSpec::End).await?;
        Ok(ends.get(&self.at).context("asked")?.clone()?)
    }

    async fn read(&self, side: Side) -> Result<Vec<(i64, u64)>> {
        let (mover, end): (&dyn RecordMover, i64) = (&**self.clients.mover.get(side), self.end(side).await?);
        let mut read = Vec::new();
        for from in (0..end).step_by(usize::try_from(PIECE)?) {
            let range = ReadRange { partition: self.at.clone(), from, until: end.min(from + PIECE) };
            let records = mover.read(&[range], Isolation::ReadCommitted, READ_MS).await?;
            let records = records.into_values().flatten();
            read.extend(records.map(|record| (record.offset, record.fingerprint())));
        }
        Ok(read)
    }

    async fn wait_until_copied(&self) -> Result<()> {
        let last = self.read(Side::A).await?.last().context("records")?.1;
        wait_until("everything to be copied", COPIED, || async {
            let end = self.end(Side::B).await?;
            let range = ReadRange { partition: self.at.clone(), from: (end - 10).max(0), until: end };
            let tail =
                self.clients.mover.get(Side::B).read(&[range], Isolation::ReadCommitted, READ_MS).await?;
            let copied = tail.into_values().flatten().any(|record| record.fingerprint() == last);
            Ok(copied.then_some(()))
        })
        .await
    }

    async fn place_groups(&mut self) -> Result<()> {
        let source = self.read(Side::A).await?;
        ensure!(source.len() == usize::try_from(RECORDS)?, "{} records are on the source", source.len());
        for lag in LAGS {
            let position = match usize::try_from(lag)? {
                0 => source.last().context("records")?.0 + 1,
                lag => source[source.len() - lag].0,
            };
            let group = format!("translated-{lag}");
            let at = CommittedOffset { offset: position, metadata: String::new(), leader_epoch: None };
            let offsets = ByPartition::from([(self.at.clone(), at)]);
            self.admin(Side::A).alter_group_offsets(&group, &offsets).await?;
            self.groups.insert(lag, (group, position));
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(Vec<Compared>, Duration)> {
        let synced = self.synced().await?;
        let checkpoints = self.checkpoints().await?;
        let began = Instant::now();
        let proof = prove_translation(&self.clients, A_TO_B, &Alone).await?;
        let took = began.elapsed();
        let (source, target) = (self.read(Side::A).await?, self.read(Side::B).await?);
        // The last copy of each content: what is behind it was not read by anybody.
        let there: HashMap<u64, usize> =
            target.iter().zip(0..).map(|((_, content), at)| (*content, at)).collect();
        let mut compared = Vec::new();
        for (lag, (group, position)) in &self.groups {
            let next = source.iter().find(|(offset, _)| offset >= position);
            let truth = match next {
                Some((_, content)) => *there.get(content).context("a record that was not copied")?,
                None => target.len(),
            };
            let wrong = |offset: i64| {
                let at = target.partition_point(|(target, _)| *target < offset);
                let records =
                    |from: usize, to: usize| i64::try_from(to.saturating_sub(from)).unwrap_or(i64::MAX);
                Wrong { again: records(at, truth), skipped: records(truth, at) }
            };
            let found = proof.groups.get(group).and_then(|group| group.partitions.first()?.found);
            let found =
                found.with_context(|| format!("no position for {group}: {:?}", proof.groups.get(group)))?;
            compared.push(Compared {
                lag: *lag,
                muster: wrong(found.target_offset),
                synced: synced.get(group).map(|offset| wrong(*offset)),
                checkpoint: checkpoints.get(group).map(|offset| wrong(*offset)),
            });
        }
        Ok((compared, took))
    }

    /// What MirrorMaker 2 wrote on the target, once it stands still for all groups or its time is up.
    async fn synced(&self) -> Result<BTreeMap<String, i64>> {
        let names: Vec<String> = self.groups.values().map(|(group, _)| group.clone()).collect();
        let until = Instant::now() + SYNCED.within;
        let (mut seen, mut stood) = (BTreeMap::new(), 0);
        while Instant::now() < until && !(seen.len() == names.len() && stood >= 12) {
            let offsets = self.admin(Side::B).group_offsets(&names, false).await?;
            let now: BTreeMap<String, i64> = offsets
                .into_iter()
                .filter_map(|(group, offsets)| Some((group, offsets.get(&self.at)?.offset)))
                .collect();
            stood = if now == seen { stood + 1 } else { 0 };
            seen = now;
            tokio::time::sleep(SYNCED.every).await;
        }
        Ok(seen)
    }

    /// The newest checkpoint of each group: what `RemoteClusterUtils.translateOffsets` answers.
    async fn checkpoints(&self) -> Result<BTreeMap<String, i64>> {
        let topic = TopicPartition::new(format!("{WEST}.checkpoints.internal"), 0);
        let ends = self.admin(Side::B).offsets(std::slice::from_ref(&topic), OffsetSpec::End).await?;
        let until = ends.get(&topic).with_context(|| format!("{CENTRAL} has no {}", topic.topic))?.clone()?;
        let range = ReadRange { partition: topic, from: 0, until };
        let records =
            self.clients.mover.get(Side::B).read(&[range], Isolation::ReadCommitted, READ_MS).await?;
        let mut newest = BTreeMap::new();
        for record in records.into_values().flatten() {
            let (Some(key), Some(value)) = (record.key, record.value) else { continue };
            let checkpoint = decode_checkpoint(&key, &value)?;
            if checkpoint.target == self.at {
                newest.insert(checkpoint.group, checkpoint.downstream);
            }
        }
        Ok(newest)
    }
}

/// Nobody waits for this proof but the benchmark.
struct Alone;

#[async_trait]
impl Watcher for Alone {
    async fn so_far(&self, _progress: Progress) -> bool {
        true
    }
}
