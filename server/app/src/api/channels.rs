//! `/api/v1/channels`: where teams are told what happens, and what was sent there.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use chrono::{DateTime, Utc};
use muster_domain::notification::{Channel, EventKind};
use muster_store::channels::{self as stored, Delivery};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Items, PageQuery, cursor, next, page_size, runs::teams};
use crate::{
    acts::channels::{self, ChannelEdit, ChannelView, NewChannel},
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried, or tried again at `next_at`.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It is not tried any more.
    GaveUp,
}

/// A message for a channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Id of the message, which the receiver sees too.
    pub id: Uuid,
    /// What it tells.
    pub event: EventKind,
    /// What it is about: events of one subject arrive in their order.
    pub subject: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at: Option<DateTime<Utc>>,
    /// When it arrived or was given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why the last failed attempt failed; empty when none did.
    pub last_error: String,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let state = match (delivery.delivered_at, delivery.gave_up_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::GaveUp,
            (None, None) => DeliveryState::Waiting,
        };
        Self {
            id: delivery.notification,
            event: delivery.event,
            subject: delivery.subject,
            at: delivery.created_at,
            state,
            attempts: delivery.attempts,
            next_at: delivery.next_at,
            ended_at: delivery.delivered_at.or(delivery.gave_up_at),
            last_error: delivery.last_error,
        }
    }
}

/// What cursors of channels are known by.
const CHANNEL: &str = "channel";
/// What cursors of deliveries are known by.
const DELIVERY: &str = "delivery";

/// The cursor behind a channel in the list of them.
pub(crate) fn write_cursor(channel: &Channel) -> String {
    cursor::write(CHANNEL, &[&channel.team, &channel.name])
}

/// The team and name of the channel a cursor speaks of.
///
/// # Errors
/// `invalid-request` when it is no cursor of channels.
pub(crate) fn read_cursor(after: Option<&str>) -> Answer<Option<(&str, &str)>> {
    let Some(after) = after else { return Ok(None) };
    let [team, name] = cursor::read::<2>(CHANNEL, after)?;
    Ok(Some((team, name)))
}

/// `GET /api/v1/channels`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<ChannelView>>> {
    let limit = page_size(page.limit);
    let after = read_cursor(page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let mut items = Vec::new();
    for channel in stored::page(&mut conn, teams(&actor).as_deref(), after, limit).await? {
        items.push(channels::view(&mut conn, channel).await?);
    }
    Ok(Json(Items::page(items, limit, |view| write_cursor(&view.channel))))
}

/// `POST /api/v1/channels`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewChannel>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let made = channels::create(&app, once.conn(), new, &actor).await?;
    let address = format!("/api/v1/channels/{}", made.channel.id);
    once.answer(StatusCode::CREATED, &address, &made).await
}

/// `GET /api/v1/channels/{channel}`.
pub async fn show(State(app): State<App>, Acting(actor): Acting, Path(id): Path<Uuid>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let channel = channels::get(&mut conn, id, &actor).await?;
    let version = channel.version;
    Ok((etag(version), Json(channels::view(&mut conn, channel).await?)).into_response())
}

/// `PATCH /api/v1/channels/{channel}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    IfMatch(version): IfMatch,
    Json(edit): Json<ChannelEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let view = channels::change(&app, &mut tx, id, version, edit, &actor).await?;
    tx.commit().await?;
    Ok((etag(view.channel.version), Json(view)).into_response())
}

/// `DELETE /api/v1/channels/{channel}`.
pub async fn delete(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    IfMatch(version): IfMatch,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    channels::remove(&mut tx, id, version, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/channels/{channel}/test`.
pub async fn test(State(app): State<App>, Acting(actor): Acting, Path(id): Path<Uuid>) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    channels::test(&mut tx, id, &actor).await?;
    let newest = stored::deliveries(&mut tx, None, Some(id), None, 1).await?.into_iter().next();
    tx.commit().await?;
    let location = [(header::LOCATION, format!("/api/v1/channels/{id}/deliveries"))];
    Ok((StatusCode::ACCEPTED, location, Json(newest.map(DeliveryView::from))).into_response())
}

/// `GET /api/v1/channels/{channel}/deliveries`.
pub async fn deliveries(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<DeliveryView>>> {
    let limit = page_size(page.limit);
    let before = cursor::read_name(DELIVERY, page.after.as_deref())?;
    let before = before.map(cursor::part).transpose()?;
    let mut conn = app.pool.acquire().await?;
    channels::get(&mut conn, id, &actor).await?;
    let found = stored::deliveries(&mut conn, None, Some(id), before, limit).await?;
    let next = next(&found, limit, |delivery| cursor::write(DELIVERY, &[&delivery.number]));
    Ok(Json(Items { items: found.into_iter().map(Into::into).collect(), next }))
}
