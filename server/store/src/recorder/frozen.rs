//! What lies around incidents, copied aside before its partition is dropped; and how much of that is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{alarm::AlarmCode, notification::Severity};
use sqlx::PgConnection;

use super::retention::is_alone;
use crate::error::{StoreError, failed};

/// Losses of a pair within a day around which everything is kept, and as many alarms: what comes and goes must not keep it all.
const MOST_A_DAY: i64 = 10;
/// Blocks that are given up by one statement.
const GIVEN_UP_AT_ONCE: i64 = 500;

/// Copies aside what lies around incidents in a time: a quarter of an hour before one and after its end shows what led to it and what
/// came of it. Of an alarm it is its opening: it may stand for weeks. Of a day (UTC) the first losses count, without those of which it
/// is proven that they were none, and the first alarms, critical ones before others and before those that are likely only.
pub(super) async fn freeze(
    conn: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<u64, StoreError> {
    let critical = AlarmCode::ALL.into_iter().filter(|code| code.severity() == Severity::Critical);
    let critical: Vec<String> = critical.map(|code| code.as_str().to_owned()).collect();
    let done = sqlx::query!(
        "with lost as (
            select pair, seen_at as from_at, at as to_at
            from (
                select
                    pair,
                    seen_at,
                    at,
                    row_number() over (
                        partition by pair, date_trunc('day', seen_at, 'UTC')
                        order by seen_at, from_side
                    ) as place
                from loss
                -- From the first day of which one reaches into the time: each is counted among all of its day.
                where seen_at >= (
                        select date_trunc('day', min(seen_at), 'UTC')
                        from loss
                        where at >= $1::timestamptz - interval '15 minutes'
                    )
                    and seen_at <= $2::timestamptz + interval '15 minutes'
                    and not coalesce(
                        settled
                            and truth ->> 'records' = '0'
                            and truth ->> 'exact' = 'true',
                        false
                    )
            ) as of_day
            where place <= $3
                and at >= $1::timestamptz - interval '15 minutes'
        ), ran as (
            select pair, started_at as from_at, coalesce(ended_at, $2::timestamptz) as to_at
            from run
            where started_at <= $2::timestamptz + interval '15 minutes'
                and coalesce(ended_at, $2::timestamptz) >= $1::timestamptz - interval '15 minutes'
        ), alarmed as (
            select pair, opened_at as from_at, opened_at as to_at
            from (
                select
                    pair,
                    opened_at,
                    row_number() over (
                        partition by pair, date_trunc('day', opened_at, 'UTC')
                        order by
                            code <> all($4::text[]) or coalesce((body ->> 'likely')::boolean, false),
                            number
                    ) as place
                from alarm
                where opened_at >= date_trunc('day', $1::timestamptz - interval '15 minutes', 'UTC')
                    and opened_at
                        < date_trunc('day', $2::timestamptz + interval '15 minutes', 'UTC') + interval '24 hours'
            ) as of_day
            where place <= $3
                and opened_at >= $1::timestamptz - interval '15 minutes'
                and opened_at <= $2::timestamptz + interval '15 minutes'
        )
        insert into recorder_frozen (stream, chunk, from_at, to_at, samples, body)
        select block.stream, block.chunk, block.from_at, block.to_at, block.samples, block.body
        from recorder_block block
        join recorder_stream stream on stream.id = block.stream
        where block.from_at >= $1
            and block.from_at < $2
            and exists (
                select
                from (
                    select pair, from_at, to_at from lost
                    union all
                    select pair, from_at, to_at from ran
                    union all
                    select pair, from_at, to_at from alarmed
                ) as incident
                where incident.pair = stream.pair
                    and block.to_at >= incident.from_at - interval '15 minutes'
                    and block.from_at <= incident.to_at + interval '15 minutes'
            )
        on conflict (stream, chunk, from_at) do nothing",
        from,
        to,
        MOST_A_DAY,
        &critical
    )
    .execute(conn)
    .await
    .map_err(failed("keep what lies around incidents"))?;
    Ok(done.rows_affected())
}

/// What was given up of that.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Blocks by pair.
    pub blocks: BTreeMap<String, i64>,
    /// Whether there may be more.
    pub more: bool,
}

/// Gives up what lies around the oldest incidents of each pair that has more than so many bytes of them. In a transaction of its own, as
/// [`super::retire_blocks`]: of very many only some go at once, and while another process drops or freezes none does.
///
/// # Errors
/// When the database refuses.
pub async fn bound_frozen(conn: &mut PgConnection, most_bytes: i64) -> Result<GivenUp, StoreError> {
    if !is_alone(conn).await? {
        return Ok(GivenUp::default());
    }
    let rows = sqlx::query!(
        r#"with beyond as (
            -- Most pairs are not, and theirs are not put in order.
            select stream.pair
            from recorder_frozen frozen
            join recorder_stream stream on stream.id = frozen.stream
            group by stream.pair
            having sum(octet_length(frozen.body)) > $1
        ), oldest as (
            select pair, stream, chunk, from_at
            from (
                select
                    stream.pair,
                    frozen.stream,
                    frozen.chunk,
                    frozen.from_at,
                    -- With all that are newer.
                    sum(octet_length(frozen.body)) over (
                        partition by stream.pair
                        order by frozen.from_at desc, frozen.stream, frozen.chunk
                    ) as bytes
                from recorder_frozen frozen
                join recorder_stream stream on stream.id = frozen.stream
                join beyond on beyond.pair = stream.pair
            ) as of_pair
            where bytes > $1
            order by from_at
            limit $2
        ), gone as (
            delete from recorder_frozen frozen
            using oldest
            where frozen.stream = oldest.stream
                and frozen.chunk = oldest.chunk
                and frozen.from_at = oldest.from_at
            returning oldest.pair
        )
        select pair as "pair!", count(*) as "blocks!"
        from gone
        group by pair"#,
        most_bytes,
        GIVEN_UP_AT_ONCE
    )
    .fetch_all(conn)
    .await
    .map_err(failed("give up what lies around the oldest incidents"))?;
    let blocks: BTreeMap<String, i64> = rows.into_iter().map(|row| (row.pair, row.blocks)).collect();
    let more = blocks.values().sum::<i64>() >= GIVEN_UP_AT_ONCE;
    Ok(GivenUp { blocks, more })
}
