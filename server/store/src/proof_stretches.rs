//! Stretches of content proofs: planned once, compared by any process, gone once the evidence holds what they found.

use muster_domain::proof::content::{Checkpoint, ContentPlan, Stretch, StretchEnd};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// A stretch without an answer.
#[derive(Debug)]
pub struct Open {
    /// Its number within the proof.
    pub number: i32,
    /// The stretch.
    pub stretch: Stretch,
    /// Where it goes on.
    pub checkpoint: Option<Checkpoint>,
}

/// A stretch with its answer.
#[derive(Debug)]
pub struct Ended {
    /// The stretch.
    pub stretch: Stretch,
    /// What came of it.
    pub outcome: StretchEnd,
    /// The process that compared it.
    pub ended_by: String,
}

fn unreadable(column: &'static str, proof: Uuid) -> StoreError {
    StoreError::Unreadable { table: "proof_stretch", column, row: proof.to_string() }
}

fn json<T: Serialize>(value: &T, column: &'static str, proof: Uuid) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|_| unreadable(column, proof))
}

fn parsed<T: DeserializeOwned>(value: Value, column: &'static str, proof: Uuid) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|_| unreadable(column, proof))
}

/// Keeps what was planned; false when the proof is somebody else's now, was ended, or is planned already.
///
/// # Errors
/// When the database refuses.
pub async fn plan(
    conn: &mut PgConnection,
    (proof, epoch): (Uuid, i64),
    plan: &ContentPlan,
    stretches: &[Stretch],
) -> Result<bool, StoreError> {
    let planned = sqlx::query!(
        "update proof
        set planned = $3,
            done = 0,
            of_all = $4
        where id = $1
            and epoch = $2
            and ended_at is null
            and planned is null",
        proof,
        epoch,
        json(plan, "planned", proof)?,
        stretches.iter().map(Stretch::size).sum::<i64>()
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep what a proof compares"))?;
    if planned.rows_affected() == 0 {
        return Ok(false);
    }
    let numbers: Vec<i32> = (0..).take(stretches.len()).collect();
    let sizes: Vec<i64> = stretches.iter().map(Stretch::size).collect();
    let bodies: Result<Vec<Value>, StoreError> =
        stretches.iter().map(|stretch| json(stretch, "stretch", proof)).collect();
    sqlx::query!(
        "insert into proof_stretch (proof, number, stretch, size)
        select $1, number, stretch, size
        from unnest($2::integer[], $3::jsonb[], $4::bigint[]) as planned (number, stretch, size)",
        proof,
        &numbers,
        &bodies?,
        &sizes
    )
    .execute(conn)
    .await
    .map_err(failed("keep the stretches of a proof"))?;
    Ok(true)
}

/// What was planned; `None` while nothing is.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn planned(conn: &mut PgConnection, proof: Uuid) -> Result<Option<ContentPlan>, StoreError> {
    let plan = sqlx::query_scalar!(
        "select planned
        from proof
        where id = $1",
        proof
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read what a proof compares"))?;
    plan.flatten().map(|plan| parsed(plan, "planned", proof)).transpose()
}

/// The oldest proof with stretches without an answer that a process works on, some left out.
///
/// # Errors
/// When the database refuses.
pub async fn to_share(conn: &mut PgConnection, but: &[Uuid]) -> Result<Option<Uuid>, StoreError> {
    sqlx::query_scalar!(
        "select id
        from proof
        where state = 'running'
            and planned is not null
            and not id = any($1)
            and exists (
                select
                from proof_stretch
                where proof = proof.id
                    and outcome is null
            )
        order by asked_at
        limit 1",
        but
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("look for a proof to share in"))
}

/// Stretches without an answer; `None` when the proof has ended.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn open(conn: &mut PgConnection, proof: Uuid) -> Result<Option<Vec<Open>>, StoreError> {
    let wanted = sqlx::query_scalar!(
        r#"select ended_at is null as "wanted!"
        from proof
        where id = $1"#,
        proof
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("look whether a proof is wanted"))?;
    if wanted != Some(true) {
        return Ok(None);
    }
    let rows = sqlx::query!(
        "select number, stretch, checkpoint
        from proof_stretch
        where proof = $1
            and outcome is null
        order by number",
        proof
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the stretches of a proof"))?;
    let open = rows.into_iter().map(|row| {
        Ok(Open {
            number: row.number,
            stretch: parsed(row.stretch, "stretch", proof)?,
            checkpoint: row.checkpoint.map(|at| parsed(at, "checkpoint", proof)).transpose()?,
        })
    });
    Ok(Some(open.collect::<Result<_, StoreError>>()?))
}

/// Whether any stretch has no answer; false as well when the proof has ended.
///
/// # Errors
/// When the database refuses.
pub async fn any_open(conn: &mut PgConnection, proof: Uuid) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"select exists (
            select
            from proof_stretch
            join proof on proof.id = proof_stretch.proof
            where proof_stretch.proof = $1
                and proof_stretch.outcome is null
                and proof.ended_at is null
        ) as "open!""#,
        proof
    )
    .fetch_one(conn)
    .await
    .map_err(failed("look whether a proof is over"))
}

