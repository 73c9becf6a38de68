//! What a death of a flow's source would have cost, the worst of each hour: one narrow row per flow and hour.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    lag::{RpoHour, RpoLook},
    pair::{Direction, Side},
};
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// Adds what a survey says of each flow to its hour, once. Whoever asks keeps the survey in the same transaction
/// ([`crate::surveys::keep`]), which holds its lease until the end of it: this does not ask for it again.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    looks: &[(Direction, RpoLook)],
) -> Result<(), StoreError> {
    let newest = newest(conn, pair).await?;
    for (direction, look) in looks {
        let newest = newest.iter().find(|(of, _)| of == direction).map(|(_, hour)| hour);
        if let Some(hour) = RpoHour::with(newest, *look) {
            write(conn, pair, *direction, &hour).await?;
        }
    }
    Ok(())
}

async fn write(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    hour: &RpoHour,
) -> Result<(), StoreError> {
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

/// The newest hour of each flow that has one.
async fn newest(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<(Direction, RpoHour)>, StoreError> {
    let rows = sqlx::query!(
        r#"select newest.from_side as "from_side!", newest.at as "at!", newest.since as "since!",
            newest.ms_at_most as "ms_at_most?", newest.last_at as "last_at!", newest.last_ms as "last_ms?"
        from unnest(array['a', 'b']) as flow (from_side)
        cross join lateral (
            select *
            from flow_rpo_hour
            where pair = $1
                and from_side = flow.from_side
            order by at desc
            limit 1
        ) as newest"#,
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read the newest RPO of hours"))?;
    let hours = rows.into_iter().map(|row| {
        let from = Side::parse(&row.from_side)
            .ok_or_else(|| StoreError::unreadable("flow_rpo_hour", "from_side", pair.to_string()))?;
        let (at, since, last_at) = (row.at, row.since, row.last_at);
        let hour = RpoHour { at, since, ms_at_most: row.ms_at_most, last_at, last_ms: row.last_ms };
        Ok((Direction { from }, hour))
    });
    hours.collect()
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
