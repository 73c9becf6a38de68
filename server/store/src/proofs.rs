//! Proofs: asked for, taken by one process at a time, ended with their evidence.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    proof::{Progress, Proof, ProofEvidence, ProofKind, ProofState, content::ContentAsk},
    record::Person,
};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// A proof to carry out.
#[derive(Debug)]
pub struct NewProof<'a> {
    /// The pair.
    pub pair: &'a PairName,
    /// The pair's team.
    pub team: &'a TeamName,
    /// What to prove.
    pub kind: ProofKind,
    /// Cluster whose records and positions are taken as they are.
    pub from: &'a ClusterName,
    /// Cluster they are looked for on.
    pub to: &'a ClusterName,
    /// Who asks.
    pub asked_by: &'a Person,
    /// What a content proof is to compare.
    pub content: Option<&'a ContentAsk>,
}

/// A proof a process has taken.
#[derive(Debug)]
pub struct Taken {
    /// The proof.
    pub proof: Proof,
    /// Fencing number of this taking.
    pub epoch: i64,
}

#[derive(Debug)]
struct ProofRow {
    id: Uuid,
    number: i64,
    pair: String,
    kind: String,
    from_cluster: String,
    to_cluster: String,
    asked_by: Uuid,
    asked_by_name: String,
    asked_at: DateTime<Utc>,
    state: String,
    reason: String,
    done: i64,
    of_all: i64,
    ended_at: Option<DateTime<Utc>>,
    sentence: String,
    content: Option<Value>,
}

impl TryFrom<ProofRow> for Proof {
    type Error = StoreError;

    fn try_from(row: ProofRow) -> Result<Self, StoreError> {
        let unreadable =
            |column| StoreError::Unreadable { table: "proof", column, row: row.number.to_string() };
        Ok(Self {
            id: row.id,
            number: row.number,
            pair: PairName::new(&row.pair).map_err(|_| unreadable("pair"))?,
            kind: ProofKind::parse(&row.kind).ok_or_else(|| unreadable("kind"))?,
            from: ClusterName::new(&row.from_cluster).map_err(|_| unreadable("from_cluster"))?,
            to: ClusterName::new(&row.to_cluster).map_err(|_| unreadable("to_cluster"))?,
            asked_by: Person { id: row.asked_by, name: row.asked_by_name },
            asked_at: row.asked_at,
            state: ProofState::parse(&row.state).ok_or_else(|| unreadable("state"))?,
            reason: row.reason,
            progress: Progress { done: row.done, of: row.of_all },
            ended_at: row.ended_at,
            sentence: row.sentence,
            content: row
                .content
                .map(serde_json::from_value)
                .transpose()
                .map_err(|_| unreadable("content"))?,
        })
    }
}

/// Keeps what is asked for; its id.
///
/// # Errors
/// `Conflict` with `proof_one_at_a_time` while one of this kind is open for the pair.
pub async fn insert(conn: &mut PgConnection, new: &NewProof<'_>) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    let content = new.content.map(serde_json::to_value).transpose();
    let unwritable = |_| StoreError::Unreadable { table: "proof", column: "content", row: id.to_string() };
    sqlx::query!(
        "insert into proof (id, pair, team, kind, from_cluster, to_cluster, asked_by, asked_by_name, content)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        new.pair.as_str(),
        new.team.as_str(),
        new.kind.as_str(),
        new.from.as_str(),
        new.to.as_str(),
        new.asked_by.id,
        new.asked_by.name,
        content.map_err(unwritable)?
    )
    .execute(conn)
    .await
    .map_err(failed("ask for a proof"))?;
    Ok(id)
}

/// A proof without its evidence.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Proof>, StoreError> {
    let row = sqlx::query_as!(
        ProofRow,
        "select id, number, pair, kind, from_cluster, to_cluster, asked_by, asked_by_name, asked_at, state, reason,
            done, of_all, ended_at, sentence, content
        from proof
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read a proof"))?;
    row.map(Proof::try_from).transpose()
}

