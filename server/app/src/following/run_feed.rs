//! What happens in a run, read once for all who follow it at this process.
//!
//! Five hundred people who watch one run must not ask the database five hundred times about each event, or the pages of
//! everybody else would wait for theirs. So one reader a run looks when told, and hands on what it found; it ends when
//! nobody follows any more. Who was too slow to take everything reads the rest by themselves.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use muster_domain::run::RunEvent;
use muster_store::{StoreError, run_events, runs};
use sqlx::PgPool;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::following::run_watch::{RunWatch, Watch};

/// How many messages of a reader a follower may be behind before it reads by itself.
const BEHIND: usize = 64;

/// An event as it goes to everybody who follows.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its number in the run.
    pub number: i64,
    /// The event as JSON.
    pub text: Arc<str>,
}

/// What one look has found.
#[derive(Debug, Clone)]
pub struct Found {
    /// New events, in order.
    pub events: Vec<Written>,
    /// Whether the run has ended and these are its last events.
    pub ended: bool,
}

/// The readers of this process, by run.
#[derive(Debug, Clone, Default)]
pub struct Feeds(Arc<Mutex<HashMap<Uuid, broadcast::Sender<Arc<Found>>>>>);

impl Feeds {
    /// What will be found of a run from now on. Whoever follows reads what is there already after this, by [`look`]: so
    /// nothing is missed, and what comes twice is told by its number. The first one says where reading begins.
    #[must_use]
    pub fn follow(
        &self,
        pool: &PgPool,
        watch: &RunWatch,
        run: Uuid,
        seen: i64,
    ) -> broadcast::Receiver<Arc<Found>> {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = feeds.get(&run) {
            return sender.subscribe();
        }
        let (sender, receiver) = broadcast::channel(BEHIND);
        feeds.insert(run, sender.clone());
        let watch = watch.watch(run);
        tokio::spawn(self.clone().read(pool.clone(), watch, run, seen, sender));
        receiver
    }

    async fn read(
        self,
        pool: PgPool,
        mut watch: Watch,
        run: Uuid,
        mut seen: i64,
        sender: broadcast::Sender<Arc<Found>>,
    ) {
        while !self.leave_if_nobody_follows(run, &sender) && !watch.closed() {
            match look(&pool, run, seen).await {
                Ok(found) => {
                    if let Some(last) = found.events.last() {
                        seen = last.number;
                    }
                    let more = found.events.len() >= run_events::AT_MOST;
                    if !found.events.is_empty() || found.ended {
                        // Nobody left: seen on the next turn.
                        let _ = sender.send(Arc::new(found));
                    }
                    if more {
                        continue;
                    }
                }
                // A database that is away is waited for.
                Err(e) => tracing::debug!(run.id = %run, "could not read events: {e}"),
            }
            watch.changed().await;
        }
    }

    /// Under the lock, so that nobody begins to follow a reader that has just decided to end.
    fn leave_if_nobody_follows(&self, run: Uuid, sender: &broadcast::Sender<Arc<Found>>) -> bool {
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody = sender.receiver_count() == 0;
        if nobody {
            feeds.remove(&run);
        }
        nobody
    }
}

/// Events after a number, and whether they are the last ones. Whether the run has ended is read before the events, so
/// that none can be missed.
///
/// # Errors
/// When the database cannot be read.
pub async fn look(pool: &PgPool, run: Uuid, seen: i64) -> Result<Found, StoreError> {
    let mut conn = pool.acquire().await.map_err(|e| StoreError::database("follow a run", e))?;
    let stored = runs::get(&mut conn, run).await?;
    let over = stored.is_none_or(|run| run.state.ended());
    let events = run_events::after(&mut conn, run, seen).await?;
    let ended = over && events.len() < run_events::AT_MOST;
    Ok(Found { events: events.iter().map(written).collect(), ended })
}

fn written(event: &RunEvent) -> Written {
    let text = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    Written { number: event.number, text: text.into() }
}
