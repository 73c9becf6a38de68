//! What the process that observes a pair remembers of it between surveys: the ends lag in time is read from, and where the
//! flight recorder stands.
//!
//! It lasts as long as the pair's lease. Whoever takes a pair over, or has it again, reads the ends back from the recorder, so
//! that lag in time and what a death would cost are known from the first survey on, unless nobody observed the pair for longer
//! than is looked back. Of a source that died before that it reads what was stated of the loss: it is the same death.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    lag::{PartitionLag, Past},
    loss::{Evidence, Loss, settle, state_loss},
    pair::{Direction, Flow, Pair, Side},
    patterns::Scope,
    recorder::{FactKind, Kind, LastIds, group_samples, partition_samples},
    survey::Survey,
};
use muster_operations::{leader_ends::Unsettled, tails::TailMemory};
use muster_store::{
    StoreError, losses,
    recorder::{self, FactRecording, Recording},
};
use sqlx::{PgConnection, PgPool};

use crate::standing::lag_history::{LagHistory, MOST_ENDS, MOST_SURVEYS};

/// How far a new process looks back.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(20);
/// Of what is over and not sealed this part is sealed after one survey, of a large pair over some surveys and not at once: whatever the
/// period and the number of chunks, it is done in a few minutes and never piles up.
const SHARE: usize = 8;
/// And at least so many blocks.
const SEALED_AT_LEAST: usize = 4;
/// What is not sealed so long after it was over is told.
const SEALED_LATE: TimeDelta = TimeDelta::hours(1);

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    /// The ends of both sides.
    pub(crate) history: LagHistory,
    /// What lies before ends that stand still.
    pub(crate) tails: TailMemory,
    /// Since when, once what an earlier process saw was read back.
    recalled: Option<DateTime<Utc>>,
    recordings: BTreeMap<(Side, Kind), Recording>,
    /// How ACLs and configs were kept last.
    facts: FactRecording,
    /// Ids of each side's topics, as they are kept.
    ids: BTreeMap<Side, LastIds>,
    /// Losses whose last word is not said, each with when it was written last.
    unsettled: Vec<(DateTime<Utc>, Loss)>,
    /// Whether the newest survey that is kept is one this goes along with: what was written with it is as it was left.
    in_step: bool,
}

