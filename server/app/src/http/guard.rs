//! What stands in front of every handler: who is asking, may they, and the audit of what is refused.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, FromRequestParts as _, Query, RawPathParams, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use muster_domain::{
    ids::TeamName,
    people::{Actor, Role},
};
use muster_web::following::as_asked;
use serde_json::json;
use tower_http::request_id::RequestId;

use super::{
    extract::{Acting, SinceShown},
    failure::{Answer, Failure},
    limits,
    route::{Access, Audit, Kind, Of, Presence, Rule},
};
use crate::{
    acts::{audit_trail, teams_of},
    app::App,
    auth::{Identity, Made, identify, identify_by_key},
    pages,
};

/// Runs a request past the rule of its route.
pub async fn guard(State((app, rule)): State<(App, Rule)>, request: Request, next: Next) -> Response {
    let asked = Asked::of(&request, &rule);
    let made = Made::of(request.method(), request.headers(), request.uri());
    let identity = match identify_for(&app, rule, made, request.headers(), request.uri()).await {
        Ok(identity) => identity,
        // Who it is makes no difference to what is read by anybody: that is served while the database is away, too.
        Err(_) if (rule.access, rule.audit) == (Access::Anyone, Audit::Reads) => Identity::Nobody,
        Err(failure) => return asked.before_it_began(failure).into_response(),
    };
    let actor = identity.actor().cloned();
    let answer = admit_and_run(&app, rule, &identity, request, next).await;
    let mut response = match answer {
        Ok(response) => asked.once_begun(response),
        Err(failure) => asked.before_it_began(failure).into_response(),
    };
    if let Some(failure) = response.extensions().get::<Failure>().cloned() {
        audit_refusal(&app, rule, actor.as_ref(), &asked, &failure).await;
        if asked.wants_page && response.extensions().get::<pages::Shown>().is_none() {
            response = failure_page(&app, &identity, &asked, &failure).await;
        }
    }
    if let Some(cookie) = identity.renewed_cookie(&app)
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

async fn identify_for(app: &App, rule: Rule, made: Made, headers: &HeaderMap, uri: &Uri) -> Answer<Identity> {
    #[derive(serde::Deserialize)]
    struct Key {
        key: String,
    }
    match identify(app, headers, made).await? {
        Identity::Nobody if rule.takes_key => match Query::<Key>::try_from_uri(uri) {
            Ok(Query(Key { key })) => identify_by_key(app, &key).await,
            Err(_) => Ok(Identity::Nobody),
        },
        known @ (Identity::Nobody | Identity::Refused | Identity::Person(_)) => Ok(known),
    }
}

/// What is remembered of a request for its refusal.
#[derive(Debug)]
pub struct Asked {
    /// Path and query, for the way back after signing in.
    pub target: String,
    path: String,
    request_id: String,
    address: String,
    reads: bool,
    wants_page: bool,
    changes: bool,
    keyed: bool,
}

impl Asked {
    fn of(request: &Request, rule: &Rule) -> Self {
        let accepts_html = request
            .headers()
            .get(header::ACCEPT)
            .and_then(|v| v.to_str().ok())
            .is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"));
        Self {
            target: as_asked(request.uri().path_and_query().map_or("/", |p| p.as_str())),
            path: request.uri().path().to_owned(),
            request_id: request
                .extensions()
                .get::<RequestId>()
                .and_then(|id| id.header_value().to_str().ok())
                .unwrap_or_default()
                .to_owned(),
            address: client_address(request),
            reads: request.method() == Method::GET || request.method() == Method::HEAD,
            wants_page: rule.kind == Kind::Page && accepts_html,
            changes: matches!(rule.audit, Audit::Writes(_)),
            keyed: rule.creates && request.headers().contains_key("idempotency-key"),
        }
    }

    /// What kept a request from its handler says that it changed nothing.
    fn before_it_began(&self, failure: Failure) -> Failure {
        if self.changes { failure.before_it_began() } else { failure }
    }

    /// What broke off in the handler says that nobody knows how far it came.
    fn once_begun(&self, response: Response) -> Response {
        let shown = response.extensions().get::<pages::Shown>().is_some();
        match response.extensions().get::<Failure>() {
            Some(failure) if self.changes && failure.broke_off() && !shown => {
                failure.clone().once_begun(self.keyed).into_response()
            }
            Some(_) | None => response,
        }
    }
}

/// Where a request comes from; empty when the listener does not say. Proxies are seen through already.
pub(super) fn client_address(request: &Request) -> String {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    client.map(|ConnectInfo(client)| client.ip().to_string()).unwrap_or_default()
}

async fn admit_and_run(app: &App, rule: Rule, identity: &Identity, request: Request, next: Next) -> Answer {
    let (mut parts, body) = request.into_parts();
    if rule.access != Access::Anyone {
        let actor = match identity {
            Identity::Nobody => return Err(sign_in_required()),
            Identity::Refused => return Err(session_over()),
            Identity::Person(signed) => &signed.actor,
        };
        // What is no text in any encoding names nothing.
        let params = RawPathParams::from_request_parts(&mut parts, app)
            .await
            .map_err(|_| Failure::not_found("page or resource", parts.uri.path()))?;
        admit(app, rule.access, actor, &params).await?;
    }
    if let (Audit::Writes(_), Identity::Person(signed)) = (rule.audit, identity) {
        limits::count_write(app, &signed.actor).await?;
    }
    if let (Some(presence), Identity::Person(signed)) = (rule.presence, identity) {
        check_presence(presence, signed.shown_seconds_ago, rule.audit)?;
    }
    if let Identity::Person(signed) = identity {
        parts.extensions.insert(Acting(signed.actor.clone()));
        parts.extensions.insert(SinceShown(signed.shown_seconds_ago));
        parts.extensions.insert(signed.session);
    }
    let request = Request::from_parts(parts, body);
    Ok(next.run(request).await)
}

async fn admit(app: &App, access: Access, actor: &Actor, params: &RawPathParams) -> Answer<()> {
    let allowed = match access {
        Access::Anyone | Access::SignedIn => true,
        Access::Reader(of) => actor.may_read(&team(app, of, params).await?),
        Access::Role(roles, of) => {
            let team = team(app, of, params).await?;
            roles.iter().any(|role| actor.has(*role, &team))
        }
        Access::Anywhere(roles) => roles.iter().any(|role| actor.has_anywhere(*role)),
        Access::Auditor => {
            actor.has_anywhere(Role::Admin) || actor.grants.iter().any(|grant| grant.team.is_none())
        }
    };
    if allowed { Ok(()) } else { Err(forbidden(access)) }
}

/// Seconds since it was shown who is there, within which a form is opened, and within which it is sent: who opened it in
/// time has time to fill it in.
const SHOWN_TO_OPEN: f64 = 300.0;
const SHOWN_TO_ACT: f64 = 900.0;

fn check_presence(presence: Presence, seconds_ago: Option<f64>, audit: Audit) -> Answer<()> {
    let within = if audit == Audit::Reads { SHOWN_TO_OPEN } else { SHOWN_TO_ACT };
    match (presence, seconds_ago) {
        (_, Some(seconds)) if seconds <= within => Ok(()),
        (Presence::PersonOrToken, None) => Ok(()),
        (Presence::Person, None) => Err(Failure::new(
            "reauthentication-needed",
            "This needs a person who is there; an API token does not show that.",
            "Sign in as yourself and do it in that session: in a browser, or with your password (`muster login`, POST \
             /api/v1/session).",
        )),
        (_, Some(_)) => Err(Failure::new(
            "reauthentication-needed",
            format!(
                "You signed in, or showed again that it is you, more than {} minutes ago.",
                within / 60.0
            ),
            "Show again that it is you, then do it again: with your password (POST /api/v1/session/reauthenticate), or in your \
             browser at /reauthenticate, where your identity provider can ask you if you have no password here.",
        )),
    }
}

impl SinceShown {
    /// Whether a form that asks for it would be opened now, so that there is time to send it.
    #[must_use]
    pub fn opens(self) -> bool {
        self.0.is_some_and(|seconds| seconds <= SHOWN_TO_OPEN)
    }

    /// The same rule as a row that needs [`Presence::PersonOrToken`], for what only some requests of a row ask for.
    ///
    /// # Errors
    /// `reauthentication-needed`.
    pub fn acts(self) -> Answer<()> {
        check_presence(Presence::PersonOrToken, self.0, Audit::Writes(""))
    }
}

async fn team(app: &App, of: Of, params: &RawPathParams) -> Answer<TeamName> {
    let value =
        params.iter().find(|(key, _)| *key == of.as_str()).map(|(_, value)| value).unwrap_or_default();
    let mut conn = app.pool.acquire().await?;
    match of {
        Of::Pair => teams_of::pair(&mut conn, value).await,
        Of::Run => teams_of::run(&mut conn, value).await,
        Of::Plan => teams_of::plan(&mut conn, value).await,
        Of::Schedule => teams_of::schedule(&mut conn, value).await,
        Of::Finding => teams_of::finding(&mut conn, value).await,
        Of::Channel => teams_of::channel(&mut conn, value).await,
        Of::Proof => teams_of::proof(&mut conn, value).await,
        Of::Team => teams_of::team(&mut conn, value).await,
        Of::Alarm => teams_of::alarm(&mut conn, value).await,
    }
}

/// Nobody is signed in.
#[must_use]
pub fn sign_in_required() -> Failure {
    Failure::new(
        "sign-in-required",
        "Nobody is signed in with this request.",
        "Sign in; machines send `Authorization: Bearer` with a token from POST /api/v1/session or /api/v1/tokens.",
    )
}

fn session_over() -> Failure {
    Failure::new(
        "sign-in-required",
        "The session is over: it was ended, ran out, or its token is not one of ours.",
        "Sign in again.",
    )
}

/// Somebody is signed in and may not.
#[must_use]
pub fn forbidden(access: Access) -> Failure {
    let who = |roles: &[Role]| {
        roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect::<Vec<_>>().join(" or ")
    };
    let needed = match access {
        Access::Role(roles, _) => format!("the role {} for this pair's team", who(roles)),
        Access::Anywhere(roles) => format!("the role {}", who(roles)),
        Access::Reader(Of::Team) => "a role for this team".to_owned(),
        Access::Reader(_) => "a role for this pair's team".to_owned(),
        Access::Auditor => "the role admin, or any role for all teams".to_owned(),
        Access::Anyone | Access::SignedIn => "another role".to_owned(),
    };
    Failure::new(
        "forbidden",
        format!("You may not do this: it needs {needed}."),
        "Ask an admin for the role, or somebody who has it to do this.",
    )
}

/// Refusals are entries too. A reader who is merely not signed in is no refusal: they are shown the door in.
async fn audit_refusal(app: &App, rule: Rule, actor: Option<&Actor>, asked: &Asked, failure: &Failure) {
    let action = match (rule.audit, failure.status) {
        (_, StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE) => return,
        (Audit::Writes(action), _) => failure.action.unwrap_or(action),
        (Audit::Reads, StatusCode::FORBIDDEN) => "read",
        (Audit::Reads, _) => return,
    };
    let detail = json!({"code": failure.problem.code, "reason": failure.problem.detail});
    let who = audit_trail::Refused { name: actor.map(|actor| actor.name.as_str()), address: &asked.address };
    audit_trail::record_refusal(&app.pool, who, action, &asked.path, detail).await;
}

async fn failure_page(app: &App, identity: &Identity, asked: &Asked, failure: &Failure) -> Response {
    if failure.status == StatusCode::UNAUTHORIZED && failure.problem.code == "sign-in-required" {
        // Only a page can be returned to; a form's content would be lost, so that goes to the start.
        let next = if asked.reads { asked.target.as_str() } else { "/" };
        return Redirect::to(&pages::sign_in::address(next)).into_response();
    }
    if failure.problem.code == "reauthentication-needed" && identity.has_session() {
        let next = if asked.reads { asked.target.as_str() } else { "/" };
        return Redirect::to(&pages::reauthenticate::address(next)).into_response();
    }
    let mut page = pages::errors::page(app, identity.actor(), failure, &asked.path, &asked.request_id).await;
    *page.status_mut() = failure.status;
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}
