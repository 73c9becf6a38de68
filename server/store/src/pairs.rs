//! Pairs as their owners configure them.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    pair::Pair,
};
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

/// A pair as its row is; whatever the body says of version and time, the columns win.
struct PairRow {
    body: Json<Pair>,
    version: i64,
    updated_at: DateTime<Utc>,
}

impl From<PairRow> for Pair {
    fn from(row: PairRow) -> Self {
        Self { version: row.version, updated_at: row.updated_at, ..row.body.0 }
    }
}

/// Keeps a new pair; its version and time are the database's.
///
/// # Errors
/// `Conflict` with `pair_pkey` (the name is taken), `pair_team_exists`, `pair_cluster_a_exists`,
/// `pair_cluster_b_exists` or `pair_has_two_clusters`.
pub async fn insert(conn: &mut PgConnection, pair: &Pair) -> Result<Pair, StoreError> {
    sqlx::query_as!(
        PairRow,
        r#"insert into pair (name, team, cluster_a, cluster_b, mode, body)
        values ($1, $2, $3, $4, $5, $6)
        returning body as "body: Json<Pair>", version, updated_at"#,
        pair.name.as_str(),
        pair.team.as_str(),
        pair.clusters.a.as_str(),
        pair.clusters.b.as_str(),
        pair.mode.as_str(),
        Json(pair) as _
    )
    .fetch_one(conn)
    .await
    .map(Into::into)
    .map_err(failed("keep pair"))
}

/// A pair by name.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, name: &PairName) -> Result<Option<Pair>, StoreError> {
    let row = sqlx::query_as!(
        PairRow,
        r#"select body as "body: Json<Pair>", version, updated_at
        from pair
        where name = $1"#,
        name.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read pair"))?;
    Ok(row.map(Into::into))
}

/// A pair by name, locked until the transaction ends: for a decision that must not cross with an edit.
///
/// # Errors
/// When the database refuses.
pub async fn lock(conn: &mut PgConnection, name: &PairName) -> Result<Option<Pair>, StoreError> {
    let row = sqlx::query_as!(
        PairRow,
        r#"select body as "body: Json<Pair>", version, updated_at
        from pair
        where name = $1
        for update"#,
        name.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("lock pair"))?;
    Ok(row.map(Into::into))
}

/// A pair by name that is neither edited nor removed until the transaction ends: for what is made for it as it is. Others may hold it
/// too. Whoever does takes it before the end of the audit: those who edit or remove it do.
///
/// # Errors
/// When the database refuses.
pub async fn hold(conn: &mut PgConnection, name: &PairName) -> Result<Option<Pair>, StoreError> {
    let row = sqlx::query_as!(
        PairRow,
        r#"select body as "body: Json<Pair>", version, updated_at
        from pair
        where name = $1
        for share"#,
        name.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("hold pair"))?;
    Ok(row.map(Into::into))
}

/// Makes whoever is about to change what pairs are about wait for each other until their transactions end: two of them that
/// do not see each other's pair could make one overlap with the other.
///
/// # Errors
/// When the database refuses.
pub async fn lock_scopes(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 17))", "what pairs are about")
        .execute(conn)
        .await
        .map_err(failed("lock what pairs are about"))?;
    Ok(())
}

/// Pairs by name: all, or those of a team, or those a cluster is part of.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    conn: &mut PgConnection,
    team: Option<&TeamName>,
    cluster: Option<&ClusterName>,
) -> Result<Vec<Pair>, StoreError> {
    let rows = sqlx::query_as!(
        PairRow,
        r#"select body as "body: Json<Pair>", version, updated_at
        from pair
        where ($1::text is null or team = $1)
            and ($2::text is null or cluster_a = $2 or cluster_b = $2)
        order by name"#,
        team.map(TeamName::as_str),
        cluster.map(ClusterName::as_str)
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list pairs"))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Pairs of some teams (`None`: of all) by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Pair>, StoreError> {
    let rows = sqlx::query_as!(
        PairRow,
        r#"select body as "body: Json<Pair>", version, updated_at
        from pair
        where ($1::text[] is null or team = any($1))
            and ($2::text is null or name > $2)
        order by name
        limit $3"#,
        teams,
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list pairs"))?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whether anything of a pair of this name, there or removed, is kept for good: plans, runs, proofs, findings, drills that came due.
///
/// # Errors
/// When the database refuses.
pub async fn has_history(conn: &mut PgConnection, name: &PairName) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"select exists (select from plan where pair = $1)
            or exists (select from run where pair = $1)
            or exists (select from proof where pair = $1)
            or exists (select from finding where pair = $1)
            or exists (select from drill_occurrence where pair = $1) as "kept!""#,
        name.as_str()
    )
    .fetch_one(conn)
    .await
    .map_err(failed("look for what is kept of a pair"))
}

/// Changes a pair.
///
/// # Errors
/// `Stale` when the row has another version than `pair.version` by now, or is gone; `Conflict` as for [`insert`].
pub async fn update(conn: &mut PgConnection, pair: &Pair) -> Result<Pair, StoreError> {
    sqlx::query_as!(
        PairRow,
        r#"update pair
        set team = $3,
            cluster_a = $4,
            cluster_b = $5,
            mode = $6,
            body = $7,
            version = version + 1,
            updated_at = clock_timestamp()
        where name = $1
            and version = $2
        returning body as "body: Json<Pair>", version, updated_at"#,
        pair.name.as_str(),
        pair.version,
        pair.team.as_str(),
        pair.clusters.a.as_str(),
        pair.clusters.b.as_str(),
        pair.mode.as_str(),
        Json(pair) as _
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("change pair"))?
    .map(Into::into)
    .ok_or(StoreError::Stale { op: "change pair" })
}

/// Removes a pair with what was observed of it. Its plans, runs and audit entries stay.
///
/// # Errors
/// `Stale` when the row has another version by now, or is gone.
pub async fn delete(conn: &mut PgConnection, name: &PairName, version: i64) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "delete from pair
        where name = $1
            and version = $2",
        name.as_str(),
        version
    )
    .execute(conn)
    .await
    .map_err(failed("remove pair"))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale { op: "remove pair" }) }
}
