//! Offset pairs of a real MirrorMaker 2 flow, kept in a real PostgreSQL: when the offset-syncs topic holds nothing any more, a Muster
//! that starts translates every group as the one before did, and goes on from there. And one that lives does when its broker has compacted
//! that topic.

mod compacted;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use muster_app::process::kept_offset_pairs::KeptOffsetPairs;
use muster_domain::{
    pair::{Direction, Flow, Side},
    renaming::Renaming,
    survey::{ConnectorRole, OffsetPair},
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, LabClients, WEST, pair};
use muster_kafka::{OffsetSpec, mover::NewRecord};
use muster_lab::{
    Lab, LabDescription, LabOptions, WaitBound, Workload, WorkloadOptions, address_book_path, wait_until,
};
use muster_operations::PairClients;
use muster_replication::{
    ClusterHands, FlowEnd, FlowRecords, Mm2OnConnect, OffsetPairMemory as _, Replication as _,
    translate::{Positions, Translator, translate_groups},
};
use muster_store::testing::TestDatabase;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

const FORWARD: Direction = Direction { from: Side::A };
const SOON: WaitBound = WaitBound { within: Duration::from_secs(90), every: Duration::from_millis(300) };
const WITHIN_MS: u64 = 30_000;
/// Records of each partition before anything is looked at: some offset syncs.
const ENOUGH: i64 = 250;
const TOPICS: [&str; 2] = ["orders.placed", "payments.captured"];
/// A lab needs the machine to itself.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Real {
    clients: LabClients,
    database: TestDatabase,
    flow: Flow,
    all: Vec<TopicPartition>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muster_that_starts_translates_as_the_one_before_although_the_topic_is_empty() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock().await;
    let lab = Lab::start(LabOptions::default()).await?;
    let mut workload =
        Workload::start(lab.describe(), &lab.describe().dir, WorkloadOptions::default()).await?;
    let real = Real::over(lab.describe(), &TOPICS).await?;
    ensure!(real.all.len() >= 2, "{:?}", real.all);
    wait_until("enough records", SOON, || async {
        let ends = real.ends(Side::A).await?;
        Ok(ends.values().all(|end| *end > ENOUGH).then_some(()))
    })
    .await?;
    workload.finish(Duration::from_secs(10)).await?;

    // Stopped, its tasks have written every offset sync they had to.
    let first = real.process(true)?;
    first.stop(ConnectorRole::Source, 60_000).await?;
    let known = first.offset_pairs(&real.all).await?;
    println!("{} pairs of {} partitions", known.values().map(Vec::len).sum::<usize>(), known.len());
    ensure!(known.values().all(|pairs| pairs.len() >= 2), "{known:?}");
    let asked = real.groups(&known).await?;
    let before = real.translate(&first, &asked).await?;
    drop(first);

    real.empty_the_topic(lab.describe()).await?;
    let without = real.process(false)?.offset_pairs(&real.all).await?;
    ensure!(without.values().all(Vec::is_empty), "the topic still holds {without:?}");
    let second = real.process(true)?;
    ensure!(second.offset_pairs(&real.all).await? == known, "what was kept is what was read");
    let after = real.translate(&second, &asked).await?;
    ensure!(before == after, "{before:#?}\n{after:#?}");

    // A group that is far behind is found by what was kept, behind what is written now.
    second.resume(ConnectorRole::Source, 60_000).await?;
    let at = &real.all[0];
    real.write(at, 250).await?;
    let longer = wait_until("an offset sync of what was written", SOON, || async {
        let pairs = second.offset_pairs(std::slice::from_ref(at)).await?.remove(at).unwrap_or_default();
        Ok((pairs.len() > known[at].len()).then_some(pairs))
    })
    .await?;
    ensure!(longer.starts_with(&known[at]), "{longer:?}\n{:?}", known[at]);
    Ok(())
}

