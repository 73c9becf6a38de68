//! A Muster that observes a pair of the lab, look by look, until the source dies; and the one that comes after it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use muster_app::{
    loops::{
        memory::Memory,
        proof::carry_out_one,
        ring::{PairMemory, RingLoop, Turned},
        survey::{RENEW_EVERY, SurveyLoop},
    },
    process::{kept_offset_pairs::KeptOffsetPairs, telemetry::Beat},
};
use muster_domain::{
    evidence::check_proof,
    group::CommittedOffset,
    pair::{Direction, Side},
    proof::{ProofKind, ProofState, content::ContentAsk, translation::TranslationProof},
    record::Person,
    survey::{ConnectorRole, Survey},
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_kafka::{Isolation, OffsetSpec, ReadRange, admin::NewTopic, mover::NewRecord};
use muster_lab::{
    Acl, AclResource, Lab, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until,
};
use muster_operations::{PairClients, clients::FlowKey};
use muster_replication::{ClusterHands, Mm2OnConnect};
use muster_store::{leases, proofs, rings, testing::TestDatabase};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::truth::{Logs, Told};

pub(crate) const A_TO_B: Direction = Direction { from: Side::A };
const B_TO_A: Direction = Direction { from: Side::B };
pub(crate) const SOON: WaitBound =
    WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(300) };
const WITHIN_MS: u64 = 30_000;
/// Time between two looks: shorter than usual, so that the test is.
const EVERY: Duration = Duration::from_secs(2);
const LOOKS: u32 = 4;
const TOPICS: [&str; 3] = ["orders.placed", "orders.shipped", "payments.captured"];
const CLICKS: &str = "clicks.page";
/// Records of the target's own that the flow back brings to each partition.
const BROUGHT: u8 = 40;
/// Kafka's codes of the operations WRITE and CREATE.
const WRITE_AND_CREATE: [i8; 2] = [4, 5];

/// A Muster that observes the pair `orders` of the lab.
pub(crate) struct Real {
    pub(crate) lab: Lab,
    pub(crate) clients: LabClients,
    database: TestDatabase,
    surveys: SurveyLoop,
    keeper: RingLoop,
    epoch: i64,
    /// Partitions of the topics looked at, as the source names them.
    pub(crate) all: Vec<TopicPartition>,
    /// What their copies are named behind; empty where names are the same on both sides.
    prefix: &'static str,
    /// Copies on the source that the flow back brought there, with where groups stand on them: each of the groups that stand still has
    /// another one beside it that stands there, too.
    copies: ByPartition<CommittedOffset>,
}

impl Real {
    /// One that keeps no offset syncs, of a flow that has them on the target.
    pub(crate) async fn start() -> Result<Self> {
        Self::of("orders", &TOPICS, "").await
    }

    /// The same of the pair `clicks`, whose copies are named behind their source.
    pub(crate) async fn prefixed() -> Result<Self> {
        Self::of("clicks", &[CLICKS], "eu-west.").await
    }

