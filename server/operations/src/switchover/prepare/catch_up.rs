//! How far replication is proven to have come: a line on the source that the flow has passed.

use muster_domain::{
    survey::ConnectorRole,
    topic::{ByPartition, by_partition},
};
use muster_kafka::{Isolation, OffsetSpec, every_tail};
use muster_replication::FlowSettings;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    step::{Done, StepCtx, StepError},
    switchover::scope::offsets,
};

/// A line on the source that is proven to have been replicated.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::switchover) struct CaughtUp {
    /// By source partition, a stable end below which everything is on the other side.
    #[serde(with = "by_partition")]
    pub(in crate::switchover) proven: ByPartition<i64>,
    /// How long it took from marking the line to proving it, in milliseconds.
    pub(in crate::switchover) took_ms: i64,
    /// Whether the flow copies committed records only.
    pub(in crate::switchover) read_committed: bool,
    /// Whether it is guaranteed to leave no second copies.
    #[serde(default)]
    pub(in crate::switchover) exactly_once: bool,
}

impl CaughtUp {
    /// Which records the flow copies.
    pub(in crate::switchover) fn isolation(&self) -> Isolation {
        if self.read_committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
    }

    pub(super) fn sentence(&self) -> String {
        format!("everything up to a line {} ms ago is replicated", self.took_ms)
    }
}

/// The newest line that is proven to have been replicated: the one drawn at a late go, otherwise that of `catch_up`.
pub(in crate::switchover) fn proven_line(ctx: &StepCtx) -> Result<CaughtUp, StepError> {
    let of_the_go = ctx.outputs.get("confirm_go").is_some_and(|output| !output.is_null());
    ctx.output(if of_the_go { "confirm_go" } else { "catch_up" })
}

/// Marks a line on the source and waits until the flow's committed offsets have passed it. The time it takes bounds
/// how long the drain will take. Only looks.
pub(in crate::switchover) async fn catch_up(ctx: StepCtx) -> Result<Done, StepError> {
    let line = draw_line(&ctx).await?;
    Done::new(line.sentence(), json!({"method": "Connect's committed offsets", "took_ms": line.took_ms}))
        .with_output(&line)
}

/// Marks a line at the ends of the source and waits, for as long as the plan allows, until the flow has copied what is below it.
pub(super) async fn draw_line(ctx: &StepCtx) -> Result<CaughtUp, StepError> {
    let from = ctx.direction().from;
    let bound = u64::try_from(ctx.plan.rules.catch_up_seconds).unwrap_or(0).saturating_mul(1000);
    let flow =
        ctx.clients.pair.flow(ctx.direction()).ok_or_else(|| StepError::fail("the pair has no such flow"))?;
    let settings = FlowSettings::from_config(flow, &ctx.forward()?.config(ConnectorRole::Source).await?);
    if settings.transforms {
        return Err(StepError::fail(
            "the flow changes records on the way (transforms), so their arrival cannot be proven",
        ));
    }
    let proven = offsets(ctx.admin(from), &ctx.source_partitions(), OffsetSpec::Stable).await?;
    let tails = every_tail(ctx.mover(from).tails(&proven, settings.isolation, 30_000).await?)?;
    let began = std::time::Instant::now();
    ctx.wait_until("replication catching up", bound, || async {
        let (committed, _) = ctx.forward()?.committed_offsets().await?;
        let behind = tails.iter().find_map(|(tp, tail)| {
            let tail = tail.as_ref()?;
            let reached = committed.get(tp).copied();
            reached
                .is_none_or(|reached| reached < tail.offset)
                .then(|| format!("{tp} is at {reached:?}, the line is at {}", tail.offset))
        });
        Ok(behind.map_or(Ok(()), Err))
    })
    .await
    .map_err(|e| match e {
        StepError::Retry(why) => StepError::Fail(why),
        other @ (StepError::Fail(_) | StepError::Ask(_)) => other,
    })?;
    Ok(CaughtUp {
        proven,
        took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        read_committed: settings.isolation == Isolation::ReadCommitted,
        exactly_once: settings.exactly_once,
    })
}
