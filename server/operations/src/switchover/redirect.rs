//! The point of no return and what follows it at once: applications are let in and told.

use std::sync::Mutex;

use muster_domain::{
    access,
    acl::AclFilter,
    pair::Side,
    survey::{ConnectState, ConnectorRole},
};
use muster_routing::{Audience, Destination};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    consumers,
    fence::{CutLine, add_bindings, locked, prove_fenced, remove_bindings},
    prepare,
    scope::{count, log_ends},
    settle::written_late,
};
use crate::step::{Done, StepCtx, StepError};

/// Looks once more at every proof: the fence stands on every broker and refuses, nothing was written past the cut line, the
/// flow is stopped, the way back is stopped. Content and drain are proven by the steps before. Only looks; its success is the point of no return,
/// because the next step may let the first application write happen.
pub(super) async fn pass_point_of_no_return(ctx: StepCtx) -> Result<Done, StepError> {
    let topics = ctx.app_topics();
    let admin = ctx.admin(ctx.direction().from);
    let bindings = access::fence_bindings(&topics);
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let ends = log_ends(admin, &ctx.source_partitions()).await?;
    let late = written_late(&ctx, &cut, &ends).await?;
    if !late.is_empty() {
        return Err(StepError::Fail(format!(
            "{} took records after the cut line: {}",
            admin.cluster(),
            late.join(", ")
        )));
    }
    let (probed, forward, backward) = tokio::join!(
        prove_fenced(&ctx, admin, &bindings, &topics),
        async { Ok::<_, StepError>(ctx.forward()?.state(ConnectorRole::Source).await?) },
        async { Ok::<_, StepError>(ctx.backward()?.state(ConnectorRole::Source).await?) },
    );
    let probed = probed?;
    for (what, state) in [("the flow", forward?), ("the flow of the way back", backward?)] {
        match state {
            Some(state) if state.connector == ConnectState::Stopped && state.tasks.is_empty() => {}
            Some(state) => {
                return Err(StepError::Fail(format!(
                    "{what} is {} with {} instead of STOPPED",
                    state.connector,
                    count(state.tasks.len(), "task")
                )));
            }
            None => return Err(StepError::Fail(format!("{what} has no source connector"))),
        }
    }
    Ok(Done::new(
        "fence, drain, content and both flows are proven",
        json!({"probed": probed, "forward": "STOPPED", "backward": "STOPPED"}),
    ))
}