/// The evidence of a proof that is done.
///
/// # Errors
/// When the database refuses or it does not read back.
pub async fn evidence(conn: &mut PgConnection, id: Uuid) -> Result<Option<ProofEvidence>, StoreError> {
    let kept = sqlx::query_scalar!(
        "select evidence
        from proof
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read the evidence of a proof"))?;
    let unreadable = |_| StoreError::Unreadable { table: "proof", column: "evidence", row: id.to_string() };
    kept.flatten().map(|body: Value| serde_json::from_value(body).map_err(unreadable)).transpose()
}

/// The team a proof belongs to.
///
/// # Errors
/// When the database refuses or the name does not read back.
pub async fn team(conn: &mut PgConnection, id: Uuid) -> Result<Option<TeamName>, StoreError> {
    let team = sqlx::query_scalar!(
        "select team
        from proof
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read the team of a proof"))?;
    let unreadable = |_| StoreError::Unreadable { table: "proof", column: "team", row: id.to_string() };
    team.map(|team| TeamName::new(&team).map_err(unreadable)).transpose()
}

/// Proofs of a pair, of one kind or all, newest first, with a number below `after`.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(
    conn: &mut PgConnection,
    pair: &PairName,
    kind: Option<ProofKind>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Proof>, StoreError> {
    let rows = sqlx::query_as!(
        ProofRow,
        "select id, number, pair, kind, from_cluster, to_cluster, asked_by, asked_by_name, asked_at, state, reason,
            done, of_all, ended_at, sentence, content
        from proof
        where pair = $1
            and ($2::text is null or kind = $2)
            and ($3::bigint is null or number < $3)
        order by number desc
        limit $4",
        pair.as_str(),
        kind.map(ProofKind::as_str),
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list proofs"))?;
    rows.into_iter().map(Proof::try_from).collect()
}

/// Takes one of a kind that waits, or one whose process was silent for too long, for so many seconds.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn take(
    conn: &mut PgConnection,
    kind: ProofKind,
    seconds: f64,
) -> Result<Option<Taken>, StoreError> {
    let row = sqlx::query!(
        r#"update proof
        set state = 'running',
            epoch = epoch + 1,
            lease_until = clock_timestamp() + make_interval(secs => $1)
        where id = (
            select id
            from proof
            where ended_at is null
                and kind = $2
                and (lease_until is null or lease_until < clock_timestamp())
            order by asked_at
            limit 1
            for update skip locked
        )
        returning id, epoch"#,
        seconds,
        kind.as_str()
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("take a proof"))?;
    let Some(row) = row else { return Ok(None) };
    let proof = get(conn, row.id).await?;
    Ok(proof.map(|proof| Taken { proof, epoch: row.epoch }))
}

/// Says how far a proof is and keeps it for so many seconds more; false when it is somebody else's now, or was ended.
///
/// # Errors
/// When the database refuses.
pub async fn keep_progress(
    conn: &mut PgConnection,
    id: Uuid,
    epoch: i64,
    progress: Progress,
    seconds: f64,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update proof
        set done = $3,
            of_all = $4,
            lease_until = clock_timestamp() + make_interval(secs => $5)
        where id = $1
            and epoch = $2
            and ended_at is null",
        id,
        epoch,
        progress.done,
        progress.of,
        seconds
    )
    .execute(conn)
    .await
    .map_err(failed("keep how far a proof is"))?;
    Ok(done.rows_affected() == 1)
}

/// Gives a proof back for others to take at once.
///
/// # Errors
/// When the database refuses.
pub async fn give_back(conn: &mut PgConnection, id: Uuid, epoch: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "update proof
        set state = 'waiting',
            lease_until = null
        where id = $1
            and epoch = $2
            and ended_at is null",
        id,
        epoch
    )
    .execute(conn)
    .await
    .map_err(failed("give a proof back"))?;
    Ok(())
}

/// Ends a proof with its result; false when it is somebody else's now, or was ended. The evidence is made of the proof as it
/// is once it has ended.
///
/// # Errors
/// When the database refuses, the row does not read back or the result is no JSON.
pub async fn finish(
    conn: &mut PgConnection,
    id: Uuid,
    epoch: i64,
    sentence: &str,
    result: Value,
) -> Result<bool, StoreError> {
    let Some(mut proof) = get(conn, id).await? else { return Ok(false) };
    let unreadable = |_| StoreError::Unreadable { table: "proof", column: "evidence", row: id.to_string() };
    let ended_at = crate::clock::now(conn).await?;
    proof.state = ProofState::Done;
    proof.ended_at = Some(ended_at);
    proof.sentence = sentence.to_owned();
    proof.progress.done = proof.progress.of;
    let evidence = ProofEvidence::new(proof, Some(result)).map_err(unreadable)?;
    let evidence = serde_json::to_value(evidence).map_err(unreadable)?;
    let done = sqlx::query!(
        "update proof
        set state = 'done',
            done = of_all,
            ended_at = $3,
            sentence = $4,
            evidence = $5,
            lease_until = null
        where id = $1
            and epoch = $2
            and ended_at is null",
        id,
        epoch,
        ended_at,
        sentence,
        evidence
    )
    .execute(conn)
    .await
    .map_err(failed("end a proof"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends a proof that could not be carried out; false when it is somebody else's now, or was ended.
///
/// # Errors
/// When the database refuses.
pub async fn fail(conn: &mut PgConnection, id: Uuid, epoch: i64, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update proof
        set state = 'failed',
            reason = $3,
            ended_at = clock_timestamp(),
            lease_until = null
        where id = $1
            and epoch = $2
            and ended_at is null",
        id,
        epoch,
        reason
    )
    .execute(conn)
    .await
    .map_err(failed("end a proof"))?;
    Ok(done.rows_affected() == 1)
}

/// Ends a proof nobody wants any more, whoever has it; false when it had ended before.
///
/// # Errors
/// When the database refuses.
pub async fn cancel(conn: &mut PgConnection, id: Uuid, reason: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update proof
        set state = 'cancelled',
            reason = $2,
            ended_at = clock_timestamp(),
            lease_until = null
        where id = $1
            and ended_at is null",
        id,
        reason
    )
    .execute(conn)
    .await
    .map_err(failed("cancel a proof"))?;
    Ok(done.rows_affected() == 1)
}
