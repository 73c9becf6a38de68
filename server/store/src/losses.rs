//! What was lost each time a source died.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    loss::{Interval, Loss, Truth},
    pair::Direction,
};
use sqlx::{PgConnection, types::Json};

use crate::error::StoreError;

/// Keeps what is said of a loss now, in place of what was said of the same before.
///
/// # Errors
/// `Conflict` with `loss_of_pair` when the pair was deleted; when the database refuses.
pub async fn keep(conn: &mut PgConnection, pair: &PairName, loss: &Loss) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into loss (pair, from_side, seen_at, noticed_at, body, settled)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair, from_side, seen_at) do update
        set body = excluded.body,
            settled = excluded.settled,
            at = clock_timestamp()",
        pair.as_str(),
        loss.direction.from.as_str(),
        loss.seen_at,
        loss.noticed_at,
        Json(loss) as _,
        loss.truth.as_ref().is_some_and(|truth| truth.settled)
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep a loss", source))?;
    Ok(())
}

/// When losses of a pair whose last word is not said yet were written last, in the order of [`unsettled`].
///
/// # Errors
/// When the database refuses.
pub async fn unsettled_at(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    sqlx::query_scalar!(
        "select at
        from loss
        where pair = $1
            and not settled
        order by seen_at desc, from_side",
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("look when losses were written", source))
}

/// Losses of a pair whose last word is not said yet, each with when it was written last: the source is away, or just back.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn unsettled(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Vec<(DateTime<Utc>, Loss)>, StoreError> {
    let rows = sqlx::query!(
        r#"select at, body as "body: Json<Loss>"
        from loss
        where pair = $1
            and not settled
        order by seen_at desc, from_side"#,
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read losses", source))?;
    Ok(rows.into_iter().map(|row| (row.at, row.body.0)).collect())
}

/// The loss that stood at a time: of the last source that had died by then. Without a direction of whichever flow.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn at(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Option<Direction>,
    at: DateTime<Utc>,
) -> Result<Option<Loss>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select body as "body: Json<Loss>"
        from loss
        where pair = $1
            and ($2::text is null or from_side = $2)
            and noticed_at <= $3
        order by seen_at desc, from_side
        limit 1"#,
        pair.as_str(),
        direction.map(|direction| direction.from.as_str()),
        at
    )
    .fetch_optional(conn)
    .await
    .map_err(|source| StoreError::database("read a loss", source))?;
    Ok(body.map(|Json(loss)| loss))
}

/// A loss without its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefLoss {
    /// The pair.
    pub pair: PairName,
    /// The cluster that died.
    pub source: ClusterName,
    /// The cluster that lacks what was lost.
    pub target: ClusterName,
    /// Whose loss it is.
    pub owner: TeamName,
    /// When the source's ends were last read.
    pub seen_at: DateTime<Utc>,
    /// When it was found not to answer.
    pub noticed_at: DateTime<Utc>,
    /// All partitions together.
    pub total: Interval,
    /// What it turned out to be.
    pub truth: Option<Truth>,
}

/// Losses that were noticed in a time, newest first; at most so many. Of these teams' pairs, `None` for all.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn between(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<BriefLoss>, StoreError> {
    let rows = sqlx::query!(
        r#"select
            loss.pair,
            case loss.from_side when 'a' then pair.cluster_a else pair.cluster_b end as "source!",
            case loss.from_side when 'a' then pair.cluster_b else pair.cluster_a end as "target!",
            loss.owner as "owner!",
            loss.seen_at,
            loss.noticed_at,
            loss.total as "total!: Json<Interval>",
            loss.truth as "truth?: Json<Truth>"
        from loss
        join pair on pair.name = loss.pair
        where ($1::text[] is null or pair.team = any($1))
            and loss.noticed_at > $2
            and loss.noticed_at <= $3
        order by loss.noticed_at desc, loss.pair, loss.from_side
        limit $4"#,
        teams,
        from,
        to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("list losses", source))?;
    let strange = |column: &'static str, pair: &str| StoreError::unreadable("loss", column, pair.to_owned());
    rows.into_iter()
        .map(|row| {
            Ok(BriefLoss {
                source: ClusterName::new(row.source).map_err(|_| strange("source", &row.pair))?,
                target: ClusterName::new(row.target).map_err(|_| strange("target", &row.pair))?,
                owner: TeamName::new(row.owner).map_err(|_| strange("owner", &row.pair))?,
                pair: PairName::new(row.pair.clone()).map_err(|_| strange("pair", &row.pair))?,
                seen_at: row.seen_at,
                noticed_at: row.noticed_at,
                total: row.total.0,
                truth: row.truth.map(|Json(truth)| truth),
            })
        })
        .collect()
}
