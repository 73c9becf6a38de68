//! The lab's pair `clicks` with both flows running: names are prefixed, so each side has a topic of its own and the copy of the other's.
//! What is so of one flow is alarmed of that one, under the same topic's name, and nothing of the other.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use muster_domain::{
    alarm::{AlarmCode as Code, Lost, StandingAlarm},
    pair::{Direction, PairMode, Side},
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_kafka::admin::NewTopic;
use muster_lab::{Lab, LabOptions};
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};

use super::stage::{BOUND_MS, FORWARD, SIDES, Stage};
use crate::pair;

/// The way back, which copies as well.
pub(super) const BACK: Direction = Direction { from: Side::B };
/// On both sides.
const TOPIC: &str = "clicks.alarm-busy";
/// Records that applications write on a side at a time.
const SOME: usize = 20;

pub(super) struct TwoFlows {
    pub(super) stage: Stage,
}

impl TwoFlows {
    pub(super) async fn start(period: Duration) -> Result<Self> {
        let lab = Lab::start(LabOptions::default()).await?;
        let mut pair = pair(lab.describe(), "clicks", &lab.describe().dir.join("unused.json"))?;
        pair.mode = PairMode::ActiveActive;
        pair.topics = vec![r"clicks\.alarm-.*".to_owned()];
        pair.groups = vec!["alarm-.*".to_owned()];
        pair.canary_topic = None;
        let two = Self { stage: Stage::of(lab, period, pair, &[]).await? };
        let topic =
            NewTopic { name: TOPIC.to_owned(), partitions: 1, replication: 1, configs: BTreeMap::new() };
        for (side, _) in SIDES {
            two.stage.clients.admin.get(side).create_topic(&topic).await?;
        }
        let back = two.stage.clients.flow(BACK).context("the way back")?.clone();
        back.resume(ConnectorRole::Source, BOUND_MS).await?;
        for way in [FORWARD, BACK] {
            two.write_and_copy(way, 100).await?;
        }
        Ok(two)
    }

    /// Applications write on the source of a flow, and it arrives.
    async fn write_and_copy(&self, way: Direction, count: usize) -> Result<()> {
        self.stage.write_at(way.from, &at(), count).await?;
        let end = self.stage.end_at(way.from, &at()).await?;
        self.stage.copied_by(way, &at(), end - 1).await
    }

    pub(super) async fn nothing_is_alarmed_of_either(&mut self) -> Result<()> {
        for _ in 0..4 {
            self.stage.look().await?;
            let open = self.stage.open().await?;
            ensure!(open.is_empty(), "alarmed with nothing wrong: {open:#?}");
            for way in [FORWARD, BACK] {
                self.write_and_copy(way, SOME).await?;
            }
        }
        Ok(())
    }

    /// The source removes what was not copied while its flow is stopped; the other goes on.
    pub(super) async fn a_hole(&mut self, way: Direction) -> Result<()> {
        self.stage.look().await?;
        let flow = self.stage.clients.flow(way).context("a flow")?.clone();
        flow.stop(ConnectorRole::Source, BOUND_MS).await?;
        self.write_and_copy(way.reverse(), SOME).await?;
        self.stage.look().await?;
        let from = self.stage.end_at(way.from, &at()).await?;
        self.stage.write_at(way.from, &at(), 1_000).await?;
        let mut upto = TopicPartitionList::new();
        upto.add_partition_offset(TOPIC, 0, Offset::Offset(from + 700))?;
        let cluster = self.stage.clients.pair.cluster(way.from).to_string();
        self.stage.rd_admin(&cluster).delete_records(&upto, &AdminOptions::new()).await?;
        flow.resume(ConnectorRole::Source, BOUND_MS).await?;
        self.stage.copied_by(way, &at(), from + 999).await?;
        let subject = self.subject(TOPIC, way);
        let alarm = self.stage.alarmed(Code::ReplicationHole, &subject).await?;
        self.only(&alarm, way).await?;
        let place = &alarm.alarm.places[0];
        ensure!(place.name == at().to_string(), "{place:?}");
        ensure!(place.said == format!("offsets {from} to {} were not copied", from + 699), "{place:?}");
        ensure!(alarm.alarm.lost == Lost::up_to(700), "{:?}", alarm.alarm.lost);
        self.stage.acknowledged(&alarm).await
    }

    /// Applications write on both sides all the while, and what they write on the other one arrives.
    pub(super) async fn the_worker_of_the_way_back_gone(&mut self) -> Result<()> {
        self.stage.look().await?;
        let worker = muster_lab::Direction::CentralToWest;
        let connector = self.stage.lab.describe().flow("clicks", worker)?.source_connector.clone();
        self.stage.lab.kill(&worker.worker()).await?;
        let subject = self.subject(&connector, BACK);
        let alarm = self
            .stage
            .alarmed_while(Code::WorkerGone, &subject, async |stage: &Stage| {
                stage.write_at(BACK.from, &at(), SOME).await?;
                stage.write_at(FORWARD.from, &at(), SOME).await?;
                let end = stage.end_at(FORWARD.from, &at()).await?;
                stage.copied_by(FORWARD, &at(), end - 1).await
            })
            .await?;
        self.only(&alarm, BACK).await?;
        self.stage.lab.restart(&worker.worker()).await?;
        self.write_and_copy(BACK, SOME).await?;
        self.stage.over().await
    }

    fn subject(&self, about: &str, way: Direction) -> String {
        format!("{about} ({})", self.stage.clients.pair.course(way))
    }

    /// This alarm is of that flow, and no other is open.
    async fn only(&self, alarm: &StandingAlarm, way: Direction) -> Result<()> {
        let course = self.stage.clients.pair.course(way);
        ensure!(alarm.alarm.course == course, "of {} and not of {course}", alarm.alarm.course);
        let open = self.stage.open().await?;
        ensure!(open.len() == 1, "alarmed besides: {open:#?}");
        Ok(())
    }
}

fn at() -> TopicPartition {
    TopicPartition::new(TOPIC, 0)
}
