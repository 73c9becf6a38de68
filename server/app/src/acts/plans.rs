//! Making a plan from what was last observed; asking for it to be carried out.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName},
    pair::{BySide, Direction, Pair},
    people::Actor,
    plan::{Plan, PlanRules},
    plan_difference::{self, PlanDifference},
    record::Run,
    run::Operation,
};
use muster_operations::{
    decisions,
    planning::{PlanRequest, make_plan},
};
use muster_store::{clusters, pairs, plans, surveys};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit_trail::{self, Entry};
use crate::{
    http::{Answer, Failure},
    standing::judgement,
};

/// What is to be planned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": "eu-central", "rules": {"confirm_before_fence": true}}))]
pub struct NewPlan {
    /// Kind of run; `switchover` and `readiness_drill` can be planned today.
    #[serde(default = "switchover")]
    pub operation: Operation,
    /// Cluster applications move to.
    pub to: ClusterName,
    /// Whether its end is attested as a drill.
    #[serde(default)]
    pub drill: bool,
    /// Decisions made in advance; what is left out has its default.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub rules: serde_json::Map<String, Value>,
}

fn switchover() -> Operation {
    Operation::Switchover
}

/// What is to be run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"plan": "01a20f08-dba9-73ee-bbd5-8b4e341d8ed8", "reason": "INC-2291: brokers in eu-west are slow"}))]
pub struct NewRequest {
    /// The plan.
    pub plan: Uuid,
    /// Why, in words approvers and auditors can follow.
    pub reason: String,
}

/// Makes and keeps a plan.
///
/// # Errors
/// `not-surveyed-yet`, `operation-not-available`, `invalid-request`, `not-found`.
pub async fn make(
    conn: &mut PgConnection,
    pair: &PairName,
    asked: &NewPlan,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<Plan> {
    let pair = super::pairs::held(conn, pair).await?;
    let request = request(&pair, asked)?;
    let survey = surveys::latest(conn, &pair.name).await?.ok_or_else(|| not_surveyed(&pair))?;
    let judged = judgement::latest(conn, &pair.name).await?.ok_or_else(|| not_surveyed(&pair))?;
    let at_stake = judged.results.at_stake(request.direction, judged.at);
    let a = super::clusters::get(conn, &pair.clusters.a).await?;
    let b = super::clusters::get(conn, &pair.clusters.b).await?;
    let clusters = BySide { a, b };
    let plan =
        make_plan(conn, &pair, &clusters, &survey, &judged.results.checks, at_stake, &request, actor, now)
            .await?;
    let detail = json!({"plan": plan.id, "hash": plan.hash, "course": pair.course(request.direction),
        "blockers": plan.blockers.len(), "warnings": plan.warnings.len()});
    audit_trail::record(conn, actor, Entry::done("plan.make", &format!("pair {}", pair.name), detail))
        .await?;
    Ok(plan)
}

fn request(pair: &Pair, asked: &NewPlan) -> Answer<PlanRequest> {
    if muster_operations::runbook(asked.operation).is_none() {
        return Err(Failure::new(
            "operation-not-available",
            format!(
                "A {} cannot be planned with this version of Muster.",
                asked.operation.as_str().replace('_', " ")
            ),
            "Plan a switchover or a readiness drill.",
        ));
    }
    let to = pair.side_of(&asked.to).ok_or_else(|| {
        Failure::invalid(format!("`{}` is not one of the two clusters of pair `{}`.", asked.to, pair.name))
    })?;
    Ok(PlanRequest {
        operation: asked.operation,
        direction: Direction { from: to.other() },
        // What only looks is never anything but a drill.
        drill: asked.drill || asked.operation.only_looks(),
        rules: rules(&asked.rules)?,
    })
}

/// The default rules with the given ones over them.
fn rules(given: &serde_json::Map<String, Value>) -> Answer<PlanRules> {
    let all =
        serde_json::to_value(PlanRules::default()).map_err(|e| Failure::internal("read the rules", e))?;
    let Value::Object(mut all) = all else { return Ok(PlanRules::default()) };
    for (key, value) in given {
        if all.insert(key.clone(), value.clone()).is_none() {
            return Err(Failure::invalid(format!("There is no rule `{key}`.")));
        }
    }
    serde_json::from_value(Value::Object(all))
        .map_err(|e| Failure::invalid(format!("The rules cannot be read: {e}.")))
}

/// Nothing is planned for a pair before it was observed.
pub fn not_surveyed(pair: &Pair) -> Failure {
    Failure::new(
        "not-surveyed-yet",
        format!("Pair `{}` has not been observed yet, so there is nothing to plan from.", pair.name),
        "Wait a few seconds. If it stays so, run `muster doctor` and look at the survey loop's log.",
    )
}

/// A plan.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Answer<Plan> {
    plans::get(conn, id).await?.ok_or_else(|| Failure::not_found("plan", &id.to_string()))
}

/// The pair of a plan as it is shown; none once it was removed.
///
/// # Errors
/// When the database refuses.
pub async fn pair_of(conn: &mut PgConnection, plan: &Plan) -> Answer<Option<Pair>> {
    Ok(pairs::get(conn, &plan.content.pair).await?.map(Pair::without_credentials))
}

/// What the two clusters of a plan are called: as its pair says, and once that was removed as they are registered. One that is
/// not registered any more has its id only.
///
/// # Errors
/// When the database refuses.
pub async fn cluster_names(
    conn: &mut PgConnection,
    plan: &Plan,
    pair: Option<&Pair>,
) -> Answer<BySide<String>> {
    if let Some(pair) = pair {
        return Ok(BySide { a: pair.clusters.a.to_string(), b: pair.clusters.b.to_string() });
    }
    let registered = clusters::list(conn).await?;
    let name = |id: &String| {
        let found = registered.iter().find(|cluster| cluster.expected_cluster_id.as_ref() == Some(id));
        found.map_or_else(|| format!("cluster {id}"), |cluster| cluster.name.to_string())
    };
    let ids = &plan.content.cluster_ids;
    Ok(BySide { a: name(&ids.a), b: name(&ids.b) })
}

/// What differs between a plan and the one approved before it.
///
/// # Errors
/// When the database refuses.
pub async fn difference(conn: &mut PgConnection, plan: &Plan) -> Answer<PlanDifference> {
    let approved = plans::last_approved(conn, plan).await?;
    Ok(plan_difference::difference(approved.as_ref(), plan))
}

/// Asks for a plan to be carried out.
///
/// # Errors
/// `role-missing`, `reason-missing`, `plan-outdated`, `not-found`.
pub async fn request_run(conn: &mut PgConnection, asked: &NewRequest, actor: &Actor) -> Answer<Run> {
    let plan = get(conn, asked.plan).await?;
    Ok(decisions::request_run(conn, &plan, &asked.reason, actor).await?)
}
