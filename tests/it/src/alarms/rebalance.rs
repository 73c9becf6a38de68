//! One of two workers of a Connect group goes. Their leader keeps its tasks for it until `scheduled.rebalance.max.delay.ms` has passed
//! (KIP-415). All the while nobody copies what these tasks carry, and the connector says RUNNING.
//!
//! Who goes is the second worker, which joined last: the first leads the group, goes on leading it, and is the one Muster asks. Were it the
//! leader that goes, the other would lead without knowing whose the tasks were, take them for new ones and start them at once.
//! The source connector is the only one of the group: connectors are dealt out evenly, so the only one stays with the first worker. From a
//! worker that is ended in order it would be UNASSIGNED itself; that is not silent, readiness tells it.
//! The flow copies exactly once, as that of the other causes does: tasks that are killed while they rest leave no transaction open, and go on
//! elsewhere by the same transactional ids (which fences what they were) at the very next record. So nothing comes twice, and nothing else
//! is to be alarmed.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use muster_domain::{
    alarm::AlarmCode as Code,
    pair::{Mechanism, Pair, Side},
    survey::ConnectorRole,
};
use muster_lab::{Connect, Direction, Lab, LabOptions, Placed, WaitBound, wait_until};

use super::stage::{BOUND_MS, FORWARD, Stage, at, own_pair};

/// How long the leader waits. Longer than three surveys, and than it takes to have the tasks started otherwise.
const DELAY: Duration = Duration::from_secs(60);
/// The delay, and the time in which a group notices a death (`session.timeout.ms`, 10 s) and starts tasks.
const GIVEN_OUT: WaitBound =
    WaitBound { within: Duration::from_secs(180), every: Duration::from_millis(200) };
const WAY: Direction = Direction::WestToCentral;
/// Topics of one partition each: every task has one of them.
const TOPICS: [&str; 4] = ["quiet", "east", "north", "south"];
/// Tasks of either worker.
const HALF: usize = TOPICS.len() / 2;
/// Records that applications write on each topic at a time.
const SOME: usize = 5;

/// A flow whose tasks two workers share.
pub(super) struct TwoWorkers {
    pub(super) stage: Stage,
    /// The first worker.
    connect: Connect,
    connector: String,
    /// Both workers, as statuses name them.
    first: String,
    second: String,
}

impl TwoWorkers {
    pub(super) async fn start(period: Duration) -> Result<Self> {
        let lab = Lab::start(LabOptions { second_worker: Some(DELAY), ..LabOptions::default() }).await?;
        let connect = Connect::new(lab.connect_url(WAY)?)?;
        let (first, second) = (worker(&lab, &WAY.worker())?, worker(&lab, &WAY.second_worker())?);
        let pair = with_the_source_connector_only(&lab, &connect).await?;
        let stage = Stage::of(lab, period, pair, &TOPICS).await?;
        let connector = stage.connector_name()?;
        let two = Self { stage, connect, connector, first, second };
        let tasks = TOPICS.len().to_string();
        let settings = [
            ("topics", Some(r"orders\.alarm-.*")),
            ("heartbeats.replication.enabled", Some("false")),
            ("tasks.max", Some(tasks.as_str())),
        ];
        two.stage.configure(&settings).await?;
        two.the_second_joins().await?;
        Ok(two)
    }

    /// It says of its tasks that they are UNASSIGNED while it ends. Connect takes that for older than the RUNNING of the same generation and
    /// goes on saying RUNNING (`KafkaStatusBackingStore`, Kafka 4.3).
    pub(super) async fn one_is_ended_in_order(&mut self) -> Result<()> {
        let left = self.what_goes_is_missed(async |lab| lab.stop(&WAY.second_worker()).await).await?;
        self.over_for_all(&left).await
    }

    pub(super) async fn one_is_killed(&mut self) -> Result<()> {
        self.the_second_joins().await?;
        let left = self.what_goes_is_missed(async |lab| lab.kill(&WAY.second_worker()).await).await?;
        // What the alarm says to do if nobody wants to wait for the delay.
        self.stage.flow().stop(ConnectorRole::Source, BOUND_MS).await?;
        self.stage.flow().resume(ConnectorRole::Source, BOUND_MS).await?;
        self.the_first_has_all().await?;
        self.over_for_all(&left).await
    }

