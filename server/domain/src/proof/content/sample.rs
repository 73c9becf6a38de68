//! Which stretches a sample takes, and what it then says about those it did not take.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SampleAsk;

/// What was drawn, and how sure that makes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// What was asked for.
    pub asked: SampleAsk,
    /// Stretches there are.
    pub of: usize,
    /// Stretches that were compared.
    pub taken: usize,
}

impl Sampling {
    /// What no difference in the sample means for the whole, as a part of a sentence.
    #[must_use]
    pub fn statement(&self) -> String {
        if self.taken >= self.of {
            return format!("all of {} stretches were compared", self.of);
        }
        format!(
            "{} of {} stretches were compared; with {} % confidence fewer than {} % of all stretches differ",
            self.taken,
            self.of,
            percent(self.asked.confidence),
            percent(self.asked.differing),
        )
    }
}

/// A share in percent, as short as it can be told exactly enough.
fn percent(share: f64) -> f64 {
    (share * 100_000.0).round() / 1000.0
}

/// The smallest sample, drawn without putting back, that holds a differing stretch with at least that confidence if at least
/// that share of them differs (the hypergeometric distribution's probability of none).
#[must_use]
pub fn sample_size(of: usize, ask: SampleAsk) -> usize {
    let differing = (ask.differing * of as f64).ceil().max(1.0);
    let mut none_seen = 1.0;
    for taken in 0..of {
        if none_seen <= 1.0 - ask.confidence {
            return taken;
        }
        let left = of as f64 - taken as f64;
        none_seen *= ((left - differing) / left).max(0.0);
    }
    of
}

/// The numbers of so many out of `of`, in order: as good as random, the same for the same seed.
#[must_use]
pub fn chosen(of: usize, taken: usize, seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).collect();
    let place = |number: &usize| xxh3_64_with_seed(&number.to_le_bytes(), seed);
    all.sort_by_cached_key(|number| (place(number), *number));
    all.truncate(taken);
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: SampleAsk = SampleAsk { differing: 0.01, confidence: 0.95 };

    #[test]
    fn a_sample_is_as_large_as_the_confidence_needs() {
        // Statisticians' rule of three: 3 / 0.01 for very many.
        assert_eq!(sample_size(1_000_000, ASK), 299);
        assert_eq!(sample_size(10_000, ASK), 294);
        // One of a hundred is to be found 19 times in 20: 95 of them have to be looked at.
        assert_eq!(sample_size(100, ASK), 95);
        assert_eq!((sample_size(1, ASK), sample_size(0, ASK)), (1, 0));
    }

    #[test]
    fn it_finds_what_it_says_as_often_as_it_says() {
        let (of, rounds) = (2_000, 2_000);
        let taken = sample_size(of, ASK);
        // The first twenty are the ones that differ: one in a hundred.
        let found =
            (0..rounds).filter(|seed| chosen(of, taken, *seed).iter().any(|number| *number < 20)).count();
        let share = found as f64 / rounds as f64;
        assert!((0.94..0.97).contains(&share), "{share}");
    }

    #[test]
    fn the_statement_says_what_was_drawn() {
        let some = Sampling { asked: ASK, of: 10_000, taken: 294 };
        assert_eq!(
            some.statement(),
            "294 of 10000 stretches were compared; with 95 % confidence fewer than 1 % of all stretches differ"
        );
        let all = Sampling { asked: ASK, of: 3, taken: 3 };
        assert_eq!(all.statement(), "all of 3 stretches were compared");
        assert_eq!(chosen(5, 5, 7), [0, 1, 2, 3, 4]);
    }
}
