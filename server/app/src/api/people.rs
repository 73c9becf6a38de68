//! `/api/v1/users`, `/api/v1/tokens`.

use axum::{Extension, extract::State, http::StatusCode, response::IntoResponse as _};
use uuid::Uuid;

use super::{Items, PageQuery, cursor, next, page_size};
use crate::{
    acts::{
        people::{self, NewUser, UserEdit, UserView},
        tokens::{self, NewToken, TokenView},
    },
    app::App,
    auth::SessionRef,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// What cursors of people are known by.
pub(crate) const PERSON: &str = "person";
/// What cursors of tokens are known by.
pub(crate) const TOKEN: &str = "token";

/// `GET /api/v1/users`.
pub async fn list(State(app): State<App>, Query(page): Query<PageQuery>) -> Answer<Json<Items<UserView>>> {
    let limit = page_size(page.limit);
    let after = cursor::read_name(PERSON, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let items = people::page(&mut conn, after, limit).await?;
    Ok(Json(Items::page(items, limit, |user| cursor::write(PERSON, &[&user.name]))))
}

/// `POST /api/v1/users`.
pub async fn create(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewUser>) -> Answer {
    // Hashing takes a while and must not hold a transaction open.
    let hash = people::hash(&app, &asked.body.password).await?;
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let made = people::create(once.conn(), &new, &hash, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/users/{}", made.name), &made).await
}

/// `GET /api/v1/users/{user}`.
pub async fn show(State(app): State<App>, Path(name): Path<String>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let view = people::get(&mut conn, &name).await?;
    Ok((etag(view.version), Json(view)).into_response())
}

/// `PATCH /api/v1/users/{user}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(name): Path<String>,
    IfMatch(version): IfMatch,
    Json(edit): Json<UserEdit>,
) -> Answer {
    let view = people::change(&app, &name, version, edit, &actor).await?;
    Ok((etag(view.version), Json(view)).into_response())
}

/// `GET /api/v1/tokens`.
pub async fn tokens(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<TokenView>>> {
    let limit = page_size(page.limit);
    let before = cursor::read_time(TOKEN, page.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    let found = tokens::page(&mut conn, &actor, before, limit).await?;
    let next = next(&found, limit, |token| cursor::write_time(TOKEN, token.created_at, token.id));
    Ok(Json(Items { items: found.into_iter().map(TokenView::from).collect(), next }))
}

/// `POST /api/v1/tokens`. Without `Idempotency-Key`: the token is shown once and its answer is kept nowhere.
pub async fn create_token(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(session): Extension<SessionRef>,
    Json(new): Json<NewToken>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let made = tokens::create(&mut tx, &new, &actor, session).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `DELETE /api/v1/tokens/{token}`.
pub async fn revoke_token(
    State(app): State<App>,
    Acting(actor): Acting,
    Extension(asking): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer<StatusCode> {
    let mut tx = muster_store::begin(&app.pool).await?;
    tokens::revoke(&mut tx, id, &actor, asking).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
