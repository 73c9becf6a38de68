//! `/api/v1/pairs`.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use muster_domain::{
    ids::{PairName, TeamName},
    pair::Pair,
};
use muster_store::pairs as stored;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Items, PageQuery, cursor, page_size, runs::teams};
use crate::{
    acts::{
        imports::{self, ImportText},
        pairs::{self, NewPair, PairEdit},
    },
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, SinceShown, Start, etag},
    standing::judgement::{self, Glance},
};

/// A pair in a list, with how ready it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct PairView {
    /// The pair.
    #[serde(flatten)]
    pub pair: Pair,
    /// How ready it is.
    #[serde(flatten)]
    pub glance: Glance,
}

/// What an import takes in the query when its body is the file itself, as `text/plain`.
#[derive(Debug, IntoParams)]
pub struct ImportQuery {
    /// Team the pairs belong to, for a body of `text/plain`.
    #[param(inline)]
    pub team: Option<TeamName>,
    /// Name of the pair, for a body of `text/plain`.
    #[param(inline)]
    pub name: Option<PairName>,
}

/// What cursors of pairs are known by.
const PAIR: &str = "pair";

/// `GET /api/v1/pairs`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<PairView>>> {
    let limit = page_size(page.limit);
    let after = cursor::read_name(PAIR, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let pairs = stored::page(&mut conn, teams(&actor).as_deref(), after, limit).await?;
    let names: Vec<PairName> = pairs.iter().map(|pair| pair.name.clone()).collect();
    let judged = judgement::latest_of_all(&mut conn, &names).await?;
    let view = |pair: Pair| PairView {
        glance: Glance::of(&pair, judged.get(&pair.name)),
        pair: pair.without_credentials(),
    };
    let items = pairs.into_iter().map(view).collect();
    Ok(Json(Items::page(items, limit, |view: &PairView| cursor::write(PAIR, &[&view.pair.name]))))
}

/// `POST /api/v1/pairs`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewPair>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let made = pairs::create(once.conn(), new, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/pairs/{}", made.name), &made).await
}

/// `POST /api/v1/pairs/import`.
pub async fn import(State(app): State<App>, Acting(actor): Acting, asked: Creating<ImportText>) -> Answer {
    let (text, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let made = imports::import(once.conn(), &app.secrets_key, &text, &actor).await?;
    let first = made.pairs.first().map(|pair| pair.name.to_string()).unwrap_or_default();
    once.answer(StatusCode::CREATED, &format!("/api/v1/pairs/{first}"), &made).await
}

/// `GET /api/v1/pairs/{pair}`.
pub async fn show(State(app): State<App>, Path(name): Path<PairName>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    Ok((etag(pair.version), Json(pair)).into_response())
}

/// `PATCH /api/v1/pairs/{pair}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    since_shown: SinceShown,
    Path(name): Path<PairName>,
    IfMatch(version): IfMatch,
    Json(edit): Json<PairEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let pair = pairs::change(&mut tx, &name, version, edit, (&actor, since_shown)).await?;
    tx.commit().await?;
    Ok((etag(pair.version), Json(pair)).into_response())
}

/// `DELETE /api/v1/pairs/{pair}`.
pub async fn delete(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<PairName>,
    IfMatch(version): IfMatch,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    pairs::delete(&mut tx, &name, version, &actor).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
