//! Frozen plans.

use std::collections::BTreeMap;

use muster_domain::{ids::TeamName, plan::Plan, plan_difference::ApprovedPlan};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Keeps a plan of a pair that belongs to a team. Plans are never changed.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    conn: &mut PgConnection,
    plan: &Plan,
    team: &TeamName,
    created_by: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into plan (id, pair, team, operation, hash, created_by, created_at, body)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        plan.id,
        plan.content.pair.as_str(),
        team.as_str(),
        plan.content.operation.as_str(),
        plan.hash,
        created_by,
        plan.created_at,
        Json(plan) as _,
    )
    .execute(conn)
    .await
    .map_err(failed("keep plan"))?;
    Ok(())
}

/// A plan by id.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Plan>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select body as "body: Json<Plan>"
        from plan
        where id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read plan"))?;
    Ok(body.map(|Json(plan)| plan))
}

/// The team the pair of a plan belonged to when it was made, for plans of pairs that were removed; none where nothing says it.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn team(conn: &mut PgConnection, id: Uuid) -> Result<Option<TeamName>, StoreError> {
    let team = sqlx::query_scalar!(
        r#"select coalesce(
            plan.team,
            (
                select run.team
                from run
                where run.pair = plan.pair
                    and run.plan_id = plan.id
                limit 1
            )
        ) as "team"
        from plan
        where plan.id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read the team of a plan"))?;
    let unreadable = |_| StoreError::Unreadable { table: "plan", column: "team", row: id.to_string() };
    team.flatten().map(|team| TeamName::new(&team).map_err(unreadable)).transpose()
}

/// The plan that was approved last before this one, of the same pair and operation: what its approvers compare it with.
///
/// One that moves applications the same way comes first: the way back names everything else. Of a plan that was approved
/// itself, only what was approved before it counts, so that what its approvers saw stays to be seen.
///
/// # Errors
/// When the database refuses.
pub async fn last_approved(conn: &mut PgConnection, plan: &Plan) -> Result<Option<ApprovedPlan>, StoreError> {
    let row = sqlx::query!(
        r#"select plan.body as "body: Json<Plan>", run.id, run.number, run.approved_at as "approved_at!"
        from run
        join plan on plan.id = run.plan_id
        where run.pair = $1
            and run.operation = $2
            and run.plan_id <> $3
            and run.approved_at is not null
            and run.approved_at < coalesce(
                (select min(own.approved_at) from run own where own.pair = $1 and own.plan_id = $3),
                'infinity'
            )
        order by (run.from_side = $4) desc, run.approved_at desc
        limit 1"#,
        plan.content.pair.as_str(),
        plan.content.operation.as_str(),
        plan.id,
        plan.content.direction.from.as_str(),
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read last approved plan"))?;
    Ok(row.map(|row| ApprovedPlan {
        plan: row.body.0,
        run: row.id,
        run_number: row.number,
        approved_at: row.approved_at,
    }))
}

/// The version of the pair that each of many plans was made for.
///
/// # Errors
/// When the database refuses.
pub async fn pair_versions(
    conn: &mut PgConnection,
    plans: &[Uuid],
) -> Result<BTreeMap<Uuid, i64>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, (body -> 'content' ->> 'pair_version')::bigint as "version!"
        from plan
        where id = any($1)"#,
        plans
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read which versions of pairs plans were made for"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}
