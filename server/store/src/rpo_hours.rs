//! What surveys say of a whole flow, the worst of each hour: how far its partitions were behind, and what a death of the source would have
//! cost. One narrow row per flow and hour.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    lag::RpoHour,
    pair::{Direction, Side},
    recorder::explorer::{FlowHour, FlowLook, HourBand},
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
    looks: &[(Direction, FlowLook)],
) -> Result<(), StoreError> {
    let newest = newest(conn, pair).await?;
    for (direction, look) in looks {
        let newest = newest.iter().find(|(of, _)| of == direction).map(|(_, hour)| hour);
        if let Some(hour) = FlowHour::with(newest, look) {
            write(conn, pair, *direction, &hour).await?;
        }
    }
    Ok(())
}

async fn write(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    hour: &FlowHour,
) -> Result<(), StoreError> {
    let band = hour.band.as_ref().map(serde_json::to_value).transpose();
    let band = band.map_err(|_| StoreError::unreadable("flow_rpo_hour", "band", pair.to_string()))?;
    sqlx::query!(
        "insert into flow_rpo_hour (pair, from_side, at, since, ms_at_most, last_at, last_ms, band)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (pair, from_side, at) do update
        set since = excluded.since,
            ms_at_most = excluded.ms_at_most,
            last_at = excluded.last_at,
            last_ms = excluded.last_ms,
            band = excluded.band",
        pair.as_str(),
        direction.from.as_str(),
        hour.rpo.at,
        hour.rpo.since,
        hour.rpo.ms_at_most,
        hour.rpo.last_at,
        hour.rpo.last_ms,
        band
    )
    .execute(conn)
    .await
    .map_err(failed("keep what is said of the hour"))?;
    Ok(())
}

/// The newest hour of each flow that has one.
async fn newest(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<(Direction, FlowHour)>, StoreError> {
    let rows = sqlx::query!(
        r#"select newest.from_side as "from_side!", newest.at as "at!", newest.since as "since!",
            newest.ms_at_most as "ms_at_most?", newest.last_at as "last_at!", newest.last_ms as "last_ms?",
            newest.band::text as "band?"
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
    .map_err(failed("read the newest of what is said of hours"))?;
    let hours = rows.into_iter().map(|row| {
        let from = Side::parse(&row.from_side)
            .ok_or_else(|| StoreError::unreadable("flow_rpo_hour", "from_side", pair.to_string()))?;
        let (at, since, last_at) = (row.at, row.since, row.last_at);
        let rpo = RpoHour { at, since, ms_at_most: row.ms_at_most, last_at, last_ms: row.last_ms };
        Ok((Direction { from }, FlowHour { rpo, band: parse_band(row.band.as_deref()) }))
    });
    hours.collect()
}

/// What does not read back, a newer Muster's included, is not something this one can vouch for: it is not known.
fn parse_band(text: Option<&str>) -> Option<HourBand> {
    serde_json::from_str(text?).ok()
}

/// The hours of a flow that begin in a time, oldest first. `to` is not part of it.
///
/// # Errors
/// When the database refuses.
pub async fn between(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<FlowHour>, StoreError> {
    let rows = sqlx::query!(
        r#"select at, since, ms_at_most, last_at, last_ms, band::text as "band?"
        from flow_rpo_hour
        where pair = $1
            and from_side = $2
            and at >= $3
            and at < $4
        order by at"#,
        pair.as_str(),
        direction.from.as_str(),
        from,
        to
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read what is said of hours"))?;
    let hours = rows.into_iter().map(|row| FlowHour {
        rpo: RpoHour {
            at: row.at,
            since: row.since,
            ms_at_most: row.ms_at_most,
            last_at: row.last_at,
            last_ms: row.last_ms,
        },
        band: parse_band(row.band.as_deref()),
    });
    Ok(hours.collect())
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
    .map_err(failed("remove what is said of old hours"))?;
    Ok(done.rows_affected())
}
