//! The history of each flow's lag, for charts: one narrow row per flow and survey.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Side},
    reading::ReadingClass,
};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    error::StoreError,
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

fn side_word(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

fn class_word(class: ReadingClass) -> &'static str {
    match class {
        ReadingClass::Exact => "exact",
        ReadingClass::Tight => "tight",
        ReadingClass::LowerBound => "lower_bound",
        ReadingClass::Stale => "stale",
        ReadingClass::Unknown => "unknown",
    }
}

fn parse_class(word: &str) -> ReadingClass {
    [ReadingClass::Exact, ReadingClass::Tight, ReadingClass::LowerBound, ReadingClass::Stale]
        .into_iter()
        .find(|class| class_word(*class) == word)
        // A class a newer Muster wrote is not one this one can vouch for.
        .unwrap_or(ReadingClass::Unknown)
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
        side_word(direction.from),
        sample.at,
        sample.worst_lag_records,
        sample.total_lag_records,
        class_word(sample.records_class),
        sample.lag_ms,
        class_word(sample.ms_class)
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep lag", source))?;
    Ok(())
}

/// The lag of a flow over a time, oldest first, in at most `points` stretches. Each stretch shows its worst: one
/// unknown sample makes it unknown, and the largest lag stands, so that a short outage is not averaged away.
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
            select date_bin(make_interval(secs => $5), at, $3) as stretch,
                worst_lag_records, total_lag_records, lag_ms,
                -- From sure to unsure, to find the least sure of a stretch.
                array_position('{exact,tight,lower_bound,stale,unknown}', records_class) as records_rank,
                array_position('{exact,tight,lower_bound,stale,unknown}', ms_class) as ms_rank
            from flow_lag_sample
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
        side_word(direction.from),
        from,
        to,
        seconds
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read history of lag", source))?;
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
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("remove old lag samples", source))?;
    Ok(done.rows_affected())
}
