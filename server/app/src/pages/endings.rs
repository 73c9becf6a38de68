//! The pages before sessions are ended and before an API token is revoked. Their forms are sent to the handlers of the account and
//! of the person.

use axum::{Extension, extract::State};
use muster_web::{account::SessionSeen, danger::DangerPage};
use uuid::Uuid;

use super::{
    asking::Asking,
    html,
    ways_in::{seen, token_seen},
};
use crate::{
    acts::{people, sessions, tokens},
    app::App,
    auth::SessionRef,
    http::{Answer, Failure, Path},
};

/// Sessions as pages take them: one's own, or those of somebody for an admin.
async fn sessions_of(
    app: &App,
    asking: &Asking,
    whose: Option<&str>,
    reading: SessionRef,
) -> Answer<Vec<SessionSeen>> {
    let mut conn = app.pool.acquire().await?;
    // All of them: the page says how many end.
    let listed = sessions::page(&mut conn, (whose, None), i64::MAX, asking.actor()?, reading).await?;
    Ok(listed.into_iter().map(seen).collect())
}

/// `GET /account/sessions/{session}/revoke`.
pub async fn session(
    State(app): State<App>,
    asking: Asking,
    Extension(reading): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let id = id.to_string();
    let own = sessions_of(&app, &asking, None, reading).await?;
    let session = own.iter().find(|session| session.id == id);
    let session = session.ok_or_else(|| Failure::not_found("session", &id))?;
    html(&DangerPage::end_session(chrome, session))
}

/// `GET /account/sessions/revoke`.
pub async fn other_sessions(
    State(app): State<App>,
    asking: Asking,
    Extension(reading): Extension<SessionRef>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let own = sessions_of(&app, &asking, None, reading).await?;
    html(&DangerPage::end_other_sessions(chrome, &own))
}

/// `GET /people/{user}/sessions/revoke`.
pub async fn sessions_of_person(
    State(app): State<App>,
    asking: Asking,
    Extension(reading): Extension<SessionRef>,
    Path(name): Path<String>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let person = people::get(&mut *app.pool.acquire().await?, &name).await?;
    let theirs = sessions_of(&app, &asking, Some(&name), reading).await?;
    html(&DangerPage::end_sessions_of(chrome, &person.name, &theirs))
}

/// `GET /account/tokens/{token}/revoke`: one's own, or anybody's for an admin, as the act is.
pub async fn token(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let actor = asking.actor()?;
    let token = tokens::get(&mut *app.pool.acquire().await?, id, actor).await?;
    let owner = (token.user != actor.id).then(|| token.owner.clone());
    html(&DangerPage::revoke_token(chrome, &token_seen(token.into()), owner.as_deref()))
}