/// Source offsets that were compared; those of stretches that turned out unreadable are none of them.
///
/// # Errors
/// When the database refuses.
pub async fn compared(conn: &mut PgConnection, proof: Uuid) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(done), 0)::bigint as "compared!"
        from proof_stretch
        where proof = $1
            and (outcome is null or outcome->>'end' = 'compared')"#,
        proof
    )
    .fetch_one(conn)
    .await
    .map_err(failed("add up what a proof has compared"))
}

/// Keeps where a stretch could go on; false when it has an answer, or its proof has ended.
///
/// # Errors
/// When the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    (proof, number): (Uuid, i32),
    checkpoint: &Checkpoint,
) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "update proof_stretch
        set checkpoint = $3,
            done = least(size, greatest(0, $4 - (stretch->>'source_from')::bigint))
        from proof
        where proof = $1
            and proof_stretch.number = $2
            and outcome is null
            and proof.id = proof_stretch.proof
            and proof.ended_at is null",
        proof,
        number,
        json(checkpoint, "checkpoint", proof)?,
        checkpoint.source_next
    )
    .execute(conn)
    .await
    .map_err(failed("keep how far a stretch is"))?;
    Ok(kept.rows_affected() == 1)
}

/// Keeps what came of a stretch. The first answer counts: others found the same.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    conn: &mut PgConnection,
    (proof, number): (Uuid, i32),
    outcome: &StretchEnd,
    ended_by: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update proof_stretch
        set outcome = $3,
            done = size,
            checkpoint = null,
            ended_by = $4
        where proof = $1
            and number = $2
            and outcome is null",
        proof,
        number,
        json(outcome, "outcome", proof)?,
        ended_by
    )
    .execute(conn)
    .await
    .map_err(failed("keep what came of a stretch"))?;
    Ok(())
}

/// How many source offsets of a proof are compared, of how many.
///
/// # Errors
/// When the database refuses.
pub async fn progress(conn: &mut PgConnection, proof: Uuid) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query!(
        r#"select coalesce(sum(done), 0)::bigint as "done!", coalesce(sum(size), 0)::bigint as "size!"
        from proof_stretch
        where proof = $1"#,
        proof
    )
    .fetch_one(conn)
    .await
    .map_err(failed("add up how far a proof is"))?;
    Ok((row.done, row.size))
}

/// All stretches with their answers, in order; those without one are left out.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn ended(conn: &mut PgConnection, proof: Uuid) -> Result<Vec<Ended>, StoreError> {
    let rows = sqlx::query!(
        r#"select stretch, outcome as "outcome!", ended_by
        from proof_stretch
        where proof = $1
            and outcome is not null
        order by number"#,
        proof
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read what stretches found"))?;
    let ended = rows.into_iter().map(|row| {
        Ok(Ended {
            stretch: parsed(row.stretch, "stretch", proof)?,
            outcome: parsed(row.outcome, "outcome", proof)?,
            ended_by: row.ended_by,
        })
    });
    ended.collect()
}

/// Forgets the stretches of proofs that have ended.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ended(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from proof_stretch
        using proof
        where proof.id = proof_stretch.proof
            and proof.ended_at is not null"
    )
    .execute(conn)
    .await
    .map_err(failed("forget stretches of proofs that have ended"))?;
    Ok(())
}
