//! When the next survey of a pair is taken: once a period, and before that when a connection to one of its clusters was closed.
//!
//! A broker that is killed leaves a loss as wide as the time until somebody looks, and its connections are closed at once. So the next
//! survey is brought forward. It takes the place of the one that was due, which comes a period later: connections that open and close all
//! the time bring one forward a period, never more, and a cluster that stays dead none at all, since dials that fail close nothing.

use std::time::Duration;

use muster_domain::pair::BySide;
use muster_kafka::Closings;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

/// Between the end of a survey and one that is brought forward, at least: as long as the shortest period that can be set. So nothing is told
/// from two surveys that are closer than with that. How fast is written, and what must be so for some surveys, is not told from one that
/// was brought forward at all ([`muster_domain::survey::Survey::brought_forward`]).
const AFTER_LAST: Duration = Duration::from_secs(1);

/// Why a survey is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A period is over.
    Due,
    /// A connection was closed by the other side.
    BroughtForward,
}

/// See the module.
#[derive(Debug)]
pub struct Rhythm {
    ticks: Interval,
    /// How long this pair waits while others that share its clusters are looked at: so they begin apart, as they did at first.
    place: Duration,
    /// Why the last survey was taken, and when it ended; `None` before the first.
    last: Option<(Occasion, Instant)>,
}

impl Rhythm {
    /// Begins in a while.
    #[must_use]
    pub fn new(begin_in: Duration, period: Duration) -> Self {
        let mut ticks = interval_at(Instant::now() + begin_in, period);
        // A slow survey is followed by a full pause less its own time, never by a burst.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, place: begin_in, last: None }
    }

    /// Waits until a survey is to be taken. `closings` are of the clients that took the last one; `None` where this process took none.
    pub async fn next(&mut self, closings: Option<&mut BySide<Closings>>) -> Occasion {
        let (not_before, place) = (self.not_before(), self.place);
        let early = async {
            let (Some(not_before), Some(closings)) = (not_before, closings) else {
                return std::future::pending().await;
            };
            tokio::select! {
                () = closings.a.next() => {}
                () = closings.b.next() => {}
            }
            sleep_until(not_before.max(Instant::now() + place)).await;
        };
        tokio::select! {
            _ = self.ticks.tick() => return Occasion::Due,
            () = early => {}
        }
        self.ticks.reset();
        Occasion::BroughtForward
    }

    /// That survey is taken, or failed.
    pub fn taken(&mut self, occasion: Occasion) {
        self.last = Some((occasion, Instant::now()));
    }

    /// From when on the next one may be brought forward; `None`: it is taken when it is due.
    fn not_before(&self) -> Option<Instant> {
        let (occasion, ended) = self.last?;
        (occasion == Occasion::Due).then(|| ended + AFTER_LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn one_survey_a_period_may_be_brought_forward_and_that_not_right_after_another() {
        let mut rhythm = Rhythm::new(Duration::ZERO, HOUR);
        assert_eq!(rhythm.not_before(), None, "nobody has looked yet");
        let before = Instant::now();
        rhythm.taken(Occasion::Due);
        assert!(rhythm.not_before().is_some_and(|at| at >= before + AFTER_LAST));
        rhythm.taken(Occasion::BroughtForward);
        assert_eq!(rhythm.not_before(), None, "the next one is due first");
        rhythm.taken(Occasion::Due);
        assert!(rhythm.not_before().is_some());
    }

    #[tokio::test]
    async fn who_took_no_survey_is_woken_by_nothing_but_the_time() {
        let mut rhythm = Rhythm::new(Duration::ZERO, Duration::from_millis(20));
        for _ in 0..3 {
            assert_eq!(rhythm.next(None).await, Occasion::Due);
            rhythm.taken(Occasion::Due);
        }
    }
}
