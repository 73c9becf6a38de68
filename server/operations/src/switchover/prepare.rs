//! Before anything is taken away: look again, stage what the standby needs, hold still what MirrorMaker 2 would copy,
//! catch up, and let a person say go with all figures in front of them.

mod catch_up;
mod go;
mod grants;
mod hold_still;
mod rehearsal;

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use muster_domain::{
    direction::{self, ActiveSide},
    pair::PairMode,
    patterns::Scope,
    survey::Survey,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

pub(super) use self::{
    catch_up::{CaughtUp, catch_up, proven_line},
    go::confirm_go,
    grants::{
        both_acls, capture_grants, grants, infrastructure, missing_grants, probes, stage_grants,
        unstage_grants,
    },
    hold_still::{
        capture_checkpoints, capture_drift, freeze_drift, resume_checkpoints, stop_checkpoints,
        unfreeze_drift,
    },
    rehearsal::rehearse_translation,
};
use super::{
    reverse,
    scope::{and_more, count, new_group, new_topic},
    settle,
};
use crate::{
    step::{Done, StepCtx, StepError},
    survey::take_survey,
};

/// What the run found after it had taken the pair's lock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FoundAgain {
    /// Groups that had members then: these are waited for on the other side.
    pub(super) active_groups: BTreeSet<String>,
    /// Ids of the topics of the side that is left; runs begun by an earlier version have none.
    #[serde(default)]
    pub(super) topic_ids: BTreeMap<String, Uuid>,
    /// Whether both sides were active then, which only what looks goes on with.
    #[serde(default)]
    pub(super) both_active: bool,
}

