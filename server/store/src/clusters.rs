//! Clusters, without their secrets (`secrets`).

use chrono::{DateTime, Utc};
use muster_domain::{
    cluster::{Cluster, ProbePrincipal, Security},
    ids::ClusterName,
};
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

/// A cluster as its row is.
struct ClusterRow {
    name: String,
    bootstrap: Vec<String>,
    security: Json<Security>,
    probe: Option<Json<ProbePrincipal>>,
    expected_cluster_id: Option<String>,
    region: String,
    version: i64,
    updated_at: DateTime<Utc>,
}

impl TryFrom<ClusterRow> for Cluster {
    type Error = StoreError;

    fn try_from(row: ClusterRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: ClusterName::new(row.name)
                .map_err(|bad| StoreError::unreadable("cluster", "name", bad.name))?,
            bootstrap: row.bootstrap,
            security: row.security.0,
            probe: row.probe.map(|Json(probe)| probe),
            expected_cluster_id: row.expected_cluster_id,
            region: row.region,
            version: row.version,
            updated_at: row.updated_at,
        })
    }
}

/// Keeps a new cluster; its version and time are the database's.
///
/// # Errors
/// `Conflict` with `cluster_pkey` (the name is taken), `cluster_bootstrap_given` or `cluster_id_unique`.
pub async fn insert(conn: &mut PgConnection, cluster: &Cluster) -> Result<Cluster, StoreError> {
    sqlx::query_as!(
        ClusterRow,
        r#"insert into cluster (name, bootstrap, security, probe, expected_cluster_id, region)
        values ($1, $2, $3, $4, $5, $6)
        returning name, bootstrap, security as "security: Json<Security>", probe as "probe: Json<ProbePrincipal>",
            expected_cluster_id, region, version, updated_at"#,
        cluster.name.as_str(),
        &cluster.bootstrap,
        Json(&cluster.security) as _,
        cluster.probe.as_ref().map(Json) as _,
        cluster.expected_cluster_id,
        cluster.region
    )
    .fetch_one(conn)
    .await
    .map_err(failed("keep cluster"))?
    .try_into()
}

/// A cluster by name.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, name: &ClusterName) -> Result<Option<Cluster>, StoreError> {
    sqlx::query_as!(
        ClusterRow,
        r#"select name, bootstrap, security as "security: Json<Security>", probe as "probe: Json<ProbePrincipal>",
            expected_cluster_id, region, version, updated_at
        from cluster
        where name = $1"#,
        name.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read cluster"))?
    .map(TryInto::try_into)
    .transpose()
}

/// All clusters by name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Cluster>, StoreError> {
    page(conn, None, i64::MAX).await
}

/// Clusters by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn page(
    conn: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Cluster>, StoreError> {
    sqlx::query_as!(
        ClusterRow,
        r#"select name, bootstrap, security as "security: Json<Security>", probe as "probe: Json<ProbePrincipal>",
            expected_cluster_id, region, version, updated_at
        from cluster
        where $1::text is null
            or name > $1
        order by name
        limit $2"#,
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list clusters"))?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Changes how a cluster is reached. Its expected id is not changed: see [`set_expected_cluster_id`].
///
/// # Errors
/// `Stale` when the row has another version than `cluster.version` by now, or is gone.
pub async fn update(conn: &mut PgConnection, cluster: &Cluster) -> Result<Cluster, StoreError> {
    sqlx::query_as!(
        ClusterRow,
        r#"update cluster
        set bootstrap = $3,
            security = $4,
            probe = $5,
            region = $6,
            version = version + 1,
            updated_at = clock_timestamp()
        where name = $1
            and version = $2
        returning name, bootstrap, security as "security: Json<Security>", probe as "probe: Json<ProbePrincipal>",
            expected_cluster_id, region, version, updated_at"#,
        cluster.name.as_str(),
        cluster.version,
        &cluster.bootstrap,
        Json(&cluster.security) as _,
        cluster.probe.as_ref().map(Json) as _,
        cluster.region
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("change cluster"))?
    .ok_or(StoreError::Stale { op: "change cluster" })?
    .try_into()
}

/// Keeps the id the first successful check found. The same id again changes nothing; true when it was set now.
///
/// # Errors
/// `Conflict` with `cluster_id_set_once` when another id is known already (the address leads to another cluster now),
/// with `cluster_id_unique` when that Kafka cluster is registered under another name; `Rows` when there is no such row.
pub async fn set_expected_cluster_id(
    conn: &mut PgConnection,
    name: &ClusterName,
    cluster_id: &str,
) -> Result<bool, StoreError> {
    let before = sqlx::query_scalar!(
        "select expected_cluster_id
        from cluster
        where name = $1
        for update",
        name.as_str()
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("lock cluster"))?
    .ok_or(StoreError::Rows { op: "keep cluster id", got: 0, expected: 1 })?;
    if before.as_deref() == Some(cluster_id) {
        return Ok(false);
    }
    write_cluster_id(conn, name, Some(cluster_id)).await?;
    Ok(true)
}

/// Forgets the id of a cluster that was rebuilt, by an explicit act of an admin; nothing is changed on it until the
/// next check has found its new id.
///
/// # Errors
/// `Rows` when there is no such cluster.
pub async fn forget_cluster_id(conn: &mut PgConnection, name: &ClusterName) -> Result<(), StoreError> {
    write_cluster_id(conn, name, None).await
}

async fn write_cluster_id(
    conn: &mut PgConnection,
    name: &ClusterName,
    cluster_id: Option<&str>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update cluster
        set expected_cluster_id = $2,
            version = version + 1,
            updated_at = clock_timestamp()
        where name = $1",
        name.as_str(),
        cluster_id
    )
    .execute(conn)
    .await
    .map_err(failed("keep cluster id"))?;
    StoreError::expect_rows("keep cluster id", done.rows_affected(), 1)
}

/// Removes a cluster with its secrets.
///
/// # Errors
/// `Conflict` with `pair_cluster_a_exists` or `pair_cluster_b_exists` while a pair uses it; `Stale` when the row has
/// another version by now, or is gone.
pub async fn delete(conn: &mut PgConnection, name: &ClusterName, version: i64) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "delete from cluster
        where name = $1
            and version = $2",
        name.as_str(),
        version
    )
    .execute(conn)
    .await
    .map_err(failed("remove cluster"))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Stale { op: "remove cluster" }) }
}
