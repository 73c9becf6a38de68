//! A source that dies three times before it can be looked at again: each return elects new leaders, and applications write to each.

use anyhow::{Context as _, Result};
use chrono::Utc;
use muster_domain::{loss::Loss, pair::Side};
use muster_it::WEST;
use muster_lab::wait_until;

use crate::{
    SOON,
    open_transactions::{BUSY, COPIED, OPEN, STILL, Stage, at},
};

/// Records written to each leader.
const TO_EACH: i64 = 10;
const ELECTIONS: usize = 3;

impl Stage {
    /// What leaders wrote that were elected since is not taken for what died where the logs tell, and where they do not it is said to be
    /// in the figure.
    pub(crate) async fn dies_again_and_again(&self) -> Result<()> {
        self.look().await?;
        let died = Utc::now();
        self.lab.kill(WEST).await?;
        let said = self.observer.stated(died).await?;
        let total = said.total;
        assert_eq!((total.records_at_least, total.records_at_most), (0, Some(2 * OPEN)), "{total:?}");
        for election in 1..=ELECTIONS {
            self.lab.restart(WEST).await?;
            self.observer.write(&at(BUSY), TO_EACH, |_| true).await?;
            if election < ELECTIONS {
                self.lab.kill(WEST).await?;
            }
        }

        // Each partition is told by its first reading, and this one is written to from survey to survey.
        wait_until("both to have a leader", SOON, || async {
            self.observer.end(Side::A, &at(STILL)).await.map(Some)
        })
        .await?;
        self.written_on_until("a first figure", |loss| loss.noticed_at >= died && loss.truth.is_some())
            .await?;
        let beyond = self.observer.end(Side::A, &at(BUSY)).await? - COPIED;
        assert!(beyond >= OPEN + TO_EACH * i64::try_from(ELECTIONS)?, "{beyond}");
        let settled = self
            .written_on_until("the last word", |loss| {
                loss.noticed_at >= died && loss.truth.as_ref().is_some_and(|truth| truth.settled)
            })
            .await?;
        let truth = settled.truth.clone().context("it is settled")?;
        println!("{truth:#?}");
        let of = |name: &str| settled.topics.iter().find(|topic| topic.topic == name)?.truth;
        // Its log knows no other leader's records: where that of then had ended is where the present one began.
        assert_eq!(of(STILL), Some(OPEN), "{settled:#?}");
        // Here two leaders wrote in between, and nobody knows whether before it died or after.
        assert_eq!(of(BUSY), Some(beyond), "{settled:#?}");
        let told = (truth.records, truth.by_logs, truth.exact);
        assert_eq!(told, (Some(OPEN + beyond), false, false), "{truth:#?}");
        assert!(
            truth.method.contains("at most so many, since somebody may have written there"),
            "{}",
            truth.method
        );
        assert_eq!(settled.total, said.total, "what was said stays beside it");
        Ok(())
    }

    /// Observes, with one more record before each survey, until this is true of the newest loss.
    async fn written_on_until(&self, what: &str, holds: impl Fn(&Loss) -> bool) -> Result<Loss> {
        wait_until(what, SOON, || async {
            self.observer.write(&at(BUSY), 1, |_| true).await?;
            Ok(self.observer.observe().await?.filter(&holds))
        })
        .await
    }
}
