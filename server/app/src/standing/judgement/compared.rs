//! What earlier surveys found different, kept while the newest cannot compare: surveys themselves are not kept. It has a row of its own,
//! which is neither read nor written while what a survey can compare stays the same.

use muster_domain::{difference::LastCompared, ids::PairName, survey::Survey};
use muster_operations::PairClients;
use muster_store::{StoreError, last_compared as row};
use sqlx::PgConnection;

/// What a survey makes of what is kept of parts that cannot be compared.
#[derive(Debug)]
pub enum Remembered {
    /// It stays as it is, also where there is nothing.
    Stands,
    /// Nothing of it is of use any more: all can be compared, or applications are elsewhere.
    Over,
    /// This takes its place.
    Anew(LastCompared),
}

impl Remembered {
    /// From the survey before and what was kept with that one. `in_step` says whether this process kept that one, under the lease it has
    /// now: then nobody else has written anything since.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn after(
        conn: &mut PgConnection,
        clients: &PairClients,
        survey: &Survey,
        previous: Option<&Survey>,
        in_step: bool,
    ) -> Result<Self, StoreError> {
        let pair = &clients.pair;
        if in_step && previous.is_some_and(|previous| LastCompared::stands(pair, survey, previous)) {
            return Ok(Self::Stands);
        }
        if !LastCompared::is_wanted(pair, survey) {
            return Ok(Self::Over);
        }
        let kept = last_compared(conn, &pair.name).await?;
        let now = LastCompared::after(pair, &clients.clusters, survey, previous, kept.as_ref());
        Ok(match now {
            // One that does not read back is left to whoever can read it.
            _ if now == kept => Self::Stands,
            Some(now) => Self::Anew(now),
            None => Self::Over,
        })
    }

    /// Keeps it, in the transaction that keeps the survey.
    ///
    /// # Errors
    /// When the pair was deleted, or the database refuses.
    pub async fn keep(&self, conn: &mut PgConnection, survey: &Survey) -> Result<(), StoreError> {
        match self {
            Self::Stands => Ok(()),
            Self::Over => row::remove(conn, &survey.pair).await,
            Self::Anew(last) => row::keep(conn, &survey.pair, survey.began_at, last).await,
        }
    }
}

/// What is remembered of what a pair's newest survey cannot compare. Nothing where it does not read back: a process of the version after,
/// which may observe the pair during an upgrade, knows kinds of differences that this one does not.
///
/// # Errors
/// When the database refuses.
pub async fn last_compared(
    conn: &mut PgConnection,
    pair: &PairName,
) -> Result<Option<LastCompared>, StoreError> {
    let kept = row::get(conn, pair).await?;
    Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
}
