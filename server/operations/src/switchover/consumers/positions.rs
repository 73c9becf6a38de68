//! The positions of groups on the other side: written and read back, or put back as they were.

use std::collections::BTreeMap;

use muster_domain::{
    group::{CommittedOffset, GroupOffsets},
    topic::{ByPartition, TopicPartition},
};
use serde_json::json;

use super::translated::Translated;
use crate::{
    step::{Done, StepCtx, StepError},
    switchover::{drain::TargetEnds, scope::count},
};

/// Positions to write on the other side: exact ones on the replicas and, with prefixed names, the beginning of the
/// applications' own topics there, so that a group that resets to `latest` skips nothing.
fn positions_to_write(
    ctx: &StepCtx,
    translated: &Translated,
    ends: &TargetEnds,
    metadata: &BTreeMap<String, GroupOffsets>,
) -> BTreeMap<String, ByPartition<CommittedOffset>> {
    let commit = |offset, metadata: String| CommittedOffset { offset, metadata, leader_epoch: None };
    translated
        .groups
        .iter()
        .map(|(name, group)| {
            let mut offsets = BTreeMap::new();
            for p in &group.partitions {
                let Ok(mapping) = &p.mapping else { continue };
                let note = metadata
                    .get(name)
                    .and_then(|m| m.0.get(&p.source))
                    .map_or_else(String::new, |committed| committed.metadata.clone());
                offsets.insert(ctx.replica_of(&p.source), commit(mapping.target_offset, note));
                if !ctx.identity_named() {
                    // Where application writes begin there: its end before they did, which is 0 on a new topic.
                    let own = ends.own.get(&p.source).copied().unwrap_or(0);
                    offsets.insert(p.source.clone(), commit(own, String::new()));
                }
            }
            (name.clone(), offsets)
        })
        .filter(|(_, offsets)| !offsets.is_empty())
        .collect()
}

/// Positions on the other side before writing, for undo.
pub(in crate::switchover) async fn capture_group_offsets(
    ctx: StepCtx,
) -> Result<BTreeMap<String, GroupOffsets>, StepError> {
    let before = ctx.admin(ctx.direction().to()).group_offsets(&ctx.plan.groups, false).await?;
    Ok(before.into_iter().map(|(group, offsets)| (group, GroupOffsets(offsets))).collect())
}

/// Writes the positions and reads them back. A group with members there refuses (`UNKNOWN_MEMBER_ID`), which fails the
/// step with the group's name. Writing the same again is the same.
pub(in crate::switchover) async fn write_group_offsets(ctx: StepCtx) -> Result<Done, StepError> {
    let translated: Translated = ctx.output("translate_groups")?;
    let ends: TargetEnds = ctx.output("mark_target_ends")?;
    let metadata: BTreeMap<String, GroupOffsets> = ctx.output("remove_members")?;
    let wanted = positions_to_write(&ctx, &translated, &ends, &metadata);
    let admin = ctx.admin(ctx.direction().to());
    for (group, offsets) in &wanted {
        admin.alter_group_offsets(group, offsets).await.map_err(|e| named(group, e))?;
    }
    let names: Vec<String> = wanted.keys().cloned().collect();
    let read_back = admin.group_offsets(&names, false).await?;
    for (group, offsets) in &wanted {
        let there = read_back.get(group);
        let wrong = offsets.iter().find(|(tp, committed)| {
            there.and_then(|there| there.get(*tp)).is_none_or(|there| there.offset != committed.offset)
        });
        if let Some((tp, committed)) = wrong {
            return Err(StepError::Retry(format!(
                "group `{group}` on {tp} does not read back as {}",
                committed.offset
            )));
        }
    }
    let written: usize = wanted.values().map(BTreeMap::len).sum();
    Ok(Done::new(
        format!("{} of {} written and read back", count(written, "position"), count(wanted.len(), "group")),
        json!({"groups": names}),
    ))
}

fn named(group: &str, e: muster_kafka::KafkaError) -> StepError {
    match StepError::from(e) {
        StepError::Retry(why) => StepError::Retry(format!("group `{group}`: {why}")),
        StepError::Fail(why) => StepError::Fail(format!("group `{group}`: {why}")),
        ask @ StepError::Ask(_) => ask,
    }
}

/// Puts the positions of the other side back as they were.
pub(in crate::switchover) async fn restore_group_offsets(ctx: StepCtx) -> Result<Done, StepError> {
    let before: BTreeMap<String, GroupOffsets> = ctx.captured()?;
    let admin = ctx.admin(ctx.direction().to());
    let now = admin.group_offsets(&ctx.plan.groups, false).await?;
    for (group, present) in &now {
        let old = before.get(group).map(|offsets| &offsets.0);
        let added: Vec<TopicPartition> =
            present.keys().filter(|tp| old.is_none_or(|old| !old.contains_key(*tp))).cloned().collect();
        if !added.is_empty() {
            admin.delete_group_offsets(group, &added).await?;
        }
        if let Some(old) = old
            && !old.is_empty()
            && old != present
        {
            admin.alter_group_offsets(group, old).await?;
        }
    }
    Ok(Done::new(format!("positions of {} are as before", count(now.len(), "group")), json!({})))
}
