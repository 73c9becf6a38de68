//! A real MirrorMaker 2 flow under Muster's hands: steering it, setting its offsets, reading its pairs, and translating
//! groups exactly although exactly-once leaves no offset in its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use muster_domain::{
    pair::{Flow, Side},
    renaming::Renaming,
    survey::{ConnectState, ConnectorRole, OffsetPair},
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, LabClients, WEST, cluster, pair};
use muster_kafka::{
    ClientOptions, Isolation, KafkaAdmin, KafkaMover, OffsetSpec, ReadRange, Record, admin::NewTopic,
    mover::NewRecord,
};
use muster_lab::{Lab, LabOptions};
use muster_replication::{
    ClusterHands, FlowRecords, Mm2OnConnect, PartitionEnds, Replication, ReplicationErrorKind,
    connect::{ConnectClient, StoredOffset},
    translate::{Translator, translate_group},
    verify::{CutLine, content_window, tails_match, verify_content},
};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use serde_json::json;

const BOUND_MS: u64 = 60_000;
const DEADLINE_MS: u64 = 30_000;

/// The flow of `orders` from west to central with a topic of its own.
struct Real {
    lab: Lab,
    flow: Flow,
    mirror: Mm2OnConnect,
    west: ClusterHands,
    central: ClusterHands,
    at: TopicPartition,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_flow_is_steered_read_and_translated_exactly() -> Result<()> {
    let real = Real::start().await?;
    let untouched = real.mirror.committed_offsets().await?.0;
    real.observation_holds_no_credential().await?;
    real.write_records().await?;
    let pairs = real.wait_until_drained().await?;
    real.pairs_are_true(&pairs).await?;
    real.groups_are_translated_exactly(&pairs).await?;
    real.config_changes_reach_the_tasks().await?;
    real.offsets_are_set_exactly_and_leftovers_go().await?;
    real.copying_again_is_seen(&pairs).await?;
    let after = real.mirror.committed_offsets().await?.0;
    let kept =
        untouched.iter().all(|(partition, offset)| after.get(partition).is_some_and(|now| now >= offset));
    ensure!(kept, "other partitions lost their place: {untouched:?} → {after:?}");
    Ok(())
}

impl Real {
    async fn start() -> Result<Self> {
        let lab = Lab::attach_or_start(LabOptions::default()).await?;
        let described = lab.describe();
        let pair = pair(described, "orders", &described.dir.join("unused.json"))?;
        let flow = pair
            .flows
            .iter()
            .find(|flow| flow.direction.from == Side::A)
            .context("a flow from west")?
            .clone();
        let hands = |name| -> Result<ClusterHands> {
            let (cluster, secrets) = cluster(described, name)?;
            let options = ClientOptions::default();
            let (admin, mover) =
                (KafkaAdmin::new(&cluster, &secrets, options), KafkaMover::new(&cluster, &secrets, options));
            Ok(ClusterHands { admin: Arc::new(admin), mover: Arc::new(mover) })
        };
        let (west, central) = (hands(WEST)?, hands(CENTRAL)?);
        let worker_cluster = Some(described.cluster(CENTRAL)?.cluster_id.clone());
        let mirror = Mm2OnConnect::new(&flow, west.clone(), central.clone(), worker_cluster)?;
        drop(LabClients::new(described, pair)?);
        let at = TopicPartition::new(format!("orders.replication-{}", Utc::now().timestamp_millis()), 0);
        let topic =
            NewTopic { name: at.topic.clone(), partitions: 1, replication: 1, configs: BTreeMap::default() };
        west.admin.create_topic(&topic).await?;
        Ok(Self { lab, flow, mirror, west, central, at })
    }

    async fn observation_holds_no_credential(&self) -> Result<()> {
        let began = Instant::now();
        let seen = self.mirror.observe(Utc::now()).await;
        println!("first observation: {:?}", began.elapsed());
        let began = Instant::now();
        self.mirror.observe(Utc::now()).await;
        println!("second observation: {:?}", began.elapsed());
        let text = serde_json::to_string(&seen)?;
        let real = self.mirror.config(ConnectorRole::Source).await?;
        let passwords: Vec<_> = self.lab.describe().users.values().collect();
        ensure!(
            real.values().any(|value| passwords.iter().any(|word| value.contains(*word))),
            "a config without one"
        );
        for (user, password) in &self.lab.describe().users {
            ensure!(!text.contains(password.as_str()), "the password of {user} is in the observation");
        }
        let source = seen.connectors[&ConnectorRole::Source].value().context("the source connector")?;
        ensure!(source.config["source.cluster.sasl.mechanism"] == "SCRAM-SHA-512");
        ensure!(source.config["source.cluster.sasl.jaas.config"] == "[redacted]");
        ensure!(seen.worker.value().is_some() && seen.committed.value().is_some(), "{seen:?}");
        ensure!(seen.newest_pairs.value().is_some(), "{:?}", seen.newest_pairs);
        Ok(())
    }

