//! Causes that leave every process running.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use muster_domain::{
    acl::{AclBinding, AclFilter, AclOperation, AclPermission, PatternType, ResourceType},
    alarm::{AlarmCode as Code, Lost},
    pair::Side,
    survey::ConnectorRole,
};
use muster_kafka::admin::NewTopic;
use muster_lab::{WaitBound, wait_until};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::stage::{BOUND_MS, FORWARD, SIDES, Stage, at, topic};
use crate::{CENTRAL, WEST};

impl Stage {
    pub(super) fn rd_admin(&self, cluster: &str) -> AdminClient<DefaultClientContext> {
        self.client(cluster).create().unwrap()
    }

    pub(super) async fn a_hole_that_replication_jumped_over(&mut self) -> Result<()> {
        self.look().await?;
        self.flow().stop(ConnectorRole::Source, BOUND_MS).await?;
        self.write(Side::A, "hole", 1_000).await?;
        let mut upto = TopicPartitionList::new();
        upto.add_partition_offset(&topic("hole"), 0, Offset::Offset(800))?;
        self.rd_admin(WEST).delete_records(&upto, &AdminOptions::new()).await?;
        self.flow().resume(ConnectorRole::Source, BOUND_MS).await?;
        // Long before the next survey replication is where it wants to be, RUNNING, with a hole behind it.
        self.copied("hole", 1_099).await?;
        let alarm = self.alarmed(Code::ReplicationHole, &topic("hole")).await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.name == "orders.alarm-hole-0", "{place:?}");
        ensure!(place.said == "offsets 100 to 799 were not copied", "{place:?}");
        ensure!(alarm.alarm.lost == Lost::up_to(700), "{:?}", alarm.alarm.lost);
        ensure!(alarm.alarm.since.after.is_some());
        self.acknowledged(&alarm).await
    }

    pub(super) async fn a_topic_made_anew_on_the_source(&mut self) -> Result<()> {
        self.look().await?;
        let name = topic("anew");
        self.clients.admin.a.delete_topic(&name).await?;
        let anew = NewTopic { name: name.clone(), partitions: 1, replication: 1, configs: BTreeMap::new() };
        self.clients.admin.a.create_topic(&anew).await?;
        let alarm = self.alarmed(Code::TopicRecreated, &format!("{name} on {WEST}")).await?;
        ensure!(alarm.alarm.places[0].name == "orders.alarm-anew-0");
        self.marked_anew(Side::A, &name).await?;
        self.acknowledged(&alarm).await
    }

    pub(super) async fn a_topic_made_anew_on_the_standby(&mut self) -> Result<()> {
        self.look().await?;
        let name = topic("anew-there");
        self.clients.admin.b.delete_topic(&name).await?;
        let anew = NewTopic { name: name.clone(), partitions: 1, replication: 1, configs: BTreeMap::new() };
        // MirrorMaker 2 may have made it already.
        let made = self.clients.admin.b.create_topic(&anew).await;
        ensure!(made.as_ref().err().is_none_or(|e| e.code() == Some(36)), "{made:?}");
        let alarm = self.alarmed(Code::TopicRecreated, &format!("{name} on {CENTRAL}")).await?;
        // A hundred records and the markers of their transactions.
        let lost = alarm.alarm.lost.at_most.unwrap_or_default();
        ensure!((101..200).contains(&lost), "{lost}");
        self.marked_anew(Side::B, &name).await?;
        self.acknowledged(&alarm).await
    }

    /// The lag explorer marks it once, between the surveys around it.
    async fn marked_anew(&self, side: Side, name: &str) -> Result<()> {
        let marks = self.made_anew(side, name).await?;
        ensure!(marks.len() == 1, "{marks:#?}");
        ensure!(marks.iter().all(|mark| mark.to.is_some_and(|to| mark.from < to)), "{marks:#?}");
        let other = self.made_anew(side.other(), name).await?;
        ensure!(other.is_empty(), "it is what it was on the other side: {other:#?}");
        Ok(())
    }

    pub(super) async fn a_partition_on_the_source_only(&mut self) -> Result<()> {
        self.configure(&[("refresh.topics.enabled", Some("false"))]).await?;
        let more = [NewPartitions::new("orders.alarm-grown", 2)];
        for result in self.rd_admin(WEST).create_partitions(&more, &AdminOptions::new()).await? {
            result.map_err(|(_, code)| code)?;
        }
        let alarm = self.alarmed(Code::PartitionsMissing, &topic("grown")).await?;
        ensure!(alarm.alarm.places[0].name == "orders.alarm-grown-1", "{:?}", alarm.alarm.places);
        self.configure(&[("refresh.topics.enabled", None)]).await?;
        self.over().await
    }

    pub(super) async fn replication_set_back(&mut self) -> Result<()> {
        self.look().await?;
        self.flow().stop(ConnectorRole::Source, BOUND_MS).await?;
        let stored = self.flow().committed_offsets().await?.0.into_iter();
        let set_back =
            stored.map(|(key, offset)| if key == at("back") { (key, Some(49)) } else { (key, Some(offset)) });
        self.flow().set_committed_offsets(&set_back.collect()).await?;
        let before = self.end(Side::B, "back").await?;
        self.flow().resume(ConnectorRole::Source, BOUND_MS).await?;
        wait_until("fifty records to come again", WaitBound::seconds(60), || async {
            Ok((self.end(Side::B, "back").await? >= before + 51).then_some(()))
        })
        .await?;
        let alarm = self.alarmed(Code::PairsBackwards, &topic("back")).await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.name == "orders.alarm-back-0" && place.said.contains("to 50"), "{place:?}");
        self.acknowledged(&alarm).await
    }

    pub(super) async fn a_foreign_writer(&mut self) -> Result<()> {
        self.look().await?;
        let from = self.end(Side::B, "quiet").await?;
        self.look().await?;
        self.write(Side::B, "quiet", 3).await?;
        let alarm = self.alarmed(Code::ForeignWriter, &topic("quiet")).await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.said == format!("3 offsets from {from} on are not replication's"), "{place:?}");
        ensure!(alarm.alarm.lost == Lost::NOTHING);
        self.acknowledged(&alarm).await
    }

    /// Applications write on the source all the while, and replication copies.
    pub(super) async fn a_foreign_writer_where_replication_copies(&mut self) -> Result<()> {
        let busy = async |stage: &Self| {
            let end = stage.end(Side::A, "busy").await?;
            stage.write(Side::A, "busy", 20).await?;
            stage.copied("busy", end + 19).await
        };
        for _ in 0..2 {
            busy(&*self).await?;
            self.look().await?;
            ensure!(self.open().await?.is_empty(), "replication's own producer is taken for somebody else");
        }
        let alarm = self
            .alarmed_while(Code::ForeignWriter, &topic("busy"), async |stage: &Self| {
                busy(stage).await?;
                stage.write(Side::B, "busy", 1).await
            })
            .await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.name == "orders.alarm-busy-0" && place.said.contains("by producer"), "{place:?}");
        ensure!(!alarm.alarm.likely, "{:?}", alarm.alarm);
        self.acknowledged(&alarm).await
    }

    pub(super) async fn a_hung_transaction(&mut self) -> Result<()> {
        let producer: BaseProducer =
            self.client(WEST).set("transactional.id", "alarm-hangs").set("linger.ms", "0").create()?;
        let stable = self.end(Side::A, "quiet").await?;
        let producer = tokio::task::spawn_blocking(move || -> Result<BaseProducer> {
            producer.init_transactions(Duration::from_secs(20))?;
            producer.begin_transaction()?;
            let name = topic("quiet");
            let record = BaseRecord::to(&name).partition(0).key("t").payload("open");
            producer.send(record).map_err(|(error, _)| error)?;
            producer.flush(Duration::from_secs(10))?;
            Ok(producer)
        })
        .await??;
        let alarm = self
            .alarmed_while(Code::HungTransaction, &topic("quiet"), async |stage: &Self| {
                stage.write(Side::A, "quiet", 5).await
            })
            .await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.said.starts_with(&format!("stands at offset {stable} ")), "{place:?}");
        ensure!(alarm.alarm.said.starts_with("Transaction `alarm-hangs` is open"), "{:?}", alarm.alarm);
        tokio::task::spawn_blocking(move || producer.abort_transaction(Duration::from_secs(10))).await??;
        self.over().await
    }

    pub(super) async fn a_deny_that_was_copied(&mut self) -> Result<()> {
        let resource = (ResourceType::Topic, PatternType::Literal, "orders.alarm-quiet");
        let deny = AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:nobody");
        self.clients.admin.a.create_acls(std::slice::from_ref(&deny)).await?;
        wait_until("MirrorMaker 2 to copy the DENY", WaitBound::seconds(60), || async {
            let there = self.clients.admin.b.acls(&AclFilter::default()).await?;
            Ok(there.bindings.contains(&deny).then_some(()))
        })
        .await?;
        let alarm = self.alarmed(Code::DenyCopied, &deny.to_string()).await?;
        ensure!(alarm.alarm.places[0].name == "orders.alarm-quiet");
        ensure!(
            alarm.alarm.facts[0].starts_with("The same one stands on the source"),
            "{:?}",
            alarm.alarm.facts
        );
        for (side, _) in SIDES {
            self.clients.admin.get(side).delete_acls(std::slice::from_ref(&deny)).await?;
        }
        self.over().await
    }

    pub(super) async fn a_brokers_default_that_deletes_early(&mut self) -> Result<()> {
        self.default_of_brokers("--add-config", "log.retention.ms=3600000").await?;
        let alarm = self.alarmed(Code::EarlyDeletion, &topic("quiet")).await?;
        let place = &alarm.alarm.places[0];
        ensure!(
            place.name == "retention.ms" && place.said.contains("3600000 (the broker's default)"),
            "{place:?}"
        );
        ensure!(alarm.alarm.lost == Lost::NOTHING, "nothing is an hour old: {:?}", alarm.alarm.lost);
        self.default_of_brokers("--delete-config", "log.retention.ms").await?;
        self.over().await
    }

    pub(super) async fn a_brokers_default_that_compacts(&mut self) -> Result<()> {
        self.default_of_brokers("--add-config", "log.cleanup.policy=compact").await?;
        let alarm = self.alarmed(Code::EarlyDeletion, &topic("quiet")).await?;
        let place = &alarm.alarm.places[0];
        ensure!(
            place.name == "cleanup.policy"
                && place.said.starts_with("is compact (the broker's default) there"),
            "{place:?}"
        );
        self.default_of_brokers("--delete-config", "log.cleanup.policy").await?;
        self.over().await
    }

    async fn default_of_brokers(&self, change: &str, what: &str) -> Result<()> {
        let properties = self.lab.admin_properties()?.display().to_string();
        let bootstrap = self.lab.describe().cluster(CENTRAL)?.bootstrap.clone();
        let target = ["--entity-type", "brokers", "--entity-default", "--alter", change, what];
        let mut arguments =
            vec!["--bootstrap-server", bootstrap.as_str(), "--command-config", properties.as_str()];
        arguments.extend(target);
        self.lab.java_tool("kafka.admin.ConfigCommand", &arguments).await?;
        Ok(())
    }

    pub(super) async fn a_group_active_on_the_standby(&mut self) -> Result<()> {
        self.commit(Side::A, "alarm-active", "quiet", 10).await?;
        let consumer: BaseConsumer = self
            .client(CENTRAL)
            .set("group.id", "alarm-active")
            .set("enable.auto.commit", "false")
            .create()?;
        let name = topic("quiet");
        consumer.subscribe(&[name.as_str()])?;
        // A member stays one only while it is polled.
        let polling = tokio::task::spawn_blocking(move || {
            while consumer.assignment().is_ok_and(|assigned| assigned.count() == 0) {
                let _ = consumer.poll(Duration::from_millis(100));
            }
            consumer
        });
        let consumer = tokio::time::timeout(Duration::from_secs(60), polling).await??;
        let alarm = self.alarmed(Code::GroupActive, "alarm-active").await?;
        ensure!(alarm.alarm.places[0].said.contains("127.0.0.1"), "{:?}", alarm.alarm.places);
        tokio::task::spawn_blocking(move || drop(consumer)).await?;
        self.over().await
    }

    pub(super) async fn leftover_offsets(&mut self) -> Result<()> {
        let group = "alarm-leftover";
        self.commit(Side::B, group, "quiet", 100_000).await?;
        self.commit(Side::A, group, "quiet", 50).await?;
        let alarm = self.alarmed(Code::OffsetsBlocking, group).await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.said.starts_with("stands at 100000;"), "{place:?}");
        self.clients.admin.b.delete_group_offsets(group, &[at("quiet")]).await?;
        self.over().await
    }

    pub(super) async fn a_converter_that_rewrites(&mut self) -> Result<()> {
        let own = "org.apache.kafka.connect.converters.ByteArrayConverter";
        let simple = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
        self.configure(&[("header.converter", Some(simple))]).await?;
        let connector = self.connector_name()?;
        let alarm = self.alarmed(Code::ConverterRewrites, &connector).await?;
        ensure!(alarm.alarm.places[0].name == "header.converter", "{:?}", alarm.alarm.places);
        self.configure(&[("header.converter", Some(own))]).await?;
        self.over().await
    }

    pub(super) fn connector_name(&self) -> Result<String> {
        let described = self.lab.describe().flow("orders", muster_lab::Direction::WestToCentral)?;
        Ok(described.source_connector.clone())
    }

    pub(super) async fn both_directions_at_once(&mut self) -> Result<()> {
        let back = self.clients.flow(FORWARD.reverse()).unwrap().clone();
        // From the end on, so that only what is written from now on goes in circles.
        let ends: BTreeMap<_, _> = {
            let mut ends = BTreeMap::new();
            for name in ["hole", "anew", "anew-there", "back", "quiet"] {
                ends.insert(at(name), Some(self.end(Side::B, name).await?.saturating_sub(1).max(0)));
            }
            ends
        };
        back.set_committed_offsets(&ends).await?;
        back.resume(ConnectorRole::Source, BOUND_MS).await?;
        let alarm = self.alarmed(Code::IdentityLoop, "both directions").await?;
        ensure!(alarm.alarm.places.len() == 2, "{:?}", alarm.alarm.places);
        back.stop(ConnectorRole::Source, BOUND_MS).await?;
        self.over().await
    }
}
