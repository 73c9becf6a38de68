//! The way back: where the reverse flow begins, and that it works.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use muster_domain::{
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, OffsetSpec, ReadRange, mover::NewRecord};
use serde_json::json;

use super::{
    drain::TargetEnds,
    scope::{count, offsets},
};
use crate::step::{Done, StepCtx, StepError};

/// With identity naming, sets the reverse flow to begin exactly where application writes began, so that nothing that
/// came from here is copied back. The line was fixed before the point of no return; setting it does not hold the
/// writes. With prefixed names the applications' own topics there are new data and are copied from their beginning.
/// Setting the same offsets again is the same.
pub(super) async fn prepare_reverse(ctx: StepCtx) -> Result<Done, StepError> {
    if !ctx.identity_named() {
        return Ok(Done::new(
            "prefixed names: the reverse flow copies the new topics from their beginning",
            json!({}),
        ));
    }
    let ends: TargetEnds = ctx.output("mark_target_ends")?;
    // Inclusive: the last offset that counts as copied. A partition that is still empty has none.
    let last = |end: &i64| (*end > 0).then(|| end - 1);
    let mut begin: ByPartition<Option<i64>> =
        ends.replicas.iter().map(|(tp, end)| (tp.clone(), last(end))).collect();
    let flow = ctx.backward()?;
    let (before, _) = flow.committed_offsets().await?;
    // Canaries rest while a run moves the pair: those that came from the other side are not copied back to it.
    let canaries: Vec<TopicPartition> = before
        .keys()
        .filter(|tp| ctx.clients.pair.canary_topic.as_ref() == Some(&tp.topic))
        .cloned()
        .collect();
    let canary_ends = offsets(ctx.admin(ctx.direction().to()), &canaries, OffsetSpec::End).await?;
    begin.extend(canary_ends.iter().map(|(tp, end)| (tp.clone(), last(end))));
    let as_wanted = begin.iter().all(|(tp, offset)| before.get(tp).copied() == *offset);
    if !as_wanted {
        flow.set_committed_offsets(&begin).await?;
    }
    Ok(Done::new(
        format!("the reverse flow begins where writes began, on {}", count(begin.len(), "partition")),
        json!({"already": as_wanted, "before": super::scope::shown(&before)}),
    ))
}

/// Starts the reverse flow and proves it: a canary written on the new active side arrives on the old one, or, where
/// the pair has no canary, the flow's committed offsets pass the ends seen at its start.
pub(super) async fn start_reverse_flow(ctx: StepCtx) -> Result<Done, StepError> {
    let flow = ctx.backward()?;
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint, ConnectorRole::Heartbeat] {
        if flow.state(role).await?.is_some() {
            flow.resume(role, ctx.left_ms()).await?;
        }
    }
    let began = Instant::now();
    let method = match &ctx.clients.pair.canary_topic {
        Some(topic) => prove_by_canary(&ctx, topic).await?,
        None => prove_by_progress(&ctx).await?,
    };
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Done::new(
        format!(
            "replication back to {} works, proven in {took_ms} ms",
            ctx.clients.pair.cluster(ctx.direction().from)
        ),
        json!({"method": method, "took_ms": took_ms}),
    ))
}

async fn prove_by_canary(ctx: &StepCtx, topic: &str) -> Result<&'static str, StepError> {
    let (here, there) = (ctx.direction().to(), ctx.direction().from);
    let reverse = ctx
        .clients
        .pair
        .flow(ctx.direction().reverse())
        .ok_or_else(|| StepError::fail("the pair has no reverse flow"))?;
    let source = TopicPartition::new(topic, 0);
    let replica = TopicPartition::new(reverse.naming.target_name(&reverse.source_alias, topic), 0);
    let value = Bytes::from(format!("muster canary of run {} attempt {}", ctx.run.id, ctx.attempt));
    let record = NewRecord {
        key: Some(Bytes::from_static(b"muster")),
        value: Some(value.clone()),
        timestamp: chrono::Utc::now().timestamp_millis(),
    };
    ctx.mover(here).write(&source, vec![record], 15_000).await?;
    ctx.wait_until("the canary arriving", ctx.left_ms(), || async {
        let ends = offsets(ctx.admin(there), std::slice::from_ref(&replica), OffsetSpec::End).await?;
        let end = ends.values().next().copied().unwrap_or(0);
        let range = ReadRange { partition: replica.clone(), from: (end - 50).max(0), until: end };
        let read = ctx.mover(there).read(&[range], Isolation::ReadCommitted, 10_000).await?;
        let found = read.values().flatten().any(|record| record.value.as_ref() == Some(&value));
        Ok(if found { Ok(()) } else { Err(format!("{replica} ends at {end} without it")) })
    })
    .await?;
    Ok("canary")
}

async fn prove_by_progress(ctx: &StepCtx) -> Result<&'static str, StepError> {
    let here = ctx.direction().to();
    let own: Vec<TopicPartition> = ctx.source_partitions();
    let line = offsets(ctx.admin(here), &own, OffsetSpec::Stable).await?;
    let tails: BTreeMap<_, _> = ctx.mover(here).tails(&line, Isolation::ReadCommitted, 15_000).await?;
    ctx.wait_until("the reverse flow passing a line", ctx.left_ms(), || async {
        let (committed, _) = ctx.backward()?.committed_offsets().await?;
        let behind = tails.iter().find_map(|(tp, tail)| {
            let tail = tail.as_ref()?;
            (committed.get(tp).copied().unwrap_or(-1) < tail.offset).then(|| tp.to_string())
        });
        Ok(behind.map_or(Ok(()), Err))
    })
    .await?;
    Ok("committed offsets passed a line of real records (the pair has no canary topic)")
}
