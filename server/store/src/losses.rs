//! What was lost each time a source died.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName, TeamName},
    loss::{BriefLoss, Interval, Loss, LossId, Truth},
    pair::{Direction, Side},
};
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

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
    .map_err(failed("keep a loss"))?;
    Ok(())
}

/// Removes what was said of each topic from losses that turned out to be none, where that was settled before a time: of very many partitions it
/// is some megabytes. When it was and that nothing was lost stays. Answers how many they were; of very many some wait
/// for the next time.
///
/// # Errors
/// When the database refuses.
pub async fn remove_topics(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update loss
        set body = jsonb_set(body, '{topics}', '[]'::jsonb)
        where (pair, from_side, seen_at) in (
            -- The index knows all but whether it is bare already, and those that are are small.
            select pair, from_side, seen_at
            from loss
            where settled
                and truth ->> 'records' = '0'
                and truth ->> 'exact' = 'true'
                and body -> 'topics' <> '[]'::jsonb
                and at < $1
            order by at
            limit 100
        )",
        before
    )
    .execute(conn)
    .await
    .map_err(failed("remove the topics of losses that were none"))?;
    Ok(done.rows_affected())
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
    .map_err(failed("look when losses were written"))
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
    .map_err(failed("read losses"))?;
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
    .map_err(failed("read a loss"))?;
    Ok(body.map(|Json(loss)| loss))
}

/// The loss of a pair with this id.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, pair: &PairName, id: LossId) -> Result<Option<Loss>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select body as "body: Json<Loss>"
        from loss
        where pair = $1
            and from_side = $2
            and seen_at = $3"#,
        pair.as_str(),
        id.from.as_str(),
        id.seen_at
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read a loss by its id"))?;
    Ok(body.map(|Json(loss)| loss))
}

/// Losses that were noticed in a time, newest first; at most so many. Of these teams' pairs, `None` for all, and of one pair or all.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn between(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    pair: Option<&PairName>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<BriefLoss>, StoreError> {
    let rows = sqlx::query_as!(
        BriefRow,
        r#"select
            loss.pair,
            loss.from_side,
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
            and ($2::text is null or loss.pair = $2)
            and loss.noticed_at > $3
            and loss.noticed_at <= $4
        order by loss.noticed_at desc, loss.pair, loss.from_side
        limit $5"#,
        teams,
        pair.map(PairName::as_str),
        from,
        to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list losses"))?;
    rows.into_iter().map(BriefRow::read).collect()
}

/// Losses of a pair behind one of them, newest first; at most so many.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn of_pair(
    conn: &mut PgConnection,
    pair: &PairName,
    behind: Option<LossId>,
    most: i64,
) -> Result<Vec<BriefLoss>, StoreError> {
    let rows = sqlx::query_as!(
        BriefRow,
        r#"select
            loss.pair,
            loss.from_side,
            case loss.from_side when 'a' then pair.cluster_a else pair.cluster_b end as "source!",
            case loss.from_side when 'a' then pair.cluster_b else pair.cluster_a end as "target!",
            loss.owner as "owner!",
            loss.seen_at,
            loss.noticed_at,
            loss.total as "total!: Json<Interval>",
            loss.truth as "truth?: Json<Truth>"
        from loss
        join pair on pair.name = loss.pair
        where loss.pair = $1
            and ($2::timestamptz is null or (loss.seen_at, loss.from_side) < ($2, $3::text))
        order by loss.seen_at desc, loss.from_side desc
        limit $4"#,
        pair.as_str(),
        behind.map(|id| id.seen_at),
        behind.map(|id| id.from.as_str()),
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list losses of a pair"))?;
    rows.into_iter().map(BriefRow::read).collect()
}

/// Losses of these pairs whose last word is not said, newest first.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn open_of(conn: &mut PgConnection, pairs: &[PairName]) -> Result<Vec<BriefLoss>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query_as!(
        BriefRow,
        r#"select
            loss.pair,
            loss.from_side,
            case loss.from_side when 'a' then pair.cluster_a else pair.cluster_b end as "source!",
            case loss.from_side when 'a' then pair.cluster_b else pair.cluster_a end as "target!",
            loss.owner as "owner!",
            loss.seen_at,
            loss.noticed_at,
            loss.total as "total!: Json<Interval>",
            loss.truth as "truth?: Json<Truth>"
        from loss
        join pair on pair.name = loss.pair
        where loss.pair = any($1)
            and not loss.settled
        order by loss.seen_at desc, loss.from_side desc"#,
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read open losses of pairs"))?;
    rows.into_iter().map(BriefRow::read).collect()
}

/// What lists read of a loss: a few columns, and not its whole body.
struct BriefRow {
    pair: String,
    from_side: String,
    source: String,
    target: String,
    owner: String,
    seen_at: DateTime<Utc>,
    noticed_at: DateTime<Utc>,
    total: Json<Interval>,
    truth: Option<Json<Truth>>,
}

impl BriefRow {
    fn read(self) -> Result<BriefLoss, StoreError> {
        let strange = |column: &'static str| StoreError::unreadable("loss", column, self.pair.clone());
        Ok(BriefLoss {
            direction: Direction { from: Side::parse(&self.from_side).ok_or_else(|| strange("from_side"))? },
            source: ClusterName::new(self.source).map_err(|_| strange("source"))?,
            target: ClusterName::new(self.target).map_err(|_| strange("target"))?,
            owner: TeamName::new(self.owner).map_err(|_| strange("owner"))?,
            pair: PairName::new(self.pair.clone()).map_err(|_| strange("pair"))?,
            seen_at: self.seen_at,
            noticed_at: self.noticed_at,
            total: self.total.0,
            truth: self.truth.map(|Json(truth)| truth),
        })
    }
}
