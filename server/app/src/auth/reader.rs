//! Whether who follows a stream may go on reading it.
//!
//! The guard looks once, when a stream begins, and a stream may last for hours. Who is disabled, loses the role or is signed out
//! meanwhile sends no further request that could be refused, so the stream looks again by itself.

use std::time::Duration;

use muster_domain::{ids::TeamName, people::Actor};
use muster_store::{sessions, tokens};
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use super::{IDLE_SECONDS, SessionRef, narrowed};
use crate::{acts::runs, app::App, following::turns::Turn, http::Answer};

/// Longest time a stream goes on without looking again.
pub const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// Whether somebody may read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadsOn {
    /// They may.
    Yes,
    /// Their session or token ended, they are disabled, or nothing lets them read this team's runs any more.
    No,
    /// The database does not say, and the last look is too old to go by.
    NotKnown,
}

/// Who follows what happens in a run.
#[derive(Debug)]
pub struct Reader {
    pool: PgPool,
    session: SessionRef,
    team: TeamName,
    every: Duration,
    due: Instant,
}

impl Reader {
    /// Somebody the guard has just let in. `turn` spreads the looks of those who came at once.
    ///
    /// # Errors
    /// `not-found`.
    pub async fn of_run(app: &App, session: SessionRef, run: Uuid, turn: &Turn) -> Answer<Self> {
        let team = runs::get(&mut *app.pool.acquire().await?, run).await?.team;
        let every = app.look_again;
        let due = Instant::now() + turn.within(every);
        Ok(Self { pool: app.pool.clone(), session, team, every, due })
    }

    /// Returns when it is time to look again.
    pub async fn until_due(&self) {
        tokio::time::sleep_until(self.due).await;
    }

    /// Looks again if it is time to: one query by a primary key.
    pub async fn reads_on(&mut self) -> ReadsOn {
        if Instant::now() < self.due {
            return ReadsOn::Yes;
        }
        match self.actor().await {
            Ok(Some(actor)) if actor.may_read(&self.team) => {
                self.due = Instant::now() + self.every;
                ReadsOn::Yes
            }
            Ok(Some(_) | None) => ReadsOn::No,
            Err(_) => ReadsOn::NotKnown,
        }
    }

    /// Who acts by the session or token as things are now. It is not noted as used: who only listens does nothing.
    async fn actor(&self) -> Answer<Option<Actor>> {
        let mut conn = self.pool.acquire().await?;
        Ok(match self.session {
            SessionRef::Session(sid) => {
                sessions::get_live(&mut conn, sid, IDLE_SECONDS).await?.map(|signed| signed.actor)
            }
            SessionRef::Token(id) => {
                tokens::get_live_by_id(&mut conn, id).await?.map(|(kept, actor)| narrowed(&kept, actor))
            }
        })
    }
}