    /// The second worker goes: what it carried is alarmed, while Connect calls its tasks RUNNING. Answers what it carried.
    async fn what_goes_is_missed(
        &mut self,
        go: impl AsyncFnOnce(&Lab) -> Result<()>,
    ) -> Result<Vec<&'static str>> {
        let (stay, left) = (self.topics_of(&self.first).await?, self.topics_of(&self.second).await?);
        // Two surveys behind the last record: the end of its transaction is not taken for something that arrived later.
        for _ in 0..2 {
            self.stage.look().await?;
        }
        go(&self.stage.lab).await?;
        let alarm = self
            .stage
            .alarmed_while(Code::TaskMissing, &self.connector, async |stage: &Stage| {
                write_everywhere(stage, &stay).await
            })
            .await?;
        let told: BTreeSet<_> = alarm.alarm.places.iter().map(|place| place.name.clone()).collect();
        let expected: BTreeSet<_> = left.iter().map(|name| at(name).to_string()).collect();
        ensure!(told == expected, "{told:?}, and the worker that went carried {expected:?}");
        let waiting = i64::try_from(left.len() * SOME)?;
        ensure!(alarm.alarm.lost.at_most.is_some_and(|most| most >= waiting), "{:?}", alarm.alarm.lost);
        let tasks = self.running().await?;
        let gone = tasks.iter().filter(|task| task.worker == self.second).count();
        let silent = gone == HALF && tasks.iter().all(|task| task.state == "RUNNING");
        ensure!(silent, "Connect was to call the tasks of a worker that went RUNNING: {tasks:?}");
        Ok(left)
    }

    /// The first worker carries all, what waited arrives, and nothing is alarmed any more.
    async fn over_for_all(&mut self, waited: &[&str]) -> Result<()> {
        self.the_first_has_all().await?;
        for name in waited {
            let end = self.stage.end(Side::A, name).await?;
            self.stage.copied(name, end - 1).await?;
        }
        self.stage.over().await
    }

    /// The second worker starts, takes half of the tasks, and all of them copy.
    async fn the_second_joins(&self) -> Result<()> {
        self.stage.lab.restart(&WAY.second_worker()).await?;
        wait_until("each worker to have half of the tasks", GIVEN_OUT, || async {
            let tasks = self.running().await?;
            let of = |worker: &str| tasks.iter().filter(|task| task.worker == worker).count();
            let shared = of(&self.first) == HALF && of(&self.second) == HALF;
            ensure!(shared && tasks.iter().all(|task| task.state == "RUNNING"), "{tasks:?}");
            Ok(Some(()))
        })
        .await?;
        write_everywhere(&self.stage, &TOPICS).await
    }

    async fn the_first_has_all(&self) -> Result<()> {
        wait_until("the first worker to have all tasks", GIVEN_OUT, || async {
            let tasks = self.running().await?;
            let has = |task: &Placed| task.state == "RUNNING" && task.worker == self.first;
            ensure!(tasks.len() == TOPICS.len() && tasks.iter().all(has), "{tasks:?}");
            Ok(Some(()))
        })
        .await
    }

    /// The tasks of the connector, which itself is RUNNING on the first worker.
    async fn running(&self) -> Result<Vec<Placed>> {
        let status = self.connect.status(&self.connector).await?;
        let runs = status.connector.state == "RUNNING" && status.connector.worker == self.first;
        ensure!(runs, "the connector is not on the first worker: {status:?}");
        Ok(status.tasks)
    }

    /// Topics that the tasks of a worker carry.
    async fn topics_of(&self, worker: &str) -> Result<Vec<&'static str>> {
        let tasks = self.running().await?;
        let carried = self.connect.task_settings(&self.connector, "task.assigned.partitions").await?;
        let theirs: Vec<&String> = tasks
            .iter()
            .filter(|task| task.worker == worker)
            .filter_map(|task| carried.get(&task.id))
            .collect();
        let carries = |name: &&str| theirs.contains(&&at(name).to_string());
        let topics: Vec<&'static str> = TOPICS.into_iter().filter(carries).collect();
        ensure!(topics.len() == HALF, "the tasks of {worker} carry {theirs:?}");
        Ok(topics)
    }
}

/// Applications write on all topics, and what they wrote on some of them arrives.
async fn write_everywhere(stage: &Stage, arrives: &[&str]) -> Result<()> {
    for name in TOPICS {
        stage.write(Side::A, name, SOME).await?;
    }
    for name in arrives {
        let end = stage.end(Side::A, name).await?;
        stage.copied(name, end - 1).await?;
    }
    Ok(())
}

/// What statuses call a worker of the lab.
fn worker(lab: &Lab, process: &str) -> Result<String> {
    let worker = lab.describe().workers.get(process);
    Ok(worker.with_context(|| format!("the lab has no worker {process}"))?.id().to_owned())
}

/// Takes all other connectors from the group; answers the pair without them.
async fn with_the_source_connector_only(lab: &Lab, connect: &Connect) -> Result<Pair> {
    let theirs = lab.describe().flows.iter().filter(|flow| flow.direction == WAY);
    for flow in theirs {
        connect.delete(&flow.checkpoint_connector).await?;
        connect.delete(&flow.heartbeat_connector).await?;
        if flow.pair != "orders" {
            connect.delete(&flow.source_connector).await?;
        }
    }
    let mut pair = own_pair(lab)?;
    for flow in pair.flows.iter_mut().filter(|flow| flow.direction == FORWARD) {
        if let Mechanism::Mm2OnConnect { checkpoint_connector, heartbeat_connector, .. } = &mut flow.mechanism
        {
            (*checkpoint_connector, *heartbeat_connector) = (None, None);
        }
    }
    Ok(pair)
}
