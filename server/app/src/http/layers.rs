//! What every request passes, outermost first: request id, who asks through a proxy, trace, measurement, security headers, compression, time and size limits,
//! refusal of cross-site posts.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::IntoResponse as _,
};
use serde_json::json;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    csrf::{CsrfLayer, ProtectionError},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::{RequestBodyTimeoutLayer, TimeoutLayer},
    trace::TraceLayer,
};
use tracing::{Span, error_span};

use super::{failure::Failure, guard::client_address, proxies::tell_client, route::Audit};
use crate::{
    acts::audit_trail,
    app::App,
    auth::{Made, identify},
    pages,
    process::telemetry::{self, Telemetry},
    routes,
};

/// Largest body taken.
pub const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// Longest time until an answer begins. The few handlers that wait for Kafka (a check of a cluster, a canary that is asked for, a
/// record that is shown) are bounded below this.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Everything comes from this server; nothing inline, nothing framed.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Wraps the routes. `patience` is how long a client may be silent while it sends a body.
///
/// # Errors
/// When the public address is not an origin.
pub fn wrap(router: Router, app: &App, patience: Duration) -> anyhow::Result<Router> {
    let (public_url, telemetry): (&str, Arc<Telemetry>) = (&app.public_url, Arc::clone(&app.telemetry));
    let csrf = CsrfLayer::new()
        .add_trusted_origin(origin(public_url))
        .map_err(|e| {
            anyhow::anyhow!("MUSTER_PUBLIC_URL `{public_url}` is not an address browsers can be on: {e}")
        })?
        .with_rejection_response(|_: ProtectionError| cross_site().into_response());
    Ok(router.layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(from_fn_with_state(app.clone(), tell_client))
            // What failed is logged where it failed, with its cause.
            .layer(TraceLayer::new_for_http().make_span_with(span).on_response(log_answer).on_failure(()))
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(from_fn_with_state(telemetry, telemetry::measure))
            .layer(from_fn(security_headers))
            .layer(CompressionLayer::new())
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(app.clone(), failures_of_layers))
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, ANSWER_WITHIN))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .layer(RequestBodyTimeoutLayer::new(patience))
            .layer(csrf),
    ))
}

/// `https://muster.example.org/` → `https://muster.example.org`; default ports are dropped as browsers do.
fn origin(public_url: &str) -> String {
    let url = public_url.trim_end_matches('/').to_ascii_lowercase();
    let end = url.find("://").map_or(0, |i| i + 3);
    let host_end = url[end..].find('/').map_or(url.len(), |i| end + i);
    let origin = &url[..host_end];
    match origin.split_once("://") {
        Some(("http", host)) => format!("http://{}", host.strip_suffix(":80").unwrap_or(host)),
        Some((scheme, host)) => format!("{scheme}://{}", host.strip_suffix(":443").unwrap_or(host)),
        None => origin.to_owned(),
    }
}

fn cross_site() -> Failure {
    Failure::new(
        "cross-site",
        "The request came from another site's page and was refused; nothing was changed.",
        "Open Muster itself and act there. Behind a proxy, set MUSTER_PUBLIC_URL to the address people type.",
    )
}

async fn security_headers(request: Request, next: Next) -> axum::response::Response {
    let mut response = next.run(request).await;
    for (name, value) in FIXED_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Pages and answers are for one person; assets set their own.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Layers answer with a bare status; everybody gets a problem document.
async fn failures_of_layers(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let path = request.uri().path().to_owned();
    let asked = Asked::of(&request);
    let response = next.run(request).await;
    if let Some(failure) = response.extensions().get::<Failure>().filter(|f| f.problem.code == "cross-site") {
        asked.audit(&app, &path, failure).await;
    }
    let bare = response.extensions().get::<Failure>().is_none();
    match response.status() {
        StatusCode::GATEWAY_TIMEOUT if bare => Failure::new(
            "timeout",
            "The answer took longer than 30 s and was given up; what was begun may still be carried out.",
            "Look at the state of what you acted on before you repeat it.",
        )
        .into_response(),
        StatusCode::METHOD_NOT_ALLOWED if bare => {
            let page = if asked.method == Method::GET {
                pages::errors::only_a_form_goes_there(&app, &asked.headers, &path).await
            } else {
                None
            };
            let mut refused = page.unwrap_or_else(|| does_not_take_it(&path).into_response());
            // RFC 9110, section 15.5.6: which methods it takes.
            if let Some(allow) = response.headers().get(header::ALLOW) {
                refused.headers_mut().insert(header::ALLOW, allow.clone());
            }
            refused
        }
        _ => response,
    }
}

fn does_not_take_it(path: &str) -> Failure {
    Failure::new(
        "method-not-allowed",
        format!("`{path}` does not take this method."),
        "See /api/openapi.json for the methods of each address.",
    )
}

/// A handler that panics answers as every other fault inside; without this the connection would just close. The panic
/// itself, with its place, is logged by the hook.
fn panicked(_: Box<dyn Any + Send>) -> axum::response::Response {
    Failure::internal("answer a request", "the handler panicked").whatever_was_asked().into_response()
}

/// What is told of a request that the guard of its route never saw.
struct Asked {
    headers: HeaderMap,
    method: Method,
    route: String,
    address: String,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        Self {
            headers: request.headers().clone(),
            method: request.method().clone(),
            route: route.unwrap_or_default(),
            address: client_address(request),
        }
    }

    /// Whoever is signed in there did not mean it, but it was done with their session.
    async fn audit(&self, app: &App, path: &str, failure: &Failure) {
        let asked = routes::routes().into_iter().find(|r| r.path == self.route && r.method == self.method);
        let Some(Audit::Writes(action)) = asked.map(|route| route.rule.audit) else { return };
        let identity = identify(app, &self.headers, Made::ByItself).await;
        let actor = identity.ok().and_then(|identity| identity.actor().map(|actor| actor.name.clone()));
        let origin = self.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let detail =
            json!({"code": failure.problem.code, "reason": failure.problem.detail, "origin": origin});
        let who = audit_trail::Refused { name: actor.as_deref(), address: &self.address };
        audit_trail::record_refusal(&app.pool, who, action, path, detail).await;
    }
}

fn span(request: &Request) -> Span {
    let id =
        request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or("");
    // The path only: queries may carry what people search for. An error's span, so that lines have the id whatever
    // level is logged.
    error_span!("request", request.id = %id, method = %request.method(), path = %request.uri().path())
}

fn log_answer<B>(response: &Response<B>, took: Duration, _: &Span) {
    tracing::debug!(status = response.status().as_u16(), took_ms = took.as_millis() as u64, "answered");
}
