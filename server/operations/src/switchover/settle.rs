//! After applications moved: the old side's emergency fence becomes the ordinary one, and frozen settings thaw.

use std::collections::BTreeSet;

use muster_domain::{
    access::{self, Conversion},
    acl::{AclBinding, AclFilter, ResourceType},
    cluster::Cluster,
    pair::BySide,
    plan::PlanContent,
    survey::ConnectorRole,
    topic::ByPartition,
};
use muster_kafka::{Isolation, OffsetSpec, ReadRange};
use serde_json::json;

use super::{
    fence::{CutLine, add_bindings, remove_bindings},
    prepare,
    scope::{count, offsets, shown},
};
use crate::step::{Done, StepCtx, StepError};

/// Turns the active fence (DENY for everybody) of the old side into the standby fence (no application holds ALLOW),
/// in an order that is never open: grants are taken away while the DENYs stand, then the DENYs go. Needed before the
/// reverse flow, whose principal must write there. Also looks whether anybody wrote past the cut line.
pub(super) async fn convert_source_fence(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let ends = offsets(admin, &ctx.source_partitions(), OffsetSpec::End).await?;
    let late = written_late(&ctx, &cut, &ends).await?;
    if !late.is_empty() {
        return Err(StepError::Fail(format!(
            "somebody wrote to {} after the cut line ({}); look who did before opening it to the reverse flow",
            admin.cluster(),
            late.join(", ")
        )));
    }
    let everything = AclFilter::default();
    let present = admin.acls(&everything).await?.bindings;
    let conversion = closing(&present, &ctx.clients.clusters, &ctx.plan);
    // Narrower grants that replace broader ones come first, so that nothing outside the scope loses its rights.
    add_bindings(&ctx, admin, &conversion.create).await?;
    remove_bindings(&ctx, admin, &conversion.remove_grants).await?;
    let after = admin.acls(&everything).await?.bindings;
    let open = access::unfenced_by(&after, &ctx.app_topics(), &prepare::infrastructure(&ctx));
    if let Some(principal) = open.first() {
        return Err(StepError::Fail(format!(
            "{principal} would still be allowed to write on {}; the DENY stays",
            admin.cluster()
        )));
    }
    remove_bindings(&ctx, admin, &conversion.remove_denies).await?;
    Ok(Done::new(
        format!("no application may write on {} any more, and replication may", admin.cluster()),
        json!({
            "removed_grants": conversion.remove_grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "removed_denies": conversion.remove_denies.len(),
            "narrowed": conversion.create.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "ends": shown(&ends),
        }),
    ))
}

/// What closing the side that is left to applications takes away there, of these bindings.
pub(crate) fn closing(
    present: &BTreeSet<AclBinding>,
    clusters: &BySide<Cluster>,
    plan: &PlanContent,
) -> Conversion {
    let topics: Vec<String> = plan.topics.iter().map(|t| t.topic.clone()).collect();
    access::conversion(present, &topics, &plan.groups, &prepare::probes(clusters))
}

/// Why a side could not be closed to applications after they moved, as a sentence; `None` when it can be. A grant on every topic
/// cannot be taken away for some of them.
pub(crate) fn why_it_stays_open(closing: &Conversion, cluster: &str, topics: usize) -> Option<String> {
    let everywhere = closing.too_wide.iter().find(|grant| grant.resource == ResourceType::Topic)?;
    Some(format!(
        "{} may write every topic of {cluster} (a grant on `*`), which cannot be taken away for the {} in scope, so the old side \
         could not be closed after the move",
        everywhere.principal,
        count(topics, "topic")
    ))
}

/// What to do about it.
pub(crate) const CLOSE_IT: &str = "Grant it what it needs by name or prefix; replication and tools are told apart by CREATE, \
                                   ALTER or ALTER_CONFIGS on topic `*`";

/// Why the old side could not be closed to applications after they moved, found while nothing has been changed yet; `None`
/// when it can be. Plans say it, too; a grant may have come since. Only looks.
pub(super) async fn why_it_cannot_be_closed(ctx: &StepCtx) -> Result<Option<String>, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let present = admin.acls(&AclFilter::default()).await?.bindings;
    let closing = closing(&present, &ctx.clients.clusters, &ctx.plan);
    let why = why_it_stays_open(&closing, admin.cluster(), ctx.plan.topics.len());
    Ok(why.map(|why| format!("{why}. {CLOSE_IT}")))
}

/// Partitions that hold records past the cut line, with where. Markers alone are no writes: coordinators put them there
/// when a transaction ends late.
pub(super) async fn written_late(
    ctx: &StepCtx,
    cut: &CutLine,
    ends: &ByPartition<i64>,
) -> Result<Vec<String>, StepError> {
    let ranges: Vec<ReadRange> = ends
        .iter()
        .filter_map(|(tp, end)| {
            let from = *cut.ends.get(tp)?;
            (*end > from).then(|| ReadRange { partition: tp.clone(), from, until: *end })
        })
        .collect();
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let mover = ctx.mover(ctx.direction().from);
    let read = mover.read(&ranges, Isolation::ReadUncommitted, ctx.left_ms().min(15_000)).await?;
    Ok(read
        .iter()
        .filter_map(|(tp, records)| Some((tp, records.first()?, records.len())))
        .map(|(tp, first, n)| format!("{} from {tp} at {} on", count(n, "record"), first.offset))
        .collect())
}

/// Puts the settings frozen at the beginning back on the now stopped flow, so that it is whole when it runs again.
pub(super) async fn thaw_drift(ctx: StepCtx) -> Result<Done, StepError> {
    let frozen = ctx.times.get("freeze_drift").is_some();
    if !frozen {
        return Ok(Done::new("nothing was frozen", json!({})));
    }
    let before: std::collections::BTreeMap<String, Option<String>> = ctx.output("freeze_drift")?;
    ctx.forward()?.change_config(ConnectorRole::Source, &before, ctx.left_ms()).await?;
    Ok(Done::new(format!("{} of the stopped flow are as before", count(before.len(), "setting")), json!({})))
}
