//! Occurrences of drill schedules: recorded once, given a run or the reason why there is none, and ended when nobody has to hold
//! them any more.

mod history;

use chrono::{DateTime, Utc};
use muster_domain::schedule::{Occurrence, Schedule};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use self::history::{Recorded, RecordedFilter, recorded};
use crate::error::{StoreError, failed};

/// An occurrence whose window has not closed, with the run asked for by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// When.
    pub occurrence: Occurrence,
    /// The run.
    pub run: Option<Uuid>,
}

/// A schedule whose next occurrence is to be recorded by now, locked for the caller's transaction; other processes pass
/// it over.
///
/// # Errors
/// When the database refuses.
pub async fn lock_one_to_record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Option<(Schedule, DateTime<Utc>)>, StoreError> {
    let row = sqlx::query!(
        r#"select body as "body: Json<Schedule>", version, next_nominal as "nominal!"
        from schedule
        where removed_at is null
            and next_at <= $1
        order by next_at
        limit 1
        for update skip locked"#,
        now
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find a schedule to record"))?;
    Ok(row.map(|row| (Schedule { version: row.version, ..row.body.0 }, row.nominal)))
}

/// Records an occurrence and what comes after it. False when it was recorded before: nothing is done twice.
///
/// # Errors
/// When the database refuses.
pub async fn record(
    conn: &mut PgConnection,
    schedule: &Schedule,
    occurrence: &Occurrence,
    next: Option<(Occurrence, DateTime<Utc>)>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into drill_occurrence (schedule_id, nominal, pair, drill, due, closes)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (schedule_id, nominal) do nothing",
        schedule.id,
        occurrence.nominal,
        schedule.pair.as_str(),
        schedule.drill.as_str(),
        occurrence.due,
        occurrence.closes
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("record occurrence"))?;
    sqlx::query!(
        "update schedule
        set next_nominal = $2,
            next_at = $3
        where id = $1",
        schedule.id,
        next.map(|(occurrence, _)| occurrence.nominal),
        next.map(|(_, at)| at)
    )
    .execute(conn)
    .await
    .map_err(failed("move schedule on"))?;
    Ok(done.rows_affected() > 0)
}

/// An occurrence that wants a run and has none, locked for the caller's transaction. Its schedule is locked against changes
/// too: whoever switches it off comes before the run, or finds it.
///
/// # Errors
/// When the database refuses.
pub async fn lock_one_to_prepare(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Option<(Schedule, Occurrence)>, StoreError> {
    let row = sqlx::query!(
        r#"select schedule.body as "body: Json<Schedule>", schedule.version, o.nominal, o.due, o.closes
        from drill_occurrence o
        join schedule on schedule.id = o.schedule_id
        where o.run_id is null
            and o.skipped_why is null
            and (o.rest_until is null or o.rest_until <= $1)
            and o.closes > $1
            -- What runs by itself is not asked for before it is due.
            and (o.drill <> 'readiness_drill' or o.due <= $1)
            and schedule.removed_at is null
            and (schedule.body ->> 'enabled')::boolean
        order by o.due
        limit 1
        for update of o skip locked
        for share of schedule skip locked"#,
        now
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find an occurrence to prepare"))?;
    Ok(row.map(|row| {
        let occurrence = Occurrence { nominal: row.nominal, due: row.due, closes: row.closes };
        (Schedule { version: row.version, ..row.body.0 }, occurrence)
    }))
}

/// Keeps the run asked for by an occurrence.
///
/// # Errors
/// When the database refuses.
pub async fn keep_run(
    conn: &mut PgConnection,
    schedule: Uuid,
    nominal: DateTime<Utc>,
    run: Uuid,
) -> Result<(), StoreError> {
    const OP: &str = "keep the run of an occurrence";
    let done = sqlx::query!(
        "update drill_occurrence
        set run_id = $3,
            trouble = ''
        where schedule_id = $1
            and nominal = $2
            and run_id is null",
        schedule,
        nominal,
        run
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}

/// Keeps why no run could be asked for, and rests a while.
///
/// # Errors
/// When the database refuses.
pub async fn keep_trouble(
    conn: &mut PgConnection,
    schedule: Uuid,
    nominal: DateTime<Utc>,
    trouble: &str,
    rest_until: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update drill_occurrence
        set trouble = $3,
            rest_until = $4
        where schedule_id = $1
            and nominal = $2",
        schedule,
        nominal,
        trouble,
        rest_until
    )
    .execute(conn)
    .await
    .map_err(failed("keep the trouble of an occurrence"))?;
    Ok(())
}

/// Occurrences of a schedule whose window has not closed and that nothing has ended, by name, locked for the caller's
/// transaction. Those whose drill has begun, or passed, are among them.
///
/// # Errors
/// When the database refuses.
pub async fn lock_open(
    conn: &mut PgConnection,
    schedule: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Open>, StoreError> {
    let rows = sqlx::query!(
        "select nominal, due, closes, run_id
        from drill_occurrence
        where schedule_id = $1
            and closes > $2
            and skipped_why is null
        order by nominal
        for update",
        schedule,
        now
    )
    .fetch_all(conn)
    .await
    .map_err(failed("lock occurrences of a schedule"))?;
    Ok(rows
        .into_iter()
        .map(|row| Open {
            occurrence: Occurrence { nominal: row.nominal, due: row.due, closes: row.closes },
            run: row.run_id,
        })
        .collect())
}

/// Ends an occurrence nobody has to hold any more.
///
/// # Errors
/// When there is no such occurrence or the database refuses.
pub async fn skip(
    conn: &mut PgConnection,
    schedule: Uuid,
    nominal: DateTime<Utc>,
    why: &str,
) -> Result<(), StoreError> {
    const OP: &str = "skip an occurrence";
    let done = sqlx::query!(
        "update drill_occurrence
        set skipped_why = $3
        where schedule_id = $1
            and nominal = $2",
        schedule,
        nominal,
        why
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}

/// Forgets an occurrence: it was not due, or is put off.
///
/// # Errors
/// When there is no such occurrence or the database refuses.
pub async fn forget(
    conn: &mut PgConnection,
    schedule: Uuid,
    nominal: DateTime<Utc>,
) -> Result<(), StoreError> {
    const OP: &str = "forget an occurrence";
    let done = sqlx::query!(
        "delete from drill_occurrence
        where schedule_id = $1
            and nominal = $2",
        schedule,
        nominal
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}
