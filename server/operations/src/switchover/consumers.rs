//! The read path: groups finish or are moved out, and each gets its exact position on the other side.

mod positions;
mod translated;

use std::{collections::BTreeMap, sync::Mutex};

use muster_domain::{
    access,
    acl::{AclBinding, AclFilter},
    group::{CommittedOffset, GroupDescription, GroupOffsets, GroupState, GroupType},
    topic::ByPartition,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(super) use self::{
    positions::{capture_group_offsets, restore_group_offsets, write_group_offsets},
    translated::{Translated, translate_all, translate_groups},
};
use super::{
    fence::{CutLine, add_bindings, locked, remove_bindings},
    scope::count,
};
use crate::step::{Done, StepCtx, StepError};

/// Lets groups with members read to the end of the fenced side, as long as the plan allows. A group that does not get
/// there is moved out where it stands: its position is translated. Only looks.
pub(super) async fn drain_groups(ctx: StepCtx) -> Result<Done, StepError> {
    use muster_domain::plan::ConsumerRule;
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let bound = match ctx.plan.rules.consumers {
        ConsumerRule::MoveOut => 0,
        ConsumerRule::DrainThenMove => {
            u64::try_from(ctx.plan.rules.group_drain_seconds).unwrap_or(0).saturating_mul(1000)
        }
    };
    let admin = ctx.admin(ctx.direction().from);
    // Until the source says so, no group has read to the end.
    let behind: Mutex<Vec<String>> = Mutex::new(ctx.plan.groups.clone());
    let drained = ctx
        .wait_until("groups reading to the end", bound, || async {
            let described = admin.describe_groups(&kinds(&ctx).await?).await?;
            let offsets = admin.group_offsets(&ctx.plan.groups, false).await?;
            let left: Vec<String> = described
                .iter()
                .filter(|group| !group.members.is_empty())
                .filter(|group| {
                    offsets.get(&group.group).is_none_or(|committed| !at_the_end(committed, &cut))
                })
                .map(|group| group.group.clone())
                .collect();
            locked(&behind).clone_from(&left);
            Ok(if left.is_empty() { Ok(()) } else { Err(left.join(", ")) })
        })
        .await;
    match drained {
        Ok(()) => MovedOut { behind: Vec::new() }.done("every active group has read to the end".to_owned()),
        Err(StepError::Retry(_)) => {
            let behind = locked(&behind).clone();
            let sentence = format!("moving out where they stand: {}", behind.join(", "));
            MovedOut { behind }.done(sentence)
        }
        Err(other) => Err(other),
    }
}

/// Groups that had not read to the end in time and are moved where they stand.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MovedOut {
    /// Their names.
    pub(super) behind: Vec<String>,
}

impl MovedOut {
    fn done(&self, sentence: String) -> Result<Done, StepError> {
        Done::new(sentence, json!({"behind": self.behind})).with_output(self)
    }
}

/// Whether a group's committed positions leave it nothing to read below the cut line.
fn at_the_end(committed: &ByPartition<CommittedOffset>, cut: &CutLine) -> bool {
    committed.iter().all(|(tp, position)| match cut.tails.get(tp) {
        Some(Some(tail)) => position.offset > tail.offset,
        Some(None) | None => true,
    })
}

pub(super) async fn kinds(ctx: &StepCtx) -> Result<Vec<(String, GroupType)>, StepError> {
    let listed = ctx.admin(ctx.direction().from).list_groups().await?;
    Ok(listed
        .into_iter()
        .filter(|group| ctx.plan.groups.contains(&group.group))
        .map(|group| (group.group, group.kind))
        .collect())
}

fn consumer_bindings(ctx: &StepCtx) -> Vec<AclBinding> {
    access::consumer_fence_bindings(&ctx.app_topics(), &ctx.plan.groups)
}

/// DENY bindings that were there before; undo leaves these alone.
pub(super) async fn capture_consumer_fence(ctx: StepCtx) -> Result<Vec<AclBinding>, StepError> {
    let acls = ctx.admin(ctx.direction().from).acls(&AclFilter::default()).await?;
    Ok(consumer_bindings(&ctx).into_iter().filter(|b| acls.bindings.contains(b)).collect())
}

/// Denies READ on topics and groups to everybody on the side that is left. Topics first matter: a consumer kicked out
/// of its group goes on reading for as long as it can fetch (mm2-verified, correction 3). The flow is stopped by now,
/// so MirrorMaker 2 needs no READ there.
pub(super) async fn fence_consumers(ctx: StepCtx) -> Result<Done, StepError> {
    let bindings = consumer_bindings(&ctx);
    let admin = ctx.admin(ctx.direction().from);
    add_bindings(&ctx, admin, &bindings).await?;
    Ok(Done::new(
        format!("nobody may read {} on {}", count(ctx.plan.topics.len(), "topic"), admin.cluster()),
        json!({"bindings": bindings.iter().map(ToString::to_string).collect::<Vec<_>>()}),
    ))
}

/// Lets consumers read again.
pub(super) async fn unfence_consumers(ctx: StepCtx) -> Result<Done, StepError> {
    let before: Vec<AclBinding> = ctx.captured()?;
    let bindings: Vec<AclBinding> =
        consumer_bindings(&ctx).into_iter().filter(|b| !before.contains(b)).collect();
    let admin = ctx.admin(ctx.direction().from);
    remove_bindings(&ctx, admin, &bindings).await?;
    Ok(Done::new(
        format!("consumers may read again on {}", admin.cluster()),
        json!({"removed": bindings.len()}),
    ))
}

/// Removes members and proves that the groups stand still: no members, and positions equal in two looks. Removing a
/// member that is gone is fine.
pub(super) async fn remove_members(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let kinds = kinds(&ctx).await?;
    let removed: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());
    ctx.wait_until("groups without members", 30_000, || async {
        let groups: Vec<GroupDescription> = admin.describe_groups(&kinds).await?;
        let mut left = Vec::new();
        for group in groups.iter().filter(|group| !group.members.is_empty()) {
            admin.remove_members(&group.group, group.kind, &group.members).await?;
            *locked(&removed).entry(group.group.clone()).or_default() += group.members.len();
            left.push(group.group.clone());
        }
        let busy = groups.iter().find(|g| !matches!(g.state, GroupState::Empty | GroupState::Dead));
        Ok(match (left.is_empty(), busy) {
            (true, None) => Ok(()),
            (true, Some(group)) => Err(format!("`{}` is {:?}", group.group, group.state)),
            (false, _) => Err(left.join(", ")),
        })
    })
    .await?;
    let removed = locked(&removed).clone();
    let positions = ctx
        .wait_until("group positions standing still", 30_000, || async {
            let first = admin.group_offsets(&ctx.plan.groups, true).await?;
            let second = admin.group_offsets(&ctx.plan.groups, true).await?;
            Ok(if first == second { Ok(second) } else { Err("they still move".to_owned()) })
        })
        .await?;
    let positions: BTreeMap<String, GroupOffsets> =
        positions.into_iter().map(|(group, offsets)| (group, GroupOffsets(offsets))).collect();
    Done::new(
        format!(
            "{} removed from {}; positions stand still",
            count(removed.values().sum(), "member"),
            count(removed.len(), "group")
        ),
        json!({"removed": removed}),
    )
    .with_output(&positions)
}
