//! Alarms of silent loss in the survey loop: judged with the survey, kept and told in its transaction.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    alarm::{Inputs, Judged, Memory, judge},
    ids::PairName,
    pair::Direction,
    survey::Survey,
};
use muster_operations::PairClients;
use muster_store::{StoreError, alarms, outbox, pairs, runs};
use sqlx::PgConnection;

/// What a survey says of alarms, not yet kept.
#[derive(Debug)]
pub struct Watched {
    judged: Judged,
    memory: Memory,
}

/// The number of the run that moves a pair now.
///
/// # Errors
/// When the database refuses.
pub async fn moved_by(conn: &mut PgConnection, pair: &PairName) -> Result<Option<i64>, StoreError> {
    Ok(runs::active_for_pair(conn, pair).await?.map(|run| run.number))
}

/// Judges the alarms of a survey by what the one before left behind; they are due a period apart. A run that moves the pair when the
/// survey ends, or did when it began, does on purpose what would be an alarm otherwise.
///
/// # Errors
/// When the database refuses.
pub async fn watch(
    conn: &mut PgConnection,
    clients: &PairClients,
    (survey, previous): (&Survey, Option<&Survey>),
    period: TimeDelta,
    moved_before: Option<i64>,
) -> Result<Watched, StoreError> {
    let memory = alarms::memory(conn, &survey.pair).await?;
    let moved_by = moved_by(conn, &survey.pair).await?.or(moved_before);
    // Next steps are commands with the address of Connect in them, for whoever reads the alarm.
    let (pair, clusters) = (&clients.pair.clone().without_credentials(), &clients.clusters);
    let inputs = Inputs { pair, clusters, survey, previous, memory: &memory, period, moved_by };
    let (judged, memory) = judge(inputs);
    Ok(Watched { judged, memory })
}

impl Watched {
    /// The way records flowed when that was last told, of two the one that is asked about; `None` where it never was, and while a run
    /// moves the pair.
    pub(crate) fn active(&self, asked: Direction) -> Option<Direction> {
        self.memory.active(asked)
    }

    /// Keeps them in the transaction that keeps the survey, and writes what teams are told.
    ///
    /// # Errors
    /// When the lease is lost or the database refuses.
    pub async fn keep(self, conn: &mut PgConnection, survey: &Survey, epoch: i64) -> Result<(), StoreError> {
        let Some(pair) = pairs::get(conn, &survey.pair).await? else { return Ok(()) };
        let of: (i64, DateTime<Utc>) = (survey.number, survey.began_at);
        let news = alarms::keep(conn, (&pair.name, &pair.team), epoch, of, self.judged, &self.memory).await?;
        for told in news {
            outbox::write(conn, &pair.team, &told.alarm.event(told.over)).await?;
            let (code, subject) = (told.alarm.alarm.code, &told.alarm.alarm.subject);
            if told.over {
                tracing::info!(pair.name = %pair.name, alarm.code = %code, "alarm `{code}` of `{subject}` on pair `{}` is over", pair.name);
            } else {
                tracing::warn!(pair.name = %pair.name, alarm.code = %code, "alarm `{code}` of `{subject}` on pair `{}`", pair.name);
            }
        }
        Ok(())
    }
}
