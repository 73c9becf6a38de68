//! Cells of one flow that copies exactly once under the same names: its control records keep the offsets of both sides apart.

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result, ensure};
use muster_domain::{group::GroupType, pair::Side, survey::ConnectorRole, topic::TopicPartition};
use muster_it::{CENTRAL, WEST};
use muster_lab::wait_until;

use crate::{
    applications::{client, read_in_group, write_transactions},
    long,
    stage::{Copied, SOON, Stage, WITHIN_MS},
    truth::{
        Asked,
        Expected::{Exact, NeverPast, Refused},
        ask,
    },
};

const PLAIN: i64 = 3_000;
/// Records that the group of KIP-848 reads.
const READ: usize = 1_234;
const NEW_GROUP: &str = "matrix-kip-848";

/// Rolls and cleans as soon as a broker can.
const COMPACTED: [(&str, &str); 6] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "500"),
    ("segment.bytes", "1048576"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("min.compaction.lag.ms", "0"),
    ("delete.retention.ms", "100"),
];

fn at(name: &str) -> TopicPartition {
    TopicPartition::new(format!("orders.matrix-{name}"), 0)
}

pub(crate) async fn cells(stage: &Stage) -> Result<()> {
    let flow = stage.flow_of_lab("orders", &[r"orders\.matrix-.*", "matrix-nowhere"])?;
    furnish(stage, &flow).await?;
    let new_group = read_as_new_group(stage, &flow).await?;
    let mut asked = vec![new_group.clone()];
    asked.extend(plain(&flow).await?);
    asked.extend(transactional(&flow).await?);
    asked.extend(compacted(&flow).await?);
    asked.extend(mixed(&flow).await?);
    asked.extend(own_time());
    let nowhere = TopicPartition::new("matrix-nowhere", 0);
    asked.extend(ask("nowhere", &nowhere, &nowhere, [(5, Refused("matrix-nowhere-0 could not be read"))]));
    flow.put(Side::A, &asked[1..]).await?;
    let proof = flow.is_true(Side::A, &asked).await?;
    goes_on_there(
        stage,
        &flow,
        &new_group,
        new_group.told(&proof)?.found.context("it is exact")?.target_offset,
    )
    .await?;
    way_back(&flow).await?;
    long::cell(&flow, true).await?;
    ahead(&flow).await
}

/// Writes what the cells are about, and waits until it is copied.
async fn furnish(stage: &Stage, flow: &Copied) -> Result<()> {
    for (name, partitions) in
        [("plain", 1), ("transactional", 1), ("mixed", 3), ("own-time", 1), ("ahead", 1)]
    {
        // It is there before replication makes it: how its timestamps are written is not synced.
        if name == "own-time" {
            let own = [("message.timestamp.type", "LogAppendTime")];
            flow.create(Side::B, &at(name).topic, partitions, &own).await?;
        }
        flow.create(Side::A, &at(name).topic, partitions, &[]).await?;
    }
    flow.create(Side::A, &at("compacted").topic, 1, &COMPACTED).await?;
    flow.create(Side::A, "matrix-nowhere", 1, &[]).await?;
    flow.write(&TopicPartition::new("matrix-nowhere", 0), 0, 10).await?;
    let of_mixed = |partition| TopicPartition { partition, ..at("mixed") };
    for (place, count) in [
        (at("plain"), PLAIN),
        (of_mixed(0), 1_000),
        (of_mixed(1), 200),
        (at("own-time"), 1_000),
        (at("ahead"), 500),
    ] {
        flow.write(&place, 0, count).await?;
    }
    let transactions = at("transactional");
    flow.write(&transactions, 0, 300).await?;
    write_transactions(client(stage.lab.describe(), WEST)?, &transactions.topic, 200).await?;
    flow.write(&transactions, 300, 300).await?;
    for round in 0..3 {
        write_often(flow, round * 2_000, 2_000).await?;
        flow.all_copied(&[at("compacted")]).await?;
    }
    flow.all_copied(&["plain", "transactional", "mixed", "own-time", "ahead"].map(at)).await?;
    flow.all_copied(&[of_mixed(1)]).await
}

/// Records of a hundred keys, again and again.
async fn write_often(flow: &Copied, from: i64, count: i64) -> Result<()> {
    let record = |number: i64| (Some(format!("key {}", number % 100)), Some(format!("value {number}")));
    flow.write_as(&at("compacted"), from, count, record).await
}

async fn read_as_new_group(stage: &Stage, flow: &Copied) -> Result<Asked> {
    let place = at("plain");
    let read =
        read_in_group(client(stage.lab.describe(), WEST)?, NEW_GROUP, &place.topic, READ, true).await?;
    let position = read.last().context("it read some")?.0 + 1;
    let listed = flow.clients.admin.a.list_groups().await?;
    let kind = listed.into_iter().find(|listed| listed.group == NEW_GROUP).context("it is listed")?.kind;
    ensure!(kind == GroupType::Consumer, "{kind:?}");
    let target = place.clone();
    let group = NEW_GROUP.to_owned();
    Ok(Asked { cell: "KIP-848", group, at: place, target, position, expected: Exact })
}

