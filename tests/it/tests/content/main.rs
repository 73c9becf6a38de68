//! Content proofs on the real lab: dealt out by Kafka's group protocol, gone on with after a death, and finding what a hole
//! and a foreign writer leave. A sample says what it leaves open, and reads no faster than it may. Where retention overtakes them, or two
//! sides have nothing in common, they say so.

mod kinds;
mod one_sided;
mod places;
mod samples;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use chrono::Utc;
use muster_app::{loops::proof, process::telemetry::Beat};
use muster_domain::{
    evidence::check_proof,
    pair::{Direction, Side},
    payload::{TimestampType, Written},
    proof::{
        ProofKind, ProofState,
        content::{ContentAsk, ContentProof, ContentVerdict, Look, Place, ProofSide},
    },
    record::Person,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, LabClients, WEST, pair, program};
use muster_kafka::{OffsetSpec, RecordMover, admin::NewTopic, mover::NewRecord};
use muster_lab::{Lab, LabOptions, WaitBound, address_book_path, wait_until};
use muster_operations::{clients::FlowKey, content_proof::look_for};
use muster_replication::Replication;
use muster_store::{proof_stretches, proofs, testing::TestDatabase};
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PARTITIONS: i32 = 4;
/// Records of each partition; some bytes each, so that a bound makes comparing last.
const RECORDS: i64 = 20_000;
const VALUE: usize = 250;
/// Megabytes a second over both sides: about ten seconds of work.
const SLOWLY: u32 = 4;
const SOON: WaitBound = WaitBound { within: Duration::from_secs(120), every: Duration::from_millis(200) };
const BOUND_MS: u64 = 60_000;

