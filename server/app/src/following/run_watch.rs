//! Who watches runs: one listener per process on the channel `muster_run`, fanned out to every open page and stream.
//!
//! A notification only says "look again"; what happened is read from the events. So a lost one costs seconds, never an
//! event: watchers look by themselves every few seconds, more often while the listener is down.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::following::{
    run_feed::{Feeds, Found},
    turns::{Turn, Turns},
};

const CHANNEL: &str = "muster_run";
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
const LOOK_WHILE_DEAF: Duration = Duration::from_secs(1);

/// Hands out watches.
#[derive(Debug, Clone)]
pub struct RunWatch {
    changes: broadcast::Sender<Uuid>,
    listening: Arc<AtomicBool>,
    closing: CancellationToken,
    feeds: Feeds,
    turns: Turns,
}

impl Default for RunWatch {
    fn default() -> Self {
        Self {
            changes: broadcast::channel(1024).0,
            listening: Arc::default(),
            closing: CancellationToken::new(),
            feeds: Feeds::default(),
            turns: Turns::default(),
        }
    }
}

impl RunWatch {
    /// Listens until shutdown, reconnecting for ever.
    pub async fn listen(self, pool: PgPool, shutdown: CancellationToken) {
        loop {
            let lost = tokio::select! {
                () = shutdown.cancelled() => return,
                lost = self.listen_once(&pool) => lost,
            };
            self.listening.store(false, Ordering::Relaxed);
            tracing::warn!(cause = %lost, "lost the database's notifications; watchers poll until they are back");
            tokio::time::sleep(LOOK_WHILE_DEAF).await;
        }
    }

    async fn listen_once(&self, pool: &PgPool) -> sqlx::Error {
        let mut listener = match PgListener::connect_with(pool).await {
            Ok(listener) => listener,
            Err(e) => return e,
        };
        if let Err(e) = listener.listen(CHANNEL).await {
            return e;
        }
        self.listening.store(true, Ordering::Relaxed);
        loop {
            match listener.recv().await {
                Ok(notice) => {
                    if let Ok(run) = notice.payload().parse() {
                        // No receiver is fine: nobody watches.
                        let _ = self.changes.send(run);
                    }
                }
                Err(e) => return e,
            }
        }
    }

    /// A watch on one run.
    #[must_use]
    pub fn watch(&self, run: Uuid) -> Watch {
        Watch {
            run,
            changes: self.changes.subscribe(),
            listening: Arc::clone(&self.listening),
            closing: self.closing.clone(),
            turn: self.turns.take(),
        }
    }

    /// A watch on one run, and what is found of it from now on; see [`Feeds::follow`].
    #[must_use]
    pub fn follow(&self, pool: &PgPool, run: Uuid, seen: i64) -> (Watch, broadcast::Receiver<Arc<Found>>) {
        (self.watch(run), self.feeds.follow(pool, self, run, seen))
    }

    /// Ends all watches: this process stops, and whoever watches asks another one from where it was.
    pub fn close(&self) {
        self.closing.cancel();
    }
}

/// A watch on one run.
#[derive(Debug)]
pub struct Watch {
    run: Uuid,
    changes: broadcast::Receiver<Uuid>,
    listening: Arc<AtomicBool>,
    closing: CancellationToken,
    turn: Turn,
}

impl Watch {
    /// Returns when it is worth looking at the run again.
    pub async fn changed(&mut self) {
        let wait = if self.listening.load(Ordering::Relaxed) { LOOK_ANYWAY } else { LOOK_WHILE_DEAF };
        let told = async {
            loop {
                match self.changes.recv().await {
                    Ok(run) if run == self.run => return,
                    Ok(_) => {}
                    // Some were missed; ours may be among them.
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending::<()>().await,
                }
            }
        };
        tokio::select! {
            () = self.closing.cancelled() => {}
            _ = tokio::time::timeout(wait, told) => {}
        }
    }

    /// The turn of whoever watches among all who do at this process.
    #[must_use]
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Returns when it is ended.
    pub async fn until_closed(&self) {
        self.closing.cancelled().await;
    }

    /// Whether it was ended: there is nothing more to wait for here.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.closing.is_cancelled()
    }
}
