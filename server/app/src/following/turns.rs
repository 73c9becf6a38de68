//! Turns of those who are told the same thing: hundreds follow one run, and what all of them do at one moment makes everybody
//! else's page wait for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The last of them is told so much later than the first; nobody sees that.
const LONGEST: Duration = Duration::from_millis(125);
/// So many are told at once.
const AT_ONCE: usize = 16;
/// How many places a period is divided into.
const PLACES: u32 = 64;

/// Gives turns, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    next: AtomicUsize,
    held: AtomicUsize,
}

impl Turns {
    /// The next turn, held until it is dropped.
    #[must_use]
    pub fn take(&self) -> Turn {
        self.0.held.fetch_add(1, Ordering::Relaxed);
        Turn { number: self.0.next.fetch_add(1, Ordering::Relaxed), counts: Arc::clone(&self.0) }
    }
}

/// The turn of one who follows.
#[derive(Debug)]
pub struct Turn {
    number: usize,
    counts: Arc<Counts>,
}

impl Turn {
    /// How long it waits with what all are told: not at all while they are few.
    #[must_use]
    pub fn waits(&self) -> Duration {
        let held = self.counts.held.load(Ordering::Relaxed);
        if held <= AT_ONCE {
            return Duration::ZERO;
        }
        let place = u32::try_from(self.number % held / AT_ONCE).unwrap_or(0);
        let places = u32::try_from(held.div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
        LONGEST.min(Duration::from_millis(4) * places) / places * place
    }

    /// Where in a period it does what each does once in it, by itself: at least a 64th of it, at most all.
    #[must_use]
    pub fn within(&self, period: Duration) -> Duration {
        let place = u32::try_from(self.number).unwrap_or(0) % PLACES;
        period / PLACES * (place + 1)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.counts.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn few_are_told_at_once_and_many_one_after_the_other() {
        let turns = Turns::default();
        let few: Vec<_> = (0..AT_ONCE).map(|_| turns.take()).collect();
        assert!(few.iter().all(|turn| turn.waits().is_zero()));
        let many: Vec<_> = (AT_ONCE..500).map(|_| turns.take()).collect();
        let mut at = BTreeMap::<Duration, usize>::new();
        for turn in few.iter().chain(&many) {
            *at.entry(turn.waits()).or_default() += 1;
        }
        assert!(at.values().all(|told| *told <= AT_ONCE), "{at:?}");
        assert_eq!(at.len(), 500_usize.div_ceil(AT_ONCE));
        assert!(at.keys().all(|waits| *waits < LONGEST));
        drop(many);
        assert!(few.iter().all(|turn| turn.waits().is_zero()), "who left is not waited for");
    }

    #[test]
    fn what_each_does_once_in_a_period_is_spread_over_it() {
        let turns = Turns::default();
        let all: Vec<_> = (0..PLACES).map(|_| turns.take().within(Duration::from_secs(64))).collect();
        let wanted: Vec<_> = (1..=64).map(Duration::from_secs).collect();
        assert_eq!(all, wanted);
    }
}
