//! Runs and their life. Every write of a worker goes through [`crate::run_leases::hold`] first.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{PairName, TeamName},
    pair::{Direction, Side},
    record::{Outcome, Person, Run},
    run::{Operation, RunState},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::StoreError;

/// A run as its row is.
#[derive(Debug)]
struct RunRow {
    id: Uuid,
    number: i64,
    plan_id: Uuid,
    plan_hash: String,
    pair: String,
    team: String,
    operation: String,
    from_side: String,
    course: String,
    drill: bool,
    state: String,
    state_reason: String,
    requested_by: Uuid,
    requested_by_name: String,
    reason: String,
    created_at: DateTime<Utc>,
    decide_by: DateTime<Utc>,
    use_by: Option<DateTime<Utc>>,
    approvals_needed: i32,
    approved_at: Option<DateTime<Utc>>,
    driver: Option<Uuid>,
    driver_name: Option<String>,
    started_at: Option<DateTime<Utc>>,
    no_return_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    epoch: i64,
    outcome: Option<Json<Outcome>>,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let unreadable = |column: &'static str| StoreError::unreadable("run", column, row.id.to_string());
        Ok(Self {
            id: row.id,
            number: row.number,
            plan: row.plan_id,
            pair: PairName::new(row.pair).map_err(|_| unreadable("pair"))?,
            team: TeamName::new(row.team).map_err(|_| unreadable("team"))?,
            operation: parse_operation(&row.operation).ok_or_else(|| unreadable("operation"))?,
            direction: Direction { from: if row.from_side == "a" { Side::A } else { Side::B } },
            state: RunState::parse(&row.state).ok_or_else(|| unreadable("state"))?,
            plan_hash: row.plan_hash,
            course: row.course,
            drill: row.drill,
            state_reason: row.state_reason,
            requested_by: Person { id: row.requested_by, name: row.requested_by_name },
            reason: row.reason,
            created_at: row.created_at,
            decide_by: row.decide_by,
            use_by: row.use_by,
            approvals_needed: u32::try_from(row.approvals_needed).unwrap_or(1),
            approved_at: row.approved_at,
            driver: row.driver.zip(row.driver_name).map(|(id, name)| Person { id, name }),
            started_at: row.started_at,
            no_return_at: row.no_return_at,
            ended_at: row.ended_at,
            epoch: row.epoch,
            outcome: row.outcome.map(|Json(outcome)| outcome),
        })
    }
}

fn parse_operation(word: &str) -> Option<Operation> {
    [
        Operation::Switchover,
        Operation::Failover,
        Operation::Failback,
        Operation::Rehearsal,
        Operation::GameDay,
        Operation::Tabletop,
        Operation::Evacuation,
        Operation::ReadinessDrill,
    ]
    .into_iter()
    .find(|operation| operation.as_str() == word)
}

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
        if content.direction.from == Side::A { "a" } else { "b" },
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
    .map_err(|source| StoreError::database("keep run", source))?;
    crate::run_steps::insert_all(conn, new.id, &content.steps).await
}

/// A run by id.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Run>, StoreError> {
    read(conn, id, false).await
}

/// A run by id, its row locked until the transaction ends: for people's decisions.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Option<Run>, StoreError> {
    sqlx::query_scalar!("select 1 as one from run where id = $1 for update", id)
        .fetch_optional(&mut *conn)
        .await
        .map_err(|source| StoreError::database("lock run", source))?;
    read(conn, id, true).await
}

async fn read(conn: &mut PgConnection, id: Uuid, _locked: bool) -> Result<Option<Run>, StoreError> {
    sqlx::query_as!(
        RunRow,
        r#"select
            id, number, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, state_reason,
            requested_by, requested_by_name, reason, created_at, decide_by, use_by, approvals_needed, approved_at,
            driver, driver_name, started_at, no_return_at, ended_at, epoch, outcome as "outcome: Json<Outcome>"
        from run
        where id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(|source| StoreError::database("read run", source))?
    .map(Run::try_from)
    .transpose()
}

/// The id of the run with a number.
///
/// # Errors
/// When the database refuses.
pub async fn by_number(conn: &mut PgConnection, number: i64) -> Result<Option<Uuid>, StoreError> {
    sqlx::query_scalar!("select id from run where number = $1", number)
        .fetch_optional(conn)
        .await
        .map_err(|source| StoreError::database("find run by number", source))
}

/// Which runs to list; every `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Pair.
    pub pair: Option<String>,
    /// Operation word.
    pub operation: Option<String>,
    /// State word.
    pub state: Option<String>,
    /// Created at or after.
    pub since: Option<DateTime<Utc>>,
    /// Created before.
    pub until: Option<DateTime<Utc>>,
    /// Drills only, or others only.
    pub drill: Option<bool>,
    /// Words, or beginnings of words, all of which are in the reason, the course, what its deciders said or what was reached.
    pub text: Option<String>,
    /// Only these teams; `None` for all.
    pub teams: Option<Vec<String>>,
}

