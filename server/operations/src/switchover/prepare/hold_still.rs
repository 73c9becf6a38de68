//! What MirrorMaker 2 would copy meanwhile is held still: ACLs and configs, so that the fence stays on its side, and group offsets,
//! which Muster writes.

use std::collections::BTreeMap;

use muster_domain::survey::{ConnectState, ConnectorRole};
use serde_json::json;

use crate::step::{Done, StepCtx, StepError};

/// MirrorMaker 2 settings while its flow is about to be left. The first two would copy the fence to the standby
/// (mm2-verified, result 2). The third is how long a task with nothing to copy hears no order to stop (one second by
/// default): writes are away while it does.
const FROZEN: [(&str, &str); 3] = [
    ("sync.topic.acls.enabled", "false"),
    ("sync.topic.configs.enabled", "false"),
    ("consumer.poll.timeout.ms", "100"),
];

/// Values before freezing; `None` where the setting was absent.
pub(in crate::switchover) async fn capture_drift(
    ctx: StepCtx,
) -> Result<BTreeMap<String, Option<String>>, StepError> {
    let config = ctx.forward()?.config(ConnectorRole::Source).await?;
    Ok(FROZEN.iter().map(|(key, _)| ((*key).to_owned(), config.get(*key).cloned())).collect())
}

/// Turns off the copying of ACLs and configs, so that the fence is not copied to the standby. The tasks restart, which
/// is why this is done before writes are away. Setting the same values again restarts nothing.
pub(in crate::switchover) async fn freeze_drift(ctx: StepCtx) -> Result<Done, StepError> {
    let frozen: BTreeMap<String, Option<String>> =
        FROZEN.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
    ctx.forward()?.change_config(ConnectorRole::Source, &frozen, ctx.left_ms()).await?;
    let before = ctx.captured.clone();
    Done::new("MirrorMaker 2 no longer copies ACLs and configs", json!({"set": frozen, "before": before}))
        .with_output(&before)
}

/// Puts the settings back.
pub(in crate::switchover) async fn unfreeze_drift(ctx: StepCtx) -> Result<Done, StepError> {
    let before: BTreeMap<String, Option<String>> = ctx.captured()?;
    ctx.forward()?.change_config(ConnectorRole::Source, &before, ctx.left_ms()).await?;
    Ok(Done::new("MirrorMaker 2 copies ACLs and configs as before", json!({"set": before})))
}

/// Connectors beside the source connector: what they write is not needed for a switchover.
const BESIDE: [ConnectorRole; 2] = [ConnectorRole::Checkpoint, ConnectorRole::Heartbeat];

/// Which of them ran.
pub(in crate::switchover) async fn capture_checkpoints(
    ctx: StepCtx,
) -> Result<Vec<ConnectorRole>, StepError> {
    let mut ran = Vec::new();
    for role in BESIDE {
        if ctx.forward()?.state(role).await?.is_some_and(|state| state.connector != ConnectState::Stopped) {
            ran.push(role);
        }
    }
    Ok(ran)
}

/// Stops MirrorMaker 2 from writing group offsets on the standby: Muster writes exact ones, and a running (or merely
/// paused) checkpoint connector would push them away again (mm2.md 0.8, 0.15). The heartbeat connector stops with it, so
/// that Connect has one connector to stop while writes are away, not two.
pub(in crate::switchover) async fn stop_checkpoints(ctx: StepCtx) -> Result<Done, StepError> {
    let (ctx, flow) = (&ctx, ctx.forward()?);
    let stop = |role| async move {
        let there = flow.state(role).await?.is_some();
        if there {
            flow.stop(role, ctx.left_ms()).await?;
        }
        Ok::<_, StepError>(there.then(|| role.to_string()))
    };
    let (checkpoint, heartbeat) =
        tokio::join!(stop(ConnectorRole::Checkpoint), stop(ConnectorRole::Heartbeat));
    let (checkpoint, heartbeat) = (checkpoint?, heartbeat?);
    let sentence = match checkpoint {
        Some(_) => "MirrorMaker 2 no longer writes group offsets",
        None => "the flow has no checkpoint connector",
    };
    let stopped: Vec<String> = checkpoint.into_iter().chain(heartbeat).collect();
    Ok(Done::new(sentence, json!({"stopped": stopped, "read_back": "STOPPED, tasks []"})))
}

/// Starts again what ran.
pub(in crate::switchover) async fn resume_checkpoints(ctx: StepCtx) -> Result<Done, StepError> {
    for role in ctx.captured::<Vec<ConnectorRole>>()? {
        ctx.forward()?.resume(role, ctx.left_ms()).await?;
    }
    Ok(Done::new("MirrorMaker 2 writes group offsets as before", json!({})))
}
