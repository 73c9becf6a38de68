//! Ends of a pair's source partitions as earlier surveys saw them: what lag in time is read from.
//!
//! Kept in memory by the process that observes the pair; one that takes the pair over reads it back from the flight
//! recorder (`memory`).

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    lag::{EndsAt, ends_of},
    loss::LastEnds,
    pair::{Pair, Side},
    patterns::Scope,
    survey::Survey,
};

/// Most surveys remembered of a flow.
pub(crate) const MOST_SURVEYS: usize = 120;
/// Most partition ends remembered of a flow over all surveys; bounds the memory of very large pairs.
pub(crate) const MOST_ENDS: usize = 1_000_000;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LagHistory {
    /// Ends a flow could copy to. A partition that a survey did not read is not in it.
    reaches: BTreeMap<Side, Vec<EndsAt>>,
    /// Each side as it was last read.
    highs: BTreeMap<Side, LastEnds>,
}

impl LagHistory {
    /// What is remembered of the flow from a side, oldest first.
    #[must_use]
    pub fn of(&self, from: Side) -> &[EndsAt] {
        self.reaches.get(&from).map_or(&[], Vec::as_slice)
    }

    /// High watermarks of a side when each was last read.
    #[must_use]
    pub fn high(&self, from: Side) -> Option<&LastEnds> {
        self.highs.get(&from)
    }

    /// Takes what an earlier process saw.
    pub(crate) fn recall(&mut self, from: Side, reaches: Vec<EndsAt>, high: Option<LastEnds>) {
        self.reaches.insert(from, reaches);
        self.highs.extend(high.map(|high| (from, high)));
    }

    /// Remembers a survey. When there are too many, every second one of the older half goes: the recent past stays
    /// fine, the far past stays known.
    pub fn remember(&mut self, pair: &Pair, survey: &Survey) {
        let scope = Scope::of(pair);
        for flow in &pair.flows {
            let from = flow.direction.from;
            let Some(ends) = ends_of(flow, survey) else { continue };
            let high = self.highs.entry(from).or_insert_with(|| LastEnds::nothing(ends.0));
            let over = high.see(&scope, from, survey);
            let kept = self.reaches.entry(from).or_default();
            forget(kept, &over);
            if ends.1.is_empty() {
                // It died while it was looked at: that says of no partition where it was.
                continue;
            }
            let most = (MOST_ENDS / ends.1.len()).clamp(4, MOST_SURVEYS);
            kept.push(ends);
            if kept.len() > most {
                let half = kept.len() / 2;
                let mut number = 0;
                kept.retain(|_| {
                    number += 1;
                    number > half || number % 2 == 1
                });
            }
        }
    }
}

/// Forgets topics that are over: where their logs ended says nothing of what is there now.
fn forget(kept: &mut Vec<EndsAt>, over: &BTreeSet<String>) {
    if over.is_empty() {
        return;
    }
    for (_, ends) in kept.iter_mut() {
        ends.retain(|key, _| !over.contains(&key.topic));
    }
    kept.retain(|(_, ends)| !ends.is_empty());
}
