//! The history of each flow's lag, for charts: one narrow row per flow and survey, and one per minute.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{ids::PairName, pair::Direction, reading::ReadingClass};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// The lag of one flow at one time. Unknown is `None` with class `Unknown`, never zero; the database insists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LagSample {
    /// When the survey began, by Muster's clock.
    pub at: DateTime<Utc>,
    /// Records the worst partition is behind.
    pub worst_lag_records: Option<i64>,
    /// Records all partitions together are behind; `None` when any is unknown.
    pub total_lag_records: Option<i64>,
    /// How sure the records are.
    pub records_class: ReadingClass,
    /// Milliseconds the worst partition is behind.
    pub lag_ms: Option<i64>,
    /// How sure the milliseconds are.
    pub ms_class: ReadingClass,
}

fn parse_class(word: &str) -> ReadingClass {
    // A class a newer Muster wrote is not one this one can vouch for.
    ReadingClass::parse(word).unwrap_or(ReadingClass::Unknown)
}

/// Keeps the lag of a flow at one time, once.
///
/// # Errors
/// `LeaseLost` when another process observes the pair now; `Conflict` with `lag_unknown_has_no_value`.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    epoch: i64,
    direction: Direction,
    sample: &LagSample,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    sqlx::query!(
        "insert into flow_lag_sample (
            pair, from_side, at, worst_lag_records, total_lag_records, records_class, lag_ms, ms_class
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (pair, from_side, at) do nothing",
        pair.as_str(),
        direction.from.as_str(),
        sample.at,
        sample.worst_lag_records,
        sample.total_lag_records,
        sample.records_class.as_str(),
        sample.lag_ms,
        sample.ms_class.as_str()
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep lag"))?;
    keep_minute(conn, pair, direction, sample).await
}

/// Adds a sample to its minute: the worst stands. Adding it twice changes nothing.
async fn keep_minute(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    sample: &LagSample,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into flow_lag_minute as kept (
            pair, from_side, at, worst_lag_records, total_lag_records, records_class, lag_ms, ms_class
        )
        values ($1, $2, date_trunc('minute', $3::timestamptz), $4, $5, $6, $7, $8)
        on conflict (pair, from_side, at) do update
        set -- greatest() of a null is the other value: unknown must win instead.
            worst_lag_records = case
                when kept.worst_lag_records is not null and excluded.worst_lag_records is not null
                    then greatest(kept.worst_lag_records, excluded.worst_lag_records)
            end,
            total_lag_records = case
                when kept.total_lag_records is not null and excluded.total_lag_records is not null
                    then greatest(kept.total_lag_records, excluded.total_lag_records)
            end,
            lag_ms = case
                when kept.lag_ms is not null and excluded.lag_ms is not null
                    then greatest(kept.lag_ms, excluded.lag_ms)
            end,
            -- From sure to unsure.
            records_class = ('{exact,tight,lower_bound,stale,unknown}'::text[])[greatest(
                array_position('{exact,tight,lower_bound,stale,unknown}', kept.records_class),
                array_position('{exact,tight,lower_bound,stale,unknown}', excluded.records_class)
            )],
            ms_class = ('{exact,tight,lower_bound,stale,unknown}'::text[])[greatest(
                array_position('{exact,tight,lower_bound,stale,unknown}', kept.ms_class),
                array_position('{exact,tight,lower_bound,stale,unknown}', excluded.ms_class)
            )]",
        pair.as_str(),
        direction.from.as_str(),
        sample.at,
        sample.worst_lag_records,
        sample.total_lag_records,
        sample.records_class.as_str(),
        sample.lag_ms,
        sample.ms_class.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("keep lag of the minute"))?;
    Ok(())
}

