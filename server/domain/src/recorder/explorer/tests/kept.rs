//! What is kept in little space is as the plain way finds it, or close.

use proptest::prelude::*;

use super::*;

/// The plain way: all values of a stretch, sorted, unknown last.
fn plainly(values: &[Option<i64>], percent: usize) -> Option<i64> {
    let mut sorted: Vec<i64> = values.iter().map(|value| value.unwrap_or(i64::MAX)).collect();
    sorted.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().filter(|value| *value < i64::MAX)
}

proptest! {
    #[test]
    fn a_sketch_is_never_below_the_truth_and_close_to_it(
        values in prop::collection::vec(prop::option::weighted(0.95, 0_i64..10_000_000), 1..300),
    ) {
        let mut sketch = sketch::Sketch::default();
        for value in &values {
            sketch.add(*value);
        }
        for percent in [50, 90, 99] {
            let (truth, said) = (plainly(&values, percent), sketch.percentile(percent as u64));
            prop_assert_eq!(truth.is_some(), said.is_some());
            if let Some((truth, said)) = truth.zip(said) {
                prop_assert!(said >= truth && said <= truth + truth / 128, "{said} of {truth}");
                prop_assert!(truth >= 256 || said == truth);
            }
        }
        prop_assert_eq!(sketch.worst(), plainly(&values, 100));
    }

    #[test]
    fn since_when_is_as_the_live_rule_finds_it(
        ends in prop::collection::vec(0_i64..40, 1..60),
        through in -1_i64..40,
    ) {
        let mut kept = ends::Ends::default();
        for (at, end) in (0..).zip(&ends) {
            kept.push(at, *end);
        }
        // lag::partition::behind_since: the newest sample whose end is at or before the position.
        let live = (0..).zip(&ends).filter(|(_, end)| **end <= through + 1).map(|(at, _)| at).last();
        let behind = kept.behind(through, 1_000);
        prop_assert_eq!(behind.may_since, live);
        // Some sample showed the first missing record then; no sample between the two says otherwise.
        let shown = (0..).zip(&ends).any(|(at, end)| at == behind.surely_since && *end > through + 1);
        prop_assert!(shown || behind.surely_since == 1_000);
        prop_assert!(live.is_none_or(|live| live < behind.surely_since));
    }
}

#[test]
fn very_many_ends_are_thinned_towards_longer_ago() {
    let mut kept = ends::Ends::default();
    for at in 0..10_000 {
        kept.push(at, at);
    }
    for through in [0, 100, 5_000, 9_000, 9_998] {
        let behind = kept.behind(through, 10_000);
        let since = behind.may_since.expect("the first sample stays");
        assert!(since <= through + 1 && behind.surely_since > through + 1, "{through}: {behind:?}");
    }
    assert_eq!(kept.behind(9_990, 10_000).may_since, Some(9_991), "the recent past stays fine");
}
