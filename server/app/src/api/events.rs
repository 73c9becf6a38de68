//! `GET /api/v1/runs/{run}/events`: what happens in a run, as a stream of server-sent events or as a list.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use muster_domain::run::RunEvent;
use muster_store::{run_events, runs};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::Items;
use crate::{
    app::App,
    http::{Answer, Json, Path, Query},
    run_watch::Watch,
};

/// How the events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct EventsQuery {
    /// Only events with a higher number; the header `Last-Event-ID` counts more.
    after: Option<i64>,
    /// `json` for the events there are now as a list; otherwise a stream that ends with the run.
    format: Option<String>,
}

/// The handler.
pub async fn events(
    State(app): State<App>,
    Path(run): Path<Uuid>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Answer {
    let resumed = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let seen = resumed.or(query.after).unwrap_or(0);
    let wants_stream = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_none_or(|accept| accept.contains("text/event-stream") || accept.contains("*/*"));
    if query.format.as_deref() == Some("json") || !wants_stream {
        let mut conn = app.pool.acquire().await?;
        return Ok(Json(Items::from(run_events::after(&mut conn, run, seen).await?)).into_response());
    }
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(stream_events(app, run, seen)).keep_alive(keep_alive).into_response())
}

/// Where a stream is.
struct Follow {
    app: App,
    run: Uuid,
    watch: Watch,
    seen: i64,
    waiting: std::vec::IntoIter<RunEvent>,
    ended: bool,
    closed: bool,
}

/// Each event as it comes; after the last one of an ended run a closing `end`. A database that is away is waited for.
fn stream_events(app: App, run: Uuid, seen: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    let watch = app.watch.watch(run);
    let start =
        Follow { app, run, watch, seen, waiting: Vec::new().into_iter(), ended: false, closed: false };
    stream::unfold(start, |mut follow| async move {
        loop {
            if let Some(event) = follow.waiting.next() {
                follow.seen = event.number;
                return Some((Ok(written(&event)), follow));
            }
            if follow.closed {
                return None;
            }
            if follow.ended {
                follow.closed = true;
                return Some((Ok(Event::default().event("end").data("{}")), follow));
            }
            follow.look().await;
        }
    })
    .fuse()
}

impl Follow {
    async fn look(&mut self) {
        match self.read().await {
            Ok((events, ended)) if !events.is_empty() || ended => {
                self.ended = ended && events.len() < 1000;
                self.waiting = events.into_iter();
            }
            Ok(_) | Err(_) => self.watch.changed().await,
        }
    }

    /// Whether it ended is read before the events, so that none can be missed.
    async fn read(&self) -> Answer<(Vec<RunEvent>, bool)> {
        let mut conn = self.app.pool.acquire().await?;
        let ended = runs::get(&mut conn, self.run).await?.is_none_or(|run| run.state.ended());
        Ok((run_events::after(&mut conn, self.run, self.seen).await?, ended))
    }
}

fn written(event: &RunEvent) -> Event {
    let data = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    Event::default().id(event.number.to_string()).event("run").data(data)
}
