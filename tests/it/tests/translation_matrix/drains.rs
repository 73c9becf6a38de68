//! Drains to a topic whose brokers write timestamps themselves, on a flow that copies at least once: its copies have the offsets of
//! their originals, and nothing stands between two of them. Beside it the same records with the timestamps they came with.

use anyhow::{Result, ensure};
use muster_domain::{pair::Side, survey::ConnectorRole, topic::TopicPartition};
use muster_kafka::Isolation;
use muster_replication::{
    FlowRecords, PartitionEnds,
    verify::{CutLine, Tail, TailEvidence, tails_match},
};

use crate::stage::{Copied, Stage, WITHIN_MS};

/// More than a proof reads, and as many of each kind.
const ON_AND_OFF: i64 = 200;

fn at(name: &str) -> TopicPartition {
    TopicPartition::new(format!("orders.matrix-{name}"), 0)
}

pub(crate) async fn without_timestamps(stage: &Stage) -> Result<()> {
    let flow = stage.flow_of_lab("orders", &[r"orders\.matrix-.*"])?;
    let (theirs, kept) = (at("drained-by-brokers-time"), at("drained-by-own-time"));
    // It is there before replication makes it: how its timestamps are written is not synced.
    flow.create(Side::B, &theirs.topic, 1, &[("message.timestamp.type", "LogAppendTime")]).await?;
    let both = [theirs.clone(), kept.clone()];
    for place in &both {
        flow.create(Side::A, &place.topic, 1, &[]).await?;
        flow.write(place, 0, 100).await?;
    }
    flow.all_copied(&both).await?;
    for place in &both {
        proven(&flow, place).await?;
    }

    // All that a proof reads repeats itself now: it looks the same wherever it ends.
    for place in &both {
        on_and_off(&flow, place, ON_AND_OFF).await?;
    }
    flow.all_copied(&both).await?;
    proven(&flow, &kept).await?;
    repeats_itself(&flow, &theirs).await?;

    // And so it does where some have not arrived.
    flow.flow().stop(ConnectorRole::Source, WITHIN_MS).await?;
    for place in &both {
        on_and_off(&flow, place, 10).await?;
    }
    repeats_itself(&flow, &theirs).await?;
    let open = prove(&flow, &kept).await?;
    ensure!(!open.drained && open.reason.contains("is not the target's last one"), "{open:?}");
    flow.flow().resume(ConnectorRole::Source, WITHIN_MS).await?;

    // Until there is another one again.
    flow.write(&theirs, 100, 1).await?;
    flow.all_copied(&both).await?;
    proven(&flow, &theirs).await?;
    proven(&flow, &kept).await
}

/// Two kinds of records in turn, `off` the last.
async fn on_and_off(flow: &Copied, place: &TopicPartition, count: i64) -> Result<()> {
    let record = |number: i64| {
        let value = if number % 2 == 0 { "on" } else { "off" };
        (Some("switch".to_owned()), Some(value.to_owned()))
    };
    flow.write_as(place, 0, count, record).await
}

async fn prove(flow: &Copied, place: &TopicPartition) -> Result<TailEvidence> {
    let records = FlowRecords {
        source: &*flow.clients.mover.a,
        target: &*flow.clients.mover.b,
        isolation: Isolation::ReadUncommitted,
        deadline_ms: WITHIN_MS,
    };
    let line = CutLine {
        partition: PartitionEnds { source: place.clone(), target: place.clone() },
        source_until: flow.end(Side::A, place).await?,
        target_until: flow.end(Side::B, place).await?,
    };
    let evidence = tails_match(&records, &[line]).await?.remove(0);
    println!("{place}: {evidence:?}");
    Ok(evidence)
}

async fn proven(flow: &Copied, place: &TopicPartition) -> Result<()> {
    let evidence = prove(flow, place).await?;
    ensure!(evidence.drained && evidence.source.is_some() && evidence.reason.is_empty(), "{evidence:?}");
    Ok(())
}

async fn repeats_itself(flow: &Copied, place: &TopicPartition) -> Result<()> {
    let evidence = prove(flow, place).await?;
    ensure!(!evidence.drained && evidence.reason.contains("repeat themselves"), "{evidence:?}");
    // The last ones look the same all the while: they alone decide nothing.
    let print = |tail: &Option<Tail>| tail.as_ref().map(|tail| tail.fingerprint.clone());
    ensure!(print(&evidence.source) == print(&evidence.target), "{evidence:?}");
    Ok(())
}
