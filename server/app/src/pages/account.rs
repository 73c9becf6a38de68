//! `/account`: one's own roles, sessions, API tokens and password.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
};
use muster_domain::people::Scope;
use muster_web::{
    account::{Account, AccountPage},
    people_forms::{PasswordForm, TokenForm},
    token_page::{TokenFormPage, TokenMadePage},
};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{
    asking::Asking,
    html, html_with, is_about_the_form, refused_form, see,
    ways_in::{Shown, WaysIn},
};
use crate::{
    acts::{
        people, sessions,
        tokens::{self, NewToken, TokenView},
    },
    app::App,
    auth::{SessionRef, own_password, sign_in::From as CameFrom},
    http::{Answer, Failure, Form, Path, Query},
};

/// `GET /account`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Query(shown): Query<Shown>,
) -> Answer {
    html(&page(&app, &asking, session, &shown, None).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    session: SessionRef,
    shown: &Shown,
    wrong: Option<&Failure>,
) -> Answer<AccountPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let has_password = own_password::has_one(app, actor).await?;
    let mut conn = app.pool.acquire().await?;
    let me = people::of(&mut conn, actor).await?;
    let ways = WaysIn::read(&mut conn, (actor, session), (None, actor.id), ("/account", shown)).await?;
    let account = Account {
        display_name: &me.display_name,
        grants: &me.grants,
        from_provider: &me.from_provider,
        issuer: me.identity.as_ref().map(|identity| identity.issuer.as_str()),
        has_password,
        sessions: &ways.sessions,
        tokens: &ways.tokens,
    };
    let page = AccountPage::new(chrome, &account, &shown.done, wrong.map(|failure| &failure.problem));
    Ok(page.part(ways.session_ends, ways.token_ends))
}

/// `POST /account/sessions/{session}/revoke`.
pub async fn revoke_session(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke(&mut tx, id, asking.actor()?, session).await?;
    tx.commit().await?;
    Ok(see("/account?done=session"))
}

/// `POST /account/sessions/revoke`.
pub async fn revoke_sessions(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke_all(&mut tx, None, asking.actor()?, session).await?;
    tx.commit().await?;
    Ok(see("/account?done=sessions"))
}

/// `POST /account/password`.
pub async fn change_password(
    State(app): State<App>,
    Extension(session): Extension<SessionRef>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    asking: Asking,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Answer {
    let from = CameFrom::new(&headers, peer.map(|Extension(ConnectInfo(peer))| peer.ip()));
    match try_change_password(&app, &asking, session, form, &from).await {
        Ok(()) => Ok(see("/account?done=password")),
        Err(failure) => {
            refused_form(&failure, &page(&app, &asking, session, &Shown::default(), Some(&failure)).await?)
        }
    }
}

async fn try_change_password(
    app: &App,
    asking: &Asking,
    session: SessionRef,
    form: PasswordForm,
    from: &CameFrom,
) -> Answer<()> {
    let SessionRef::Session(sid) = session else {
        return Err(Failure::invalid("An API token is not a session and has no password."));
    };
    if form.password.expose_secret() != form.password_again.expose_secret() {
        return Err(Failure::invalid("The new password was not typed the same twice."));
    }
    own_password::change(app, asking.actor()?, sid, form.present, form.password, from).await?;
    Ok(())
}

/// `GET /account/tokens/new`.
pub async fn new_token(State(app): State<App>, asking: Asking) -> Answer {
    html(&TokenFormPage::new(asking.chrome(&app).await, &TokenForm::default(), None))
}

/// `POST /account/tokens`. The answer is the page with the token: it is kept nowhere that another page could read it from.
pub async fn create_token(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Form(form): Form<TokenForm>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    match try_create_token(&app, &asking, session, &form).await {
        Ok(made) => {
            let token = made.token.as_deref().unwrap_or_default();
            let url = &app.public_url;
            let page = TokenMadePage::new(chrome, &made.name, &made.scopes, token, made.expires_at, url);
            html_with(StatusCode::CREATED, &page)
        }
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &TokenFormPage::new(chrome, &form, Some(&failure.problem)))
        }
        Err(failure) => Err(failure),
    }
}

async fn try_create_token(
    app: &App,
    asking: &Asking,
    session: SessionRef,
    form: &TokenForm,
) -> Answer<TokenView> {
    let scopes = match form.scope.as_str() {
        "" => Vec::new(),
        word => {
            vec![Scope::parse(word).ok_or_else(|| Failure::invalid(format!("There is no scope `{word}`.")))?]
        }
    };
    let days = form.days.trim().parse();
    let days = days.map_err(|_| Failure::invalid("The days until it ends are a whole number."))?;
    let new = NewToken { name: form.name.trim().to_owned(), days, scopes };
    let mut tx = muster_store::begin(&app.pool).await?;
    let made = tokens::create(&mut tx, &new, asking.actor()?, session).await?;
    tx.commit().await?;
    Ok(made)
}

/// `POST /account/tokens/{token}/revoke`: back to whose it was.
pub async fn revoke_token(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let actor = asking.actor()?;
    let token = tokens::revoke(&mut tx, id, actor, session).await?;
    tx.commit().await?;
    Ok(match token.user == actor.id {
        true => see("/account?done=token"),
        false => see(&format!("/people/{}?done=token", token.owner)),
    })
}
