//! Drill schedules: what was ordered, and when its next occurrence is to be recorded. What came due is in [`crate::occurrences`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use muster_domain::schedule::{Occurrence, Schedule};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Keeps a new schedule; `next` is its first occurrence with when it is to be recorded.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    conn: &mut PgConnection,
    schedule: &Schedule,
    next: Option<(Occurrence, DateTime<Utc>)>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into schedule (id, pair, body, next_nominal, next_at)
        values ($1, $2, $3, $4, $5)",
        schedule.id,
        schedule.pair.as_str(),
        Json(schedule) as _,
        next.map(|(occurrence, _)| occurrence.nominal),
        next.map(|(_, at)| at)
    )
    .execute(conn)
    .await
    .map_err(failed("keep schedule"))?;
    Ok(())
}

/// Locks a schedule for a change of it, and so keeps its occurrences from getting runs until the caller's transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn lock_to_change(conn: &mut PgConnection, id: Uuid) -> Result<(), StoreError> {
    sqlx::query_scalar!("select 1 as one from schedule where id = $1 for update", id)
        .fetch_optional(conn)
        .await
        .map_err(failed("lock schedule"))?;
    Ok(())
}

/// Changes a schedule if it still has the version given; false when somebody else was faster.
///
/// # Errors
/// When the database refuses.
pub async fn update(
    conn: &mut PgConnection,
    schedule: &Schedule,
    next: Option<(Occurrence, DateTime<Utc>)>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update schedule
        set body = $3,
            version = version + 1,
            updated_at = clock_timestamp(),
            next_nominal = $4,
            next_at = $5
        where id = $1
            and version = $2
            and removed_at is null",
        schedule.id,
        schedule.version,
        Json(schedule) as _,
        next.map(|(occurrence, _)| occurrence.nominal),
        next.map(|(_, at)| at)
    )
    .execute(conn)
    .await
    .map_err(failed("change schedule"))?;
    Ok(done.rows_affected() > 0)
}

/// Removes a schedule; what it recorded and came due stays.
///
/// # Errors
/// When the database refuses.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update schedule
        set removed_at = clock_timestamp(),
            next_nominal = null,
            next_at = null
        where id = $1
            and removed_at is null",
        id
    )
    .execute(conn)
    .await
    .map_err(failed("remove schedule"))?;
    Ok(done.rows_affected() > 0)
}

/// A schedule that was not removed.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Schedule>, StoreError> {
    let row = sqlx::query!(
        r#"select body as "body: Json<Schedule>", version
        from schedule
        where id = $1
            and removed_at is null"#,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read schedule"))?;
    Ok(row.map(|row| Schedule { version: row.version, ..row.body.0 }))
}

/// Schedules of pairs of some teams (`None`: of all), by pair, at most `limit`; only those that come after a pair and id in
/// this order, if given.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    after: Option<(&str, Uuid)>,
    limit: i64,
) -> Result<Vec<Schedule>, StoreError> {
    let rows = sqlx::query!(
        r#"select schedule.body as "body: Json<Schedule>", schedule.version
        from schedule
        join pair on pair.name = schedule.pair
        where schedule.removed_at is null
            and ($1::text[] is null or pair.team = any($1))
            and ($2::text is null or (schedule.pair, schedule.id) > ($2, $3::uuid))
        order by schedule.pair, schedule.id
        limit $4"#,
        teams,
        after.map(|(pair, _)| pair),
        after.map(|(_, id)| id),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list schedules"))?;
    Ok(rows.into_iter().map(|row| Schedule { version: row.version, ..row.body.0 }).collect())
}

/// Pairs that have a schedule.
///
/// # Errors
/// When the database refuses.
pub async fn scheduled_pairs(conn: &mut PgConnection) -> Result<BTreeSet<String>, StoreError> {
    let pairs = sqlx::query_scalar!(
        "select distinct pair
        from schedule
        where removed_at is null"
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list pairs with schedules"))?;
    Ok(pairs.into_iter().collect())
}
