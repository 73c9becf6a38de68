//! Fingerprint rings on the real lab: the source dies under load, and every group goes on by what was kept of it, never past a
//! record it had not read. What is true is read from both logs: the target's before anybody comes back, the source's after it
//! was started again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use muster_app::{
    memory::Memory,
    proof_loop::carry_out_one,
    ring_loop::{PairMemory, RingLoop, Turned},
    survey_loop::SurveyLoop,
    telemetry::Beat,
};
use muster_domain::{
    evidence::check_proof,
    group::CommittedOffset,
    pair::{Direction, Side},
    proof::{
        ProofKind, ProofState,
        translation::{Found, PartitionProof, TranslationProof},
    },
    reading::ReadingClass,
    record::Person,
    topic::{ByPartition, TopicPartition},
    translation::Method,
};
use muster_it::{LabClients, WEST, pair};
use muster_kafka::{Isolation, OffsetSpec, ReadRange};
use muster_lab::{Lab, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until};
use muster_store::{leases, proofs, rings, testing::TestDatabase};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const A_TO_B: Direction = Direction { from: Side::A };
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(300) };
const WITHIN_MS: u64 = 30_000;
/// Time between two looks: shorter than usual, so that the test is.
const EVERY: Duration = Duration::from_secs(2);
const LOOKS: u32 = 4;
/// Records of each partition before the first look.
const ENOUGH: i64 = 150;
const TOPICS: [&str; 3] = ["orders.placed", "orders.shipped", "payments.captured"];

/// Who a record is: its time, key and value.
type Told = (i64, Option<bytes::Bytes>, Option<bytes::Bytes>);
/// All records of each partition by offset.
type Logs = ByPartition<BTreeMap<i64, Told>>;

