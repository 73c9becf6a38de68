//! The way back: where the reverse flow begins, and that it works.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bytes::Bytes;
use muster_domain::{
    reverse::{self, Other},
    selection::Selection,
    survey::ConnectorRole,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::{Isolation, OffsetSpec, ReadRange, every_tail, mover::NewRecord};
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
    let flow = ctx.backward()?;
    let (before, _) = flow.committed_offsets().await?;
    let others = Others::look(&ctx, &before, ends.replicas.keys()).await?;
    let begin = reverse::begin(&ends.replicas, &before, |tp| others.of(tp))
        .map_err(|undecided| StepError::Fail(undecided_positions(&ctx, &undecided)))?;
    let as_wanted = begin.iter().all(|(tp, offset)| before.get(tp).copied() == *offset);
    if !as_wanted {
        flow.set_committed_offsets(&begin).await?;
    }
    Ok(Done::new(
        format!("the reverse flow begins where writes began, on {}", count(begin.len(), "partition")),
        json!({"already": as_wanted, "before": super::scope::shown(&before)}),
    ))
}

/// Why the way back could not be prepared, found while nothing has been changed yet; `None` when it can be. Only looks.
pub(super) async fn why_it_cannot_begin(ctx: &StepCtx) -> Result<Option<String>, StepError> {
    if !ctx.identity_named() {
        return Ok(None);
    }
    let (stored, _) = ctx.backward()?.committed_offsets().await?;
    let in_scope: ByPartition<i64> = ctx.replica_partitions().into_iter().map(|tp| (tp, 0)).collect();
    let others = Others::look(ctx, &stored, in_scope.keys()).await?;
    let undecided = reverse::begin(&in_scope, &stored, |tp| others.of(tp)).err();
    Ok(undecided.map(|undecided| undecided_positions(ctx, &undecided)))
}

fn undecided_positions(ctx: &StepCtx, undecided: &[TopicPartition]) -> String {
    let (from, to) = (ctx.direction().from, ctx.direction().to());
    let pair = &ctx.clients.pair;
    format!(
        "the flow {} → {} keeps positions of topics outside of this pair: {}. It would go on from there and copy what \
         came from `{1}` back to it. Add these topics to the pair, or leave them out of the connector's `topics`",
        pair.cluster(to),
        pair.cluster(from),
        reverse::named(undecided)
    )
}

/// What the side applications move to says of positions that are not of topics in scope.
struct Others {
    /// Partitions by topic that is still there, as far as any broker knows.
    there: BTreeMap<String, usize>,
    selection: Selection,
    canaries: ByPartition<i64>,
}

impl Others {
    /// Looks for the topics of all stored positions but those in scope.
    async fn look(
        ctx: &StepCtx,
        stored: &ByPartition<i64>,
        in_scope: impl Iterator<Item = &TopicPartition>,
    ) -> Result<Self, StepError> {
        let in_scope: BTreeSet<&TopicPartition> = in_scope.collect();
        let others: Vec<&TopicPartition> = stored.keys().filter(|tp| !in_scope.contains(tp)).collect();
        let (pair, back) = (&ctx.clients.pair, ctx.direction().reverse());
        let flow = pair.flow(back).ok_or_else(|| StepError::fail("the pair has no reverse flow"))?;
        let config = ctx.backward()?.config(ConnectorRole::Source).await?;
        let selection = Selection::read(flow, &config).map_err(StepError::fail)?;
        let admin = ctx.admin(back.from);
        let names: BTreeSet<String> = others.iter().map(|tp| tp.topic.clone()).collect();
        let there = admin.partition_counts(&names).await?;
        let mut found = Self { there, selection, canaries: ByPartition::new() };
        let is_canary = |tp: &&TopicPartition| pair.canary_topic.as_ref() == Some(&tp.topic) && found.has(tp);
        let canaries: Vec<TopicPartition> = others.into_iter().filter(is_canary).cloned().collect();
        found.canaries = offsets(admin, &canaries, OffsetSpec::End).await?;
        Ok(found)
    }

    fn has(&self, tp: &TopicPartition) -> bool {
        let partitions = self.there.get(&tp.topic).copied().unwrap_or(0);
        usize::try_from(tp.partition).is_ok_and(|partition| partition < partitions)
    }

    /// Canaries rest while a run moves the pair: those that came from the other side are not copied back to it.
    fn of(&self, tp: &TopicPartition) -> Other {
        if let Some(end) = self.canaries.get(tp) {
            Other::Canary { end: *end }
        } else if !self.selection.selects(&tp.topic) {
            Other::NotCopied
        } else if self.has(tp) {
            Other::Undecided
        } else {
            Other::Gone
        }
    }
}

/// Starts the reverse flow and proves it: a canary written on the new active side arrives on the old one, or, where
/// the pair has no canary, the flow's committed offsets pass the ends seen at its start.
pub(super) async fn start_reverse_flow(ctx: StepCtx) -> Result<Done, StepError> {
    if ctx.identity_named() {
        ctx.not_without(
            "prepare_reverse",
            "the flow back would go on from old positions, or from the beginning, and copy what came from the other side \
             back to it. Set its offsets to where writes began, start it by hand, then leave this step out too",
        )?;
    }
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
    let tails = every_tail(ctx.mover(here).tails(&line, Isolation::ReadCommitted, 15_000).await?)?;
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