    /// 3,000 plain records while the flow copies, then 600 small transactions, every fifth aborted, then 1,500 plain ones.
    async fn write_records(&self) -> Result<()> {
        self.write_plain(0, 3_000).await?;
        let described = self.lab.describe();
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &described.cluster(WEST)?.bootstrap)
            .set("security.protocol", &described.security_protocol)
            .set("sasl.mechanisms", &described.sasl_mechanism)
            .set("sasl.username", "muster")
            .set("sasl.password", described.password("muster")?)
            .set("transactional.id", &self.at.topic)
            .create()?;
        let topic = self.at.topic.clone();
        let transactions = tokio::task::spawn_blocking(move || -> Result<()> {
            producer.init_transactions(Duration::from_secs(20))?;
            for number in 0..600 {
                producer.begin_transaction()?;
                for part in 0..=number % 3 {
                    let value = format!("transaction {number} {part}");
                    let record = BaseRecord::to(&topic).partition(0).key("t").payload(&value);
                    producer.send(record).map_err(|(error, _)| error)?;
                }
                match number % 5 {
                    4 => producer
                        .flush(Duration::from_secs(10))
                        .and_then(|()| producer.abort_transaction(Duration::from_secs(10)))?,
                    _ => producer.commit_transaction(Duration::from_secs(10))?,
                }
            }
            Ok(())
        });
        transactions.await??;
        self.write_plain(3_000, 1_500).await
    }

    async fn write_plain(&self, from: i64, count: i64) -> Result<()> {
        let numbers: Vec<i64> = (from..from + count).collect();
        for some in numbers.chunks(250) {
            let record = |number: &i64| NewRecord {
                key: Some(b"plain".as_slice().into()),
                value: Some(format!("plain {number}").into()),
                timestamp: Utc::now().timestamp_millis(),
            };
            self.west.mover.write(&self.at, some.iter().map(record).collect(), DEADLINE_MS).await?;
        }
        Ok(())
    }

