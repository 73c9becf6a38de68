//! Looking after a proof while others compare, or nobody does: whether it is over, and what becomes of what stands still.

use std::time::Duration;

use muster_domain::pair::Side;
use muster_kafka::Dealt;
use tokio::time::timeout;

use super::{
    standstill::{LONGEST, Obstacle},
    work::{Hand, LOOK_EVERY, Share, WITHIN_MS},
};
use crate::translation_proof::ProofError;

/// What keeps a process from being dealt something to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undealt {
    /// Nothing does.
    No,
    /// Nothing is dealt out at all.
    Waiting,
    /// What is left is others', or nobody's: a topic that was deleted is dealt to none. Only who leads asks.
    Left,
}

impl Undealt {
    /// By what a process is dealt, and whether it has anything to compare.
    pub(super) fn of(share: &Share<'_>, dealt: &Dealt, idle: bool) -> Self {
        match dealt {
            Dealt::Waiting => Self::Waiting,
            Dealt::Mine(_) if idle && share.leads => Self::Left,
            Dealt::Mine(_) | Dealt::Refused(_) => Self::No,
        }
    }
}

/// Why looking after the others came to an end.
pub(super) enum Over {
    /// Nothing is open any more, or it is not wanted.
    Proof,
    /// This process is to compare whatever is open, whoever it is dealt to.
    Dealing,
}

impl Hand<'_> {
    /// Comes back once the proof is over, or this process is to do it all.
    pub(super) async fn look_after(&self, share: &Share<'_>, undealt: Undealt) -> Result<Over, ProofError> {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.book.any_open().await {
                Ok(true) => {
                    let stood = self.standstill.look(undealt != Undealt::No, self.book).await;
                    if !stood.is_empty() && self.goes_alone(share, undealt, &stood).await? {
                        return Ok(Over::Dealing);
                    }
                }
                Ok(false) => return Ok(Over::Proof),
                Err(cause) => {
                    tracing::warn!(%cause, "could not look whether a proof is over; tried again shortly");
                }
            }
        }
    }

    /// Ends what stands still, and no more than that: where both sides answer, what waits for a part of one is given up and the rest goes
    /// on. True when this process is to compare all that is open.
    async fn goes_alone(
        &self,
        share: &Share<'_>,
        undealt: Undealt,
        stood: &[Obstacle],
    ) -> Result<bool, ProofError> {
        let undealt = if stood.contains(&Obstacle::Undealt) { undealt } else { Undealt::No };
        if undealt == Undealt::Left {
            tracing::info!("nobody gets on with what is left to compare; the process that leads takes it");
            return Ok(true);
        }
        let (from, to) = tokio::join!(self.answers(self.direction.from), self.answers(self.direction.to()));
        let helps_nobody = undealt == Undealt::Waiting && !share.leads;
        if helps_nobody || !from || !to {
            return Err(self.stands_still(share, undealt, stood));
        }
        if undealt == Undealt::Waiting {
            tracing::info!(
                group = share.group,
                "a group deals nothing out; the process that leads compares alone"
            );
            return Ok(true);
        }
        let given_up = self.standstill.give_up(stood);
        tracing::warn!(partitions = ?given_up, "both sides answer and these partitions do not; they are waited for no longer");
        self.given_up.add(given_up);
        Ok(false)
    }

    /// Whether anybody answers for a side: what does not then is a part of it.
    async fn answers(&self, side: Side) -> bool {
        let asked = self.clients.admin.get(side).describe_cluster();
        matches!(timeout(Duration::from_millis(WITHIN_MS), asked).await, Ok(Ok(_)))
    }

    fn stands_still(&self, share: &Share<'_>, undealt: Undealt, stood: &[Obstacle]) -> ProofError {
        let mut tried = Vec::new();
        if undealt == Undealt::Waiting {
            tried.push(format!(
                "group `{}` on cluster `{}`, which deals out what to compare, has dealt nothing",
                share.group,
                self.records.source.cluster()
            ));
        }
        let last = self.standstill.last_error(stood);
        tried.extend(last.map(|error| format!("the last error was: {error}")));
        ProofError::StandsStill { minutes: LONGEST.as_secs() / 60, tried: tried.join("; ") }
    }
}
