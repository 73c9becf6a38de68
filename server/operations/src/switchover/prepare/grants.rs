//! What applications hold on the side they leave and need on the other: created before anything is taken away, apart from what would
//! let them write there.

use std::collections::BTreeSet;

use muster_domain::{
    access,
    acl::{AclBinding, AclFilter},
    cluster::Cluster,
    pair::BySide,
};
use serde_json::json;

use crate::{
    step::{Done, StepCtx, StepError},
    switchover::{
        fence::{add_bindings, remove_bindings},
        scope::count,
    },
};

/// Grants the standby lacks, apart from those that let applications write: these wait for the point of no return.
pub(in crate::switchover) async fn missing_grants(ctx: &StepCtx) -> Result<Vec<AclBinding>, StepError> {
    let (here, there) = both_acls(ctx).await?;
    let wanted = grants(ctx, &here);
    Ok(wanted.reading.into_iter().filter(|grant| !there.contains(grant)).collect())
}

/// ACLs of the side applications leave and of the one they move to.
pub(in crate::switchover) async fn both_acls(
    ctx: &StepCtx,
) -> Result<(BTreeSet<AclBinding>, BTreeSet<AclBinding>), StepError> {
    let everything = AclFilter::default();
    let (here, there) = tokio::join!(
        ctx.admin(ctx.direction().from).acls(&everything),
        ctx.admin(ctx.direction().to()).acls(&everything),
    );
    Ok((here?.bindings, there?.bindings))
}

/// What applications hold here, as grants for the other side.
pub(in crate::switchover) fn grants(ctx: &StepCtx, here: &BTreeSet<AclBinding>) -> access::StandbyGrants {
    let names: Vec<(String, String)> =
        ctx.plan.topics.iter().map(|t| (t.topic.clone(), t.replica.clone())).collect();
    access::grants_for_standby(here, &names, &ctx.plan.groups, &infrastructure(ctx))
}

/// Principals that are not applications: the probe of either side.
pub(in crate::switchover) fn infrastructure(ctx: &StepCtx) -> BTreeSet<String> {
    probes(&ctx.clients.clusters)
}

/// Principals fences are probed by.
pub(in crate::switchover) fn probes(clusters: &BySide<Cluster>) -> BTreeSet<String> {
    [&clusters.a, &clusters.b]
        .iter()
        .filter_map(|cluster| cluster.probe.as_ref())
        .map(|probe| format!("User:{}", probe.username))
        .collect()
}

/// What has to be created; undo removes exactly these.
pub(in crate::switchover) async fn capture_grants(ctx: StepCtx) -> Result<Vec<AclBinding>, StepError> {
    missing_grants(&ctx).await
}

/// Creates the grants applications will need on the other side and MirrorMaker 2 does not copy, except WRITE on
/// topics. Creating one twice is fine.
pub(in crate::switchover) async fn stage_grants(ctx: StepCtx) -> Result<Done, StepError> {
    let missing: Vec<AclBinding> = ctx.captured()?;
    let admin = ctx.admin(ctx.direction().to());
    add_bindings(&ctx, admin, &missing).await?;
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Ok(Done::new(
        format!(
            "{} created on {}; WRITE waits for the unfence",
            count(missing.len(), "grant"),
            admin.cluster()
        ),
        json!({"created": list}),
    ))
}

/// Removes what was created.
pub(in crate::switchover) async fn unstage_grants(ctx: StepCtx) -> Result<Done, StepError> {
    let created: Vec<AclBinding> = ctx.captured()?;
    remove_bindings(&ctx, ctx.admin(ctx.direction().to()), &created).await?;
    Ok(Done::new(format!("{} removed again", count(created.len(), "grant")), json!({})))
}
