//! What is to be told: written with the change it tells of, delivered later, at least once.
//!
//! A delivery is taken by moving its next attempt into the future: whoever took it has until then, and a process that dies
//! needs no clean-up. Its number of attempts fences: the outcome of an attempt is kept only if no later one has begun.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{ids::TeamName, notification::Event};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// How long who takes a delivery has for one attempt before others take it for dead. What is tried again later than that is in
/// nobody's hands.
pub const HELD_AT_MOST: TimeDelta = TimeDelta::seconds(60);

/// Writes an event for every channel of the team that is switched on and asks for it, or for all of these where every channel is
/// told, in the transaction of what it tells of; how many these are. An event nobody is told of is not kept.
///
/// # Errors
/// When the database refuses; then the change is not made either.
pub async fn write(conn: &mut PgConnection, team: &TeamName, event: &Event) -> Result<u64, StoreError> {
    write_for(conn, team, event, None).await
}

/// Writes an event for one channel, whatever it asks for.
///
/// # Errors
/// When the database refuses.
pub async fn write_to(
    conn: &mut PgConnection,
    team: &TeamName,
    event: &Event,
    channel: Uuid,
) -> Result<u64, StoreError> {
    write_for(conn, team, event, Some(channel)).await
}

async fn write_for(
    conn: &mut PgConnection,
    team: &TeamName,
    event: &Event,
    channel: Option<Uuid>,
) -> Result<u64, StoreError> {
    let id = Uuid::now_v7();
    let done = sqlx::query!(
        "with wanting as (
            select id
            from channel
            where team = $2
                and case when $6::uuid is null then enabled and ($7 or $3 = any(events)) else id = $6 end
            -- One that is removed in this moment is left out, instead of failing the change that is told of.
            for key share
        ),
        written as (
            insert into notification (id, team, kind, subject, body)
            select $1, $2, $3, $4, $5
            where exists (select from wanting)
            returning id, number, subject
        )
        insert into delivery (notification_id, channel_id, number, subject)
        select written.id, wanting.id, written.number, written.subject
        from written
        cross join wanting",
        id,
        team.as_str(),
        event.kind().as_str(),
        event.subject(),
        Json(event) as _,
        channel,
        event.kind().is_always_told()
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("write what is to be told"))?;
    if done.rows_affected() > 0 {
        hurry(conn, id).await?;
    }
    Ok(done.rows_affected())
}

/// What rests after failed attempts is tried with the news of its subject, which waits for it: a receiver that is back is
/// told at once.
async fn hurry(conn: &mut PgConnection, newest: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update delivery earlier
        set next_at = clock_timestamp()
        from delivery news
        where news.notification_id = $1
            and earlier.channel_id = news.channel_id
            and earlier.subject = news.subject
            and earlier.number < news.number
            -- Not what somebody may be sending in this moment.
            and earlier.next_at > clock_timestamp() + make_interval(secs => $2)",
        newest,
        HELD_AT_MOST.as_seconds_f64()
    )
    .execute(conn)
    .await
    .map_err(failed("hurry what news waits for"))?;
    Ok(())
}

/// A delivery in the hands of a process.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Id of the message: the same at every attempt.
    pub notification: Uuid,
    /// The channel.
    pub channel: Uuid,
    /// Whose it is.
    pub team: TeamName,
    /// What happened.
    pub event: Event,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Which attempt this is, from 1.
    pub attempts: i32,
    /// Why the last one failed.
    pub last_error: String,
    /// How often in a row it was refused as wrong before this attempt.
    pub refusals: i32,
}

/// Takes one delivery whose time has come; others may not have it before `until`. Events of one subject reach a channel in
/// their order: one that still waits holds back those after it.
///
/// # Errors
/// When the database refuses or the event does not read back.
pub async fn take(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Option<Taken>, StoreError> {
    let row = sqlx::query!(
        r#"update delivery d
        set next_at = $2,
            attempts = d.attempts + 1
        from notification n
        where n.id = d.notification_id
            and (d.notification_id, d.channel_id) = (
                select waiting.notification_id, waiting.channel_id
                from delivery waiting
                where waiting.next_at <= $1
                    and not exists (
                        select
                        from delivery earlier
                        where earlier.channel_id = waiting.channel_id
                            and earlier.subject = waiting.subject
                            and earlier.number < waiting.number
                            and earlier.next_at is not null
                    )
                order by waiting.next_at
                limit 1
                for update skip locked
            )
        returning d.notification_id, d.channel_id, n.team, n.body, n.created_at, d.attempts, d.last_error,
            d.refusals"#,
        now,
        until
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("take a delivery"))?;
    let Some(row) = row else { return Ok(None) };
    let unreadable = |column| StoreError::unreadable("notification", column, row.notification_id.to_string());
    Ok(Some(Taken {
        notification: row.notification_id,
        channel: row.channel_id,
        team: TeamName::new(row.team).map_err(|_| unreadable("team"))?,
        event: serde_json::from_value(row.body).map_err(|_| unreadable("body"))?,
        created_at: row.created_at,
        attempts: row.attempts,
        last_error: row.last_error,
        refusals: row.refusals,
    }))
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It arrived.
    Delivered,
    /// It did not, and is tried again then.
    Again {
        /// When.
        at: DateTime<Utc>,
        /// Why it did not.
        why: String,
        /// How often in a row it was refused as wrong.
        refusals: i32,
    },
    /// It did not, and is not tried again.
    GivenUp(String),
}

/// Keeps how an attempt ended; false when a later attempt has begun, or the channel is gone.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    conn: &mut PgConnection,
    taken: &Taken,
    now: DateTime<Utc>,
    ended: &Ended,
) -> Result<bool, StoreError> {
    let (next_at, error, delivered, gave_up, refusals) = match ended {
        Ended::Delivered => (None, None, Some(now), None, None),
        Ended::Again { at, why, refusals } => (Some(*at), Some(why.as_str()), None, None, Some(*refusals)),
        Ended::GivenUp(error) => (None, Some(error.as_str()), None, Some(now), None),
    };
    let done = sqlx::query!(
        "update delivery
        set next_at = $4,
            last_error = coalesce($5, last_error),
            delivered_at = $6,
            gave_up_at = $7,
            refusals = coalesce($8, refusals)
        where notification_id = $1
            and channel_id = $2
            and attempts = $3
            and next_at is not null",
        taken.notification,
        taken.channel,
        taken.attempts,
        next_at,
        error,
        delivered,
        gave_up,
        refusals
    )
    .execute(conn)
    .await
    .map_err(failed("keep how a delivery ended"))?;
    Ok(done.rows_affected() > 0)
}

/// Removes messages that were written days ago and wait for nothing any more; how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_older_than(conn: &mut PgConnection, days: i32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from notification n
        where n.created_at < clock_timestamp() - make_interval(days => $1)
            and not exists (
                select
                from delivery
                where notification_id = n.id
                    and next_at is not null
            )",
        days
    )
    .execute(conn)
    .await
    .map_err(failed("remove old messages"))?;
    Ok(done.rows_affected())
}