/// Lets applications write on the other side: their grants are created there, and a fence left from an earlier run is
/// removed. No way back from here. Doing it twice is the same as once.
pub(super) async fn unfence_standby(ctx: StepCtx) -> Result<Done, StepError> {
    let (here, there) = prepare::both_acls(&ctx).await?;
    let grants = prepare::grants(&ctx, &here).writing;
    let admin = ctx.admin(ctx.direction().to());
    add_bindings(&ctx, admin, &grants).await?;
    let names = ctx.topics_on_target();
    let leftover: Vec<_> = access::fence_bindings(&names)
        .into_iter()
        .chain(access::consumer_fence_bindings(&names, &ctx.plan.groups))
        .filter(|binding| there.contains(binding))
        .collect();
    remove_bindings(&ctx, admin, &leftover).await?;
    let acls = admin.acls(&AclFilter::default()).await?;
    let refused = grants.iter().find(|grant| !acls.bindings.contains(grant));
    if let Some(grant) = refused {
        return Err(StepError::Retry(format!("not on every broker: {grant}")));
    }
    Ok(Done::new(
        format!("applications may write on {}", admin.cluster()),
        json!({
            "grants": grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "removed": leftover.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
    ))
}

/// Tells applications that write where to go.
pub(super) async fn redirect_producers(ctx: StepCtx) -> Result<Done, StepError> {
    tell(&ctx, Audience::Producers).await
}

/// Tells applications that read where to go.
pub(super) async fn redirect_consumers(ctx: StepCtx) -> Result<Done, StepError> {
    ctx.not_without(
        "write_group_offsets",
        "consumers would begin where their reset policy says and may skip records. Write the positions of `translate_groups` \
         by hand, send the consumers there by hand, then leave this step out too",
    )?;
    tell(&ctx, Audience::Consumers).await
}

/// Where a run sends an audience.
fn destination(ctx: &StepCtx, side: Side) -> Destination {
    let cluster = ctx.clients.clusters.get(side);
    Destination {
        pair: ctx.clients.pair.name.to_string(),
        cluster: cluster.name.to_string(),
        bootstrap: cluster.bootstrap.clone(),
        run: ctx.run.id,
        epoch: ctx.epoch,
        hold: false,
    }
}

/// Sends an audience by every switch of the pair; what each is called.
async fn send(ctx: &StepCtx, audience: Audience, to: &Destination) -> Result<Vec<String>, StepError> {
    let mut told = Vec::new();
    for switch in &ctx.clients.routing {
        switch.send(audience, to).await?;
        told.push(switch.describe());
    }
    Ok(told)
}

async fn tell(ctx: &StepCtx, audience: Audience) -> Result<Done, StepError> {
    let to = destination(ctx, ctx.direction().to());
    let told = send(ctx, audience, &to).await?;
    let sentence = if told.is_empty() {
        format!("the pair has no traffic switch: {audience} must be moved by hand to {}", to.cluster)
    } else {
        format!("{audience} are sent to {} by {}", to.cluster, told.join(" and "))
    };
    Ok(Done::new(sentence, json!({"switches": told})))
}

/// Where each switch had sent consumers, for undo.
pub(super) async fn capture_consumers(ctx: StepCtx) -> Result<Vec<Option<Destination>>, StepError> {
    let mut before = Vec::new();
    for switch in &ctx.clients.routing {
        before.push(switch.current(Audience::Consumers).await?);
    }
    Ok(before)
}

/// Asks consumers to commit what they processed, leave their groups and wait, as long as the plan allows. One that does so
/// processes nothing twice; brokers know only what was committed. Those that stay are removed afterwards.
pub(super) async fn hold_consumers(ctx: StepCtx) -> Result<Done, StepError> {
    let bound = u64::try_from(ctx.plan.rules.hold_seconds).unwrap_or(0).saturating_mul(1000);
    if bound == 0 || ctx.clients.routing.is_empty() {
        let why = if bound == 0 { "the plan asks nobody to hold" } else { "no traffic switch to ask by" };
        return Done::new(why, json!({})).with_output(&Stayed { groups: ctx.plan.groups.clone() });
    }
    let to = Destination { hold: true, ..destination(&ctx, ctx.direction().from) };
    let told = send(&ctx, Audience::Consumers, &to).await?;
    let admin = ctx.admin(ctx.direction().from);
    let kinds = consumers::kinds(&ctx).await?;
    // Until the source says so, nobody has left.
    let stayed = Mutex::new(ctx.plan.groups.clone());
    let left = ctx
        .wait_until("consumers leaving their groups", bound, || async {
            let groups = admin.describe_groups(&kinds).await?;
            let stay: Vec<String> =
                groups.into_iter().filter(|g| !g.members.is_empty()).map(|g| g.group).collect();
            locked(&stayed).clone_from(&stay);
            Ok(if stay.is_empty() { Ok(()) } else { Err(stay.join(", ")) })
        })
        .await;
    let groups = locked(&stayed).clone();
    let sentence = match left {
        Ok(()) => "all consumers left their groups by themselves".to_owned(),
        Err(StepError::Retry(_)) => {
            format!("not left within {} s, to be removed: {}", bound / 1000, groups.join(", "))
        }
        Err(other) => return Err(other),
    };
    Done::new(sentence, json!({"switches": told, "stayed": groups})).with_output(&Stayed { groups })
}

/// Groups whose consumers may not have committed what they processed: they did not leave by themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stayed {
    /// Their names.
    pub(super) groups: Vec<String>,
}

/// Lets consumers read on where they were.
pub(super) async fn release_consumers(ctx: StepCtx) -> Result<Done, StepError> {
    let before: Vec<Option<Destination>> = ctx.captured()?;
    let source = destination(&ctx, ctx.direction().from);
    for (switch, before) in ctx.clients.routing.iter().zip(before) {
        let to = match before {
            Some(before) => Destination { run: source.run, epoch: source.epoch, hold: false, ..before },
            None => source.clone(),
        };
        switch.send(Audience::Consumers, &to).await?;
    }
    Ok(Done::new(format!("consumers may go on reading on {}", source.cluster), json!({})))
}