/// The lag of a flow over a time, oldest first, in at most `points` stretches. Each stretch shows its worst: one
/// unknown sample makes it unknown, and the largest lag stands, so that a short outage is not averaged away. Stretches of
/// a minute and more are made of whole minutes.
///
/// # Errors
/// When the database refuses.
pub async fn history(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    points: i32,
) -> Result<Vec<LagSample>, StoreError> {
    let seconds = (to - from).num_milliseconds().max(1000) as f64 / 1000.0 / f64::from(points.max(1));
    let rows = sqlx::query!(
        r#"with sample as (
            select date_bin(make_interval(secs => $5::float8), at, $3) as stretch,
                worst_lag_records, total_lag_records, lag_ms,
                -- From sure to unsure, to find the least sure of a stretch.
                array_position('{exact,tight,lower_bound,stale,unknown}', records_class) as records_rank,
                array_position('{exact,tight,lower_bound,stale,unknown}', ms_class) as ms_rank
            from (
                select * from flow_lag_sample where $5::float8 < 60
                union all
                select * from flow_lag_minute where $5::float8 >= 60
            ) as kept
            where pair = $1
                and from_side = $2
                and at >= $3
                and at < $4
        )
        select stretch as "at!",
            case when bool_and(worst_lag_records is not null) then max(worst_lag_records) end as worst_lag_records,
            case when bool_and(total_lag_records is not null) then max(total_lag_records) end as total_lag_records,
            ('{exact,tight,lower_bound,stale,unknown}'::text[])[max(records_rank)] as "records_class!",
            case when bool_and(lag_ms is not null) then max(lag_ms) end as lag_ms,
            ('{exact,tight,lower_bound,stale,unknown}'::text[])[max(ms_rank)] as "ms_class!"
        from sample
        group by stretch
        order by stretch"#,
        pair.as_str(),
        direction.from.as_str(),
        from,
        to,
        seconds
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read history of lag"))?;
    Ok(rows
        .into_iter()
        .map(|row| LagSample {
            at: row.at,
            worst_lag_records: row.worst_lag_records,
            total_lag_records: row.total_lag_records,
            records_class: parse_class(&row.records_class),
            lag_ms: row.lag_ms,
            ms_class: parse_class(&row.ms_class),
        })
        .collect())
}

/// One minute of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagMinute {
    /// Its start.
    pub at: DateTime<Utc>,
    /// Most milliseconds the worst partition was behind; `None` when that was unknown at any time of the minute.
    pub lag_ms: Option<i64>,
}

/// The minutes of one flow of each of many pairs, each since a time, oldest first.
///
/// # Errors
/// When the database refuses or a pair's name does not read back.
pub async fn minutes_of_all(
    conn: &mut PgConnection,
    flows: &[(PairName, Direction, DateTime<Utc>)],
) -> Result<BTreeMap<PairName, Vec<LagMinute>>, StoreError> {
    let pairs: Vec<String> = flows.iter().map(|(pair, ..)| pair.to_string()).collect();
    let sides: Vec<String> = flows.iter().map(|(_, flow, _)| flow.from.as_str().to_owned()).collect();
    let since: Vec<DateTime<Utc>> = flows.iter().map(|(.., since)| *since).collect();
    // A row for each pair: thousands of narrow rows take longer to read than to find.
    let rows = sqlx::query!(
        r#"select asked.pair as "pair!", minutes.at as "at!", minutes.lag_ms as "lag_ms!: Vec<Option<i64>>"
        from unnest($1::text[], $2::text[], $3::timestamptz[]) as asked (pair, from_side, since)
        cross join lateral (
            select array_agg(at) as at, array_agg(lag_ms) as lag_ms
            from (
                select at, lag_ms
                from flow_lag_minute as kept
                where kept.pair = asked.pair
                    and kept.from_side = asked.from_side
                    and at >= asked.since
                order by at
            ) as in_order
        ) as minutes
        where minutes.at is not null"#,
        &pairs,
        &sides,
        &since
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read lag of all pairs"))?;
    let minutes = |(at, lag_ms)| LagMinute { at, lag_ms };
    let mut by_name: BTreeMap<String, Vec<LagMinute>> = rows
        .into_iter()
        .map(|row| (row.pair, row.at.into_iter().zip(row.lag_ms).map(minutes).collect()))
        .collect();
    let asked = flows.iter().map(|(pair, ..)| pair);
    Ok(asked.filter_map(|pair| Some((pair.clone(), by_name.remove(pair.as_str())?))).collect())
}

/// Removes samples older than so many days; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_older_than(conn: &mut PgConnection, days: i32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from flow_lag_sample
        where at < clock_timestamp() - make_interval(days => $1)",
        days
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("remove old lag samples"))?;
    sqlx::query!(
        "delete from flow_lag_minute
        where at < clock_timestamp() - make_interval(days => $1)",
        days
    )
    .execute(conn)
    .await
    .map_err(failed("remove old minutes of lag"))?;
    Ok(done.rows_affected())
}
