//! The latest survey of each pair, written only by the process that holds the pair's lease, and what was last seen of each cluster, by whichever
//! pair's survey looked last. Pages and the API read what is here and never wait for Kafka.

use chrono::{DateTime, Utc};
use muster_domain::{
    cluster::ClusterDescription,
    ids::{ClusterName, PairName},
    pair::{BySide, Direction},
    reading::Observed,
    survey::{ConnectorObservation, RightObservation, Survey},
};
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Channel on which `keep` tells that a pair has a new survey; the payload is the pair's name.
pub const CHANNEL: &str = "muster_survey";

/// Which survey of a pair is the latest, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyHead {
    /// Number.
    pub number: i64,
    /// When it began, by the clock of the process that made it.
    pub began_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
}

/// Keeps a survey as the latest of its pair. In the caller's transaction, so that readiness and lag of the same survey
/// become visible together with it.
///
/// # Errors
/// `LeaseLost` when another process observes the pair now; `Conflict` with `survey_of_pair` when the pair was deleted;
/// `Rows` when a survey with this number or a later one is kept already.
pub async fn keep(conn: &mut PgConnection, survey: &Survey, epoch: i64) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(&survey.pair), epoch).await?;
    let done = sqlx::query!(
        "insert into survey (pair, number, began_at, took_ms, epoch, body)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair) do update
        set number = excluded.number,
            began_at = excluded.began_at,
            took_ms = excluded.took_ms,
            epoch = excluded.epoch,
            body = excluded.body,
            kept_at = clock_timestamp()
        where survey.number < excluded.number",
        survey.pair.as_str(),
        survey.number,
        survey.began_at,
        survey.took_ms,
        epoch,
        Json(survey) as _
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep survey"))?;
    StoreError::expect_rows("keep survey", done.rows_affected(), 1)?;
    sqlx::query_scalar!("select pg_notify($1, $2)", CHANNEL, survey.pair.as_str())
        .fetch_one(conn)
        .await
        .map_err(failed("notify watchers of the pair"))?;
    Ok(())
}

/// Keeps what was seen of both clusters, unless another pair's survey looked later, or has seen the same less than so many seconds before: then
/// no row is locked. Not for the transaction that keeps a survey: rows of clusters are shared by pairs, and would be locked until its end.
///
/// # Errors
/// When the database refuses.
pub async fn keep_looks(conn: &mut PgConnection, survey: &Survey, seconds: f64) -> Result<(), StoreError> {
    let BySide { a, b } = &survey.sides;
    // In the order of names, so that surveys of pairs that share clusters never wait for each other in a circle.
    sqlx::query!(
        "insert into cluster_look (cluster, at, description, rights)
        select seen.cluster, $2::timestamptz, seen.description, seen.rights
        from (
            select cluster_a as cluster, $3::jsonb as description, $4::jsonb as rights from pair where name = $1
            union all
            select cluster_b, $5, $6 from pair where name = $1
        ) as seen
        left join cluster_look as kept on kept.cluster = seen.cluster
        where kept.cluster is null
            or kept.at < $2::timestamptz - make_interval(secs => $7)
            or (
                kept.at < $2::timestamptz
                -- But for when it was seen.
                and (
                    kept.description - 'at' is distinct from seen.description - 'at'
                    or kept.rights - 'at' is distinct from seen.rights - 'at'
                )
            )
        order by seen.cluster
        on conflict (cluster) do update
        set at = excluded.at,
            description = excluded.description,
            rights = excluded.rights
        where cluster_look.at < excluded.at",
        survey.pair.as_str(),
        survey.began_at,
        Json(&a.cluster) as _,
        Json(&a.rights) as _,
        Json(&b.cluster) as _,
        Json(&b.rights) as _,
        seconds
    )
    .execute(conn)
    .await
    .map_err(failed("keep what was seen of the clusters"))?;
    Ok(())
}

/// What a survey saw of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterLook {
    /// Which cluster.
    pub cluster: ClusterName,
    /// Identity and brokers.
    pub description: Observed<ClusterDescription>,
    /// What Muster's own principal may do there, by right.
    pub rights: Observed<Vec<RightObservation>>,
}

/// What was last seen of a cluster, or of each when none is named; never of one that no survey looked at.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn looks(
    conn: &mut PgConnection,
    cluster: Option<&ClusterName>,
) -> Result<Vec<ClusterLook>, StoreError> {
    let rows = sqlx::query!(
        r#"select cluster, description as "description: Json<Observed<ClusterDescription>>",
            rights as "rights: Json<Observed<Vec<RightObservation>>>"
        from cluster_look
        where $1::text is null or cluster = $1"#,
        cluster.map(ClusterName::as_str)
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read what was seen of clusters"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |_| StoreError::unreadable("cluster_look", "cluster", row.cluster.clone());
            Ok(ClusterLook {
                cluster: ClusterName::new(row.cluster.clone()).map_err(unreadable)?,
                description: row.description.0,
                rights: row.rights.0,
            })
        })
        .collect()
}

/// The latest survey of a pair.
///
/// # Errors
/// When the database refuses or the survey does not read back.
pub async fn latest(conn: &mut PgConnection, pair: &PairName) -> Result<Option<Survey>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select body as "body: Json<Survey>"
        from survey
        where pair = $1"#,
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read survey"))?;
    Ok(body.map(|Json(survey)| survey))
}

/// Which survey is the latest of a pair: cheap, however large the survey is.
///
/// # Errors
/// When the database refuses.
pub async fn head(conn: &mut PgConnection, pair: &PairName) -> Result<Option<SurveyHead>, StoreError> {
    sqlx::query_as!(
        SurveyHead,
        "select number, began_at, took_ms
        from survey
        where pair = $1",
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read which survey is the latest"))
}

/// The source connector of a flow as the latest survey saw it: cheap, however large the survey is. `None` when it was not read,
/// or the pair never surveyed.
///
/// # Errors
/// When the database refuses or it does not read back.
pub async fn source_connector(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
) -> Result<Option<ConnectorObservation>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select flow -> 'connectors' -> 'source' as "source: Json<Observed<ConnectorObservation>>"
        from survey, jsonb_array_elements(body -> 'flows') as flow
        where pair = $1
            and flow -> 'direction' ->> 'from' = $2"#,
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read a flow's source connector"))?;
    Ok(found.flatten().and_then(|Json(seen)| match seen {
        Observed::Known { value, .. } => Some(value),
        Observed::Unknown { .. } => None,
    }))
}

/// The number the next survey of a pair gets.
///
/// # Errors
/// When the database refuses.
pub async fn next_number(conn: &mut PgConnection, pair: &PairName) -> Result<i64, StoreError> {
    Ok(head(conn, pair).await?.map_or(1, |head| head.number + 1))
}
