//! Surveys of clusters that do not exist, in processes of their own.

use std::{process::Stdio, time::Instant};

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use muster_domain::{
    cluster::ClusterSecrets,
    pair::{BySide, Side},
    survey::{SideObservation, Survey},
};
use muster_kafka::synthetic::cluster_at;
use muster_operations::survey::take_survey;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::pair;
use crate::{
    big_cluster::Size,
    figures::{Figure, median},
    machine,
};

const LATENCY_MS: u64 = 20;
const EMPTY: Size = Size { topics: 0, groups: 0, latency_ms: LATENCY_MS };

/// What to do in the process that takes surveys.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Task {
    /// Port of side A.
    #[arg(long)]
    a: u16,
    /// Port of side B.
    #[arg(long)]
    b: u16,
    /// Topics to be found on both sides together.
    #[arg(long)]
    topics: i32,
    /// Groups to be found on both sides together.
    #[arg(long)]
    groups: i32,
    /// Surveys to take after the first.
    #[arg(long)]
    rounds: u32,
}

/// What surveys cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cost {
    first_s: f64,
    warm_s: Vec<f64>,
    /// CPU of one warm survey.
    cpu_s: f64,
    peak_mb: f64,
}

pub(super) async fn figures() -> Result<Vec<Figure>> {
    let size = |topics, groups| Size { topics, groups, latency_ms: LATENCY_MS };
    let small = measure([size(100, 100), EMPTY], 60).await?;
    let medium = measure([size(1_000, 1_000), EMPTY], 20).await?;
    let large = measure([size(10_000, 10_000), EMPTY], 9).await?;
    let both = measure([size(10_000, 10_000); 2], 5).await?;
    let per_partition = |cost: &Cost, size: Size| cost.cpu_s * 1e6 / f64::from(size.partitions());
    let at_1k = per_partition(&small, size(100, 0));
    let what = "synthetic, 100,000 partitions and 10,000 groups";
    Ok(vec![
        Figure::new(format!("{what}: wall"), median(&large.warm_s), "s").under(1.5),
        Figure::new(format!("{what}: wall of the first"), large.first_s, "s"),
        Figure::new(format!("{what}: peak resident"), large.peak_mb, "MB").under(150.0),
        Figure::new("CPU per partition at 1,000 (100 groups)", at_1k, "µs"),
        Figure::new(
            "CPU per partition at 10,000 (1,000 groups)",
            per_partition(&medium, size(1_000, 0)),
            "µs",
        )
        .no_more_than_peer(at_1k, "at 1,000", 1.25),
        Figure::new(
            "CPU per partition at 100,000 (10,000 groups)",
            per_partition(&large, size(10_000, 0)),
            "µs",
        )
        .no_more_than_peer(at_1k, "at 1,000", 1.25),
        Figure::new("the same size on both sides: wall", median(&both.warm_s), "s"),
        Figure::new("the same size on both sides: peak resident", both.peak_mb, "MB"),
    ])
}

/// Starts both clusters and the process that surveys them.
async fn measure(sides: [Size; 2], rounds: u32) -> Result<Cost> {
    let [a, b] = [start_brokers(sides[0]).await?, start_brokers(sides[1]).await?];
    let sum = |of: fn(&Size) -> i32| sides.iter().map(of).sum::<i32>().to_string();
    let output = Command::new(std::env::current_exe()?)
        .arg("take-surveys")
        .args(["--a", &a.port.to_string(), "--b", &b.port.to_string()])
        .args(["--topics", &sum(|size| size.topics), "--groups", &sum(|size| size.groups)])
        .args(["--rounds", &rounds.to_string()])
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(output.status.success(), "the process that takes surveys: {}", output.status);
    serde_json::from_slice(&output.stdout).context("what the process that takes surveys printed")
}

pub(crate) struct Brokers {
    /// Port of the first.
    pub(crate) port: u16,
    /// Its standard input is held open; it ends when that closes.
    _process: Child,
}

/// Brokers of a cluster that does not exist, as a process of their own.
pub(crate) async fn start_brokers(size: Size) -> Result<Brokers> {
    let mut process = Command::new(std::env::current_exe()?)
        .arg("synthetic-brokers")
        .args(["--topics", &size.topics.to_string(), "--groups", &size.groups.to_string()])
        .args(["--latency-ms", &size.latency_ms.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line).await?;
    Ok(Brokers { port: line.trim().parse().context("the port of the synthetic brokers")?, _process: process })
}

/// Takes the surveys and prints their cost.
pub(crate) async fn take(task: &Task) -> Result<()> {
    let side = |port| (cluster_at(port), ClusterSecrets::default());
    let sides = BySide { a: side(task.a), b: side(task.b) };
    let clients = pair::clients(&sides, "orders[.].*", "group-.*")?;
    let mut times = Vec::new();
    let mut cpu_after_first = machine::own_cpu();
    for number in 0..=task.rounds {
        let began = Instant::now();
        let survey = take_survey(&clients, i64::from(number), Utc::now()).await;
        times.push(began.elapsed().as_secs_f64());
        if number == 0 {
            check_complete(&survey, task)?;
            drop(survey);
            cpu_after_first = machine::own_cpu();
        }
    }
    let cpu = machine::own_cpu().saturating_sub(cpu_after_first);
    let cost = Cost {
        first_s: times.remove(0),
        warm_s: times,
        cpu_s: cpu.as_secs_f64() / f64::from(task.rounds.max(1)),
        peak_mb: machine::peak_resident_mb()?,
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// A survey that leaves something out would be quick, too.
fn check_complete(survey: &Survey, task: &Task) -> Result<()> {
    let (mut topics, mut groups) = (0, 0);
    for side in Side::BOTH {
        // What brokers are set to is read now and then, not by this.
        let SideObservation {
            cluster,
            topics: t,
            groups: g,
            acls,
            transactions,
            rights,
            quotas,
            users,
            brokers: _,
        } = survey.sides.get(side);
        let unread = [
            cluster.as_result().err(),
            acls.as_result().err(),
            transactions.as_result().err(),
            rights.as_result().err(),
            quotas.as_result().err(),
            users.as_result().err(),
        ];
        ensure!(unread.iter().all(Option::is_none), "not read: {unread:?}");
        let t = t.as_result().map_err(|reason| anyhow::anyhow!("topics: {reason}"))?;
        let g = g.as_result().map_err(|reason| anyhow::anyhow!("groups: {reason}"))?;
        let read = |topic: &muster_domain::survey::TopicObservation| {
            let configs = topic.configs.value().map_or(0, |configs| configs.len());
            configs == 33 && topic.partitions.len() == 10 && topic.partitions.iter().all(|p| p.end.is_some())
        };
        ensure!(t.values().all(read), "a topic is incomplete");
        let held = |group: &muster_domain::survey::GroupObservation| {
            let held: usize = group.members.iter().map(|member| member.assignment.len()).sum();
            (group.offsets.len(), held) == (10, 10)
        };
        ensure!(g.values().all(held), "a group is incomplete");
        topics += t.len();
        groups += g.len();
    }
    let wanted = (usize::try_from(task.topics)?, usize::try_from(task.groups)?);
    ensure!((topics, groups) == wanted, "found {topics} topics and {groups} groups");
    Ok(())
}
