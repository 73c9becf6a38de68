//! Runs that are not over: those that hold their pair, all of them counted whole however many there are, and those that wait for one
//! person's decision.

use std::cmp::Reverse;

use muster_domain::{
    ids::PairName,
    record::{Outcome, Run},
    run::RunState,
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{lists::of_ids, row::RunRow};
use crate::error::{StoreError, failed};

/// Somebody who decides on runs. What waits for them is what they may vote on: of a team they approve for, asked for by somebody
/// else, and not voted on by them yet.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    /// Their user id.
    pub person: Uuid,
    /// Teams they approve for; `None` for all.
    pub teams: Option<&'a [String]>,
}

/// Runs of a pair that are not over, newest first.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn open_of_pair(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<Run>, StoreError> {
    let ids = sqlx::query_scalar!(
        "select id
        from run
        where pair = $1
            and state = any($2)",
        pair.as_str(),
        &open_states()
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("find open runs of a pair"))?;
    let mut runs: Vec<Run> = of_ids(conn, &ids).await?.into_values().collect();
    runs.sort_unstable_by_key(|run| Reverse(run.number));
    Ok(runs)
}

/// Runs that hold their pair, oldest first, their rows locked until the transaction ends.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn holding(conn: &mut PgConnection) -> Result<Vec<Run>, StoreError> {
    let states = RunState::ALL.into_iter().filter(|state| state.holds_pair());
    let states: Vec<String> = states.map(|state| state.as_str().to_owned()).collect();
    let ids = sqlx::query_scalar!(
        "select id
        from run
        where state = any($1)
        for update",
        &states
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("lock the runs that hold their pair"))?;
    let mut runs: Vec<Run> = of_ids(conn, &ids).await?.into_values().collect();
    runs.sort_unstable_by_key(|run| run.number);
    Ok(runs)
}

/// The states that are no end, in words.
fn open_states() -> Vec<String> {
    let open = RunState::ALL.into_iter().filter(|state| !state.ended());
    open.map(|state| state.as_str().to_owned()).collect()
}

/// How many runs are in each state that is no end; states without one are not there. Of some teams, or of all.
///
/// # Errors
/// When the database refuses or a state does not read back.
pub async fn count_open(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
) -> Result<Vec<(RunState, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"select state, count(*) as "count!"
        from run
        where state = any($1)
            and ($2::text[] is null or team = any($2))
        group by state"#,
        &open_states(),
        teams
    )
    .fetch_all(conn)
    .await
    .map_err(failed("count open runs"))?;
    rows.into_iter()
        .map(|row| match RunState::parse(&row.state) {
            Some(state) => Ok((state, row.count)),
            None => Err(StoreError::unreadable("run", "state", row.state)),
        })
        .collect()
}

/// How many runs wait for somebody's decision.
///
/// # Errors
/// When the database refuses.
pub async fn count_to_decide(conn: &mut PgConnection, who: Decider<'_>) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
        from run
        where state = 'awaiting_approval'
            and requested_by <> $1
            and ($2::text[] is null or team = any($2))
            and not exists (select 1 from approval where run_id = run.id and person = $1)"#,
        who.person,
        who.teams
    )
    .fetch_one(conn)
    .await
    .map_err(failed("count runs that wait for a decision"))
}

/// Runs that wait for somebody's decision, newest first, at most `limit`, with a number below `before`: the same ones as are
/// counted.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn to_decide(
    conn: &mut PgConnection,
    who: Decider<'_>,
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
        where state = 'awaiting_approval'
            and requested_by <> $1
            and ($2::text[] is null or team = any($2))
            and not exists (select 1 from approval where run_id = run.id and person = $1)
            and ($3::bigint is null or number < $3)
        order by number desc
        limit $4"#,
        who.person,
        who.teams,
        before,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list runs that wait for a decision"))?
    .into_iter()
    .map(Run::try_from)
    .collect()
}