/// A flow of the lab with a topic of its own, and a Muster that knows the pair.
struct Real {
    lab: Arc<Lab>,
    clients: LabClients,
    database: Arc<TestDatabase>,
    topic: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_compared_by_those_who_live_and_what_differs_is_found() -> Result<()> {
    let real = Real::start().await?;
    for partition in 0..PARTITIONS {
        real.write(WEST, partition, 0, RECORDS).await?;
    }
    real.wait_until_copied().await?;
    real.who_may_not_share_compares_alone().await?;
    real.the_work_of_a_process_that_dies_is_gone_on_with().await?;
    real.a_sample_says_what_it_leaves_open_and_keeps_to_its_rate().await?;
    real.what_was_aborted_is_not_missed().await?;
    real.what_compaction_removed_is_not_lost().await?;
    real.what_was_copied_again_is_counted_however_much_it_is().await?;
    real.what_only_one_side_has_is_never_the_same().await?;
    real.what_retention_overtakes_is_neither_missing_nor_foreign().await?;
    real.where_nothing_is_in_common_for_long_the_place_is_told().await?;
    real.what_the_connector_leaves_out_is_not_on_its_way().await?;
    real.what_a_hole_and_a_foreign_writer_leave_is_found().await
}

impl Real {
    async fn start() -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let described = pair(lab.describe(), "orders", &address_book_path(&lab.describe().dir, "orders"))?;
        let (clients, database) = LabClients::registered(lab.describe(), described).await?;
        let topic = format!("orders.content-{}", Utc::now().timestamp_millis());
        let new = NewTopic {
            name: topic.clone(),
            partitions: PARTITIONS,
            replication: 1,
            configs: BTreeMap::new(),
        };
        clients.0.admin.a.create_topic(&new).await?;
        Ok(Self { lab: Arc::new(lab), clients, database: Arc::new(database), topic })
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), partition)
    }

    fn flow(&self) -> &dyn Replication {
        &*self.clients.0.flows[&FlowKey::from(Direction { from: Side::A })]
    }

    async fn write(&self, side: &str, partition: i32, first: i64, count: i64) -> Result<()> {
        let mover: &dyn RecordMover =
            if side == CENTRAL { &*self.clients.0.mover.b } else { &*self.clients.0.mover.a };
        let record = |number: i64| NewRecord {
            key: Some(format!("key {}", number % 100).into()),
            value: Some(format!("{number} {}", "x".repeat(VALUE)).into()),
            timestamp: 1_790_000_000_000 + number,
        };
        for from in (first..first + count).step_by(5_000) {
            let records = (from..(from + 5_000).min(first + count)).map(record).collect();
            mover.write(&self.at(partition), records, BOUND_MS).await?;
        }
        Ok(())
    }

    /// Waits until Connect committed everything.
    async fn wait_until_copied(&self) -> Result<()> {
        let all: Vec<TopicPartition> = (0..PARTITIONS).map(|partition| self.at(partition)).collect();
        wait_until("everything to be copied", SOON, || async {
            let ends = self.clients.0.admin.a.offsets(&all, OffsetSpec::End).await?;
            let committed = self.flow().committed_offsets().await?.0;
            let copied = ends.iter().all(|(at, end)| {
                let end = end.as_ref().copied().unwrap_or(i64::MAX);
                end == 0 || committed.get(at).is_some_and(|last| last + 1 >= end)
            });
            Ok(copied.then_some(()))
        })
        .await
    }

    async fn ask(&self, asked: ContentAsk) -> Result<Uuid> {
        let asked = ContentAsk { topics: vec![self.topic.clone()], ..asked };
        let mut conn = self.database.pool().acquire().await?;
        let pair = &self.clients.0.pair;
        let new = proofs::NewProof {
            pair: &pair.name,
            team: &pair.team,
            kind: ProofKind::Content,
            from: &pair.clusters.a,
            to: &pair.clusters.b,
            asked_by: &Person { id: Uuid::nil(), name: "olga".to_owned() },
            content: Some(&asked),
        };
        Ok(proofs::insert(&mut conn, &new).await?)
    }

    /// A process that carries out proofs, with a runtime, clients and connections of its own: ending the runtime is its
    /// death, nothing is given back.
    fn process(&self, name: &'static str) -> Result<Runtime> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let clients = LabClients::new(self.lab.describe(), self.clients.0.pair.clone())?;
        let database = (*self.database.pool().connect_options()).clone();
        runtime.spawn(async move {
            let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(database);
            let never = CancellationToken::new();
            proof::run(pool, Arc::new(clients), name.to_owned(), Beat::default(), never).await;
        });
        Ok(runtime)
    }

    async fn result(&self, id: Uuid) -> Result<ContentProof> {
        let evidence = wait_until("the proof to end", SOON, || async {
            let mut conn = self.database.pool().acquire().await?;
            let proof = proofs::get(&mut conn, id).await?.context("it was asked for")?;
            anyhow::ensure!(proof.state != ProofState::Failed, "{}", proof.reason);
            Ok(proofs::evidence(&mut conn, id).await?)
        })
        .await?;
        println!("{}", evidence.proof.sentence);
        for checked in check_proof(&serde_json::to_value(&evidence)?) {
            assert!(checked.holds, "{checked:?}");
        }
        Ok(serde_json::from_value(evidence.result.context("it is done")?)?)
    }

    async fn open(&self, id: Uuid) -> Result<Vec<proof_stretches::Open>> {
        let mut conn = self.database.pool().acquire().await?;
        Ok(proof_stretches::open(&mut conn, id).await?.unwrap_or_default())
    }

    async fn the_work_of_a_process_that_dies_is_gone_on_with(&self) -> Result<()> {
        let id = self.ask(ContentAsk { mb_per_second: Some(SLOWLY), ..ContentAsk::default() }).await?;
        program::seal_secrets(&self.database, self.lab.describe()).await?;
        let leader = program::worker(&self.database, self.lab.describe(), 0)?;
        wait_until("stretches to be planned", SOON, || async {
            Ok((self.open(id).await?.len() == PARTITIONS as usize).then_some(()))
        })
        .await?;
        let helper = self.process("helper")?;
        let before = wait_until("all partitions to be under way", SOON, || async {
            let open = self.open(id).await?;
            let all = open.len() == PARTITIONS as usize && open.iter().all(|open| open.checkpoint.is_some());
            Ok(all.then_some(open))
        })
        .await?;
        // It says nothing to anybody: the group finds out when its session is over, PostgreSQL when its lease is.
        leader.kill()?;
        let result = self.result(id).await?;
        helper.shutdown_background();
        assert!(before.iter().all(|open| open.checkpoint.as_ref().is_some_and(|at| at.source_next > 0)));
        assert_eq!(result.summary.verdict, ContentVerdict::Same, "{result:#?}");
        let found = &result.summary.found;
        assert_eq!((found.on_source, found.matched), (80_000, 80_000), "nothing twice, nothing left out");
        for partition in &result.partitions {
            assert_eq!(partition.found.source_digest, partition.found.target_digest, "{partition:?}");
            assert!(!partition.found.source_digest.is_empty());
        }
        // The one that lived had its own partitions and then those of the dead one.
        assert_eq!(result.processes, 1, "{result:#?}");
        Ok(())
    }

    async fn what_a_hole_and_a_foreign_writer_leave_is_found(&self) -> Result<()> {
        // Whoever moves Connect's offsets forward loses what lies between.
        self.flow().stop(ConnectorRole::Source, BOUND_MS).await?;
        self.write(WEST, 1, RECORDS, 100).await?;
        let committed = self.flow().committed_offsets().await?.0;
        let behind = committed[&self.at(1)];
        let mut skipped: ByPartition<Option<i64>> =
            committed.into_iter().map(|(at, offset)| (at, Some(offset))).collect();
        skipped.insert(self.at(1), Some(behind + 10));
        self.flow().set_committed_offsets(&skipped).await?;
        self.flow().resume(ConnectorRole::Source, BOUND_MS).await?;
        self.write(CENTRAL, 0, 500_000, 1).await?;
        self.write(WEST, 2, RECORDS, 50).await?;
        self.wait_until_copied().await?;

        let (_, all) = self.compared(ContentAsk::default()).await?;
        assert_eq!(all.summary.verdict, ContentVerdict::Differs);
        let told: Vec<_> = all
            .partitions
            .iter()
            .map(|one| (one.source.partition, one.found.missing, one.found.extra))
            .collect();
        assert_eq!(told, [(0, 0, 1), (1, 10, 0), (2, 0, 0), (3, 0, 0)], "{all:#?}");
        let first = &all.partitions[1].found.examples[0];
        assert_eq!(first.source_offset, Some(behind + 1));
        assert!(!serde_json::to_string(&all)?.contains("xxxxx"), "no payload is kept");
        self.what_is_in_cited_records_is_read_when_it_is_asked_for(&all, behind + 1).await?;

        self.samples_tell_what_they_drew().await?;
        self.a_window_ends_where_it_is_asked_to().await?;
        self.what_is_gone_is_said_to_be_gone(&all, behind + 1).await
    }

    async fn look(&self, all: &ContentProof, side: ProofSide, partition: i32, offset: i64) -> Result<Look> {
        let place = Place { side, partition: self.at(partition), offset };
        let cited = all.cited(&place).context("the proof cites it")?;
        let on = if side == ProofSide::Source { Side::A } else { Side::B };
        Ok(look_for(&self.clients.0, on, &cited, &place).await)
    }

    async fn what_is_in_cited_records_is_read_when_it_is_asked_for(
        &self,
        all: &ContentProof,
        lost: i64,
    ) -> Result<()> {
        let foreign = all.partitions[0].found.examples[0].target_offset.context("it is on the target")?;
        // The number of a record, the offset of one, and the values that were written.
        for (side, partition, offset, number) in
            [(ProofSide::Target, 0, foreign, 500_000), (ProofSide::Source, 1, lost, lost)]
        {
            let look = self.look(all, side, partition, offset).await?;
            let Look::Shown { record, committed: true } = &look else { anyhow::bail!("{look:?}") };
            let value = record.value.as_ref().context("it has a value")?;
            assert_eq!((value.written, value.cut), (Written::Text, 0));
            assert_eq!(value.shown, format!("{number} {}", "x".repeat(VALUE)));
            let key = record.key.as_ref().context("it has a key")?;
            assert_eq!(key.shown, format!("key {}", number % 100));
            assert_eq!(record.timestamp.map(|at| at.timestamp_millis()), Some(1_790_000_000_000 + number));
            assert_eq!(record.timestamp_type, TimestampType::CreateTime);
        }
        let beside = Place { side: ProofSide::Target, partition: self.at(0), offset: foreign - 1 };
        assert_eq!(all.cited(&beside), None, "no other record is");
        Ok(())
    }

    async fn what_is_gone_is_said_to_be_gone(&self, all: &ContentProof, lost: i64) -> Result<()> {
        self.clients.0.admin.a.delete_topic(&self.topic).await?;
        wait_until("the deleted topic to be gone", SOON, || async {
            let look = self.look(all, ProofSide::Source, 1, lost).await?;
            let gone = matches!(&look, Look::Gone { because } if because.contains("is not there any more"));
            Ok(gone.then_some(()))
        })
        .await
    }
}
