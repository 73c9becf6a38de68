//! Clusters: who answers there, and what Muster's principal may do.

use muster_domain::{
    cluster::Cluster,
    survey::{RightHeld, RightObservation},
};
use muster_store::{StoreError, clusters};
use sqlx::PgPool;

use super::{BOUND, Line, fail, ok, warn};
use crate::{app::Hands, http::failure::chain};

/// Every cluster: who answers there, and each right on a line of its own.
pub(super) async fn check(pool: &PgPool, hands: &dyn Hands) -> Vec<Line> {
    let all = match list(pool).await {
        Ok(all) => all,
        Err(e) => return vec![fail("clusters", format!("{}. None of them was looked at.", chain(&e)))],
    };
    if all.is_empty() {
        return vec![ok("clusters", "none are registered yet")];
    }
    let checks = all.iter().map(|cluster| check_cluster(cluster, hands));
    futures_util::future::join_all(checks).await.into_iter().flatten().collect()
}

async fn list(pool: &PgPool) -> Result<Vec<Cluster>, StoreError> {
    clusters::list(&mut *muster_store::acquire(pool).await?).await
}

async fn check_cluster(cluster: &Cluster, hands: &dyn Hands) -> Vec<Line> {
    let what = format!("cluster {}", cluster.name);
    match tokio::time::timeout(BOUND, ask_cluster(cluster, hands)).await {
        Ok(lines) => lines,
        Err(_) => vec![fail(what, "no answer within 20 s: nothing can be observed or done there.")],
    }
}

async fn ask_cluster(cluster: &Cluster, hands: &dyn Hands) -> Vec<Line> {
    let what = format!("cluster {}", cluster.name);
    let admin = match hands.cluster_admin(&cluster.name).await {
        Ok(admin) => admin,
        Err(e) => return vec![fail(what, format!("{}. Nothing can be observed or done there.", chain(&e)))],
    };
    let found = match admin.describe_cluster().await {
        Ok(found) => found,
        Err(e) => {
            return vec![fail(what, format!("{}. Nothing can be observed or done there.", chain(&e)))];
        }
    };
    let mut lines = vec![match &cluster.expected_cluster_id {
        Some(id) if *id == found.cluster_id => ok(&what, format!("{} brokers, id {id}", found.brokers.len())),
        Some(id) => fail(
            &what,
            format!("id {} answers, {id} is expected: nothing is ever changed there.", found.cluster_id),
        ),
        None => warn(
            &what,
            format!(
                "id {} was never recorded: nothing is ever changed there. Run `muster clusters check {}`.",
                found.cluster_id, cluster.name
            ),
        ),
    }];
    lines.push(judge_probe(&what, cluster));
    match admin.rights().await {
        Ok(rights) => lines.extend(rights.iter().map(|right| judge_right(&what, right))),
        Err(e) => lines.push(fail(
            format!("{what}, rights"),
            format!("{}. What Muster may do there is not known.", chain(&e)),
        )),
    }
    lines
}

fn judge_probe(what: &str, cluster: &Cluster) -> Line {
    let what = format!("{what}, probe principal");
    match &cluster.probe {
        Some(probe) => ok(what, probe.username.clone()),
        None => warn(
            what,
            "none: a fence there cannot be proven, so no switchover away from there can be planned.",
        ),
    }
}

fn judge_right(what: &str, right: &RightObservation) -> Line {
    let what = format!("{what}, {}", right.right);
    match &right.held {
        RightHeld::Yes => ok(what, "held"),
        RightHeld::No { error } => fail(what, format!("missing ({error}): needed for {}.", right.needed_for)),
        RightHeld::Unknown { reason } => {
            warn(what, format!("not known ({reason}): needed for {}.", right.needed_for))
        }
    }
}
