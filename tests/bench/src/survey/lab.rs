//! A survey of a real cluster beside Kafka's own tools, in the same run.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};
use muster_domain::{
    group::CommittedOffset,
    pair::BySide,
    topic::{ByPartition, TopicPartition},
};
use muster_it::{CENTRAL, WEST, cluster};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin};
use muster_lab::{Lab, LabOptions, NewTopic, WaitBound, jars, wait_until};
use muster_operations::{PairClients, survey::take_survey};

use super::pair;
use crate::{
    figures::{Figure, median},
    machine,
    official::{Ran, Tools, java_version},
};

const TOPICS: usize = 500;
const PARTITIONS: i32 = 10;
const GROUPS: usize = 2_000;
/// Of each tool; between them Muster takes as many surveys as make a measurable CPU time.
const ROUNDS: usize = 3;
const SURVEYS_PER_ROUND: u32 = 5;
/// How long the broker is watched while nobody asks anything.
const IDLE: Duration = Duration::from_secs(5);
const FIRST_COMMIT: WaitBound =
    WaitBound { within: Duration::from_secs(60), every: Duration::from_millis(100) };

/// Figures, and what they were measured on.
pub(super) struct Beside {
    pub(super) figures: Vec<Figure>,
    pub(super) how: String,
    pub(super) kafka_version: String,
    pub(super) java_version: String,
}

pub(super) async fn figures() -> Result<Beside> {
    let lab = Lab::start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    furnish(&lab).await?;
    let described = lab.describe();
    let bootstrap = &described.cluster(WEST)?.bootstrap;
    let tools = Tools::new(&jars::fetch_jars().await?, bootstrap, &lab.admin_properties()?);
    let sides = BySide { a: cluster(described, WEST)?, b: cluster(described, CENTRAL)? };
    let clients = pair::clients(&sides, "bench[.].*", "bench-.*")?;
    let broker = Broker::watch(*described.pids.get(WEST).context("the broker's pid")?).await?;
    // The broker compiles what it has not done yet, and each side finds what it needs in its caches.
    survey(&clients).await?;
    check(&tools.describe_all_groups().await?, "bench-", GROUPS * 10)?;
    check(&tools.get_offsets().await?, "bench.", TOPICS * 10)?;
    let mut measured = Measured::default();
    for _ in 0..ROUNDS {
        measured.round(&broker, &clients, &tools).await?;
    }
    lab.expect_running().await?;
    Ok(Beside {
        figures: measured.figures(),
        how: format!(
            "*Real*: one broker of the lab with {} partitions and {GROUPS} groups with ten positions each, signed in by \
             SCRAM; its CPU from `/proc/PID/stat`, less what it spends when nobody asks ({:.1} ms a second). Side B is \
             the lab's other broker with nothing in scope. The peers are Kafka's tools with the flags of its scripts, JVM \
             start included in their wall, as that is how they are used: `kafka-consumer-groups --describe --all-groups` \
             and `kafka-get-offsets`, {ROUNDS} runs each, in turns with {} surveys. Muster answers more in one survey than \
             both (starts and stable ends, members' assignments, configs, ACLs, transactions, rights). No other exporter \
             or console is installed here, so none is compared.",
            TOPICS * 10,
            broker.idle * 1e3,
            ROUNDS * 5,
        ),
        kafka_version: tools.kafka_version()?,
        java_version: java_version().await?,
    })
}

/// Creates topics, and groups as applications leave them: positions without members.
async fn furnish(lab: &Lab) -> Result<()> {
    let names: Vec<String> = (0..TOPICS).map(topic).collect();
    let mut admin = lab.admin(WEST).await?;
    for some in names.chunks(50) {
        let new = |name| NewTopic { name, partitions: PARTITIONS, configs: &[] };
        admin.create_topics(&some.iter().map(|name| new(name.as_str())).collect::<Vec<_>>()).await?;
    }
    let (west, secrets) = cluster(lab.describe(), WEST)?;
    let admin = KafkaAdmin::new(&west, &secrets, ClientOptions::default());
    // The first commit of all makes the broker create the topic of positions, which takes a while.
    wait_until("the first positions to be kept", FIRST_COMMIT, || async {
        Ok(Some(commit(&admin, 0).await?))
    })
    .await?;
    let commits = (1..GROUPS).map(|number| commit(&admin, number));
    stream::iter(commits).buffer_unordered(32).try_collect::<()>().await?;
    Ok(())
}

async fn commit(admin: &KafkaAdmin, number: usize) -> Result<()> {
    let at = CommittedOffset { offset: 0, metadata: String::new(), leader_epoch: None };
    let positions: ByPartition<CommittedOffset> = (0..PARTITIONS)
        .map(|partition| (TopicPartition::new(topic(number % TOPICS), partition), at.clone()))
        .collect();
    Ok(admin.alter_group_offsets(&format!("bench-{number:04}"), &positions).await?)
}