impl Memory {
    /// Reads back what an earlier process saw, once, and how ACLs and configs are kept, where that was forgotten. What does not read back is not
    /// remembered: less is known for a while, and surveys go on.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recall(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.facts.recall(conn, &pair.name).await?;
        if self.recalled.is_some() {
            return Ok(());
        }
        for flow in &pair.flows {
            let bounds = (MOST_SURVEYS, MOST_ENDS);
            let of = (&pair.name, flow.direction);
            match recorder::recent_ends(conn, of, now - LOOK_BACK, bounds).await {
                Ok(recent) => self.history.recall(pair, flow, recent),
                // Part of it would be a source with fewer partitions than it has.
                Err(e @ StoreError::Unreadable { .. }) => {
                    tracing::error!(pair.name = %pair.name, cause = %e, "what was recorded last of pair `{}` does not read back; its ends are remembered from now on", pair.name);
                }
                Err(e) => return Err(e),
            }
        }
        // The newest first.
        for loss in self.unsettled(conn, &pair.name).await?.iter().filter(|loss| loss.truth.is_none()) {
            self.history.recall_stated(loss);
        }
        self.recalled = Some(now);
        Ok(())
    }

    /// Whether it began less than so long ago: its process has just taken the pair over.
    pub(crate) fn younger_than(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        self.recalled.is_none_or(|since| now - since < age)
    }

    /// Whether nobody else can have kept a survey of the pair since this remembered one, and that one was kept for certain.
    pub(crate) fn in_step(&self) -> bool {
        self.in_step
    }

    /// Records a survey, in the transaction that keeps it. `lags` are those of the pair's flows in their order, `previous` is the survey that
    /// was kept before it, by whichever process.
    ///
    /// # Errors
    /// When the pair was deleted, or the database refuses.
    pub(crate) async fn record(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        (survey, previous): (&Survey, Option<&Survey>),
        lags: &[Vec<PartitionLag>],
    ) -> Result<(), StoreError> {
        for (flow, lags) in pair.flows.iter().zip(lags) {
            for kind in Kind::ALL {
                let samples = match kind {
                    Kind::Partitions => partition_samples(pair, flow, survey, lags),
                    Kind::Groups => group_samples(flow, survey),
                };
                if samples.is_empty() {
                    continue;
                }
                let recording = self.recording(conn, pair, flow, kind).await?;
                recording.append(conn, survey.began_at, samples).await?;
            }
        }
        self.record_facts(conn, pair, survey).await?;
        self.record_ids(conn, pair, (survey, previous)).await
    }

    async fn recording(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        flow: &Flow,
        kind: Kind,
    ) -> Result<&mut Recording, StoreError> {
        use std::collections::btree_map::Entry;
        match self.recordings.entry((flow.direction.from, kind)) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(place) => {
                Ok(place.insert(Recording::open(conn, &pair.name, flow.direction, kind).await?))
            }
        }
    }

    async fn record_facts(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        survey: &Survey,
    ) -> Result<(), StoreError> {
        for side in Side::BOTH {
            let (of, seen) = ((&survey.pair, side), survey.sides.get(side));
            let written = self.facts.record(conn, of, survey.began_at, seen).await?;
            for kind in written.left_out {
                let (what, cluster) = (kind_said(kind), pair.cluster(side));
                tracing::warn!(pair.name = %pair.name, "{what} of `{cluster}` in pair `{}` changed more today than is kept of a day: what changes from now on is not recorded until they are kept whole again tomorrow; find out what changes them over and over", pair.name);
            }
        }
        Ok(())
    }

    async fn record_ids(
        &mut self,
        conn: &mut PgConnection,
        pair: &Pair,
        (survey, previous): (&Survey, Option<&Survey>),
    ) -> Result<(), StoreError> {
        let scope = Scope::of(pair);
        for side in Side::BOTH {
            let of = (&pair.name, side);
            // Until when an id was seen is kept once it is over: the survey of another process says how long it was there at least.
            let (mut ids, unseen) = match self.ids.remove(&side) {
                Some(ids) => (ids, None),
                None => (recorder::last_ids(conn, &pair.name, side).await?, previous),
            };
            for survey in unseen.into_iter().chain([survey]) {
                let changed = ids.see(&scope, side, survey);
                recorder::keep_ids(conn, of, survey.began_at, &changed).await?;
            }
            self.ids.insert(side, ids);
        }
        Ok(())
    }

    /// The transaction of [`Memory::record`] is committed: the survey is remembered and the next builds on it.
    pub(crate) fn committed(&mut self, pair: &Pair, survey: &Survey) {
        for recording in self.recordings.values_mut() {
            recording.committed();
        }
        self.history.remember(pair, survey);
        self.in_step = true;
    }

    /// Forgets what was on its way: the next survey begins with rows that stand alone, whatever came of the last.
    pub(crate) fn doubt(&mut self) {
        self.recordings.clear();
        self.facts = FactRecording::default();
        self.ids.clear();
        self.in_step = false;
    }

    /// Seals what is over, for half of a survey's period at most. One stream that cannot be sealed keeps no other from it.
    ///
    /// # Errors
    /// When the database refuses, of the first stream for which it did.
    pub(crate) async fn seal(
        &self,
        pool: &PgPool,
        now: DateTime<Utc>,
        period: Duration,
    ) -> Result<(), StoreError> {
        let mut all = Ok(());
        let streams = u32::try_from(self.recordings.len()).unwrap_or(u32::MAX).max(1);
        for recording in self.recordings.values() {
            let sealed = seal_some(pool, recording, now, period / 2 / streams).await;
            all = all.and(sealed.map(|_| ()));
        }
        all
    }

    /// Losses of a pair whose last word is not said. Of very many partitions each is long, so they are read again only once one was
    /// written since, by whichever process.
    ///
    /// # Errors
    /// When the database refuses or a row does not read back.
    pub(crate) async fn unsettled(
        &mut self,
        conn: &mut PgConnection,
        pair: &PairName,
    ) -> Result<Vec<Loss>, StoreError> {
        let written = losses::unsettled_at(conn, pair).await?;
        if !written.iter().eq(self.unsettled.iter().map(|(at, _)| at)) {
            self.unsettled = losses::unsettled(conn, pair).await?;
        }
        Ok(self.unsettled.iter().map(|(_, loss)| loss.clone()).collect())
    }

    /// What is to be said of losses after a survey: of a source that does not answer what it costs, of one that is back what
    /// it turned out to be. Only what is new. `active` is the way records flowed when that was last told, of two the one it is asked
    /// about.
    pub(crate) fn losses(
        &self,
        pair: &Pair,
        survey: &Survey,
        previous: Option<&Survey>,
        unsettled: &[Unsettled],
        active: impl Fn(Direction) -> Option<Direction>,
    ) -> Vec<Loss> {
        let mut news = Vec::new();
        for flow in &pair.flows {
            let from = flow.direction.from;
            let of_flow = || unsettled.iter().filter(|(loss, _)| loss.direction == flow.direction);
            if survey.sides.get(from).topics.value().is_some() {
                news.extend(of_flow().filter_map(|(loss, ends)| {
                    let mut loss = loss.clone();
                    settle(&mut loss, survey, ends).then_some(loss)
                }));
                continue;
            }
            let Some(high) = self.history.high(from) else { continue };
            let said = of_flow().map(|(loss, _)| loss).find(|loss| loss.seen_at == high.at);
            let Past { ends: history, pace, .. } = self.history.past(from);
            let active = active(flow.direction);
            let evidence = Evidence { history, high, pace, previous, said, active };
            news.extend(state_loss(pair, flow, survey, &evidence).filter(|loss| Some(loss) != said));
        }
        news
    }

    /// Keeps them, in the transaction that keeps the survey.
    pub(crate) async fn keep_losses(
        conn: &mut PgConnection,
        pair: &Pair,
        losses: &[Loss],
    ) -> Result<(), StoreError> {
        for loss in losses {
            losses::keep(conn, &pair.name, loss).await?;
        }
        Ok(())
    }
}

