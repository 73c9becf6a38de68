//! Drill schedules, and the occurrences recorded of them.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    run::RunState,
    schedule::{Occurrence, Schedule},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::StoreError;

/// An occurrence that was recorded, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its schedule.
    pub schedule: Uuid,
    /// The pair.
    pub pair: PairName,
    /// What is drilled: `switchover` or `readiness_drill`.
    pub drill: String,
    /// When.
    pub occurrence: Occurrence,
    /// The run asked for, with its number and state.
    pub run: Option<(Uuid, i64, RunState)>,
    /// Whether a drill asked for since passed: its own run, or one made by hand before the next occurrence.
    pub passed: bool,
    /// Why there is no run yet.
    pub trouble: String,
}

fn failed(op: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::database(op, source)
}

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

/// Changes a schedule if it still has the version given; false when somebody else was faster. Occurrences that have no run
/// yet and are not due are forgotten: the new schedule records its own.
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
    .execute(&mut *conn)
    .await
    .map_err(failed("change schedule"))?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    forget_ahead(conn, schedule.id).await?;
    Ok(true)
}

async fn forget_ahead(conn: &mut PgConnection, schedule: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from drill_occurrence
        where schedule_id = $1
            and run_id is null
            and due > clock_timestamp()",
        schedule
    )
    .execute(conn)
    .await
    .map_err(failed("forget occurrences"))?;
    Ok(())
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
    .execute(&mut *conn)
    .await
    .map_err(failed("remove schedule"))?;
    forget_ahead(conn, id).await?;
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

/// Schedules of pairs of some teams (`None`: of all), by pair.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, teams: Option<&[String]>) -> Result<Vec<Schedule>, StoreError> {
    let rows = sqlx::query!(
        r#"select schedule.body as "body: Json<Schedule>", schedule.version
        from schedule
        join pair on pair.name = schedule.pair
        where schedule.removed_at is null
            and ($1::text[] is null or pair.team = any($1))
        order by schedule.pair, schedule.created_at"#,
        teams
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list schedules"))?;
    Ok(rows.into_iter().map(|row| Schedule { version: row.version, ..row.body.0 }).collect())
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

/// An occurrence that wants a run and has none, locked for the caller's transaction.
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
            and (o.rest_until is null or o.rest_until <= $1)
            and o.closes > $1
            -- What runs by itself is not asked for before it is due.
            and (o.drill <> 'readiness_drill' or o.due <= $1)
            and schedule.removed_at is null
        order by o.due
        limit 1
        for update of o skip locked"#,
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

/// Recorded occurrences of pairs of some teams (`None`: of all), newest due first; only those that come after `before` in
/// this order, if given: its due time and schedule.
///
/// # Errors
/// When the database refuses.
pub async fn recorded(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    pair: Option<&PairName>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let rows = sqlx::query!(
        r#"select o.schedule_id, o.pair, o.drill, o.nominal, o.due, o.closes, o.trouble,
            run.id as "run?", run.number as "number?", run.state as "state?",
            exists (
                select from run held
                where held.pair = o.pair
                    and held.operation = o.drill
                    and held.drill
                    and held.state = 'passed'
                    and held.created_at >= o.recorded_at
                    and held.created_at < coalesce(
                        (
                            select min(later.recorded_at)
                            from drill_occurrence later
                            where later.schedule_id = o.schedule_id
                                and later.nominal > o.nominal
                        ),
                        'infinity'
                    )
            ) as "passed!"
        from drill_occurrence o
        join pair on pair.name = o.pair
        left join run on run.id = o.run_id
        where ($1::text[] is null or pair.team = any($1))
            and ($2::text is null or o.pair = $2)
            and ($3::timestamptz is null or (o.due, o.schedule_id) < ($3, $4::uuid))
        order by o.due desc, o.schedule_id desc
        limit $5"#,
        teams,
        pair.map(PairName::as_str),
        before.map(|(due, _)| due),
        before.map(|(_, schedule)| schedule),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list occurrences"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |column| StoreError::Unreadable {
                table: "drill_occurrence",
                column,
                row: format!("{} {}", row.schedule_id, row.nominal),
            };
            let pair = PairName::new(&row.pair).map_err(|_| unreadable("pair"))?;
            let run = match (row.run, row.number, row.state.as_deref()) {
                (Some(id), Some(number), Some(state)) => {
                    Some((id, number, RunState::parse(state).ok_or_else(|| unreadable("run.state"))?))
                }
                _ => None,
            };
            let occurrence = Occurrence { nominal: row.nominal, due: row.due, closes: row.closes };
            Ok(Recorded {
                schedule: row.schedule_id,
                pair,
                drill: row.drill,
                occurrence,
                run,
                passed: row.passed,
                trouble: row.trouble,
            })
        })
        .collect()
}