/// Surveys again after taking the lock and compares with what was approved: cluster ids, active side, topics and their
/// partitions, groups. Looks, too, whether the way back can begin, the old side can be closed and the traffic switches can be
/// used: with writes away, or after the point of no return, it would be too late. Only looks.
pub(super) async fn survey_again(ctx: StepCtx) -> Result<Done, StepError> {
    let survey = take_survey(&ctx.clients, 0, Utc::now()).await;
    let differences = differences(&ctx, &survey)?;
    if let Some(first) = differences.first() {
        return Err(StepError::Fail(format!(
            "the world is not what was approved: {first}{}",
            and_more(differences.len())
        )));
    }
    if let Some(reason) = reverse::why_it_cannot_begin(&ctx).await? {
        return Err(StepError::Fail(reason));
    }
    if let Some(reason) = settle::why_it_cannot_be_closed(&ctx).await? {
        return Err(StepError::Fail(reason));
    }
    check_switches(&ctx).await?;
    let both = active_as_planned(&ctx, &survey).map_err(StepError::Fail)?;
    let from = survey.sides.get(ctx.direction().from);
    let groups = from.groups.as_result().map_err(StepError::retry)?;
    let active_groups: BTreeSet<String> = groups
        .iter()
        .filter(|(name, group)| !group.members.is_empty() && ctx.plan.groups.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    let topics = from.topics.as_result().map_err(StepError::retry)?;
    let topic_ids = topics.iter().filter_map(|(name, topic)| Some((name.clone(), topic.id?))).collect();
    let pair = &ctx.clients.pair;
    let active = match &both {
        None => format!("{} is active", pair.cluster(ctx.direction().from)),
        Some(seen) => {
            format!(
                "both sides are active ({seen}), looked at is what leads {}",
                pair.course(ctx.direction())
            )
        }
    };
    let sentence = format!(
        "both clusters are the approved ones, {active}, {} and {} as approved",
        count(ctx.plan.topics.len(), "topic"),
        count(ctx.plan.groups.len(), "group"),
    );
    Done::new(sentence, json!({"survey_ms": survey.took_ms, "active_groups": active_groups}))
        .with_output(&FoundAgain { active_groups, topic_ids, both_active: both.is_some() })
}

/// Whether every traffic switch could be used now, as far as that shows without sending anybody anywhere.
pub(super) async fn check_switches(ctx: &StepCtx) -> Result<(), StepError> {
    for switch in &ctx.clients.routing {
        switch.check(ctx.clients.pair.name.as_str()).await.map_err(|mut e| {
            e.reason.push_str(
                ". Applications could not be told where to go; mend the switch or correct the pair's routing",
            );
            e
        })?;
    }
    Ok(())
}

fn differences(ctx: &StepCtx, survey: &Survey) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    let pair = &ctx.clients.pair;
    if pair.version != ctx.plan.pair_version {
        found.push(format!("pair `{}` was edited after the plan was made", pair.name));
    }
    for side in muster_domain::pair::Side::BOTH {
        let cluster = survey.sides.get(side).cluster.as_result().map_err(StepError::retry)?;
        let approved = ctx.plan.cluster_ids.get(side);
        if cluster.cluster_id != *approved {
            found.push(format!(
                "`{}` has id {} instead of {approved}",
                pair.cluster(side),
                cluster.cluster_id
            ));
        }
    }
    found.extend(active_as_planned(ctx, survey).err());
    let topics = survey.sides.get(ctx.direction().from).topics.as_result().map_err(StepError::retry)?;
    let replicas = survey.sides.get(ctx.direction().to()).topics.as_result().map_err(StepError::retry)?;
    for scope in &ctx.plan.topics {
        let partitions = |observed: &BTreeMap<String, muster_domain::survey::TopicObservation>,
                          name: &String| {
            observed.get(name).map_or(0, |topic| topic.partitions.len())
        };
        let now = partitions(topics, &scope.topic);
        if i32::try_from(now) != Ok(scope.partitions) {
            found.push(format!(
                "topic `{}` has {now} partitions instead of {}",
                scope.topic, scope.partitions
            ));
        }
        let there = partitions(replicas, &scope.replica);
        if there < now {
            found.push(format!("its replica `{}` has {there} partitions, fewer than {now}", scope.replica));
        }
    }
    let (scope, from) = (Scope::of(pair), ctx.direction().from);
    let planned: BTreeSet<&String> = ctx.plan.topics.iter().map(|topic| &topic.topic).collect();
    let of_the_pair = topics.keys().filter(|name| scope.application_topic(from, name));
    found.extend(of_the_pair.filter(|name| !planned.contains(name)).map(|name| new_topic(name)));
    let groups = survey.sides.get(from).groups.as_result().map_err(StepError::retry)?;
    let with_positions = groups.iter().filter(|(_, group)| !group.offsets.is_empty()).map(|(name, _)| name);
    found.extend(with_positions.filter(|name| !ctx.plan.groups.contains(name)).map(|name| new_group(name)));
    Ok(found)
}

/// Whether applications are where the plan says: on the side it leaves alone, or, of a drill that only looks, on both, with how that
/// shows. There people say by the pair's mode that they are meant to be. The error is what is so instead.
fn active_as_planned(ctx: &StepCtx, survey: &Survey) -> Result<Option<String>, String> {
    let pair = &ctx.clients.pair;
    match direction::active_side(pair, survey) {
        ActiveSide::Active(active) if active == ctx.direction() => Ok(None),
        ActiveSide::Active(active) => Err(format!("`{}` is the active side now", pair.cluster(active.from))),
        ActiveSide::Both { reason } if ctx.plan.operation.only_looks() => match pair.mode {
            PairMode::ActiveActive => Ok(Some(reason)),
            PairMode::ActivePassive => Err(format!(
                "{reason}, and the pair is active_passive. Stop the flow towards the side applications are on, or set the pair's mode to \
                 active_active if they are meant to be on both"
            )),
        },
        ActiveSide::NeitherKnown { reason }
        | ActiveSide::Both { reason }
        | ActiveSide::Contested { reason } => Err(reason),
    }
}