fn kind_said(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Acls => "ACLs",
        FactKind::Configs => "configs of topics",
    }
}

/// Seals a part of what is over of a stream, the oldest first, each block in a transaction of its own; answers how many blocks are left.
/// After so long it stops, with one block at least: the next survey is not to wait for it.
///
/// # Errors
/// When the database refuses.
pub async fn seal_some(
    pool: &PgPool,
    recording: &Recording,
    now: DateTime<Utc>,
    within: Duration,
) -> Result<usize, StoreError> {
    let failed = |source| StoreError::Database { op: "seal a block of samples", source };
    let (stream, kind, began) = (recording.stream(), recording.kind(), Instant::now());
    let due = recorder::due(&mut *muster_store::acquire(pool).await?, stream, now).await?;
    let mut sealed = 0;
    for block in due.iter().take(share(due.len())) {
        if sealed > 0 && began.elapsed() >= within {
            break;
        }
        let mut tx = muster_store::begin(pool).await.map_err(failed)?;
        recorder::seal_one(&mut tx, (stream, kind), *block).await?;
        tx.commit().await.map_err(failed)?;
        sealed += 1;
    }
    let left = due.len() - sealed;
    if let Some(late) = due.get(sealed).filter(|oldest| now - oldest.begin > SEALED_LATE) {
        tracing::warn!(stream, left, oldest = %late.begin, "{left} blocks of the flight recorder wait to be sealed, the oldest since {}; they can be read all the same. If that goes on, the database is too slow for so many partitions at this period", late.begin);
    }
    Ok(left)
}

/// How many of so many blocks are sealed after one survey.
fn share(due: usize) -> usize {
    due.div_ceil(SHARE).max(SEALED_AT_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100,000 partitions with three groups each are 49 and 147 chunks.
    #[test]
    fn what_is_over_is_sealed_before_as_much_again_is_over_whatever_the_period() {
        for chunks in [1, 49, 147, 1_000] {
            // Periods of 5, 10 and 20 seconds; the last also where surveys take twice as long.
            for surveys in [60, 30, 15, 8] {
                let mut left = 0;
                for _ in 0..1_000 {
                    left += chunks;
                    for _ in 0..surveys {
                        left -= share(left).min(left);
                    }
                }
                assert!(left < chunks, "{left} of {chunks} chunks are left with {surveys} surveys a block");
            }
        }
    }
}
