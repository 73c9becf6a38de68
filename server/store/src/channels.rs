//! Notification channels, without their secrets (`channel_secrets`).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ChannelName, TeamName},
    notification::{Channel, ChannelKind, EventKind, told_of},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// A channel as its row is.
struct ChannelRow {
    id: Uuid,
    team: String,
    name: String,
    kind: String,
    events: Vec<String>,
    enabled: bool,
    recipients: Vec<String>,
    host: String,
    version: i64,
}

impl TryFrom<ChannelRow> for Channel {
    type Error = StoreError;

    fn try_from(row: ChannelRow) -> Result<Self, StoreError> {
        let unreadable = |column| StoreError::unreadable("channel", column, row.id.to_string());
        let asked: Option<BTreeSet<EventKind>> =
            row.events.iter().map(|word| EventKind::parse(word)).collect();
        let kind = ChannelKind::parse(&row.kind).ok_or_else(|| unreadable("kind"))?;
        Ok(Self {
            team: TeamName::new(row.team).map_err(|_| unreadable("team"))?,
            name: ChannelName::new(row.name).map_err(|_| unreadable("name"))?,
            kind,
            // Older rows do not name what every channel is told of.
            events: told_of(kind, asked.ok_or_else(|| unreadable("events"))?),
            id: row.id,
            enabled: row.enabled,
            recipients: row.recipients,
            host: row.host,
            version: row.version,
        })
    }
}

fn words(events: &BTreeSet<EventKind>) -> Vec<String> {
    events.iter().map(|kind| kind.as_str().to_owned()).collect()
}

/// Keeps a new channel.
///
/// # Errors
/// `Conflict` with `channel_name_unique` or `channel_team_exists`.
pub async fn insert(conn: &mut PgConnection, channel: &Channel) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into channel (id, team, name, kind, events, enabled, recipients, host)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        channel.id,
        channel.team.as_str(),
        channel.name.as_str(),
        channel.kind.as_str(),
        &words(&channel.events),
        channel.enabled,
        &channel.recipients,
        channel.host
    )
    .execute(conn)
    .await
    .map_err(failed("keep channel"))?;
    Ok(())
}

/// Changes a channel if it still has the version given; false when somebody else was faster. What is still to be sent through
/// a channel that is switched off is given up.
///
/// # Errors
/// `Conflict` with `channel_name_unique`.
pub async fn update(conn: &mut PgConnection, channel: &Channel) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update channel
        set name = $3,
            events = $4,
            enabled = $5,
            recipients = $6,
            host = $7,
            version = version + 1,
            updated_at = clock_timestamp()
        where id = $1
            and version = $2",
        channel.id,
        channel.version,
        channel.name.as_str(),
        &words(&channel.events),
        channel.enabled,
        &channel.recipients,
        channel.host
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("change channel"))?;
    if done.rows_affected() > 0 && !channel.enabled {
        sqlx::query!(
            "update delivery
            set next_at = null,
                gave_up_at = clock_timestamp(),
                last_error = 'the channel was switched off'
            where channel_id = $1
                and next_at is not null",
            channel.id
        )
        .execute(conn)
        .await
        .map_err(failed("give up what a channel was to send"))?;
    }
    Ok(done.rows_affected() > 0)
}

/// Removes a channel with its secrets and deliveries; false when there was none.
///
/// # Errors
/// When the database refuses.
pub async fn remove(conn: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    let done = sqlx::query!("delete from channel where id = $1", id)
        .execute(conn)
        .await
        .map_err(failed("remove channel"))?;
    Ok(done.rows_affected() > 0)
}

/// A channel.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, id: Uuid) -> Result<Option<Channel>, StoreError> {
    sqlx::query_as!(
        ChannelRow,
        "select id, team, name, kind, events, enabled, recipients, host, version
        from channel
        where id = $1",
        id
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read channel"))?
    .map(TryInto::try_into)
    .transpose()
}

/// Channels of some teams (`None`: of all), by team and name.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn list(conn: &mut PgConnection, teams: Option<&[String]>) -> Result<Vec<Channel>, StoreError> {
    page(conn, teams, None, i64::MAX).await
}

/// The same, at most `limit`; only those that come after a team and name in this order, if given.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn page(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    after: Option<(&str, &str)>,
    limit: i64,
) -> Result<Vec<Channel>, StoreError> {
    sqlx::query_as!(
        ChannelRow,
        "select id, team, name, kind, events, enabled, recipients, host, version
        from channel
        where ($1::text[] is null or team = any($1))
            and ($2::text is null or (team, name) > ($2, $3::text))
        order by team, name
        limit $4",
        teams,
        after.map(|(team, _)| team),
        after.map(|(_, name)| name),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list channels"))?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Whether any channel of some teams (`None`: of all) is switched on.
///
/// # Errors
/// When the database refuses.
pub async fn any_enabled(conn: &mut PgConnection, teams: Option<&[String]>) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"select exists (
            select from channel
            where enabled
                and ($1::text[] is null or team = any($1))
        ) as "any!""#,
        teams
    )
    .fetch_one(conn)
    .await
    .map_err(failed("look for channels"))
}

/// A message for a channel, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the message.
    pub notification: Uuid,
    /// Its number: later messages have higher ones.
    pub number: i64,
    /// The channel.
    pub channel: Uuid,
    /// The channel's name.
    pub channel_name: ChannelName,
    /// What it tells.
    pub event: EventKind,
    /// The pair or channel it tells of, as it is stored.
    pub subject: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; stays when a later one succeeds.
    pub last_error: String,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub gave_up_at: Option<DateTime<Utc>>,
}

/// What is to be, or was, sent through channels of some teams (`None`: of all), newest first; of lower numbers than `before`
/// only, if given.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn deliveries(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    channel: Option<Uuid>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let rows = sqlx::query!(
        r#"select d.notification_id, d.number, d.channel_id, channel.name as channel_name, n.kind, d.subject, n.created_at,
            d.attempts, d.next_at, d.last_error, d.delivered_at, d.gave_up_at
        from delivery d
        join notification n on n.id = d.notification_id
        join channel on channel.id = d.channel_id
        where ($1::text[] is null or channel.team = any($1))
            and ($2::uuid is null or d.channel_id = $2)
            and ($3::bigint is null or d.number < $3)
        order by d.number desc, channel.name
        limit $4"#,
        teams,
        channel,
        before,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list deliveries"))?;
    rows.into_iter()
        .map(|row| {
            let id = row.notification_id;
            Ok(Delivery {
                event: EventKind::parse(&row.kind)
                    .ok_or_else(|| StoreError::unreadable("notification", "kind", id.to_string()))?,
                notification: id,
                number: row.number,
                channel: row.channel_id,
                channel_name: ChannelName::new(row.channel_name)
                    .map_err(|bad| StoreError::unreadable("channel", "name", bad.name))?,
                subject: row.subject,
                created_at: row.created_at,
                attempts: row.attempts,
                next_at: row.next_at,
                last_error: row.last_error,
                delivered_at: row.delivered_at,
                gave_up_at: row.gave_up_at,
            })
        })
        .collect()
}
