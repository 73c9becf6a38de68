//! `GET /api/v1/runs/{run}/events`: what happens in a run, as a stream of server-sent events or as a list.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt as _, stream};
use muster_store::run_events;
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::IntoParams;
use uuid::Uuid;

use super::Items;
use crate::{
    app::App,
    auth::{
        SessionRef,
        reader::{Reader, ReadsOn},
    },
    following::{
        run_feed::{self, Found, Written},
        run_watch::Watch,
    },
    http::{Answer, Json, Path, Query},
};

/// How the events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct EventsQuery {
    /// Only events with a higher number: `next` of the page before, or that of an event; the header `Last-Event-ID` counts more.
    after: Option<i64>,
    /// At most so many in a list, 1 to 1000; 1000.
    limit: Option<i64>,
    /// `json` for the events there are now as a list; otherwise a stream that ends with the run.
    format: Option<String>,
}

/// The handler.
pub async fn events(
    State(app): State<App>,
    Extension(session): Extension<SessionRef>,
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
        let longest = run_events::AT_MOST as i64;
        let limit = query.limit.unwrap_or(longest).clamp(1, longest);
        let mut conn = app.pool.acquire().await?;
        let items = run_events::page(&mut conn, run, seen, limit).await?;
        let page = Items::page(items, limit, |event| event.number.to_string());
        return Ok(Json(page).into_response());
    }
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    let (watch, live) = app.watch.follow(&app.pool, run, seen);
    let reader = Reader::of_run(&app, session, run, watch.turn()).await?;
    let waiting = VecDeque::new();
    let start =
        Follow { app, reader, run, watch, live, behind: true, seen, waiting, ended: false, closed: false };
    Ok(Sse::new(stream_events(start)).keep_alive(keep_alive).into_response())
}

/// Where a stream is.
struct Follow {
    app: App,
    reader: Reader,
    run: Uuid,
    watch: Watch,
    live: Receiver<Arc<Found>>,
    /// Whether there may be something to read that `live` does not bring: before the first look, or when it was too slow.
    behind: bool,
    seen: i64,
    waiting: VecDeque<Written>,
    ended: bool,
    closed: bool,
}

/// Each event as it comes, as long as the reader may read on; after the last one of an ended run a closing `end`. A database
/// that is away is waited for.
fn stream_events(start: Follow) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(start, |mut follow| async move {
        loop {
            match follow.reader.reads_on().await {
                ReadsOn::Yes => {}
                // Without an `end`, too: whoever asks again is told why.
                ReadsOn::No => return None,
                ReadsOn::NotKnown if follow.watch.closed() => return None,
                ReadsOn::NotKnown => {
                    follow.watch.changed().await;
                    continue;
                }
            }
            if let Some(event) = follow.waiting.pop_front() {
                follow.seen = event.number;
                let told = Event::default().id(event.number.to_string()).event("run").data(&*event.text);
                return Some((Ok(told), follow));
            }
            // Without an `end` whoever follows asks again, with the number of what came last: another process answers.
            if follow.closed || follow.watch.closed() {
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
        if self.behind {
            match run_feed::look(&self.app.pool, self.run, self.seen).await {
                Ok(found) => {
                    self.behind = found.events.len() >= run_events::AT_MOST;
                    self.take(&found);
                }
                Err(_) => self.watch.changed().await,
            }
            return;
        }
        tokio::select! {
            () = self.watch.until_closed() => {}
            () = self.reader.until_due() => {}
            found = self.live.recv() => match found {
                Ok(found) => {
                    tokio::time::sleep(self.watch.turn().waits()).await;
                    self.take(&found);
                }
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => {
                    self.watch.changed().await;
                    self.behind = true;
                }
            }
        }
    }

    fn take(&mut self, found: &Found) {
        let new = found.events.iter().filter(|event| event.number > self.seen);
        self.waiting.extend(new.cloned());
        self.ended = found.ended;
    }
}
