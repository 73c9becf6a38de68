//! Cells of a flow that copies at least once, and everything that is there: its worker is killed on the way.

use std::{collections::HashMap, time::Duration};

use anyhow::{Result, ensure};
use muster_domain::{pair::Side, topic::TopicPartition};
use muster_it::WEST;
use muster_lab::{Direction, WaitBound, wait_until};

use crate::{
    applications::{client, write_transactions},
    long,
    stage::{Copied, SOON, Stage},
    truth::{
        Asked,
        Expected::{Exact, NeverPast},
        Told, ask,
    },
};

/// Records before and after the worker dies.
const BEFORE: i64 = 100_000;
const AFTER: i64 = 20_000;

fn at(name: &str) -> TopicPartition {
    TopicPartition::new(format!("orders.matrix-{name}"), 0)
}

pub(crate) async fn cells(stage: &Stage) -> Result<()> {
    let flow = stage.flow_of_lab("orders", &[r"orders\.matrix-.*"])?;
    let mut asked = copied_twice(stage, &flow).await?;
    asked.extend(uncommitted(stage, &flow).await?);
    asked.extend(plain(&flow).await?);
    flow.put(Side::A, &asked).await?;
    flow.is_true(Side::A, &asked).await?;
    long::cell(&flow, false).await
}

/// The worker dies in the middle of copying and begins again where it committed last.
async fn copied_twice(stage: &Stage, flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("killed");
    // There before replication would make it, so that the first copies are seen at once.
    flow.create(Side::B, &place.topic, 1, &[]).await?;
    flow.create(Side::A, &place.topic, 1, &[]).await?;
    flow.write(&place, 0, BEFORE).await?;
    let closely = WaitBound { every: Duration::from_millis(10), ..SOON };
    wait_until("copying to be under way", closely, || async {
        Ok((flow.end(Side::B, &place).await? > 3_000).then_some(()))
    })
    .await?;
    let worker = Direction::WestToCentral.worker();
    stage.lab.kill(&worker).await?;
    let copied = flow.end(Side::B, &place).await?;
    println!("killed when {copied} of {BEFORE} records were copied");
    stage.lab.restart(&worker).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    flow.write(&place, BEFORE, AFTER).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let (here, there) = (flow.log(Side::A, &place).await?, flow.log(Side::B, &place).await?);
    let mut copies: HashMap<&Told, usize> = HashMap::new();
    for told in there.records.values() {
        *copies.entry(told).or_default() += 1;
    }
    let twice: Vec<i64> = here
        .records
        .iter()
        .filter(|(_, told)| copies.get(told).is_some_and(|copies| *copies > 1))
        .map(|(offset, _)| *offset)
        .collect();
    let (Some(first), Some(last)) = (twice.first(), twice.last()) else {
        anyhow::bail!("nothing was copied twice of {copied} when the worker died");
    };
    println!("{} records were copied twice, from {first} to {last}", twice.len());
    ensure!(copies.len() == here.records.len(), "every record has a copy");
    let positions = [0, 1_000, *first, first.midpoint(*last), *last, last + 1, BEFORE - 1];
    let positions = positions.map(|position| (position, NeverPast));
    let after = [BEFORE + AFTER / 2, BEFORE + AFTER].map(|position| (position, Exact));
    Ok(ask("copied-twice", &place, &place, positions.into_iter().chain(after)))
}

/// What was aborted is copied like everything else, and read by groups that do not ask.
async fn uncommitted(stage: &Stage, flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("uncommitted");
    flow.create(Side::A, &place.topic, 1, &[]).await?;
    flow.write(&place, 0, 300).await?;
    write_transactions(client(stage.lab.describe(), WEST)?, &place.topic, 200).await?;
    flow.write(&place, 300, 300).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let (here, there) = (flow.log(Side::A, &place).await?, flow.log(Side::B, &place).await?);
    // Two hundred transactions of one, two and three records, those that were aborted among them.
    ensure!(here.records.len() == 600 + 399, "{}", here.records.len());
    ensure!(there.records.len() == here.records.len() && there.end < here.end, "no markers are copied");
    let positions = (0..here.end).step_by(41).chain([here.end]);
    Ok(ask("uncommitted", &place, &place, positions.map(|position| (position, Exact))))
}

/// Written when the worker was there again.
async fn plain(flow: &Copied) -> Result<Vec<Asked>> {
    let place = at("plain");
    flow.create(Side::A, &place.topic, 1, &[]).await?;
    flow.write(&place, 0, 3_000).await?;
    flow.all_copied(std::slice::from_ref(&place)).await?;
    let positions = [0, 1, 777, 1_500, 2_700, 2_999, 3_000].map(|position| (position, Exact));
    Ok(ask("plain", &place, &place, positions))
}
