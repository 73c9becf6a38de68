//! Ends of a pair's source partitions as earlier surveys saw them: what lag in time is read from.
//!
//! Kept in memory by the process that observes the pair; one that takes the pair over reads it back from the flight
//! recorder (`memory`).

use std::collections::BTreeMap;

use muster_domain::{
    lag::{EndsAt, ends_of},
    loss::high_watermarks,
    pair::{Pair, Side},
    survey::Survey,
};

/// Most surveys remembered of a flow.
pub(crate) const MOST_SURVEYS: usize = 120;
/// Most partition ends remembered of a flow over all surveys; bounds the memory of very large pairs.
pub(crate) const MOST_ENDS: usize = 1_000_000;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LagHistory {
    /// Ends a flow could copy to.
    reaches: BTreeMap<Side, Vec<EndsAt>>,
    /// High watermarks when they were last read.
    highs: BTreeMap<Side, EndsAt>,
}

impl LagHistory {
    /// What is remembered of the flow from a side, oldest first.
    #[must_use]
    pub fn of(&self, from: Side) -> &[EndsAt] {
        self.reaches.get(&from).map_or(&[], Vec::as_slice)
    }

    /// High watermarks of a side when they were last read.
    #[must_use]
    pub fn high(&self, from: Side) -> Option<&EndsAt> {
        self.highs.get(&from)
    }

    /// Takes what an earlier process saw.
    pub(crate) fn recall(&mut self, from: Side, reaches: Vec<EndsAt>, high: Option<EndsAt>) {
        self.reaches.insert(from, reaches);
        self.highs.extend(high.map(|high| (from, high)));
    }

    /// Remembers a survey. When there are too many, every second one of the older half goes: the recent past stays
    /// fine, the far past stays known.
    pub fn remember(&mut self, pair: &Pair, survey: &Survey) {
        for flow in &pair.flows {
            let Some(ends) = ends_of(flow, survey) else { continue };
            let most = (MOST_ENDS / ends.1.len().max(1)).clamp(4, MOST_SURVEYS);
            self.highs.extend(high_watermarks(flow, survey).map(|high| (flow.direction.from, high)));
            let kept = self.reaches.entry(flow.direction.from).or_default();
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
