//! Frozen plans.

use std::collections::BTreeMap;

use muster_domain::{ids::PairName, plan::Plan, run::Operation};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::StoreError;

/// Keeps a plan. Plans are never changed.
///
/// # Errors
/// When the database refuses.
pub async fn insert(conn: &mut PgConnection, plan: &Plan, created_by: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into plan (id, pair, operation, hash, created_by, created_at, body)
        values ($1, $2, $3, $4, $5, $6, $7)",
        plan.id,
        plan.content.pair.as_str(),
        plan.content.operation.as_str(),
        plan.hash,
        created_by,
        plan.created_at,
        Json(plan) as _,
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep plan", source))?;
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
    .map_err(|source| StoreError::database("read plan", source))?;
    Ok(body.map(|Json(plan)| plan))
}

/// The plan most recently approved and started for a pair and operation: what a new plan is compared with.
///
/// # Errors
/// When the database refuses.
pub async fn last_approved(
    conn: &mut PgConnection,
    pair: &PairName,
    operation: Operation,
) -> Result<Option<Plan>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select plan.body as "body: Json<Plan>"
        from run
        join plan on plan.id = run.plan_id
        where run.pair = $1
            and run.operation = $2
            and run.approved_at is not null
        order by run.number desc
        limit 1"#,
        pair.as_str(),
        operation.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(|source| StoreError::database("read last approved plan", source))?;
    Ok(body.map(|Json(plan)| plan))
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
    .map_err(|source| StoreError::database("read which versions of pairs plans were made for", source))?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}