    fn records(&self) -> FlowRecords<'_> {
        FlowRecords {
            source: &*self.west.mover,
            target: &*self.central.mover,
            isolation: Isolation::ReadCommitted,
            deadline_ms: DEADLINE_MS,
        }
    }

    async fn end(&self, hands: &ClusterHands) -> Result<i64> {
        let ends = hands.admin.offsets(std::slice::from_ref(&self.at), OffsetSpec::End).await?;
        Ok(ends.get(&self.at).context("asked")?.clone()?)
    }

    async fn line(&self) -> Result<CutLine> {
        Ok(CutLine {
            partition: PartitionEnds { source: self.at.clone(), target: self.at.clone() },
            source_until: self.end(&self.west).await?,
            target_until: self.end(&self.central).await?,
        })
    }

    async fn wait_until_drained(&self) -> Result<Vec<OffsetPair>> {
        let began = Instant::now();
        loop {
            let names = BTreeSet::from([self.at.topic.clone()]);
            let there = !self.central.admin.topics(Some(&names)).await?.is_empty();
            if there {
                let asked = Instant::now();
                let proof = tails_match(&self.records(), &[self.line().await?]).await?.remove(0);
                if proof.drained && proof.source.is_some() {
                    println!("drained after {:?}; the proof took {:?}", began.elapsed(), asked.elapsed());
                    break;
                }
            }
            ensure!(began.elapsed() < Duration::from_secs(90), "not drained");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Pairs are written by another producer, a moment after the records.
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.pairs().await
    }

    async fn pairs(&self) -> Result<Vec<OffsetPair>> {
        let began = Instant::now();
        let mut pairs = self.mirror.offset_pairs(std::slice::from_ref(&self.at)).await?;
        let pairs = pairs.remove(&self.at).unwrap_or_default();
        println!("{} pairs read in {:?}", pairs.len(), began.elapsed());
        Ok(pairs)
    }

    async fn all(&self, hands: &ClusterHands) -> Result<Vec<Record>> {
        let range = ReadRange { partition: self.at.clone(), from: 0, until: self.end(hands).await? };
        let mut read = hands.mover.read(&[range], Isolation::ReadCommitted, DEADLINE_MS).await?;
        Ok(read.remove(&self.at).unwrap_or_default())
    }

    async fn pairs_are_true(&self, pairs: &[OffsetPair]) -> Result<()> {
        ensure!(!pairs.is_empty(), "the flow made no pair");
        let by_offset = |records: Vec<Record>| -> BTreeMap<i64, u64> {
            records.iter().map(|record| (record.offset, record.fingerprint())).collect()
        };
        let (source, target) =
            (by_offset(self.all(&self.west).await?), by_offset(self.all(&self.central).await?));
        for pair in pairs {
            let same = source.contains_key(&pair.upstream)
                && source.get(&pair.upstream) == target.get(&pair.downstream);
            ensure!(same, "{pair:?} names two different records");
        }
        Ok(())
    }

    async fn groups_are_translated_exactly(&self, pairs: &[OffsetPair]) -> Result<()> {
        let (source, target) = (self.all(&self.west).await?, self.all(&self.central).await?);
        ensure!(
            source.iter().map(Record::fingerprint).eq(target.iter().map(Record::fingerprint)),
            "other content"
        );
        let (source_end, target_end) = (self.end(&self.west).await?, self.end(&self.central).await?);
        println!(
            "source: {} records to {source_end}; target: {} to {target_end}",
            source.len(),
            target.len()
        );
        ensure!(source_end != target_end, "exactly-once and aborts must have moved the ends apart");
        let pairs = ByPartition::from([(self.at.clone(), pairs.to_vec())]);
        let translator = Translator {
            exactly_once: true,
            flow: &self.flow,
            renaming: &Renaming::default(),
            records: self.records(),
            source: &*self.west.admin,
            target: &*self.central.admin,
            pairs: &pairs,
            target_until: None,
        };
        let first = pairs[&self.at].first().map_or(0, |pair| pair.upstream);
        let lags = [0, 1, 50, 300, 1_000, 2_500].into_iter().map(|lag| source_end - lag);
        for offset in lags.chain((first..source_end).step_by(97)) {
            let began = Instant::now();
            let group = ByPartition::from([(self.at.clone(), offset)]);
            let found = translate_group(&translator, &group).await?.remove(&self.at).context("asked")?;
            let found = found.with_context(|| format!("group at {offset}"))?;
            let truth = source.iter().position(|record| record.offset >= offset);
            let truth = truth.map_or(target_end, |rank| target[rank].offset);
            let lag = source_end - offset;
            if [0, 50, 1_000].contains(&lag) {
                println!("lag {lag}: {:?} in {:?}", found.mapping, began.elapsed());
            }
            ensure!(
                found.mapping.target_offset == truth,
                "group at {offset}: {:?}, true is {truth}",
                found.mapping
            );
        }
        let began = Instant::now();
        let window =
            content_window(&self.line().await?, &pairs[&self.at], 2_000).context("there are pairs")?;
        let content = verify_content(&self.records(), &[window]).await?;
        println!("{} records compared in {:?}", content.records, began.elapsed());
        ensure!(content.equal, "{content:?}");
        Ok(())
    }

    async fn config_changes_reach_the_tasks(&self) -> Result<()> {
        let change = |value: &Option<String>| {
            BTreeMap::from([("refresh.topics.interval.seconds".to_owned(), value.clone())])
        };
        // The checkpoint connector may have no tasks here: nobody reads.
        for role in [ConnectorRole::Source, ConnectorRole::Checkpoint] {
            let before = self.mirror.config(role).await?.get("refresh.topics.interval.seconds").cloned();
            let began = Instant::now();
            self.mirror.change_config(role, &change(&Some("4".to_owned())), BOUND_MS).await?;
            println!("{role}: a changed config is in running tasks after {:?}", began.elapsed());
            let now = self.mirror.config(role).await?;
            ensure!(now.get("refresh.topics.interval.seconds").map(String::as_str) == Some("4"));
            self.mirror.change_config(role, &change(&before), BOUND_MS).await?;
        }
        Ok(())
    }

    async fn offsets_are_set_exactly_and_leftovers_go(&self) -> Result<()> {
        let began = Instant::now();
        self.mirror.stop(ConnectorRole::Source, BOUND_MS).await?;
        println!("stopped in {:?}", began.elapsed());
        let state = self.mirror.state(ConnectorRole::Source).await?.context("a source connector")?;
        ensure!(state.connector == ConnectState::Stopped && state.tasks.is_empty());
        let (offsets, foreign) = self.mirror.committed_offsets().await?;
        ensure!(foreign.is_empty(), "{foreign:?}");
        // What Connect stores without a word, and no task will ever read.
        let muster_domain::pair::Mechanism::Mm2OnConnect { connect_url, source_connector, .. } =
            &self.flow.mechanism
        else {
            anyhow::bail!("the lab's flows are on Connect")
        };
        let partition = json!({"cluster": "elsewhere", "topic": self.at.topic, "partition": 0});
        let lost = StoredOffset { partition, offset: json!({"offset": 1}) };
        ConnectClient::new(connect_url)?.patch_offsets(source_connector, &[lost]).await?;
        ensure!(self.mirror.committed_offsets().await?.1.len() == 1, "the leftover is seen");
        let refused =
            self.mirror.set_committed_offsets(&ByPartition::new()).await.map_err(|error| error.kind);
        let kind = refused.err().context("partitions nobody asked for must be told")?;
        ensure!(matches!(kind, ReplicationErrorKind::NotAsAsked(_)), "{kind}");
        let back = offsets.get(&self.at).context("committed")? - 100;
        let mut asked: ByPartition<Option<i64>> =
            offsets.into_iter().map(|(at, offset)| (at, Some(offset))).collect();
        asked.insert(self.at.clone(), Some(back));
        let began = Instant::now();
        self.mirror.set_committed_offsets(&asked).await?;
        println!("{} offsets set and read back in {:?}", asked.len(), began.elapsed());
        let began = Instant::now();
        self.mirror.set_committed_offsets(&asked).await?;
        println!("the same again in {:?}", began.elapsed());
        let (now, foreign) = self.mirror.committed_offsets().await?;
        ensure!(now.get(&self.at) == Some(&back) && foreign.is_empty(), "{now:?} {foreign:?}");
        Ok(())
    }

    /// Resumed 100 offsets earlier, the flow copies them again: content tells so, and groups are put into the second life.
    async fn copying_again_is_seen(&self, first_life: &[OffsetPair]) -> Result<()> {
        let began = Instant::now();
        self.mirror.resume(ConnectorRole::Source, BOUND_MS).await?;
        println!("running again after {:?}", began.elapsed());
        let (source, before) = (self.all(&self.west).await?, self.all(&self.central).await?.len());
        let again = source.iter().filter(|record| record.offset >= self.copied_from(&source)).count();
        while self.all(&self.central).await?.len() < before.max(source.len() + again) {
            ensure!(began.elapsed() < Duration::from_secs(60), "the 100 were not copied again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let pairs = self.pairs().await?;
        let window = content_window(&self.line().await?, first_life, 2_000).context("there are pairs")?;
        let content = verify_content(&self.records(), &[window]).await?;
        ensure!(content.nothing_lost && !content.equal, "{content:?}");
        ensure!(content.partitions[0].found.duplicates == again as u64, "{:?}", content.partitions[0].found);
        let pairs = ByPartition::from([(self.at.clone(), pairs)]);
        let translator = Translator {
            exactly_once: true,
            flow: &self.flow,
            renaming: &Renaming::default(),
            records: self.records(),
            source: &*self.west.admin,
            target: &*self.central.admin,
            pairs: &pairs,
            target_until: None,
        };
        let target = self.all(&self.central).await?;
        let group = ByPartition::from([(self.at.clone(), source[source.len() - 20].offset)]);
        let found = translate_group(&translator, &group).await?.remove(&self.at).context("asked")??;
        // Nothing was written since, so no pair tells that the restart has caught up: early by a known number of records,
        // never late.
        let truth = target[target.len() - 20].offset;
        let mapping = &found.mapping;
        let again = target.iter().filter(|r| (mapping.target_offset..truth).contains(&r.offset)).count();
        ensure!(
            mapping.target_offset <= truth && again as i64 <= mapping.reprocessed_at_most,
            "{mapping:?}, the second life has it at {truth}"
        );
        Ok(())
    }

    /// The first offset copied again: the plain records end the topic without holes.
    fn copied_from(&self, source: &[Record]) -> i64 {
        source.last().map_or(0, |last| last.offset - 99)
    }
}