impl Real {
    /// The lab's flow, of which these topics are looked at.
    async fn over(lab: &LabDescription, topics: &[&str]) -> Result<Self> {
        let described = pair(lab, "orders", &address_book_path(&lab.dir, "orders"))?;
        let (clients, database) = LabClients::registered(lab, described).await?;
        let flow = clients.0.pair.flows.iter().find(|flow| flow.direction == FORWARD);
        let flow = flow.context("a flow from west")?.clone();
        let names = topics.iter().map(|name| (*name).to_owned()).collect();
        let topics = clients.0.admin.a.topics(Some(&names)).await?;
        let partitions = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| TopicPartition::new(topic.name.as_str(), one.partition))
        });
        let all: Vec<TopicPartition> = partitions.collect();
        Ok(Self { clients, database, flow, all })
    }

    fn kept(&self) -> KeptOffsetPairs {
        KeptOffsetPairs::of(self.database.pool().clone(), self.clients.0.pair.name.clone(), FORWARD)
    }

    /// The flow in the hands of a process that has just started.
    fn process(&self, remembers: bool) -> Result<Mm2OnConnect> {
        let PairClients { admin, mover, clusters, .. } = &self.clients.0;
        let hands = |side| ClusterHands { admin: admin.get(side).clone(), mover: mover.get(side).clone() };
        let worker_cluster = clusters.b.expected_cluster_id.clone();
        let flow = Mm2OnConnect::new(&self.flow, hands(Side::A), hands(Side::B), worker_cluster)?;
        Ok(if remembers { flow.remembering(Arc::new(self.kept())) } else { flow })
    }

    async fn ends(&self, side: Side) -> Result<ByPartition<i64>> {
        let ends = self.clients.0.admin.get(side).offsets(&self.all, OffsetSpec::End).await?;
        ends.into_iter().map(|(at, end)| Ok((at, end.map_err(|error| *error)?))).collect()
    }

    /// Five groups at different places of every partition, from behind the first pair to the end.
    async fn groups(
        &self,
        known: &ByPartition<Vec<OffsetPair>>,
    ) -> Result<BTreeMap<String, ByPartition<i64>>> {
        let ends = self.ends(Side::A).await?;
        let position = |at: &TopicPartition, fifth: i64| {
            let first = known[at].first().map_or(0, |pair| pair.upstream);
            first + (ends[at] - first) * fifth / 5
        };
        let of = |fifth: i64| self.all.iter().map(move |at| (at.clone(), position(at, fifth))).collect();
        Ok((0..5).map(|fifth| (format!("group-{fifth}"), of(fifth))).collect())
    }

    async fn translate(
        &self,
        process: &Mm2OnConnect,
        asked: &BTreeMap<String, ByPartition<i64>>,
    ) -> Result<BTreeMap<String, Positions>> {
        let settings = process.settings().await?;
        let pairs = process.offset_pairs(&self.all).await?;
        let PairClients { admin, mover, .. } = &self.clients.0;
        let translator = Translator {
            flow: &self.flow,
            renaming: &Renaming::default(),
            records: FlowRecords {
                source: &*mover.a,
                target: &*mover.b,
                isolation: settings.isolation,
                deadline_ms: WITHIN_MS,
            },
            source: &*admin.a,
            target: &*admin.b,
            pairs: &pairs,
            exactly_once: settings.exactly_once,
            target_until: None,
        };
        let found = translate_groups(&translator, asked).await?;
        ensure!(found.values().flatten().all(|(_, found)| found.is_ok()), "{found:#?}");
        Ok(found)
    }

    /// The offset-syncs topic, with the side and the cluster that have it.
    async fn syncs(&self) -> Result<(Side, &'static str, TopicPartition)> {
        let settings = self.process(false)?.settings().await?;
        let (side, cluster) = match settings.syncs_on {
            FlowEnd::Source => (Side::A, WEST),
            FlowEnd::Target => (Side::B, CENTRAL),
        };
        Ok((side, cluster, TopicPartition::new(settings.syncs_topic, 0)))
    }

    /// What compaction comes to in time, and a little more: the topic holds nothing any more.
    async fn empty_the_topic(&self, lab: &LabDescription) -> Result<()> {
        let (side, cluster, partition) = self.syncs().await?;
        let admin = self.clients.0.admin.get(side);
        let ends = admin.offsets(std::slice::from_ref(&partition), OffsetSpec::End).await?;
        let end = ends.get(&partition).context("asked")?.clone().map_err(|error| *error)?;
        let (_, kept) = self.kept().recall().await?.context("kept")?.pairs.context("it reads back")?;
        ensure!(kept.until == end, "kept to {}, and the topic ends at {end}", kept.until);
        // Of a topic that is only compacted brokers delete nothing when they are asked to.
        let policy = BTreeMap::from([("cleanup.policy".to_owned(), Some("compact,delete".to_owned()))]);
        admin.alter_topic_configs(&partition.topic, &policy).await?;
        let client: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &lab.cluster(cluster)?.bootstrap)
            .set("security.protocol", &lab.security_protocol)
            .set("sasl.mechanisms", &lab.sasl_mechanism)
            .set("sasl.username", "muster")
            .set("sasl.password", lab.password("muster")?)
            .create()?;
        let mut upto = TopicPartitionList::new();
        upto.add_partition_offset(&partition.topic, 0, Offset::Offset(end))?;
        wait_until("the records to be deleted", SOON, || async {
            client.delete_records(&upto, &AdminOptions::new()).await?;
            let starts = admin.offsets(std::slice::from_ref(&partition), OffsetSpec::Start).await?;
            let start = starts.get(&partition).context("asked")?.clone().map_err(|error| *error)?;
            Ok((start == end).then_some(()))
        })
        .await
    }

    async fn write(&self, at: &TopicPartition, count: i64) -> Result<()> {
        let record = |number: i64| NewRecord {
            key: Some(b"kept".as_slice().into()),
            value: Some(format!("kept {number}").into()),
            timestamp: Utc::now().timestamp_millis(),
        };
        self.clients.0.mover.a.write(at, (0..count).map(record).collect(), WITHIN_MS).await?;
        Ok(())
    }
}
