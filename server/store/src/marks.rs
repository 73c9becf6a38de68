//! What happened to a pair in a time: runs, deaths of a flow's source, alarms, topics that were made anew.

use chrono::{DateTime, Utc};
use muster_domain::{
    alarm::Since,
    ids::PairName,
    loss::{Interval, Truth},
    pair::{Direction, Side},
    recorder::explorer::{Mark, MarkKind},
    run::{Operation, RunState},
};
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

/// What touches a time, in the order of begins; of each kind at most so many, the newest. Alarms of `other`, the course of the other
/// direction, are left out; those that say no direction, since nobody could tell which side was active, are of both. Topics that were made
/// anew are told of both sides: each is a flow's source or its target.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn between(
    conn: &mut PgConnection,
    (pair, direction, other): (&PairName, Direction, &str),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<Mark>, StoreError> {
    let mut marks = runs(conn, pair, (from, to), most).await?;
    marks.extend(losses(conn, (pair, direction), (from, to), most).await?);
    marks.extend(alarms(conn, (pair, other), (from, to), most).await?);
    marks.extend(recreated(conn, pair, (from, to), most).await?);
    marks.sort_by_key(|mark| mark.from);
    Ok(marks)
}

async fn runs(
    conn: &mut PgConnection,
    pair: &PairName,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<Mark>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, number, operation, drill, state, started_at as "started_at!", ended_at
        from run
        where pair = $1
            and started_at < $3
            and coalesce(ended_at, 'infinity') >= $2
        order by started_at desc
        limit $4"#,
        pair.as_str(),
        from,
        to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read runs of a time"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |column| StoreError::unreadable("run", column, row.id.to_string());
            let operation = Operation::parse(&row.operation).ok_or_else(|| unreadable("operation"))?;
            let state = RunState::parse(&row.state).ok_or_else(|| unreadable("state"))?;
            let what = MarkKind::Run { id: row.id, number: row.number, operation, drill: row.drill, state };
            Ok(Mark { from: row.started_at, to: row.ended_at, what })
        })
        .collect()
}

async fn losses(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<Mark>, StoreError> {
    let rows = sqlx::query!(
        r#"select
            seen_at,
            noticed_at,
            reason as "reason!",
            total as "total!: Json<Interval>",
            truth as "truth?: Json<Truth>"
        from loss
        where pair = $1
            and from_side = $2
            and seen_at < $4
            -- It is written until it is settled, soon after the source is back.
            and (not settled or at >= $3)
        order by seen_at desc
        limit $5"#,
        pair.as_str(),
        direction.from.as_str(),
        from,
        to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read losses of a time"))?;
    let marks = rows.into_iter().map(|loss| Mark {
        from: loss.seen_at,
        to: loss.truth.as_ref().map(|truth| truth.at),
        what: MarkKind::Loss {
            noticed_at: loss.noticed_at,
            records_at_least: loss.total.records_at_least,
            records_at_most: loss.total.records_at_most,
            records: loss.truth.as_ref().and_then(|truth| truth.records),
            reason: loss.reason,
        },
    });
    Ok(marks.filter(|mark| mark.to.is_none_or(|end| end >= from)).collect())
}

async fn alarms(
    conn: &mut PgConnection,
    (pair, other): (&PairName, &str),
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<Mark>, StoreError> {
    let rows = sqlx::query!(
        r#"select id, number, code, subject, body -> 'since' as "since!: Json<Since>", ended_at
        from alarm
        where pair = $1
            and opened_at < $3
            and coalesce(ended_at, 'infinity') >= $2
            and body ->> 'course' is distinct from $5
        order by number desc
        limit $4"#,
        pair.as_str(),
        from,
        to,
        most,
        other
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read alarms of a time"))?;
    let marks = rows.into_iter().map(|row| Mark {
        from: row.since.after.unwrap_or(row.since.by),
        to: row.ended_at,
        what: MarkKind::Alarm { id: row.id, number: row.number, code: row.code, subject: row.subject },
    });
    Ok(marks.collect())
}

/// Each id that a topic had after another, with the last one before it. From the new ones on: of a pair whose topics come and go more are over.
async fn recreated(
    conn: &mut PgConnection,
    pair: &PairName,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    most: i64,
) -> Result<Vec<Mark>, StoreError> {
    let rows = sqlx::query!(
        r#"select
            anew.side as "side!",
            anew.topic as "topic!",
            before.topic_id as "id_before!",
            before.seen_until as "seen_until!",
            anew.topic_id as "id!",
            anew.seen_from as "seen_from!"
        from recorder_topic anew
        join lateral (
            select earlier.topic_id, earlier.seen_until
            from recorder_topic earlier
            where earlier.pair = anew.pair
                and earlier.side = anew.side
                and earlier.topic = anew.topic
                and earlier.seen_until < anew.seen_from
            order by earlier.seen_until desc
            limit 1
        ) before on true
        where anew.pair = $1
            and anew.seen_from >= $2
            and before.seen_until < $3
        order by anew.seen_from desc
        limit $4"#,
        pair.as_str(),
        from,
        to,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read which topics were made anew in a time"))?;
    rows.into_iter()
        .map(|row| {
            let side = Side::parse(&row.side)
                .ok_or_else(|| StoreError::unreadable("recorder_topic", "side", row.topic.clone()))?;
            let what = MarkKind::Recreated { side, topic: row.topic, id_before: row.id_before, id: row.id };
            Ok(Mark { from: row.seen_until, to: Some(row.seen_from), what })
        })
        .collect()
}
