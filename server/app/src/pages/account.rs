//! `/account`: one's own roles, sessions, API tokens and password.

use std::net::SocketAddr;

use axum::{
    Extension,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use muster_domain::people::Scope;
use muster_store::tokens as stored_tokens;
use muster_web::{
    account::{Account, AccountPage, SessionSeen, TokenSeen},
    parts::Ends,
    people_forms::{PasswordForm, TokenForm},
    token_page::{TokenFormPage, TokenMadePage},
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PAGE, asking::Asking, cut, html, html_with, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        people,
        sessions::{self, SessionView},
        tokens::{self, NewToken, TokenView},
    },
    api::{cursor, people::TOKEN, sessions::SESSION},
    app::App,
    auth::{SessionRef, own_password, sign_in::From as CameFrom},
    http::{Answer, Failure, Form, Path, Query},
};

/// Which part of the sessions and tokens, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    done: String,
    /// Cursor of the sessions before.
    sessions: String,
    /// Cursor of the tokens before.
    tokens: String,
}

/// A page with a part of its sessions and a part of its tokens, each behind a cursor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// The page.
    pub page: &'a str,
    /// Behind which session.
    pub sessions: Option<&'a str>,
    /// Behind which token.
    pub tokens: Option<&'a str>,
}

impl Parts<'_> {
    fn address(&self, anchor: &str) -> String {
        let part = |name: &str, after: Option<&str>| after.map(|after| format!("{name}={after}"));
        let parts: Vec<String> =
            [part("sessions", self.sessions), part("tokens", self.tokens)].into_iter().flatten().collect();
        let mark = if parts.is_empty() { "" } else { "?" };
        format!("{}{mark}{}#{anchor}", self.page, parts.join("&"))
    }

    /// The ways to other sessions beside the same tokens, and to other tokens beside the same sessions.
    pub(super) fn ends(self, more_sessions: Option<&str>, more_tokens: Option<&str>) -> (Ends, Ends) {
        let Parts { page, sessions: at_sessions, tokens: at_tokens } = self;
        let sessions = |sessions| Parts { page, sessions, tokens: at_tokens }.address("sessions-h");
        let tokens = |tokens| Parts { page, sessions: at_sessions, tokens }.address("tokens-h");
        (
            Ends::new(
                "sessions",
                at_sessions.map(|_| sessions(None)),
                more_sessions.map(|next| sessions(Some(next))),
            ),
            Ends::new("tokens", at_tokens.map(|_| tokens(None)), more_tokens.map(|next| tokens(Some(next)))),
        )
    }
}

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
    let begun = cursor::read_time(SESSION, Some(&shown.sessions)).unwrap_or_default();
    let made = cursor::read_time(TOKEN, Some(&shown.tokens)).unwrap_or_default();
    let mut sessions = sessions::page(&mut conn, (None, begun), PAGE + 1, actor, session).await?;
    let more_sessions = cut(&mut sessions, session_cursor);
    let sessions: Vec<SessionSeen> = sessions.into_iter().map(seen).collect();
    let (tokens, more_tokens) = tokens_of(&mut conn, actor.id, made).await?;
    // What is no cursor has led to the beginning.
    let parts = Parts {
        page: "/account",
        sessions: begun.map(|_| shown.sessions.as_str()),
        tokens: made.map(|_| shown.tokens.as_str()),
    };
    let (session_ends, token_ends) = parts.ends(more_sessions.as_deref(), more_tokens.as_deref());
    let account = Account {
        display_name: &me.display_name,
        grants: &me.grants,
        from_provider: &me.from_provider,
        issuer: me.identity.as_ref().map(|identity| identity.issuer.as_str()),
        has_password,
        sessions: &sessions,
        tokens: &tokens,
    };
    let page = AccountPage::new(chrome, &account, &shown.done, wrong.map(|failure| &failure.problem));
    Ok(page.part(session_ends, token_ends))
}

/// A page of somebody's tokens behind a place in the list of them, and the cursor of the page behind it.
pub(super) async fn tokens_of(
    conn: &mut PgConnection,
    user: Uuid,
    behind: Option<(DateTime<Utc>, Uuid)>,
) -> Answer<(Vec<TokenSeen>, Option<String>)> {
    let mut tokens = stored_tokens::page(conn, Some(user), behind, PAGE + 1).await?;
    let more = cut(&mut tokens, |token| cursor::write_time(TOKEN, token.created_at, token.id));
    Ok((tokens.into_iter().map(|token| token_seen(token.into())).collect(), more))
}

/// The cursor behind a session in the list of them.
pub(super) fn session_cursor(session: &SessionView) -> String {
    cursor::write_time(SESSION, session.begun_at, session.id)
}

/// A session as pages take it.
pub(super) fn seen(session: SessionView) -> SessionSeen {
    SessionSeen {
        id: session.id.to_string(),
        begun_at: session.begun_at,
        last_used_at: session.last_used_at,
        address: session.address,
        user_agent: session.user_agent,
        this: session.this,
    }
}

/// A token as pages take it.
pub(super) fn token_seen(token: TokenView) -> TokenSeen {
    TokenSeen {
        id: token.id.to_string(),
        name: token.name,
        scopes: token.scopes,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        revoked_at: token.revoked_at,
    }
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
