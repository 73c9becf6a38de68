//! The read path: groups finish or are moved out, and each gets its exact position on the other side.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use muster_domain::{
    access,
    acl::{AclBinding, AclFilter},
    group::{CommittedOffset, GroupDescription, GroupOffsets, GroupState, GroupType},
    reading::ReadingClass,
    renaming::Renaming,
    topic::{ByPartition, TopicPartition},
    translation::{Mapping, Method},
};
use muster_replication::translate::{Translator, translate_groups as translate_groups_of_flow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    drain::{TargetEnds, records},
    fence::{CutLine, add_bindings, locked, remove_bindings},
    prepare,
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

/// Where every group resumes on the other side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Translated {
    /// By group.
    pub(super) groups: BTreeMap<String, TranslatedGroup>,
}

/// Where one group resumes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TranslatedGroup {
    /// One entry per partition of the group in scope.
    pub(super) partitions: Vec<TranslatedPartition>,
}

/// Where a group resumes on one partition.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TranslatedPartition {
    /// Partition on the side that is left.
    pub(super) source: TopicPartition,
    /// Its position there.
    pub(super) position: i64,
    /// Position on the other side, or why there is none.
    pub(super) mapping: Result<Mapping, String>,
}

impl Translated {
    /// Groups whose positions rest on no comparison of records, with the first reason: these are refused.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        self.first_of_each_group(|p| match &p.mapping {
            Ok(mapping) if mapping.class != ReadingClass::Exact && mapping.method == Method::PairFloor => {
                Some(format!(
                    "{} could be read only from {} records back",
                    p.source, mapping.reprocessed_at_most
                ))
            }
            Ok(_) => None,
            Err(why) => Some(format!("{}: {why}", p.source)),
        })
    }

    /// Groups that read records again, with the first reason. Where records were compared this comes from copies that
    /// a restart of the flow left on the other side: no position there avoids them.
    pub(super) fn inexact(&self) -> Vec<(String, String)> {
        self.first_of_each_group(|p| match &p.mapping {
            Ok(mapping) if mapping.class == ReadingClass::Exact => None,
            Ok(mapping) => {
                Some(format!("{} reads up to {} records again", p.source, mapping.reprocessed_at_most))
            }
            Err(why) => Some(format!("{}: {why}", p.source)),
        })
    }

    fn first_of_each_group(
        &self,
        wrong: impl Fn(&TranslatedPartition) -> Option<String>,
    ) -> Vec<(String, String)> {
        self.groups
            .iter()
            .filter_map(|(name, group)| Some((name.clone(), group.partitions.iter().find_map(&wrong)?)))
            .collect()
    }

    /// Records a group reads again at most; `None` when a partition could not be translated.
    pub(super) fn reprocessed(&self, group: &str) -> Option<i64> {
        self.groups
            .get(group)?
            .partitions
            .iter()
            .map(|p| Some(p.mapping.as_ref().ok()?.reprocessed_at_most))
            .sum()
    }

    /// For evidence: group → partition → from → to by method.
    pub(super) fn evidence(&self) -> serde_json::Value {
        let group = |group: &TranslatedGroup| -> serde_json::Value {
            group
                .partitions
                .iter()
                .map(|p| {
                    let value = match &p.mapping {
                        Ok(m) => json!({"from": p.position, "to": m.target_offset, "method": m.method,
                            "class": m.class, "reprocessed_at_most": m.reprocessed_at_most}),
                        Err(why) => json!({"from": p.position, "refused": why}),
                    };
                    (p.source.to_string(), value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        self.groups.iter().map(|(name, g)| (name.clone(), group(g))).collect::<serde_json::Map<_, _>>().into()
    }
}

/// Translates every group in scope from its committed positions on the side that is left, while it is still live.
pub(super) async fn translate_all(ctx: &StepCtx) -> Result<Translated, StepError> {
    let positions = ctx.admin(ctx.direction().from).group_offsets(&ctx.plan.groups, true).await?;
    translate_positions(ctx, positions, None).await
}

/// Translates positions. `until` gives the ends of the replicas from which on records are the applications' own: a
/// group that has read everything resumes there and not behind what was written since.
async fn translate_positions(
    ctx: &StepCtx,
    positions: BTreeMap<String, ByPartition<CommittedOffset>>,
    until: Option<&ByPartition<i64>>,
) -> Result<Translated, StepError> {
    let partitions = ctx.source_partitions();
    let in_scope: BTreeSet<&TopicPartition> = partitions.iter().collect();
    let pairs = ctx.forward()?.offset_pairs(&partitions).await?;
    let wanted: BTreeMap<String, ByPartition<i64>> = positions
        .into_iter()
        .map(|(group, offsets)| {
            let offsets = offsets.into_iter().filter(|(tp, _)| in_scope.contains(tp));
            (group, offsets.map(|(tp, committed)| (tp, committed.offset)).collect())
        })
        .collect();
    let flow =
        ctx.clients.pair.flow(ctx.direction()).ok_or_else(|| StepError::fail("the pair has no such flow"))?;
    let translator = Translator {
        flow,
        // A flow with transforms is refused before anything is fenced (`catch_up`).
        renaming: &Renaming::default(),
        records: records(ctx, ctx.left_ms())?,
        source: ctx.admin(ctx.direction().from),
        target: ctx.admin(ctx.direction().to()),
        pairs: &pairs,
        exactly_once: prepare::proven_line(ctx)?.exactly_once,
        target_until: until,
    };
    let mut found = translate_groups_of_flow(&translator, &wanted).await?;
    let groups = wanted
        .into_iter()
        .map(|(group, offsets)| {
            let mut positions = found.remove(&group).unwrap_or_default();
            let partitions = offsets
                .into_iter()
                .map(|(source, position)| {
                    let mapping = match positions.remove(&source) {
                        Some(Ok(translated)) => Ok(translated.mapping),
                        Some(Err(why)) => Err(why.to_string()),
                        None => Err("no answer".to_owned()),
                    };
                    TranslatedPartition { source, position, mapping }
                })
                .collect();
            (group, TranslatedGroup { partitions })
        })
        .collect();
    Ok(Translated { groups })
}

/// Finds every group's exact position on the other side, or names the groups that have none. Only looks.
pub(super) async fn translate_groups(ctx: StepCtx) -> Result<Done, StepError> {
    let positions: BTreeMap<String, GroupOffsets> = ctx.output("remove_members")?;
    let positions = positions.into_iter().map(|(group, offsets)| (group, offsets.0)).collect();
    let ends: TargetEnds = ctx.output("mark_target_ends")?;
    let translated = translate_positions(&ctx, positions, Some(&ends.replicas)).await?;
    let refused = translated.refused();
    if !refused.is_empty() {
        let list: Vec<String> = refused.iter().map(|(group, why)| format!("`{group}` ({why})")).collect();
        return Err(StepError::Fail(format!("no exact position for {}", list.join(", "))));
    }
    let inexact = translated.inexact();
    Done::new(
        match inexact.first() {
            None => format!("exact positions found for {}", count(translated.groups.len(), "group")),
            Some((group, why)) => {
                format!("not exact for {}: `{group}`: {why}", count(inexact.len(), "group"))
            }
        },
        json!({"groups": translated.evidence()}),
    )
    .with_output(&translated)
}

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
pub(super) async fn capture_group_offsets(ctx: StepCtx) -> Result<BTreeMap<String, GroupOffsets>, StepError> {
    let before = ctx.admin(ctx.direction().to()).group_offsets(&ctx.plan.groups, false).await?;
    Ok(before.into_iter().map(|(group, offsets)| (group, GroupOffsets(offsets))).collect())
}

/// Writes the positions and reads them back. A group with members there refuses (`UNKNOWN_MEMBER_ID`), which fails the
/// step with the group's name. Writing the same again is the same.
pub(super) async fn write_group_offsets(ctx: StepCtx) -> Result<Done, StepError> {
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
pub(super) async fn restore_group_offsets(ctx: StepCtx) -> Result<Done, StepError> {
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
