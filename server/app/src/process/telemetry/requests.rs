//! How long answers took, by the template of their route: addresses themselves would make as many series as there are
//! runs.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};

use super::Telemetry;

/// Pages answer within some milliseconds; a cluster check may take half a minute.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: &'static str,
}

/// Durations of all answers.
#[derive(Debug)]
pub(super) struct Durations(Family<Answered, Histogram, fn() -> Histogram>);

impl Default for Durations {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BUCKETS)))
    }
}

impl Durations {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "muster_http_request_duration_seconds",
            "Time until an answer began, by route, method and class of status",
            self.0.clone(),
        );
    }
}

/// Measures the time until an answer begins. A stream of a run counts until its first bytes.
pub async fn measure(State(telemetry): State<Arc<Telemetry>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = method_word(request.method());
    // Whatever has no route is one series, or strangers could make as many as they like.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let answered = Answered { method, route, status: class(response.status()) };
    telemetry.requests.0.get_or_create(&answered).observe(began.elapsed().as_secs_f64());
    response
}

fn method_word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
