//! Which ids topics had while they were recorded. Tracks of a flow's source have the id of their topic; of every topic of both sides it is
//! kept by itself when a survey sees another one. One with more than one was recreated.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Side},
    recorder::{IdsChanged, Kind, LastId, LastIds, RecreatedTopic, TopicIdSeen},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::find_stream;
use crate::error::{StoreError, failed};

/// Topics of a flow's source that had more than one id and have this text in their names, in the order of names; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn recreated(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Direction,
    text: &str,
    most: i64,
) -> Result<Vec<RecreatedTopic>, StoreError> {
    let Some(stream) = find_stream(conn, pair, direction, Kind::Partitions).await? else {
        return Ok(Vec::new());
    };
    let rows = sqlx::query!(
        r#"select topic, topic_id, max(seen_at) as "seen_at!"
        from recorder_track
        where stream = $1
            and group_id = ''
            and topic in (
                select topic
                from recorder_track
                where stream = $1
                    and group_id = ''
                    -- Every topic has it: a tenth of the tracks, or fewer, are looked at.
                    and partition = 0
                    and strpos(topic, $2) > 0
                group by topic
                having count(distinct topic_id) > 1
                order by topic
                limit $3
            )
        group by topic, topic_id
        -- Numbers are given in the order tracks are first seen.
        order by topic, min(number)"#,
        stream,
        text,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list topics that were recreated"))?;
    let seen = |id, seen_at| TopicIdSeen { id, seen_at, surveys: None };
    let rows = rows.into_iter().map(|row| (row.topic, seen(row.topic_id, row.seen_at)));
    Ok(by_topic(direction.from, rows))
}

/// Topics of a side that surveys saw with more than one id, with this text in their names, in the order of names; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn recreated_by_surveys(
    conn: &mut PgConnection,
    (pair, side): (&PairName, Side),
    text: &str,
    most: i64,
) -> Result<Vec<RecreatedTopic>, StoreError> {
    let rows = sqlx::query!(
        "select topic, topic_id, seen_from, seen_until
        from recorder_topic
        where pair = $1
            and side = $2
            and topic in (
                select topic
                from recorder_topic
                where pair = $1
                    and side = $2
                    and strpos(topic, $3) > 0
                group by topic
                having count(*) > 1
                order by topic
                limit $4
            )
        order by topic, seen_from",
        pair.as_str(),
        side.as_str(),
        text,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list topics that surveys saw recreated"))?;
    let rows = rows.into_iter().map(|row| {
        let (first, last) = (row.seen_from, row.seen_until);
        let seen_at = last.unwrap_or(first);
        (row.topic, TopicIdSeen { id: row.topic_id, seen_at, surveys: Some((first, last)) })
    });
    Ok(by_topic(side, rows))
}

/// Rows of one topic follow one another.
fn by_topic(side: Side, rows: impl Iterator<Item = (String, TopicIdSeen)>) -> Vec<RecreatedTopic> {
    let mut found: Vec<RecreatedTopic> = Vec::new();
    for (topic, seen) in rows {
        match found.last_mut().filter(|last| last.topic == topic) {
            Some(last) => last.ids.push(seen),
            None => found.push(RecreatedTopic { side, topic, ids: vec![seen] }),
        }
    }
    found
}

/// The ids of a side's topics that are there, as they are kept. That surveys saw them is not, until the side falls silent: of each it is known
/// that the first did that saw it, and the last before the side fell silent last.
///
/// # Errors
/// When the database refuses.
pub async fn last_ids(conn: &mut PgConnection, pair: &PairName, side: Side) -> Result<LastIds, StoreError> {
    let rows = sqlx::query!(
        r#"select topic.topic, topic.topic_id, greatest(topic.seen_from, silent.seen_at) as "seen_at!"
        from recorder_topic topic
        left join recorder_silent_side silent on silent.pair = topic.pair and silent.side = topic.side
        where topic.pair = $1
            and topic.side = $2
            and topic.seen_until is null"#,
        pair.as_str(),
        side.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read which ids topics had last"))?;
    let last = |id, seen_at| LastId { id, seen_at };
    let ids: BTreeMap<String, LastId> =
        rows.into_iter().map(|row| (row.topic, last(row.topic_id, row.seen_at))).collect();
    Ok(LastIds::new(ids))
}

/// Keeps what a survey says otherwise than those before, in the transaction that keeps the survey. Nothing is written where nothing changed.
///
/// # Errors
/// `Conflict` with `recorder_topic_of_pair` or `recorder_silent_side_of_pair` when the pair was deleted; when an id that is over is not kept
/// as one that is there; when the database refuses.
pub async fn keep_ids(
    conn: &mut PgConnection,
    of: (&PairName, Side),
    at: DateTime<Utc>,
    changed: &IdsChanged,
) -> Result<(), StoreError> {
    if !changed.over.is_empty() {
        end_ids(conn, of, &changed.over).await?;
    }
    if !changed.begun.is_empty() {
        begin_ids(conn, of, at, &changed.begun).await?;
    }
    if let Some(seen_until) = changed.seen_until {
        keep_silence(conn, of, seen_until).await?;
    }
    Ok(())
}

/// A side fell silent; what is known of a later time stays.
async fn keep_silence(
    conn: &mut PgConnection,
    (pair, side): (&PairName, Side),
    seen_until: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into recorder_silent_side (pair, side, seen_at)
        values ($1, $2, $3)
        on conflict (pair, side) do update
        set seen_at = excluded.seen_at
        where recorder_silent_side.seen_at < excluded.seen_at",
        pair.as_str(),
        side.as_str(),
        seen_until
    )
    .execute(conn)
    .await
    .map_err(failed("keep until when ids of topics were seen"))?;
    Ok(())
}

async fn end_ids(
    conn: &mut PgConnection,
    (pair, side): (&PairName, Side),
    over: &[(String, LastId)],
) -> Result<(), StoreError> {
    let topics: Vec<String> = over.iter().map(|(topic, _)| topic.clone()).collect();
    let ids: Vec<Uuid> = over.iter().map(|(_, last)| last.id).collect();
    let seen: Vec<DateTime<Utc>> = over.iter().map(|(_, last)| last.seen_at).collect();
    let ended = sqlx::query!(
        "update recorder_topic kept
        set seen_until = row.seen_at
        from unnest($3::text[], $4::uuid[], $5::timestamptz[]) as row (topic, topic_id, seen_at)
        where kept.pair = $1
            and kept.side = $2
            and kept.topic = row.topic
            and kept.topic_id = row.topic_id
            and kept.seen_until is null",
        pair.as_str(),
        side.as_str(),
        &topics,
        &ids,
        &seen
    )
    .execute(conn)
    .await
    .map_err(failed("keep that topics have their ids no more"))?;
    let expected = u64::try_from(over.len()).unwrap_or(u64::MAX);
    StoreError::expect_rows("keep that topics have their ids no more", ended.rows_affected(), expected)
}

async fn begin_ids(
    conn: &mut PgConnection,
    (pair, side): (&PairName, Side),
    at: DateTime<Utc>,
    begun: &[(String, Uuid)],
) -> Result<(), StoreError> {
    let (topics, ids): (Vec<String>, Vec<Uuid>) = begun.iter().cloned().unzip();
    sqlx::query!(
        "insert into recorder_topic (pair, side, topic, topic_id, seen_from)
        select $1, $2, topic, topic_id, $3
        from unnest($4::text[], $5::uuid[]) as row (topic, topic_id)
        -- It was out of scope for a while, or not listed.
        on conflict (pair, side, topic, topic_id) do update
        set seen_until = null",
        pair.as_str(),
        side.as_str(),
        at,
        &topics,
        &ids
    )
    .execute(conn)
    .await
    .map_err(failed("keep which ids topics have"))?;
    Ok(())
}
