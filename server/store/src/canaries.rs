//! What canaries have shown: the newest of each partition of a flow, and what was measured by the minute. Written under the
//! lease of the pair's survey.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    canary::{Hour, Seen, Track, Whereabouts},
    ids::PairName,
    pair::{Direction, Side},
};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// A partition of a flow.
pub type Place = (Direction, i32);

/// What the newest survey of a pair says of where its canaries may be written, and when that survey began; `None` before
/// the first, and after one that a version took which did not say it.
///
/// # Errors
/// When the database refuses.
pub async fn whereabouts(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Option<(DateTime<Utc>, Whereabouts)>, StoreError> {
    let row = sqlx::query!(
        r#"select at,
            jsonb_build_object(
                'active', results -> 'active',
                'active_unknown', results -> 'active_unknown',
                'copying', results -> 'copying'
            ) as "said!"
        from readiness
        where pair = $1"#,
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read where canaries may be written"))?;
    Ok(row.and_then(|row| Some((row.at, serde_json::from_value(row.said).ok()?))))
}

/// Keeps what a turn did on all partitions of a pair, and what was seen in it. What is kept of other partitions goes: the
/// pair is set otherwise now.
///
/// # Errors
/// `LeaseLost` when another process carries the pair's canaries now; otherwise when the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    epoch: i64,
    tracks: &[Track],
    seen: &[(Place, Seen)],
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    let sides: Vec<String> = tracks.iter().map(|track| track.direction.from.as_str().to_owned()).collect();
    let partitions: Vec<i32> = tracks.iter().map(|track| track.partition).collect();
    let bodies: Vec<Value> =
        tracks.iter().map(|track| serde_json::to_value(track).unwrap_or_default()).collect();
    let times: Vec<DateTime<Utc>> = tracks.iter().map(|track| track.turned_at).collect();
    sqlx::query!(
        "delete from canary
        where pair = $1
            and not exists (
                select from unnest($2::text[], $3::integer[]) as kept (side, number)
                where kept.side = from_side
                    and kept.number = partition_number
            )",
        pair.as_str(),
        &sides,
        &partitions
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("remove canaries of before"))?;
    sqlx::query!(
        "insert into canary (pair, from_side, partition_number, body, turned_at)
        select $1, side, number, body, at
        from unnest($2::text[], $3::integer[], $4::jsonb[], $5::timestamptz[]) as new (side, number, body, at)
        on conflict (pair, from_side, partition_number) do update
        set body = excluded.body,
            turned_at = excluded.turned_at",
        pair.as_str(),
        &sides,
        &partitions,
        &bodies,
        &times
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep canaries"))?;
    keep_minutes(conn, pair, seen).await
}

async fn keep_minutes(
    conn: &mut PgConnection,
    pair: &PairName,
    seen: &[(Place, Seen)],
) -> Result<(), StoreError> {
    if seen.is_empty() {
        return Ok(());
    }
    let sides: Vec<String> =
        seen.iter().map(|((direction, _), _)| direction.from.as_str().to_owned()).collect();
    let partitions: Vec<i32> = seen.iter().map(|((_, partition), _)| *partition).collect();
    let times: Vec<DateTime<Utc>> = seen.iter().map(|(_, seen)| seen.seen_at).collect();
    let ms: Vec<i64> = seen.iter().map(|(_, seen)| seen.ms).collect();
    sqlx::query!(
        "insert into canary_minute as kept (
            pair, from_side, partition_number, at, seen, min_ms, max_ms, last_ms, samples_ms
        )
        select $1, side, number, date_trunc('minute', at), count(*), min(ms), max(ms),
            (array_agg(ms order by nth desc))[1], (array_agg(ms order by nth))[1:600]
        from unnest($2::text[], $3::integer[], $4::timestamptz[], $5::bigint[])
            with ordinality as new (side, number, at, ms, nth)
        group by side, number, date_trunc('minute', at)
        on conflict (pair, from_side, partition_number, at) do update
        set seen = kept.seen + excluded.seen,
            min_ms = least(kept.min_ms, excluded.min_ms),
            max_ms = greatest(kept.max_ms, excluded.max_ms),
            last_ms = excluded.last_ms,
            samples_ms = (kept.samples_ms || excluded.samples_ms)[1:600]",
        pair.as_str(),
        &sides,
        &partitions,
        &times,
        &ms
    )
    .execute(conn)
    .await
    .map_err(failed("keep what canaries measured"))?;
    Ok(())
}

/// What is kept of the canaries of pairs, by pair, flow and partition.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn tracks(
    conn: &mut PgConnection,
    pairs: &[PairName],
) -> Result<Vec<(PairName, Track)>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query!(
        r#"select pair, body as "body: Json<Track>"
        from canary
        where pair = any($1)
        order by pair, from_side, partition_number"#,
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read canaries"))?;
    let track = |name: String, Json(track): Json<Track>| {
        let pair = PairName::new(&name).map_err(|_| StoreError::unreadable("canary", "pair", name))?;
        Ok((pair, track))
    };
    rows.into_iter().map(|row| track(row.pair, row.body)).collect()
}

/// What was measured since a time, of each partition with something.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn measured(
    conn: &mut PgConnection,
    pairs: &[PairName],
    since: DateTime<Utc>,
) -> Result<BTreeMap<PairName, Vec<(Place, Hour)>>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query!(
        r#"select pair, from_side, partition_number, sum(seen)::bigint as "seen!", max(max_ms) as "max_ms!",
            array_agg(ms) as "samples!: Vec<i64>"
        from (
            -- Its figures stand on the first row of a minute only, or they would count once for each sample.
            select pair, from_side, partition_number, ms,
                case when nth = 1 then seen else 0 end as seen, max_ms
            from canary_minute, unnest(samples_ms) with ordinality as sample (ms, nth)
            where pair = any($1)
                and at >= $2
        ) as kept
        group by pair, from_side, partition_number
        order by pair, from_side, partition_number"#,
        &names,
        since
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read what canaries measured"))?;
    let mut all: BTreeMap<PairName, Vec<(Place, Hour)>> = BTreeMap::new();
    for row in rows {
        let pair = PairName::new(&row.pair)
            .map_err(|_| StoreError::unreadable("canary_minute", "pair", row.pair.clone()))?;
        let from = Side::parse(&row.from_side)
            .ok_or_else(|| StoreError::unreadable("canary_minute", "from_side", row.pair))?;
        let place = (Direction { from }, row.partition_number);
        let hour = Hour::of(row.samples, row.seen, row.max_ms);
        all.entry(pair).or_default().extend(hour.map(|hour| (place, hour)));
    }
    Ok(all)
}

/// Removes minutes older than so many hours; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_older_than(conn: &mut PgConnection, hours: i32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from canary_minute
        where at < clock_timestamp() - make_interval(hours => $1)",
        hours
    )
    .execute(conn)
    .await
    .map_err(failed("remove old minutes of canaries"))?;
    Ok(done.rows_affected())
}