async fn plain(flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("plain");
    let end = flow.end(Side::A, &place).await?;
    ensure!(end == PLAIN && flow.end(Side::B, &place).await? > end, "markers are on the target only");
    let positions = [0, 1, 777, PLAIN / 2, PLAIN - 300, PLAIN - 1, PLAIN].map(|position| (position, Exact));
    let past = (PLAIN + 5, Refused("is past the end"));
    Ok(ask("plain", &place, &place, positions.into_iter().chain([past])))
}

/// Positions at records, at markers and in what was aborted.
async fn transactional(flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("transactional");
    let end = flow.end(Side::A, &place).await?;
    let there = flow.end(Side::B, &place).await?;
    ensure!(end != there, "aborted records and markers keep both ends apart: {end} and {there}");
    let positions = (0..end).step_by(41).chain([end - 1, end]);
    Ok(ask("transactional", &place, &place, positions.map(|position| (position, Exact))))
}

/// Both sides are compacted as they come to it.
async fn compacted(flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("compacted");
    // A segment that takes no more records is rolled by the next one.
    let next = AtomicI64::new(900_000);
    wait_until("the source to be compacted", SOON, || async {
        write_often(flow, next.fetch_add(1, Ordering::Relaxed), 1).await?;
        Ok((flow.log(Side::A, &place).await?.records.len() < 4_000).then_some(()))
    })
    .await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let end = flow.end(Side::A, &place).await?;
    let positions = [0, 100, 1_999, 3_500, 5_400, 5_999].map(|position| (position, NeverPast));
    Ok(ask("compacted", &place, &place, positions.into_iter().chain([(end, Exact)])))
}

/// One group that is in the middle of one partition, at the end of another, and at the beginning of an empty one.
async fn mixed(flow: &Copied) -> Result<Vec<Asked>> {
    let of = |partition| TopicPartition { partition, ..at("mixed") };
    let places = [(of(0), 500), (of(1), flow.end(Side::A, &of(1)).await?), (of(2), 0)];
    let one = |(place, position): (TopicPartition, i64)| Asked {
        cell: "mixed",
        group: "matrix-mixed".to_owned(),
        target: place.clone(),
        at: place,
        position,
        expected: Exact,
    };
    Ok(places.into_iter().map(one).collect())
}

fn own_time() -> Vec<Asked> {
    let place = at("own-time");
    ask("own-time", &place, &place, [0, 1, 499, 999, 1_000].map(|position| (position, Exact)))
}

/// A group is written where it was found to go on, and the first thing it is given there is what it would have read next.
async fn goes_on_there(stage: &Stage, flow: &Copied, asked: &Asked, offset: i64) -> Result<()> {
    let next = flow.log(Side::A, &asked.at).await?;
    let next = next.records.range(asked.position..).next().context("it has not read all")?.1.clone();
    let there = Asked { at: asked.target.clone(), position: offset, ..asked.clone() };
    flow.put(Side::B, &[there]).await?;
    let central = client(stage.lab.describe(), CENTRAL)?;
    let read = read_in_group(central, NEW_GROUP, &asked.target.topic, 1, false).await?;
    ensure!(read[0].1 == next, "it was given {:?} and not {next:?}", read[0]);
    Ok(())
}

/// Groups that stand on copies go back to what these are copies of.
async fn way_back(flow: &Copied) -> Result<()> {
    let mut asked = Vec::new();
    for (cell, name) in [("back-plain", "plain"), ("back-transactional", "transactional")] {
        let place = at(name);
        let copies = flow.log(Side::B, &place).await?;
        let ends = copies.records.len();
        // Behind the oldest pair: where that lies is up to replication.
        let positions = [ends / 4, ends / 2, ends - 1].map(|rank| copies.records.keys().nth(rank).copied());
        let within = positions.into_iter().flatten().map(|position| (position, Exact));
        asked.extend(ask(cell, &place, &place, within.chain([(copies.end, Exact)])));
    }
    flow.put(Side::B, &asked).await?;
    flow.is_true(Side::B, &asked).await?;
    Ok(())
}

/// The flow stands still and the source goes on: groups among what is not copied yet go behind what is, and when it has been copied
/// nothing of it lies before them that they have not read.
async fn ahead(flow: &Copied) -> Result<()> {
    let place = at("ahead");
    let copied = flow.end(Side::A, &place).await?;
    flow.flow().stop(ConnectorRole::Source, WITHIN_MS).await?;
    flow.write(&place, copied, 50).await?;
    let end = flow.end(Side::A, &place).await?;
    let positions = [(copied / 2, Exact), (copied, NeverPast), (copied + 20, NeverPast)];
    let asked = ask("ahead", &place, &place, positions);
    let drained = ask("drained-ahead", &place, &place, [(end, NeverPast)]);
    flow.put(Side::A, &asked).await?;
    flow.put(Side::A, &drained).await?;
    let proof = flow.is_true(Side::A, &[&asked[..], &drained[..]].concat()).await?;
    flow.flow().resume(ConnectorRole::Source, WITHIN_MS).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let (here, there) = (flow.log(Side::A, &place).await?, flow.log(Side::B, &place).await?);
    for one in asked.iter().chain(&drained) {
        let found = one.told(&proof)?.found.context("it was found before")?;
        here.skips_nothing(one.position, &there, found.target_offset)
            .with_context(|| format!("{one:?} was said to be at {found:?}, before the rest arrived"))?;
    }
    Ok(())
}
