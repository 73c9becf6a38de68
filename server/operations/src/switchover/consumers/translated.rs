//! Where every group resumes on the other side: found while it is still live for the rehearsal, and for good once it stands still.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    group::{CommittedOffset, GroupOffsets},
    reading::ReadingClass,
    renaming::Renaming,
    topic::{ByPartition, TopicPartition},
    translation::{Mapping, Method},
};
use muster_replication::translate::{Translator, translate_groups as translate_groups_of_flow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    step::{Done, StepCtx, StepError},
    switchover::{
        drain::{TargetEnds, records},
        prepare,
        scope::count,
    },
};

/// Where every group resumes on the other side.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::switchover) struct Translated {
    /// By group.
    pub(in crate::switchover) groups: BTreeMap<String, TranslatedGroup>,
}

/// Where one group resumes.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::switchover) struct TranslatedGroup {
    /// One entry per partition of the group in scope.
    pub(in crate::switchover) partitions: Vec<TranslatedPartition>,
}

/// Where a group resumes on one partition.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::switchover) struct TranslatedPartition {
    /// Partition on the side that is left.
    pub(in crate::switchover) source: TopicPartition,
    /// Its position there.
    pub(in crate::switchover) position: i64,
    /// Position on the other side, or why there is none.
    pub(in crate::switchover) mapping: Result<Mapping, String>,
}

impl Translated {
    /// Groups whose positions rest on no comparison of records, with the first reason: these are refused.
    pub(in crate::switchover) fn refused(&self) -> Vec<(String, String)> {
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
    pub(in crate::switchover) fn inexact(&self) -> Vec<(String, String)> {
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
    pub(in crate::switchover) fn reprocessed(&self, group: &str) -> Option<i64> {
        self.groups
            .get(group)?
            .partitions
            .iter()
            .map(|p| Some(p.mapping.as_ref().ok()?.reprocessed_at_most))
            .sum()
    }

    /// For evidence: group → partition → from → to by method.
    pub(in crate::switchover) fn evidence(&self) -> serde_json::Value {
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
pub(in crate::switchover) async fn translate_all(ctx: &StepCtx) -> Result<Translated, StepError> {
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
    let offset_pairs = ctx.forward()?.offset_pairs(&partitions).await?;
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
        pairs: &offset_pairs,
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
pub(in crate::switchover) async fn translate_groups(ctx: StepCtx) -> Result<Done, StepError> {
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