/// A Muster that observes the pair `orders` of the lab, look by look.
struct Real {
    lab: Lab,
    clients: LabClients,
    database: TestDatabase,
    surveys: SurveyLoop,
    keeper: RingLoop,
    epoch: i64,
    /// Partitions of the topics looked at; the same on both sides.
    all: Vec<TopicPartition>,
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_source_is_dead_groups_go_on_by_rings_and_never_past_the_truth() -> Result<()> {
    let real = Real::start().await?;
    let mut workload =
        Workload::start(real.lab.describe(), &real.lab.describe().dir, WorkloadOptions::default()).await?;
    wait_until("enough records", SOON, || async {
        let ends = real.ends(Side::A).await?;
        Ok(ends.values().all(|end| *end > ENOUGH).then_some(()))
    })
    .await?;
    real.put_groups().await?;
    let (mut memory, mut kept) = (Memory::default(), PairMemory::new());
    let mut ticks = tokio::time::interval(EVERY);
    for _ in 0..LOOKS {
        ticks.tick().await;
        real.look(&mut memory, &mut kept).await?;
    }
    // Somewhere between two looks, wherever the bytes of a fresh id put it.
    let part = u32::from(Uuid::new_v4().as_bytes()[0]);
    println!("killed {part}/256 of the way to the next look");
    tokio::select! {
        _ = ticks.tick() => {}
        () = tokio::time::sleep(EVERY * part / 256) => {}
    }
    real.lab.kill(WEST).await?;
    wait_until("the silence to be noticed", SOON, || async {
        real.keeper.turn(&real.clients.0.pair.name, &mut PairMemory::new()).await?;
        let mut conn = real.database.pool().acquire().await?;
        let look = rings::look(&mut conn, (&real.clients.0.pair.name, A_TO_B)).await?;
        Ok(look.and_then(|look| look.silent_since))
    })
    .await?;
    workload.finish(Duration::from_secs(1)).await?;

    let proof = real.prove().await?;
    println!("{}", proof.sentence());
    println!("{:?}", proof.dead_source);
    let source = proof.dead_source.as_ref().context("it says that the source is dead")?;
    assert!(source.silent_since >= source.positions_at, "{source:?}");
    assert!(source.age_seconds() < 60, "{source:?}");
    let there = real.logs(Side::B).await?;
    real.without_rings().await?;
    real.lab.restart(WEST).await?;
    let here =
        wait_until("the source to be read again", SOON, || async { Ok(real.logs(Side::A).await.ok()) });
    Truth { here: here.await?, there }.judge(&proof)
}

impl Real {
    async fn start() -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let mut described =
            pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
        described.groups.push("proof-.*".to_owned());
        let (clients, database) = LabClients::registered(lab.describe(), described).await?;
        let mut conn = database.pool().acquire().await?;
        let name = leases::survey_lease(&clients.0.pair.name);
        let lease = leases::claim(&mut conn, &name, "test", 3600.0).await?.context("it is free")?;
        drop(conn);
        let (pool, worker) = (database.pool().clone(), "test".to_owned());
        let surveys = SurveyLoop {
            pool: pool.clone(),
            clients: Arc::new(clients.clone()),
            period: EVERY,
            worker: worker.clone(),
            beat: Beat::default(),
        };
        let keeper = RingLoop { pool, clients: Arc::new(clients.clone()), worker, beat: Beat::default() };
        let topics = clients.0.admin.a.topics(Some(&TOPICS.map(str::to_owned).into())).await?;
        let partitions = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| TopicPartition::new(topic.name.as_str(), one.partition))
        });
        let all = partitions.collect();
        Ok(Self { lab, clients, database, surveys, keeper, epoch: lease.epoch, all })
    }

    /// A survey, and a look at what it found.
    async fn look(&self, memory: &mut Memory, kept: &mut PairMemory) -> Result<()> {
        let pair = &self.clients.0.pair.name;
        self.surveys.observe(pair, self.epoch, memory).await?;
        let began = Instant::now();
        let turned = self.keeper.turn(pair, kept).await?;
        let Turned::Looked { partitions, bytes } = turned else { panic!("{turned:?}") };
        println!("{partitions} partitions read and {bytes} bytes kept in {:?}", began.elapsed());
        Ok(())
    }

    async fn ends(&self, side: Side) -> Result<ByPartition<i64>> {
        let ends = self.clients.0.admin.get(side).offsets(&self.all, OffsetSpec::End).await?;
        ends.into_iter().map(|(at, end)| Ok((at, end.map_err(|error| *error)?))).collect()
    }

    /// Groups that stand still, from near the beginning to the end as it is now.
    async fn put_groups(&self) -> Result<()> {
        let ends = self.ends(Side::A).await?;
        for fifth in 1..=5 {
            let at = |end: i64| CommittedOffset {
                offset: end * fifth / 5 - i64::from(fifth % 2 == 0),
                leader_epoch: None,
                metadata: String::new(),
            };
            let positions = ends.iter().map(|(partition, end)| (partition.clone(), at(*end))).collect();
            self.clients.0.admin.a.alter_group_offsets(&format!("proof-{fifth}"), &positions).await?;
        }
        Ok(())
    }

    /// All that committed readers are given.
    async fn logs(&self, side: Side) -> Result<Logs> {
        let range = |(partition, until)| ReadRange { partition, from: 0, until };
        let ranges: Vec<ReadRange> = self.ends(side).await?.into_iter().map(range).collect();
        let read = self.clients.0.mover.get(side).read(&ranges, Isolation::ReadCommitted, WITHIN_MS).await?;
        let log = |records: Vec<muster_kafka::Record>| -> BTreeMap<i64, Told> {
            records.into_iter().map(|one| (one.offset, (one.timestamp, one.key, one.value))).collect()
        };
        Ok(read.into_iter().map(|(at, records)| (at, log(records))).collect())
    }

    /// A translation proof as people ask for it, carried out by this process.
    async fn prove(&self) -> Result<TranslationProof> {
        let mut conn = self.database.pool().acquire().await?;
        let pair = &self.clients.0.pair;
        let new = proofs::NewProof {
            pair: &pair.name,
            team: &pair.team,
            kind: ProofKind::Translation,
            from: &pair.clusters.a,
            to: &pair.clusters.b,
            asked_by: &Person { id: Uuid::nil(), name: "olga".to_owned() },
            content: None,
        };
        let id = proofs::insert(&mut conn, &new).await?;
        carry_out_one(self.database.pool(), &self.clients, "test", &CancellationToken::new()).await?;
        let proof = proofs::get(&mut conn, id).await?.context("it was asked for")?;
        anyhow::ensure!(proof.state == ProofState::Done, "{proof:?}");
        let evidence = proofs::evidence(&mut conn, id).await?.context("it is done")?;
        for checked in check_proof(&serde_json::to_value(&evidence)?) {
            assert!(checked.holds, "{checked:?}");
        }
        Ok(serde_json::from_value(evidence.result.context("it is done")?)?)
    }

    /// Without what was kept nothing is exact.
    async fn without_rings(&self) -> Result<()> {
        sqlx::query("delete from ring").execute(self.database.pool()).await?;
        let proof = self.prove().await?;
        println!("without rings: {}", proof.sentence());
        assert_eq!((proof.summary.exactly, proof.summary.reprocess), (0, 0), "{proof:#?}");
        assert!(proof.summary.cannot_say > 0, "{proof:#?}");
        Ok(())
    }
}

