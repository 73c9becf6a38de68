//! Lists of runs: searched by people, and what pages say of many pairs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    record::{Outcome, Run},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::row::RunRow;
use crate::error::{StoreError, failed};

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
    .map_err(failed("list runs"))?
    .into_iter()
    .map(Run::try_from)
    .collect()
}

/// The runs with these ids, as far as there are any.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn of_ids(conn: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Run>, StoreError> {
    sqlx::query_as!(
        RunRow,
        r#"select
            id, number, plan_id, plan_hash, pair, team, operation, from_side, course, drill, state, state_reason,
            requested_by, requested_by_name, reason, created_at, decide_by, use_by, approvals_needed, approved_at,
            driver, driver_name, started_at, no_return_at, ended_at, epoch, outcome as "outcome: Json<Outcome>"
        from run
        where id = any($1)"#,
        ids
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read runs"))?
    .into_iter()
    .map(|row| Run::try_from(row).map(|run| (run.id, run)))
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
    .map_err(failed("read runs that say how pairs stand"))?;
    // One that tells two things came twice.
    let mut seen = BTreeSet::new();
    told.into_iter().filter(|run| seen.insert(run.number)).map(Run::try_from).collect()
}
