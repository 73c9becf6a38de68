//! Cells of flows with other names, another beginning, and transforms on the way. All copy exactly once.

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result, ensure};
use muster_domain::{
    pair::{NamingPolicy, Side},
    topic::{ByPartition, TopicPartition},
};
use muster_it::WEST;
use muster_kafka::OffsetSpec;
use muster_lab::wait_until;

use crate::{
    applications::{client, delete_below},
    stage::{Copied, SOON, Stage},
    truth::{
        Expected::{Exact, NeverPast},
        ask,
    },
};

const DEFAULT_POLICY: &str = "org.apache.kafka.connect.mirror.DefaultReplicationPolicy";

fn at(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

pub(crate) async fn cells(stage: &Stage) -> Result<()> {
    let clicks = default_naming(stage).await?;
    custom_separator(stage, &clicks).await?;
    begun_with_the_newest(stage, &clicks).await?;
    filtered(stage, &clicks).await?;
    renamed(stage, &clicks).await
}

/// Copies are named behind their source.
async fn default_naming(stage: &Stage) -> Result<Copied> {
    let flow = stage.flow_of_lab("clicks", &[r"clicks\.matrix-.*"])?;
    let place = at("clicks.matrix-default");
    flow.create(Side::A, &place.topic, 1, &[]).await?;
    flow.write(&place, 0, 1_000).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let positions = [0, 1, 499, 999, 1_000].map(|position| (position, Exact));
    let asked = ask("default-naming", &place, &at("eu-west.clicks.matrix-default"), positions);
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    Ok(flow)
}

/// Copies are named behind their source and a hyphen, and begin where the source began when the flow did: its first records were
/// gone, and offsets of both sides have nothing in common.
async fn custom_separator(stage: &Stage, cluster: &Copied) -> Result<()> {
    let place = at("matrix-separated.placed");
    cluster.create(Side::A, &place.topic, 1, &[]).await?;
    cluster.write(&place, 0, 600).await?;
    delete_below(&client(stage.lab.describe(), WEST)?, &place, 200).await?;
    let start = cluster.offsets(Side::A, std::slice::from_ref(&place), OffsetSpec::Start).await?;
    ensure!(start == ByPartition::from([(place.clone(), 200)]), "{start:?}");
    let naming = NamingPolicy::Prefixed { separator: "-".to_owned() };
    let settings = [("replication.policy.class", DEFAULT_POLICY), ("replication.policy.separator", "-")];
    let flow = stage.flow_with("matrix-separated", r"matrix-separated\..*", naming, &settings).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let there = at("eu-west-matrix-separated.placed");
    ensure!(flow.end(Side::B, &there).await? < 600, "400 records and a few markers");
    let positions = [100, 200, 399, 599, 600].map(|position| (position, Exact));
    let asked = ask("separator", &place, &there, positions);
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    Ok(())
}

/// What was there before the flow began is not copied. Groups that have not read it go to the first record that is.
async fn begun_with_the_newest(stage: &Stage, cluster: &Copied) -> Result<()> {
    let place = at("matrix-latest.placed");
    cluster.create(Side::A, &place.topic, 1, &[]).await?;
    cluster.write(&place, 0, 300).await?;
    let newest = [("source.consumer.auto.offset.reset", "latest")];
    let topics = r"matrix-latest\..*";
    let flow = stage.flow_with("matrix-latest", topics, NamingPolicy::Identity, &newest).await?;
    // A task that runs may not have looked yet where the end is.
    let next = AtomicI64::new(300);
    wait_until("the first record to be copied", SOON, || async {
        flow.write(&place, next.fetch_add(1, Ordering::Relaxed), 1).await?;
        Ok((flow.end(Side::B, &place).await? > 0).then_some(()))
    })
    .await?;
    flow.write(&place, next.into_inner(), 200).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let (here, there) = (flow.log(Side::A, &place).await?, flow.log(Side::B, &place).await?);
    let first = there.records.values().next().context("it copies")?;
    let first = here.records.iter().find(|(_, told)| *told == first).context("it is a copy")?;
    let first = *first.0;
    ensure!(first >= 300, "what was there before was copied, too: from {first} on");
    let positions = [0, 100, first, first + 50, here.end].map(|position| (position, Exact));
    let asked = ask("begun-late", &place, &place, positions);
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    Ok(())
}

/// Every fifth record is one that the flow drops. Groups in front of one go to the next that passes. Where nothing but such records is
/// left nobody can tell that they will never come.
async fn filtered(stage: &Stage, cluster: &Copied) -> Result<()> {
    let (placed, tail) = (at("matrix-filtered.placed"), at("matrix-filtered.tail"));
    let record = |number: i64, drops: bool| {
        (Some(format!("key {number}")), (!drops).then(|| format!("value {number}")))
    };
    for place in [&placed, &tail] {
        cluster.create(Side::A, &place.topic, 1, &[]).await?;
    }
    cluster.write_as(&placed, 0, 1_000, |number| record(number, number % 5 == 2)).await?;
    cluster.write_as(&tail, 0, 103, |number| record(number, number >= 100)).await?;
    let settings = [
        ("transforms", "drop"),
        ("transforms.drop.type", "org.apache.kafka.connect.transforms.Filter"),
        ("transforms.drop.predicate", "tombstone"),
        ("predicates", "tombstone"),
        ("predicates.tombstone.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
    ];
    let topics = r"matrix-filtered\..*";
    let flow = stage.flow_with("matrix-filtered", topics, NamingPolicy::Identity, &settings).await?;
    flow.copied_to(&ByPartition::from([(placed.clone(), 999), (tail.clone(), 99)])).await?;
    let copies = flow.log(Side::B, &placed).await?.records.len();
    ensure!(copies == 800, "{copies} of 1000 passed");
    let positions = [0, 2, 3, 502, 503, 997, 998, 1_000].map(|position| (position, Exact));
    let mut asked = ask("filtered", &placed, &placed, positions);
    let positions = [(50, Exact), (100, NeverPast), (102, NeverPast), (103, NeverPast)];
    asked.extend(ask("filtered-tail", &tail, &tail, positions));
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    Ok(())
}

/// The connector's router writes copies under another name than its policy gives them.
async fn renamed(stage: &Stage, cluster: &Copied) -> Result<()> {
    let (place, there) = (at("matrix-renamed.placed"), at("moved.placed"));
    cluster.create(Side::A, &place.topic, 1, &[]).await?;
    // MirrorMaker 2 makes the topic that its policy names, and nobody makes this one.
    cluster.create(Side::B, &there.topic, 1, &[]).await?;
    cluster.write(&place, 0, 1_000).await?;
    let settings = [
        ("transforms", "move"),
        ("transforms.move.type", "org.apache.kafka.connect.transforms.RegexRouter"),
        ("transforms.move.regex", r"matrix-renamed\.(.*)"),
        ("transforms.move.replacement", "moved.$1"),
    ];
    let topics = r"matrix-renamed\..*";
    let flow = stage.flow_with("matrix-renamed", topics, NamingPolicy::Identity, &settings).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    ensure!(flow.end(Side::B, &place).await? == 0, "nothing is copied under the old name");
    let positions = [0, 1, 499, 999, 1_000].map(|position| (position, Exact));
    let asked = ask("renamed", &place, &there, positions);
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    Ok(())
}
