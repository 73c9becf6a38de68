//! What people said to a run before it started.

use std::collections::BTreeMap;

use muster_domain::record::{Approval, Person, Vote};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Keeps a decision. The same person deciding again changes nothing and returns false.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    conn: &mut PgConnection,
    run: Uuid,
    person: &Person,
    vote: Vote,
    comment: &str,
    plan_hash: &str,
) -> Result<bool, StoreError> {
    let kept = sqlx::query_scalar!(
        r#"with vote as (
            insert into approval (run_id, person, person_name, vote, comment, plan_hash)
            values ($1, $2, $3, $4, $5, $6)
            on conflict on constraint approval_one_voice_each do nothing
            returning run_id, comment
        ),
        -- Found by what was said.
        noted as (
            update run
            set notes = run.notes || ' ' || vote.comment
            from vote
            where run.id = vote.run_id
        )
        select count(*) as "kept!" from vote"#,
        run,
        person.id,
        person.name,
        match vote {
            Vote::Approve => "approve",
            Vote::Reject => "reject",
        },
        comment,
        plan_hash
    )
    .fetch_one(conn)
    .await
    .map_err(failed("keep approval"))?;
    Ok(kept == 1)
}

/// Decisions on a run, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(conn: &mut PgConnection, run: Uuid) -> Result<Vec<Approval>, StoreError> {
    Ok(of_runs(conn, &[run]).await?.remove(&run).unwrap_or_default())
}

/// Decisions on each of many runs, oldest first; runs without one are not there.
///
/// # Errors
/// When the database refuses.
pub async fn of_runs(
    conn: &mut PgConnection,
    runs: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<Approval>>, StoreError> {
    let rows = sqlx::query!(
        "select run_id, person, person_name, vote, comment, at, plan_hash
        from approval
        where run_id = any($1)
        order by at",
        runs
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read approvals"))?;
    let mut found: BTreeMap<Uuid, Vec<Approval>> = BTreeMap::new();
    for row in rows {
        found.entry(row.run_id).or_default().push(Approval {
            by: Person { id: row.person, name: row.person_name },
            vote: if row.vote == "approve" { Vote::Approve } else { Vote::Reject },
            comment: row.comment,
            at: row.at,
            plan_hash: row.plan_hash,
        });
    }
    Ok(found)
}
