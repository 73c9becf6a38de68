//! Runs and their life. Every write of a worker goes through [`crate::run_leases::hold`] first.

mod lists;
mod row;
mod under_way;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{PairName, TeamName},
    record::{Outcome, Person, Run},
    run::RunState,
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use self::lists::{RunFilter, list, of_ids, telling};
pub use self::under_way::{Decider, count_open, count_to_decide, holding, open_of_pair, to_decide};
use crate::error::{StoreError, failed};

/// What a new run starts with.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// Id.
    pub id: Uuid,
    /// The plan.
    pub plan: &'a muster_domain::plan::Plan,
    /// The pair's team.
    pub team: &'a TeamName,
    /// `eu-west → eu-central`.
    pub course: &'a str,
    /// `blocked` or `awaiting_approval`.
    pub state: RunState,
    /// Who asks.
    pub requested_by: &'a Person,
    /// Why.
    pub reason: &'a str,
    /// Minutes to decide.
    pub decide_within_minutes: i64,
    /// Approvals needed.
    pub approvals_needed: u32,
    /// Both clocks run at least until here: when it is due, and when its window closes.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Keeps a new run and its steps.
///
/// # Errors
/// When the database refuses.
pub async fn insert(conn: &mut PgConnection, new: &NewRun<'_>) -> Result<(), StoreError> {
    let content = &new.plan.content;
    sqlx::query!(
        "insert into run (
            id, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, requested_by,
            requested_by_name, reason, decide_by, approvals_needed, use_until
        )
        values (
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
            greatest(clock_timestamp() + make_interval(mins => $14::int), $16), $15, $17
        )",
        new.id,
        new.plan.id,
        new.plan.hash,
        content.pair.as_str(),
        new.team.as_str(),
        content.operation.as_str(),
        content.direction.from.as_str(),
        new.course,
        content.drill,
        new.state.as_str(),
        new.requested_by.id,
        new.requested_by.name,
        new.reason,
        i32::try_from(new.decide_within_minutes).unwrap_or(i32::MAX),
        i32::try_from(new.approvals_needed).unwrap_or(1),
        new.window.map(|(due, _)| due),
        new.window.map(|(_, closes)| closes),
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep run"))?;
    crate::run_steps::insert_all(conn, new.id, &content.steps).await
}

/// A run by id.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Run>, StoreError> {
    Ok(of_ids(conn, &[id]).await?.remove(&id))
}

/// A run by id, its row locked until the transaction ends: for people's decisions.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<Run>, StoreError> {
    sqlx::query_scalar!("select 1 as one from run where id = $1 for update", id)
        .fetch_optional(&mut *conn)
        .await
        .map_err(failed("lock run"))?;
    get(conn, id).await
}

/// The id of the run with a number.
///
/// # Errors
/// When the database refuses.
pub async fn by_number(conn: &mut PgConnection, number: i64) -> Result<Option<Uuid>, StoreError> {
    sqlx::query_scalar!("select id from run where number = $1", number)
        .fetch_optional(conn)
        .await
        .map_err(failed("find run by number"))
}

/// The run that holds a pair now, if any.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn active_for_pair(conn: &mut PgConnection, pair: &PairName) -> Result<Option<Run>, StoreError> {
    let id = sqlx::query_scalar!(
        "select id
        from run
        where pair = $1
            and state in (
                'running', 'waiting_for_input', 'paused_by_operator', 'paused_by_failure', 'rolling_back', 'stuck',
                'verifying', 'cleaning_up', 'cleanup_incomplete'
            )",
        pair.as_str()
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("find active run"))?;
    match id {
        Some(id) => get(conn, id).await,
        None => Ok(None),
    }
}

/// Runs whose clock ran out undecided or unused.
///
/// # Errors
/// When the database refuses.
pub async fn overdue(conn: &mut PgConnection) -> Result<Vec<Uuid>, StoreError> {
    sqlx::query_scalar!(
        "select id
        from run
        where (state in ('blocked', 'awaiting_approval') and decide_by < clock_timestamp())
            or (state = 'approved' and use_by < clock_timestamp())
        order by number
        for update skip locked"
    )
    .fetch_all(conn)
    .await
    .map_err(failed("find overdue runs"))
}

/// Moves a run to another state. Ended states get their end time.
///
/// # Errors
/// `OneAtATime` when the pair is already held by another run; otherwise when the database refuses.
pub async fn set_state(
    conn: &mut PgConnection,
    run: Uuid,
    state: RunState,
    reason: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set state = $2,
            state_reason = $3,
            ended_at = case when $4 then clock_timestamp() else ended_at end,
            wanted = null,
            wanted_reason = null
        where id = $1",
        run,
        state.as_str(),
        reason,
        state.ended(),
    )
    .execute(conn)
    .await
    .map_err(failed("change run state"))?;
    StoreError::expect_rows("change run state", done.rows_affected(), 1)
}

/// Marks a run approved: the second clock starts.
///
/// # Errors
/// When the database refuses.
pub async fn mark_approved(
    conn: &mut PgConnection,
    run: Uuid,
    use_within_minutes: i64,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set approved_at = clock_timestamp(),
            use_by = greatest(clock_timestamp() + make_interval(mins => $2::int), use_until)
        where id = $1",
        run,
        i32::try_from(use_within_minutes).unwrap_or(i32::MAX)
    )
    .execute(conn)
    .await
    .map_err(failed("mark run approved"))?;
    StoreError::expect_rows("mark run approved", done.rows_affected(), 1)
}

/// Marks a run started by its driver.
///
/// # Errors
/// When the database refuses.
pub async fn mark_started(conn: &mut PgConnection, run: Uuid, driver: &Person) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set started_at = clock_timestamp(),
            driver = $2,
            driver_name = $3
        where id = $1",
        run,
        driver.id,
        driver.name
    )
    .execute(conn)
    .await
    .map_err(failed("mark run started"))?;
    StoreError::expect_rows("mark run started", done.rows_affected(), 1)
}

/// Marks the point of no return as passed. Happens once.
///
/// # Errors
/// When the database refuses.
pub async fn mark_no_return(conn: &mut PgConnection, run: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set no_return_at = coalesce(no_return_at, clock_timestamp())
        where id = $1",
        run
    )
    .execute(conn)
    .await
    .map_err(failed("mark point of no return"))?;
    StoreError::expect_rows("mark point of no return", done.rows_affected(), 1)
}

/// Keeps what a run reached.
///
/// # Errors
/// When the database refuses.
pub async fn set_outcome(conn: &mut PgConnection, run: Uuid, outcome: &Outcome) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set outcome = $2
        where id = $1",
        run,
        Json(outcome) as _
    )
    .execute(conn)
    .await
    .map_err(failed("keep run outcome"))?;
    StoreError::expect_rows("keep run outcome", done.rows_affected(), 1)
}

/// Tells everybody who watches that a run changed. Delivered when the transaction commits.
///
/// # Errors
/// When the database refuses.
pub async fn notify(conn: &mut PgConnection, run: Uuid) -> Result<(), StoreError> {
    sqlx::query_scalar!("select pg_notify('muster_run', $1)", run.to_string())
        .fetch_one(conn)
        .await
        .map_err(failed("notify watchers"))?;
    Ok(())
}