/// The words of a text as a text search query: each of them, or a word that begins with it. What is no letter or digit
/// parts words, so nothing typed is an operator; a text without any word finds nothing.
fn words_query(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| format!("{word}:*")).collect::<Vec<_>>().join(" & ")
}

/// Runs, newest first, at most `limit`, with a number below `before`.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(
    conn: &mut PgConnection,
    filter: &RunFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    sqlx::query_as!(
        RunRow,
        r#"select
            id, number, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, state_reason,
            requested_by, requested_by_name, reason, created_at, decide_by, use_by, approvals_needed, approved_at,
            driver, driver_name, started_at, no_return_at, ended_at, epoch, outcome as "outcome: Json<Outcome>"
        from run
        where ($1::text is null or pair = $1)
            and ($2::text is null or operation = $2)
            and ($3::text is null or state = $3)
            and ($4::timestamptz is null or created_at >= $4)
            and ($5::timestamptz is null or created_at < $5)
            and ($6::text is null or words @@ to_tsquery('simple', $6))
            and ($7::text[] is null or team = any($7))
            and ($8::bigint is null or number < $8)
            and ($9::boolean is null or drill = $9)
        order by number desc
        limit $10"#,
        filter.pair,
        filter.operation,
        filter.state,
        filter.since,
        filter.until,
        filter.text.as_deref().map(words_query),
        filter.teams.as_deref(),
        before,
        filter.drill,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("list runs", source))?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// Runs that are not ended, newest first, at most `limit`; of some teams, or of all.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn open(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    let open = RunState::ALL.into_iter().filter(|state| !state.ended());
    let states: Vec<String> = open.map(|state| state.as_str().to_owned()).collect();
    sqlx::query_as!(
        RunRow,
        r#"select
            id, number, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, state_reason,
            requested_by, requested_by_name, reason, created_at, decide_by, use_by, approvals_needed, approved_at,
            driver, driver_name, started_at, no_return_at, ended_at, epoch, outcome as "outcome: Json<Outcome>"
        from run
        where state = any($1)
            and ($2::text[] is null or team = any($2))
        order by number desc
        limit $3"#,
        &states,
        teams,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("list open runs", source))?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// Of each of many pairs, the runs that say how it stands, newest first: the one that holds it, the newest request that
/// waits, the newest that proved that applications can be moved, and the newest ended drill that moves them. A run that
/// only looks proves nothing of a move, however often it is done.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn telling(conn: &mut PgConnection, pairs: &[PairName]) -> Result<Vec<Run>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let told = sqlx::query_as!(
        RunRow,
        r#"select
            told.id as "id!", told.number as "number!", told.plan_id as "plan_id!", told.plan_hash as "plan_hash!",
            told.pair as "pair!", told.team as "team!", told.operation as "operation!", told.from_side as "from_side!",
            told.course as "course!", told.drill as "drill!", told.state as "state!",
            told.state_reason as "state_reason!", told.requested_by as "requested_by!",
            told.requested_by_name as "requested_by_name!", told.reason as "reason!", told.created_at as "created_at!",
            told.decide_by as "decide_by!", told.use_by, told.approvals_needed as "approvals_needed!",
            told.approved_at, told.driver, told.driver_name, told.started_at, told.no_return_at, told.ended_at,
            told.epoch as "epoch!", told.outcome as "outcome: Json<Outcome>"
        from unnest($1::text[]) as asked (name)
        cross join lateral (
            (select * from run where pair = name and state in (
                'running', 'waiting_for_input', 'paused_by_operator', 'paused_by_failure', 'rolling_back', 'stuck',
                'verifying', 'cleaning_up', 'cleanup_incomplete'
            ))
            union all
            (select * from run where pair = name and state in ('awaiting_approval', 'approved')
            order by number desc limit 1)
            union all
            (select * from run where pair = name and operation <> 'readiness_drill'
                and state in ('succeeded', 'succeeded_with_exceptions', 'passed')
            order by number desc limit 1)
            union all
            (select * from run where pair = name and operation <> 'readiness_drill' and drill
                and started_at is not null and ended_at is not null
            order by number desc limit 1)
        ) as told
        order by told.number desc"#,
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read runs that say how pairs stand", source))?;
    // One that tells two things came twice.
    let mut seen = BTreeSet::new();
    told.into_iter().filter(|run| seen.insert(run.number)).map(Run::try_from).collect()
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
    .map_err(|source| StoreError::database("find active run", source))?;
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
    .map_err(|source| StoreError::database("find overdue runs", source))
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
    .map_err(|source| StoreError::database("change run state", source))?;
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
    .map_err(|source| StoreError::database("mark run approved", source))?;
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
    .map_err(|source| StoreError::database("mark run started", source))?;
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
    .map_err(|source| StoreError::database("mark point of no return", source))?;
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
    .map_err(|source| StoreError::database("keep run outcome", source))?;
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
        .map_err(|source| StoreError::database("notify watchers", source))?;
    Ok(())
}
