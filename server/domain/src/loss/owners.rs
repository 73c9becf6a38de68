//! Losses of several pairs together, by whose they are: a cluster that dies is the source of many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Interval;
use crate::ids::TeamName;

/// What one team lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerLoss {
    /// The team.
    pub owner: TeamName,
    /// Flows of its pairs whose source died; one that died twice counts twice.
    pub losses: usize,
    /// All of them together: records are added up, and of time the longest stands.
    pub lost: Interval,
    /// Records it turned out to be at most; null until all are known.
    pub truth: Option<i64>,
}

/// Adds up losses by their owners, in the order of names: whose, how much, and what it turned out to be.
#[must_use]
pub fn by_owner<'a>(
    losses: impl IntoIterator<Item = (&'a TeamName, Interval, Option<i64>)>,
) -> Vec<OwnerLoss> {
    let mut owners: BTreeMap<&TeamName, OwnerLoss> = BTreeMap::new();
    for (owner, lost, truth) in losses {
        let nothing = || OwnerLoss {
            owner: owner.clone(),
            losses: 0,
            lost: Interval { records_at_most: Some(0), ms_at_most: Some(0), ..Interval::default() },
            truth: Some(0),
        };
        let sum = owners.entry(owner).or_insert_with(nothing);
        let add = |a: Option<i64>, b: Option<i64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
        sum.losses += 1;
        sum.lost = Interval {
            records_at_least: sum.lost.records_at_least.saturating_add(lost.records_at_least),
            records_at_most: add(sum.lost.records_at_most, lost.records_at_most),
            ms_at_least: sum.lost.ms_at_least.max(lost.ms_at_least),
            ms_at_most: sum.lost.ms_at_most.zip(lost.ms_at_most).map(|(a, b)| a.max(b)),
        };
        sum.truth = add(sum.truth, truth);
    }
    owners.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_an_owner_add_up_and_one_that_is_not_known_is_not_nothing() {
        let [a, b] = ["billing", "fraud"].map(|name| TeamName::new(name).unwrap());
        let lost = |least, most, ms| Interval {
            records_at_least: least,
            records_at_most: most,
            ms_at_least: 1_000,
            ms_at_most: ms,
        };
        let found = by_owner([
            (&b, lost(1, None, Some(5_000)), Some(3)),
            (&a, lost(10, Some(40), Some(6_000)), Some(12)),
            (&a, lost(2, Some(5), Some(9_000)), Some(0)),
            (&b, lost(4, Some(9), None), None),
        ]);
        let told: Vec<_> = found.iter().map(|of| (of.owner.as_str(), of.losses, of.lost, of.truth)).collect();
        assert_eq!(
            told,
            [
                ("billing", 2, lost(12, Some(45), Some(9_000)), Some(12)),
                ("fraud", 2, lost(5, None, None), None)
            ]
        );
    }
}
