//! Translation proofs on the real lab: groups that lag on either side go on with the very record they would have read next,
//! there and back, and nothing is touched.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use muster_domain::{
    group::CommittedOffset,
    pair::{Direction, Side},
    proof::{
        Progress,
        translation::{PartitionProof, TranslationProof},
    },
    reading::ReadingClass,
    topic::{ByPartition, TopicPartition},
};
use muster_it::{LabClients, pair};
use muster_kafka::{Isolation, OffsetSpec, ReadRange, Record};
use muster_lab::{Lab, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until};
use muster_operations::translation_proof::{Watcher, prove_translation};
use muster_replication::{
    FlowRecords, PartitionEnds,
    verify::{CutLine, tails_match},
};

const A_TO_B: Direction = Direction { from: Side::A };
const B_TO_A: Direction = Direction { from: Side::B };
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(300) };
const WITHIN_MS: u64 = 30_000;
/// Records of each partition before groups are put anywhere in them.
const ENOUGH: i64 = 150;
const TOPICS: [&str; 2] = ["orders.placed", "payments.captured"];

/// Nobody watches.
struct Alone;

#[async_trait]
impl Watcher for Alone {
    async fn so_far(&self, _: Progress) -> bool {
        true
    }
}

struct Real {
    clients: LabClients,
    /// Partitions of the topics looked at; the same on both sides.
    all: Vec<TopicPartition>,
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_lag_go_on_exactly_there_and_back() -> Result<()> {
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let mut described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
    described.groups = vec!["proof-.*".to_owned()];
    let clients = LabClients::new(lab.describe(), described)?;
    let names = TOPICS.map(str::to_owned).into();
    let topics = clients.0.admin.a.topics(Some(&names)).await?;
    let partitions = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|one| TopicPartition::new(topic.name.as_str(), one.partition))
    });
    let real = Real { all: partitions.collect(), clients };
    assert!(real.all.len() >= 2, "{:?}", real.all);
    wait_until("enough records", SOON, || async {
        let ends = real.ends(Side::A).await?;
        Ok(ends.values().all(|end| *end > ENOUGH).then_some(()))
    })
    .await?;
    workload.finish(Duration::from_secs(10)).await?;
    real.wait_until_copied().await?;
    for (side, direction) in [(Side::A, A_TO_B), (Side::B, B_TO_A)] {
        let asked = real.put_groups(side).await?;
        let proof = prove_translation(&real.clients.0, direction, &Alone).await?;
        println!("{direction:?}: {}", proof.sentence());
        real.is_true(side, &proof).await?;
        let after = real.clients.0.admin.get(side).group_offsets(&asked, false).await?;
        assert_eq!(after.len(), asked.len());
        real.remove_groups(side, &asked).await?;
    }
    Ok(())
}

impl Real {
    async fn ends(&self, side: Side) -> Result<ByPartition<i64>> {
        let ends = self.clients.0.admin.get(side).offsets(&self.all, OffsetSpec::End).await?;
        ends.into_iter().map(|(at, end)| Ok((at, end.map_err(|error| *error)?))).collect()
    }

    async fn wait_until_copied(&self) -> Result<()> {
        let clients = &self.clients.0;
        let records = FlowRecords {
            source: &*clients.mover.a,
            target: &*clients.mover.b,
            isolation: Isolation::ReadCommitted,
            deadline_ms: WITHIN_MS,
        };
        wait_until("everything to be copied", SOON, || async {
            let (here, there) = (self.ends(Side::A).await?, self.ends(Side::B).await?);
            let line = |at: &TopicPartition| CutLine {
                partition: PartitionEnds { source: at.clone(), target: at.clone() },
                source_until: here[at],
                target_until: there[at],
            };
            let lines: Vec<CutLine> = self.all.iter().map(line).collect();
            let drained = tails_match(&records, &lines).await?.iter().all(|tail| tail.drained);
            Ok(drained.then_some(()))
        })
        .await
    }

    /// Five groups at different places of every partition of a side, from near the beginning to the end.
    async fn put_groups(&self, side: Side) -> Result<Vec<String>> {
        let ends = self.ends(side).await?;
        let admin = self.clients.0.admin.get(side);
        let mut groups = Vec::new();
        for fifth in 1..=5 {
            let group = format!("proof-{fifth}");
            let at = |end: i64| CommittedOffset {
                offset: end * fifth / 5 - i64::from(fifth % 2 == 0),
                leader_epoch: None,
                metadata: String::new(),
            };
            let positions = ends.iter().map(|(partition, end)| (partition.clone(), at(*end))).collect();
            admin.alter_group_offsets(&group, &positions).await?;
            groups.push(group);
        }
        Ok(groups)
    }

    async fn remove_groups(&self, side: Side, groups: &[String]) -> Result<()> {
        for group in groups {
            self.clients.0.admin.get(side).delete_group_offsets(group, &self.all).await?;
        }
        Ok(())
    }

    /// Whatever is said to be exact is: the record before and the record behind are the same on both sides.
    async fn is_true(&self, side: Side, proof: &TranslationProof) -> Result<()> {
        assert_eq!(proof.groups.len(), 5, "{proof:#?}");
        let mut exact = 0;
        for (group, found) in &proof.groups {
            for partition in &found.partitions {
                let PartitionProof { position, found: Some(there), back, .. } = partition else {
                    // Near the beginning no offset sync may be known.
                    ensure!(group == "proof-1", "{group}: {partition:?}");
                    continue;
                };
                ensure!(*back == (side == Side::B), "{group}: {partition:?}");
                if there.class != ReadingClass::Exact {
                    continue;
                }
                exact += 1;
                let at = &partition.partition;
                let here = self.around(side, at, *position).await?;
                let there = self.around(side.other(), at, there.target_offset).await?;
                assert_eq!(here, there, "{group}: {partition:?}");
            }
        }
        let most = 5 * self.all.len();
        println!("{exact} of {most} positions are exact");
        assert!(exact * 10 >= most * 7, "{proof:#?}");
        Ok(())
    }

    /// What the last record before an offset and the first one from it on hold.
    async fn around(&self, side: Side, at: &TopicPartition, offset: i64) -> Result<[Option<Told>; 2]> {
        let from = (offset - 500).max(0);
        let range = ReadRange { partition: at.clone(), from, until: ReadRange::TO_THE_END };
        let mover = self.clients.0.mover.get(side);
        let read: BTreeMap<TopicPartition, Vec<Record>> =
            mover.read(&[range], Isolation::ReadCommitted, WITHIN_MS).await?;
        let records = read.get(at).context("it was read")?;
        let told = |record: &Record| (record.timestamp, record.key.clone(), record.value.clone());
        let before = records.iter().rev().find(|record| record.offset < offset).map(told);
        Ok([before, records.iter().find(|record| record.offset >= offset).map(told)])
    }
}

/// Timestamp, key and value.
type Told = (i64, Option<bytes::Bytes>, Option<bytes::Bytes>);
