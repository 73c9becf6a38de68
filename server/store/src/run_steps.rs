//! Steps of runs as they stand. The history of how they got there is in `run_events`.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    plan::PlannedStep,
    record::{Question, RunStep},
    run::{Operation, Phase, StepState},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Keeps the steps of a new run.
pub(crate) async fn insert_all(
    conn: &mut PgConnection,
    run: Uuid,
    steps: &[PlannedStep],
) -> Result<(), StoreError> {
    for (position, step) in (1..).zip(steps) {
        sqlx::query!(
            "insert into run_step (
                run_id, position, name, title, phase, after, undoable, point_of_no_return, expected_ms
            )
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            run,
            position,
            step.name,
            step.title,
            step.phase.as_str(),
            &step.after,
            step.undoable,
            step.point_of_no_return,
            step.expected_ms
        )
        .execute(&mut *conn)
        .await
        .map_err(failed("keep run step"))?;
    }
    Ok(())
}

/// A step with what only the engine needs of it.
#[derive(Debug, Clone)]
pub struct StoredStep {
    /// What people see.
    pub step: RunStep,
    /// When a retryable failure is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// Since when its own bound counts: its first start, or the first attempt after a person had it begun again.
    pub bound_from: Option<DateTime<Utc>>,
    /// What later steps need of it.
    pub output: Option<serde_json::Value>,
    /// What undo needs.
    pub captured: Option<serde_json::Value>,
    /// Who answered its question.
    pub confirmed_by: Option<String>,
}

/// Steps of a run in order.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection, run: Uuid) -> Result<Vec<RunStep>, StoreError> {
    Ok(list_stored(conn, run).await?.into_iter().map(|stored| stored.step).collect())
}

/// Steps of a run in order, for the engine.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list_stored(conn: &mut PgConnection, run: Uuid) -> Result<Vec<StoredStep>, StoreError> {
    let rows = sqlx::query!(
        r#"select
            position, name, title, phase, after, undoable, point_of_no_return, expected_ms, state, attempt,
            started_at, ended_at, retry_at, bound_from, sentence, evidence, output, captured,
            question as "question: Json<Question>", confirmed_by
        from run_step
        where run_id = $1
        order by position"#,
        run
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read run steps"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |column: &'static str| {
                StoreError::unreadable("run_step", column, format!("{run}/{}", row.name))
            };
            Ok(StoredStep {
                step: RunStep {
                    position: row.position,
                    phase: Phase::ALL
                        .into_iter()
                        .find(|phase| phase.as_str() == row.phase)
                        .ok_or_else(|| unreadable("phase"))?,
                    state: StepState::parse(&row.state).ok_or_else(|| unreadable("state"))?,
                    name: row.name,
                    title: row.title,
                    after: row.after,
                    undoable: row.undoable,
                    point_of_no_return: row.point_of_no_return,
                    attempt: row.attempt,
                    started_at: row.started_at,
                    ended_at: row.ended_at,
                    expected_ms: row.expected_ms,
                    sentence: row.sentence,
                    evidence: row.evidence,
                    question: row.question.map(|Json(question)| question),
                },
                retry_at: row.retry_at,
                bound_from: row.bound_from,
                output: row.output,
                captured: row.captured,
                confirmed_by: row.confirmed_by,
            })
        })
        .collect()
}

/// What changes in a step. Start and end times are the database's.
#[derive(Debug, Clone)]
pub struct StepChange<'a> {
    /// New state.
    pub state: StepState,
    /// Proof, or what went wrong; `None` leaves it.
    pub sentence: Option<&'a str>,
    /// Figures; `None` leaves them.
    pub evidence: Option<&'a serde_json::Value>,
    /// Output for later steps; `None` leaves it.
    pub output: Option<&'a serde_json::Value>,
    /// Undo data; `None` leaves it.
    pub captured: Option<&'a serde_json::Value>,
    /// Question; `None` clears it.
    pub question: Option<&'a Question>,
    /// Milliseconds until a retry.
    pub retry_in_ms: Option<i64>,
}

impl StepChange<'_> {
    /// Only the state.
    #[must_use]
    pub fn to(state: StepState) -> Self {
        Self {
            state,
            sentence: None,
            evidence: None,
            output: None,
            captured: None,
            question: None,
            retry_in_ms: None,
        }
    }
}