/// Both logs.
struct Truth {
    here: Logs,
    there: Logs,
}

impl Truth {
    /// Nothing is past the truth, and whatever is said to be exact is.
    fn judge(&self, proof: &TranslationProof) -> Result<()> {
        let (mut all, mut exact, mut by_ring, mut bounded) = (0, 0, 0, 0);
        let groups: BTreeSet<&str> = proof.groups.keys().map(String::as_str).collect();
        assert!(groups.len() >= 7, "five that stand still and the workload's: {groups:?}");
        for (group, proven) in &proof.groups {
            for partition in &proven.partitions {
                all += 1;
                let Some(found) = partition.found else {
                    println!("{group}: {partition:?}");
                    continue;
                };
                self.is_not_past(group, partition, found)?;
                exact += usize::from(found.class == ReadingClass::Exact);
                by_ring += usize::from(found.method == Method::Ring);
                bounded += usize::from(partition.as_of.is_some_and(|as_of| as_of.lost_at_most.is_some()));
            }
        }
        println!(
            "of {all} positions {exact} are exact, {by_ring} by rings; what is lost is told of {bounded}"
        );
        assert!(exact * 5 >= all, "{proof:#?}");
        assert!(by_ring * 2 >= all, "{proof:#?}");
        Ok(())
    }

    fn is_not_past(&self, group: &str, partition: &PartitionProof, found: Found) -> Result<()> {
        let at = &partition.partition;
        let (here, there) =
            (self.here.get(at).context("it is here")?, self.there.get(at).context("it is there")?);
        let unread: HashSet<&Told> = here.range(partition.position..).map(|(_, told)| told).collect();
        let newest: HashMap<&Told, i64> = there.iter().map(|(offset, told)| (told, *offset)).collect();
        let first =
            newest.iter().filter(|(told, _)| unread.contains(**told)).map(|(_, offset)| *offset).min();
        if let Some(first) = first {
            assert!(found.target_offset <= first, "{group}: {partition:?} is past {first}");
        }
        let read =
            here.range(..partition.position).map(|(_, told)| told).filter(|told| !unread.contains(*told));
        let read: HashSet<&Told> = read.collect();
        let again = there.range(found.target_offset..).filter(|(_, told)| read.contains(*told)).count();
        let again = i64::try_from(again)?;
        assert!(again <= found.reprocessed_at_most, "{group}: {partition:?} reads {again} again");
        // What never arrived is no more than was said, of what was there at the look: later records are not in it.
        Ok(())
    }
}
