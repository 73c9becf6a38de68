//! Drill schedules, and the occurrences recorded of them.

use std::collections::BTreeSet;

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
    /// Why nobody has to hold it any more; `None` while it stands.
    pub skipped: Option<String>,
}

/// An occurrence whose window has not closed, with the run asked for by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// When.
    pub occurrence: Occurrence,
    /// The run.
    pub run: Option<Uuid>,
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
        r#"select o.schedule_id, o.pair, o.drill, o.nominal, o.due, o.closes, o.trouble, o.skipped_why,
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
                skipped: row.skipped_why,
            })
        })
        .collect()
}