/// Changes a step. Going to `running` counts an attempt.
///
/// # Errors
/// When there is no such step or the database refuses.
pub async fn change(
    conn: &mut PgConnection,
    run: Uuid,
    name: &str,
    change: &StepChange<'_>,
) -> Result<(), StoreError> {
    let begins = change.state == StepState::Running;
    let ends = matches!(
        change.state,
        StepState::Succeeded
            | StepState::Failed
            | StepState::Skipped
            | StepState::Undone
            | StepState::UndoFailed
    );
    let done = sqlx::query!(
        "update run_step
        set state = $3,
            sentence = coalesce($4, sentence),
            evidence = coalesce($5, evidence),
            output = coalesce($6, output),
            captured = coalesce($7, captured),
            question = $8,
            retry_at = clock_timestamp() + make_interval(secs => $9::double precision / 1000),
            attempt = attempt + case when $10 then 1 else 0 end,
            started_at = case when $10 then coalesce(started_at, clock_timestamp()) else started_at end,
            -- A version that did not know the column began a step again by clearing its start.
            bound_from = case
                when $10 and (bound_from is null or started_at is null) then clock_timestamp()
                else bound_from
            end,
            ended_at = case when $11 then clock_timestamp() when $10 then null else ended_at end
        where run_id = $1
            and name = $2",
        run,
        name,
        change.state.as_str(),
        change.sentence,
        change.evidence,
        change.output,
        change.captured,
        change.question.map(Json) as _,
        change.retry_in_ms.map(|ms| ms as f64),
        begins,
        ends
    )
    .execute(conn)
    .await
    .map_err(failed("change run step"))?;
    StoreError::expect_rows("change run step", done.rows_affected(), 1)
}

/// Marks a waiting step as answered: it acts when the worker comes to it.
///
/// # Errors
/// When the step does not wait or the database refuses.
pub async fn confirm(conn: &mut PgConnection, run: Uuid, name: &str, by: &str) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run_step
        set state = 'not_started',
            question = null,
            confirmed_by = $3
        where run_id = $1
            and name = $2
            and state = 'waiting_for_input'",
        run,
        name,
        by
    )
    .execute(conn)
    .await
    .map_err(failed("confirm run step"))?;
    StoreError::expect_rows("confirm run step", done.rows_affected(), 1)
}

/// Marks steps that a dead worker left in the middle as unknown: they look before they act again.
///
/// # Errors
/// When the database refuses.
pub async fn adopt(conn: &mut PgConnection, run: Uuid) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar!(
        "update run_step
        set state = 'unknown'
        where run_id = $1
            and state = 'running'
        returning name",
        run
    )
    .fetch_all(conn)
    .await
    .map_err(failed("adopt run steps"))
}

/// How long each step took in the newest successful runs of a pair and operation, in milliseconds, and how many runs
/// that is. The figure is the slowest of them: predictions should err towards longer.
///
/// # Errors
/// When the database refuses.
pub async fn past_durations(
    conn: &mut PgConnection,
    pair: &PairName,
    operation: Operation,
) -> Result<(i64, Vec<(String, i64)>), StoreError> {
    let rows = sqlx::query!(
        r#"with recent as (
            select id
            from run
            where pair = $1
                and operation = $2
                and state in ('succeeded', 'succeeded_with_exceptions', 'awaiting_attestation', 'passed')
            order by number desc
            limit 5
        )
        select
            step.name,
            -- Without what a failed attempt waited for a person.
            max(extract(epoch from step.ended_at - greatest(step.bound_from, step.started_at)) * 1000)::bigint as "ms!",
            (select count(*) from recent) as "runs!"
        from run_step step
        join recent on recent.id = step.run_id
        where step.state = 'succeeded'
            and step.ended_at is not null
            and step.started_at is not null
            and step.confirmed_by is null
        group by step.name"#,
        pair.as_str(),
        operation.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read past durations"))?;
    let runs = rows.first().map_or(0, |row| row.runs);
    Ok((runs, rows.into_iter().map(|row| (row.name, row.ms)).collect()))
}

/// Puts a failed step back to its beginning, with a fresh bound of its own. What it captured for undo stays, and so does its
/// start, for it may have acted then: how long writes are away counts from there. A step that never captured what its undo
/// needs has not acted, and starts anew.
///
/// # Errors
/// When the step did not fail or the database refuses.
pub async fn begin_again(conn: &mut PgConnection, run: Uuid, name: &str) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run_step
        set state = 'unknown',
            started_at = case when undoable and captured is null then null else started_at end,
            bound_from = null,
            ended_at = null,
            retry_at = null
        where run_id = $1
            and name = $2
            and state = 'failed'",
        run,
        name
    )
    .execute(conn)
    .await
    .map_err(failed("begin run step again"))?;
    StoreError::expect_rows("begin run step again", done.rows_affected(), 1)
}
