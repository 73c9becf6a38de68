//! Occurrences of drill schedules that teams are to be told of, once when they come due and once when they are overdue.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::TeamName,
    schedule::{Occurrence, Schedule},
};
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

/// An occurrence whose time has come and that nobody was told of, locked for the caller's transaction.
#[derive(Debug, Clone)]
pub struct Untold {
    /// The schedule.
    pub schedule: Schedule,
    /// Team of its pair.
    pub team: TeamName,
    /// When.
    pub occurrence: Occurrence,
    /// Whether a drill passed for it already.
    pub passed: bool,
    /// Whether it was told when it came due.
    pub due_told: bool,
}

/// An occurrence that is due, or overdue, and was not told as such; other processes pass it over. Of schedules that are off
/// nobody is told, nor of what a change has ended.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn lock_one(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Untold>, StoreError> {
    let row = sqlx::query!(
        r#"select schedule.body as "body: Json<Schedule>", schedule.version, pair.team, o.nominal, o.due, o.closes,
            o.due_told_at is not null as "due_told!",
            exists (
                select from run held
                where held.pair = o.pair
                    and held.operation = o.drill
                    and held.drill
                    and held.state = 'passed'
                    and held.created_at >= o.recorded_at
            ) as "passed!"
        from drill_occurrence o
        join schedule on schedule.id = o.schedule_id
        join pair on pair.name = o.pair
        where schedule.removed_at is null
            and (schedule.body ->> 'enabled')::boolean
            and o.skipped_why is null
            and (
                (o.due_told_at is null and o.due <= $1)
                or (o.overdue_told_at is null and o.closes <= $1)
            )
        order by o.due
        limit 1
        for update of o skip locked
        for share of schedule skip locked"#,
        now
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("find an occurrence to tell"))?;
    let Some(row) = row else { return Ok(None) };
    let schedule = Schedule { version: row.version, ..row.body.0 };
    let team = TeamName::new(row.team)
        .map_err(|_| StoreError::unreadable("pair", "team", schedule.pair.to_string()))?;
    let occurrence = Occurrence { nominal: row.nominal, due: row.due, closes: row.closes };
    Ok(Some(Untold { schedule, team, occurrence, passed: row.passed, due_told: row.due_told }))
}

/// Keeps that an occurrence was told as due, or as overdue too.
///
/// # Errors
/// When there is no such occurrence or the database refuses.
pub async fn keep_told(
    conn: &mut PgConnection,
    untold: &Untold,
    overdue: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    const OP: &str = "keep that an occurrence was told";
    let done = sqlx::query!(
        "update drill_occurrence
        set due_told_at = coalesce(due_told_at, $3),
            overdue_told_at = case when $4 then $3 else overdue_told_at end
        where schedule_id = $1
            and nominal = $2",
        untold.schedule.id,
        untold.occurrence.nominal,
        now,
        overdue
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    StoreError::expect_rows(OP, done.rows_affected(), 1)
}
