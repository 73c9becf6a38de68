//! Which stretches a sample takes, and what it then says about those it did not take. What it costs to draw is that of the sample, and not
//! of all there is to draw from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::SampleAsk;

/// Stretches of the largest sample: each is held while it is compared, and kept with what was found.
const MOST_DRAWN: usize = 100_000;

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

/// A sample would have to be larger than one may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sample that is so sure to find so small a share of {of} stretches takes more than {most} of them: ask for a larger share or \
     less confidence, for fewer topics or a shorter time, or compare everything",
    most = MOST_DRAWN
)]
pub struct TooMany {
    /// Stretches there are.
    pub of: usize,
}

/// The smallest sample, drawn without putting back, that holds a differing stretch with at least that confidence if at least
/// that share of them differs (the hypergeometric distribution's probability of none).
///
/// # Errors
/// When it is larger than a sample may be.
pub fn sample_size(of: usize, ask: SampleAsk) -> Result<usize, TooMany> {
    let differing = (ask.differing * of as f64).ceil().max(1.0);
    let mut none_seen = 1.0;
    for taken in 0..of.min(MOST_DRAWN + 1) {
        if none_seen <= 1.0 - ask.confidence {
            return Ok(taken);
        }
        let left = of as f64 - taken as f64;
        none_seen *= ((left - differing) / left).max(0.0);
    }
    if of <= MOST_DRAWN { Ok(of) } else { Err(TooMany { of }) }
}

/// The numbers of so many out of `of`, in order: as good as random, the same for the same seed. Each set of so many is as likely as any
/// other (Floyd's algorithm), and nothing but the numbers that are drawn is held.
#[must_use]
pub fn chosen(of: usize, taken: usize, seed: u64) -> Vec<usize> {
    let mut drawn = BTreeSet::new();
    for (round, last) in (0_u64..).zip(of.saturating_sub(taken)..of) {
        let number = up_to(last, xxh3_64_with_seed(&round.to_le_bytes(), seed));
        // It was not there before, for all that was drawn before is below it.
        drawn.insert(if drawn.contains(&number) { last } else { number });
    }
    drawn.into_iter().collect()
}

/// A number from none to `last`, by 64 bits that are as good as random.
fn up_to(last: usize, bits: u64) -> usize {
    let of = last as u128 + 1;
    usize::try_from((u128::from(bits) * of) >> 64).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: SampleAsk = SampleAsk { differing: 0.01, confidence: 0.95 };

    #[test]
    fn a_sample_is_as_large_as_the_confidence_needs() {
        // Statisticians' rule of three: 3 / 0.01 for very many.
        assert_eq!(sample_size(1_000_000, ASK), Ok(299));
        assert_eq!(sample_size(10_000, ASK), Ok(294));
        // One of a hundred is to be found 19 times in 20: 95 of them have to be looked at.
        assert_eq!(sample_size(100, ASK), Ok(95));
        assert_eq!((sample_size(1, ASK), sample_size(0, ASK)), (Ok(1), Ok(0)));
    }

    #[test]
    fn what_would_take_a_sample_of_nearly_all_there_is_is_refused_where_that_is_very_much() {
        let all_but_certain = SampleAsk { differing: 1e-9, confidence: 0.999 };
        assert!(sample_size(MOST_DRAWN, all_but_certain).is_ok_and(|taken| taken > 99_000));
        let of = 10_000_000;
        assert_eq!(sample_size(of, all_but_certain), Err(TooMany { of }));
        let said = TooMany { of }.to_string();
        assert!(
            said.contains("takes more than 100000 of them") && said.ends_with("or compare everything"),
            "{said}"
        );
    }

    #[test]
    fn any_number_of_stretches_can_be_drawn_from() {
        for of in [MOST_DRAWN * 1_000_000, usize::MAX] {
            assert_eq!(sample_size(of, ASK), Ok(299), "{of}");
            let drawn = chosen(of, 299, 7);
            assert!(drawn.len() == 299 && drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
            // All of them in one half of it would be drawn once in 10^89 times.
            assert!(drawn[0] < of / 2 && drawn[298] > of / 2, "{drawn:?}");
            assert_eq!(chosen(of, 299, 7), drawn, "the same for the same seed");
            assert_ne!(chosen(of, 299, 8), drawn);
        }
    }

    #[test]
    fn each_stretch_is_drawn_as_often_as_any_other() {
        let (of, taken, rounds) = (20, 5, 8_000);
        let mut times = [0_u32; 20];
        for seed in 0..rounds {
            let drawn = chosen(of, taken, seed);
            assert_eq!(drawn.len(), taken);
            for number in drawn {
                times[number] += 1;
            }
        }
        // A quarter of the rounds, and five times the deviation of that.
        assert!(times.iter().all(|times| (1_806..=2_194).contains(times)), "{times:?}");
    }

    #[test]
    fn it_finds_what_it_says_as_often_as_it_says() {
        let (of, rounds) = (2_000, 2_000);
        let taken = sample_size(of, ASK).unwrap();
        // The first twenty are the ones that differ: one in a hundred.
        let found =
            (0..rounds).filter(|seed| chosen(of, taken, *seed).iter().any(|number| *number < 20)).count();
        let share = found as f64 / rounds as f64;
        assert!((0.93..0.97).contains(&share), "{share}");
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
