//! What a death of a flow's source would have cost, the worst of each hour: one narrow row per flow and hour.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    lag::{RpoHour, RpoLook},
    pair::Direction,
};
use sqlx::PgConnection;

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Adds what a survey says to its hour, once.
///
/// # Errors
/// `LeaseLost` when another process observes the pair now.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    epoch: i64,
    direction: Direction,
    look: RpoLook,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    let newest = newest(conn, pair, direction).await?;
    let Some(hour) = RpoHour::with(newest.as_ref(), look) else { return Ok(()) };
    sqlx::query!(
        "insert into flow_rpo_hour (pair, from_side, at, since, ms_at_most, last_at, last_ms)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (pair, from_side, at) do update
        set since = excluded.since,
            ms_at_most = excluded.ms_at_most,
            last_at = excluded.last_at,
            last_ms = excluded.last_ms",
        pair.as_str(),
        direction.from.as_str(),
        hour.at,
        hour.since,
        hour.ms_at_most,
        hour.last_at,
        hour.last_ms
    )
    .execute(conn)
    .await
    .map_err(failed("keep the RPO of the hour"))?;
    Ok(())
}

async fn newest(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
) -> Result<Option<RpoHour>, StoreError> {
    sqlx::query_as!(
        RpoHour,
        "select at, since, ms_at_most, last_at, last_ms
        from flow_rpo_hour
        where pair = $1
            and from_side = $2
        order by at desc
        limit 1",
        pair.as_str(),
        direction.from.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read the newest RPO of an hour"))
}

/// The hours of a flow that begin in a time, oldest first. `to` is not part of it.
///
/// # Errors
/// When the database refuses.
pub async fn between(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<RpoHour>, StoreError> {
    sqlx::query_as!(
        RpoHour,
        "select at, since, ms_at_most, last_at, last_ms
        from flow_rpo_hour
        where pair = $1
            and from_side = $2
            and at >= $3
            and at < $4
        order by at",
        pair.as_str(),
        direction.from.as_str(),
        from,
        to
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the RPO of hours"))
}

/// Removes hours older than so many days; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_older_than(conn: &mut PgConnection, days: i32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from flow_rpo_hour
        where at < clock_timestamp() - make_interval(days => $1)",
        days
    )
    .execute(conn)
    .await
    .map_err(failed("remove the RPO of old hours"))?;
    Ok(done.rows_affected())
}
