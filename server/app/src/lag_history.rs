//! Ends of a pair's source partitions as earlier surveys saw them: what lag in time is read from.
//!
//! Kept in memory by the process that observes the pair. A process that takes the pair over starts without, and says
//! so: lag in time is then unknown until something was seen for long enough.

use std::collections::BTreeMap;

use muster_domain::{
    lag::{EndsAt, ends_of},
    pair::{Pair, Side},
    survey::Survey,
};

/// Most surveys remembered of a flow.
const MOST_SURVEYS: usize = 120;
/// Most partition ends remembered of a flow over all surveys; bounds the memory of very large pairs.
const MOST_ENDS: usize = 1_000_000;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LagHistory(BTreeMap<Side, Vec<EndsAt>>);

impl LagHistory {
    /// What is remembered of the flow from a side, oldest first.
    #[must_use]
    pub fn of(&self, from: Side) -> &[EndsAt] {
        self.0.get(&from).map_or(&[], Vec::as_slice)
    }

    /// Remembers a survey. When there are too many, every second one of the older half goes: the recent past stays
    /// fine, the far past stays known.
    pub fn remember(&mut self, pair: &Pair, survey: &Survey) {
        for flow in &pair.flows {
            let Some(ends) = ends_of(flow, survey) else { continue };
            let most = (MOST_ENDS / ends.1.len().max(1)).clamp(4, MOST_SURVEYS);
            let kept = self.0.entry(flow.direction.from).or_default();
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
