//! `/api/v1/alarms`: silent loss, as surveys see it.

use axum::extract::State;
use muster_domain::{
    alarm::{AlarmCode, StandingAlarm},
    ids::PairName,
    people::Actor,
};
use muster_store::alarms::{self as stored, AlarmFilter};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Items, cursor, page_size, runs::teams};
use crate::{
    acts::{
        alarms::{self, Acknowledge},
        pairs,
    },
    app::App,
    http::{Acting, Answer, Json, Path, Query},
};

/// What cursors of alarms are known by, of one pair or of all.
const ALARM: &str = "alarm";

/// Filters of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct AlarmQuery {
    /// Only of this code.
    #[param(inline)]
    code: Option<AlarmCode>,
    /// true for open ones only, false for those that ended.
    open: Option<bool>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// `GET /api/v1/alarms`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<AlarmQuery>,
) -> Answer<Json<Items<StandingAlarm>>> {
    answer(&app, &actor, None, query).await
}

/// `GET /api/v1/pairs/{pair}/alarms`.
pub async fn of_pair(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(pair): Path<PairName>,
    Query(query): Query<AlarmQuery>,
) -> Answer<Json<Items<StandingAlarm>>> {
    pairs::get(&mut *app.pool.acquire().await?, &pair).await?;
    answer(&app, &actor, Some(pair), query).await
}

async fn answer(
    app: &App,
    actor: &Actor,
    pair: Option<PairName>,
    query: AlarmQuery,
) -> Answer<Json<Items<StandingAlarm>>> {
    let limit = page_size(query.limit);
    let before = cursor::read_number(ALARM, query.after.as_deref())?;
    let pair = pair.map(|pair| pair.to_string());
    let filter = AlarmFilter { pair, code: query.code, open: query.open, teams: teams(actor) };
    let mut conn = app.pool.acquire().await?;
    let items = stored::list(&mut conn, &filter, before, limit).await?;
    Ok(Json(Items::page(items, limit, |alarm| cursor::write(ALARM, &[&alarm.number]))))
}

/// `GET /api/v1/alarms/{alarm}`.
pub async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<StandingAlarm>> {
    Ok(Json(alarms::get(&mut *app.pool.acquire().await?, id).await?))
}

/// `POST /api/v1/alarms/{alarm}/acknowledge`.
pub async fn acknowledge(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    Json(said): Json<Acknowledge>,
) -> Answer<Json<StandingAlarm>> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let alarm = alarms::acknowledge(&mut tx, id, &said.comment, &actor).await?;
    tx.commit().await?;
    Ok(Json(alarm))
}