    async fn of(name: &str, topics: &[&str], prefix: &'static str) -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let mut described = pair(lab.describe(), name, &address_book_path(&lab.describe().dir, name))?;
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
            renew_every: RENEW_EVERY,
            worker: worker.clone(),
            beat: Beat::default(),
        };
        let keeper = RingLoop { pool, clients: Arc::new(clients.clone()), worker, beat: Beat::default() };
        let names = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let topics = clients.0.admin.a.topics(Some(&names)).await?;
        let partitions = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| TopicPartition::new(topic.name.as_str(), one.partition))
        });
        let all = partitions.collect();
        let (epoch, copies) = (lease.epoch, ByPartition::new());
        Ok(Self { lab, clients, database, surveys, keeper, epoch, all, prefix, copies })
    }

    /// Has the flow back bring records of the target's own to the source, as after a move there and back again, and stops it.
    /// Groups stand in the middle of what it brought.
    pub(crate) async fn bring_copies(&mut self) -> Result<()> {
        let back = self.clients.0.flow(B_TO_A).context("the flow back")?.clone();
        for at in &self.all {
            let record = |n: u8| NewRecord {
                key: Some(vec![n].into()),
                value: Some(format!("written in {CENTRAL}, {n}").into()),
                timestamp: Utc::now().timestamp_millis(),
            };
            let written = (0..BROUGHT).map(record).collect();
            self.clients.0.mover.b.write(at, written, WITHIN_MS).await?;
        }
        back.resume(ConnectorRole::Source, 60_000).await?;
        let copy = |at: &TopicPartition| TopicPartition::new(format!("{CENTRAL}.{}", at.topic), at.partition);
        let copies: Vec<TopicPartition> = self.all.iter().map(copy).collect();
        let (admin, all) = (&self.clients.0.admin.a, &copies);
        wait_until("copies of the target's own records", SOON, || async move {
            // Until the flow has made them nobody knows where they end.
            let Ok(ends) = admin.offsets(all, OffsetSpec::End).await else { return Ok(None) };
            let brought = |end: &Result<i64, _>| matches!(end, Ok(end) if *end >= i64::from(BROUGHT));
            Ok((ends.len() == all.len() && ends.values().all(brought)).then_some(()))
        })
        .await?;
        back.stop(ConnectorRole::Source, 60_000).await?;
        let half =
            CommittedOffset { offset: i64::from(BROUGHT / 2), leader_epoch: None, metadata: String::new() };
        self.copies = copies.into_iter().map(|at| (at, half.clone())).collect();
        Ok(())
    }

    /// A partition of those looked at as a side names it.
    fn named(&self, side: Side, at: &TopicPartition) -> TopicPartition {
        match side {
            Side::A => at.clone(),
            Side::B => TopicPartition::new(format!("{}{}", self.prefix, at.topic), at.partition),
        }
    }

    /// One that keeps offset syncs, of a flow that has them where MirrorMaker 2 does unless it is told otherwise.
    pub(crate) async fn with_syncs_on_source() -> Result<Self> {
        let mut real = Self::start().await?;
        let flow = real.lab.describe().flow("orders", muster_lab::Direction::WestToCentral)?;
        let name = format!("mm2-offset-syncs.{CENTRAL}.internal");
        let configs = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        let topic = NewTopic { name: name.clone(), partitions: 1, replication: 1, configs };
        real.clients.0.admin.a.create_topic(&topic).await?;
        let right = |operation| Acl {
            principal: format!("User:{}", flow.principal),
            resource: AclResource::Topic,
            name: name.clone(),
            prefixed: false,
            operation,
            allow: true,
        };
        real.lab.create_acls(WEST, &WRITE_AND_CREATE.map(right)).await?;
        let change = BTreeMap::from([("offset-syncs.topic.location".to_owned(), Some("source".to_owned()))]);
        let replication = real.clients.0.flow(A_TO_B).context("the flow")?;
        replication.change_config(ConnectorRole::Source, &change, 60_000).await?;
        real.begin_anew()?;
        Ok(real)
    }

    /// As a process that has just started and keeps offset syncs.
    pub(crate) fn begin_anew(&mut self) -> Result<()> {
        let mut clients = LabClients::new(self.lab.describe(), self.clients.0.pair.clone())?;
        let PairClients { pair, clusters, admin, mover, flows, .. } = &mut clients.0;
        let hands = |side| ClusterHands { admin: admin.get(side).clone(), mover: mover.get(side).clone() };
        for flow in &pair.flows {
            let (from, to) = (flow.direction.from, flow.direction.to());
            let worker_cluster = clusters.get(to).expected_cluster_id.clone();
            let kept = KeptOffsetPairs::of(self.database.pool().clone(), pair.name.clone(), flow.direction);
            let attached = Mm2OnConnect::new(flow, hands(from), hands(to), worker_cluster)?;
            flows.insert(FlowKey::from(flow.direction), Arc::new(attached.remembering(Arc::new(kept))));
        }
        self.surveys.clients = Arc::new(clients.clone());
        self.keeper.clients = Arc::new(clients.clone());
        self.clients = clients;
        Ok(())
    }

    /// Looks while applications work, until the source is killed.
    pub(crate) async fn look_until_it_dies(&self, enough: i64) -> Result<()> {
        let described = self.lab.describe();
        let mut workload = Workload::start(described, &described.dir, WorkloadOptions::default()).await?;
        wait_until("enough records", SOON, || async {
            let ends = self.ends(Side::A).await?;
            Ok(ends.values().all(|end| *end > enough).then_some(()))
        })
        .await?;
        self.put_groups().await?;
        let (mut memory, mut kept) = (Memory::default(), PairMemory::new());
        let mut ticks = tokio::time::interval(EVERY);
        for _ in 0..LOOKS {
            ticks.tick().await;
            self.look(&mut memory, &mut kept).await?;
        }
        // Somewhere between two looks, wherever the bytes of a fresh id put it.
        let part = u32::from(Uuid::new_v4().as_bytes()[0]);
        println!("killed {part}/256 of the way to the next look");
        tokio::select! {
            _ = ticks.tick() => {}
            () = tokio::time::sleep(EVERY * part / 256) => {}
        }
        self.lab.kill(WEST).await?;
        workload.finish(Duration::from_secs(1)).await?;
        Ok(())
    }

    pub(crate) async fn survey(&self) -> Result<Survey> {
        Ok(self.surveys.observe(&self.clients.0.pair.name, self.epoch, &mut Memory::default()).await?)
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

    pub(crate) async fn notice_silence(&self) -> Result<()> {
        let pair = &self.clients.0.pair.name;
        wait_until("the silence to be noticed", SOON, || async {
            self.keeper.turn(pair, &mut PairMemory::new()).await?;
            let mut conn = self.database.pool().acquire().await?;
            let look = rings::look(&mut conn, (pair, A_TO_B)).await?;
            Ok(look.and_then(|look| look.silent_since).is_some().then_some(()))
        })
        .await
    }

    async fn ends(&self, side: Side) -> Result<ByPartition<i64>> {
        let asked: Vec<TopicPartition> = self.all.iter().map(|at| self.named(side, at)).collect();
        let mut ends = self.clients.0.admin.get(side).offsets(&asked, OffsetSpec::End).await?;
        let end = |(at, named): (&TopicPartition, &TopicPartition)| -> Result<(TopicPartition, i64)> {
            let end = ends.remove(named).context("it was asked for")?;
            Ok((at.clone(), end.map_err(|error| *error)?))
        };
        self.all.iter().zip(&asked).map(end).collect()
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
            let mut positions: ByPartition<CommittedOffset> =
                ends.iter().map(|(partition, end)| (partition.clone(), at(*end))).collect();
            let admin = &self.clients.0.admin.a;
            admin.alter_group_offsets(&format!("proof-{fifth}"), &positions).await?;
            if !self.copies.is_empty() {
                positions.extend(self.copies.clone());
                admin.alter_group_offsets(&format!("proof-{fifth}-and-copies"), &positions).await?;
                admin.alter_group_offsets(&format!("proof-{fifth}-copies"), &self.copies).await?;
            }
        }
        Ok(())
    }

    /// All that committed readers are given, by the source's names.
    pub(crate) async fn logs(&self, side: Side) -> Result<Logs> {
        let range = |(at, until)| ReadRange { partition: self.named(side, &at), from: 0, until };
        let ranges: Vec<ReadRange> = self.ends(side).await?.into_iter().map(range).collect();
        let mut read =
            self.clients.0.mover.get(side).read(&ranges, Isolation::ReadCommitted, WITHIN_MS).await?;
        let log = |records: Vec<muster_kafka::Record>| -> BTreeMap<i64, Told> {
            records.into_iter().map(|one| (one.offset, (one.timestamp, one.key, one.value))).collect()
        };
        let of =
            |at: &TopicPartition| (at.clone(), log(read.remove(&self.named(side, at)).unwrap_or_default()));
        Ok(self.all.iter().map(of).collect())
    }

    /// The source's, once it can be read again.
    pub(crate) async fn readable_again(&self) -> Result<Logs> {
        wait_until("the source to be read again", SOON, || async { Ok(self.logs(Side::A).await.ok()) }).await
    }

    /// A translation proof as people ask for it, carried out by this process.
    pub(crate) async fn prove(&self) -> Result<TranslationProof> {
        Ok(serde_json::from_value(self.proven(ProofKind::Translation, None).await?)?)
    }

    /// What a proof says that people asked for, carried out by this process.
    pub(crate) async fn proven(&self, kind: ProofKind, content: Option<&ContentAsk>) -> Result<Value> {
        let mut conn = self.database.pool().acquire().await?;
        let pair = &self.clients.0.pair;
        let new = proofs::NewProof {
            pair: &pair.name,
            team: &pair.team,
            kind,
            from: &pair.clusters.a,
            to: &pair.clusters.b,
            asked_by: &Person { id: Uuid::nil(), name: "olga".to_owned() },
            content,
        };
        let id = proofs::insert(&mut conn, &new).await?;
        carry_out_one(self.database.pool(), &self.clients, "test", &CancellationToken::new()).await?;
        let proof = proofs::get(&mut conn, id).await?.context("it was asked for")?;
        ensure!(proof.state == ProofState::Done, "{proof:?}");
        let evidence = proofs::evidence(&mut conn, id).await?.context("it is done")?;
        for checked in check_proof(&serde_json::to_value(&evidence)?) {
            ensure!(checked.holds, "{checked:?}");
        }
        evidence.result.context("it is done")
    }

    /// Prints are gone; when they were read last is still known.
    pub(crate) async fn forget_rings(&self) -> Result<()> {
        sqlx::query("delete from ring").execute(self.database.pool()).await?;
        Ok(())
    }
}