fn topic(number: usize) -> String {
    format!("bench.events-{number:03}")
}

/// One survey that must have found everything.
async fn survey(clients: &PairClients) -> Result<Duration> {
    let began = Instant::now();
    let survey = take_survey(clients, 1, Utc::now()).await;
    let wall = began.elapsed();
    let side = &survey.sides.a;
    let topics = side.topics.as_result().map_err(|reason| anyhow::anyhow!("topics: {reason}"))?;
    let groups = side.groups.as_result().map_err(|reason| anyhow::anyhow!("groups: {reason}"))?;
    let ends = topics.values().flat_map(|topic| &topic.partitions).filter(|p| p.end == Some(0)).count();
    let positions: usize = groups.values().map(|group| group.offsets.len()).sum();
    ensure!((ends, positions) == (TOPICS * 10, GROUPS * 10), "found {ends} ends and {positions} positions");
    Ok(wall)
}

/// A tool that did less would be quick, too.
fn check(ran: &Ran, prefix: &str, wanted: usize) -> Result<()> {
    let rows = ran.printed.lines().filter(|line| line.starts_with(prefix)).count();
    ensure!(rows == wanted, "{rows} rows instead of {wanted}");
    Ok(())
}

/// The broker whose CPU counts.
struct Broker {
    pid: u32,
    /// CPU seconds a second while nobody asks.
    idle: f64,
}

impl Broker {
    async fn watch(pid: u32) -> Result<Self> {
        // Creating so many partitions leaves work behind.
        tokio::time::sleep(IDLE).await;
        let before = machine::cpu_of(pid)?;
        tokio::time::sleep(IDLE).await;
        let spent = machine::cpu_of(pid)?.saturating_sub(before);
        Ok(Self { pid, idle: spent.as_secs_f64() / IDLE.as_secs_f64() })
    }

    /// Answers with what a piece of work cost the broker, in CPU seconds.
    async fn cost_of<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, f64)> {
        let (began, before) = (Instant::now(), machine::cpu_of(self.pid)?);
        let done = work.await?;
        let spent = machine::cpu_of(self.pid)?.saturating_sub(before).as_secs_f64();
        Ok((done, (spent - self.idle * began.elapsed().as_secs_f64()).max(0.0)))
    }
}

/// Walls and CPU of the broker, in seconds.
#[derive(Debug, Default)]
struct Measured {
    survey: Series,
    groups: Series,
    offsets: Series,
}

#[derive(Debug, Default)]
struct Series {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    fn mean_cpu_ms(&self) -> f64 {
        let count = u32::try_from(self.cpu.len()).unwrap_or(u32::MAX);
        self.cpu.iter().sum::<f64>() * 1e3 / f64::from(count.max(1))
    }
}

impl Measured {
    async fn round(&mut self, broker: &Broker, clients: &PairClients, tools: &Tools) -> Result<()> {
        let (ran, cpu) = broker.cost_of(tools.describe_all_groups()).await?;
        check(&ran, "bench-", GROUPS * 10)?;
        self.groups.wall.push(ran.wall.as_secs_f64());
        self.groups.cpu.push(cpu);
        let (ran, cpu) = broker.cost_of(tools.get_offsets()).await?;
        check(&ran, "bench.", TOPICS * 10)?;
        self.offsets.wall.push(ran.wall.as_secs_f64());
        self.offsets.cpu.push(cpu);
        let surveys = async {
            for _ in 0..SURVEYS_PER_ROUND {
                self.survey.wall.push(survey(clients).await?.as_secs_f64());
            }
            Ok(())
        };
        let ((), cpu) = broker.cost_of(surveys).await?;
        self.survey.cpu.push(cpu / f64::from(SURVEYS_PER_ROUND));
        Ok(())
    }

    fn figures(&self) -> Vec<Figure> {
        let (wall, cpu) = (median(&self.survey.wall), self.survey.mean_cpu_ms());
        let groups = "kafka-consumer-groups";
        vec![
            Figure::new(format!("real, 5,000 partitions and 2,000 groups: wall beside {groups}"), wall, "s")
                .under(0.5)
                .less_than_peer(median(&self.groups.wall), groups),
            Figure::new("real: wall beside kafka-get-offsets", wall, "s").beside(median(&self.offsets.wall)),
            Figure::new(format!("real: CPU of the broker beside {groups}"), cpu, "ms")
                .less_than_peer(self.groups.mean_cpu_ms(), groups),
            Figure::new("real: CPU of the broker beside kafka-get-offsets", cpu, "ms")
                .beside(self.offsets.mean_cpu_ms()),
        ]
    }
}
