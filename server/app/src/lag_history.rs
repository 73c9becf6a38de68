//! Ends of a pair's source partitions as earlier surveys saw them: what lag in time is read from, and how fast is written.
//!
//! Kept in memory by the process that observes the pair; one that takes the pair over reads it back from the flight
//! recorder (`memory`).

use std::collections::BTreeMap;

use muster_domain::{
    another_log::{GoneTopics, mark_old_positions},
    lag::{EndsAt, Pace, Past, ends_of},
    loss::high_watermarks,
    pair::{Flow, Pair, Side},
    survey::Survey,
};
use muster_store::recorder::RecentEnds;

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
    /// How fast those grew.
    paces: BTreeMap<Side, Pace>,
    /// Topics that cannot be seen now.
    gone: BTreeMap<Side, GoneTopics>,
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

    /// All that is remembered of the flow from a side.
    #[must_use]
    pub fn past(&self, from: Side) -> Past<'_> {
        let Past { pace: unknown, .. } = Past::default();
        Past { ends: self.of(from), high: self.high(from), pace: self.paces.get(&from).unwrap_or(unknown) }
    }

    /// Takes what an earlier process saw.
    pub(crate) fn recall(&mut self, pair: &Pair, flow: &Flow, recent: RecentEnds) {
        let from = flow.direction.from;
        let highs = recent.reaches.iter().map(|(at, reaches)| {
            let mut ends = reaches.clone();
            let open = recent.open.iter().filter(|(of, _)| of == at);
            ends.extend(open.flat_map(|(_, open)| open.clone()));
            (*at, ends)
        });
        self.paces.insert(from, Pace::of(pair, flow, highs));
        self.reaches.insert(from, recent.reaches);
        self.highs.extend(recent.high.map(|high| (from, high)));
        self.gone.insert(from, GoneTopics::new(recent.ids));
    }

    /// Says in a survey which positions are of topics before that were made anew since, and forgets what was remembered of their logs.
    pub fn tell_logs_apart(&mut self, pair: &Pair, survey: &mut Survey, previous: Option<&Survey>) {
        for flow in &pair.flows {
            let from = flow.direction.from;
            let gone = self.gone.entry(from).or_default();
            let anew = gone.made_anew(survey, previous, from);
            gone.remember(survey, previous, from);
            mark_old_positions(survey, previous, from, &anew);
            if anew.is_empty() {
                continue;
            }
            let ends = self.reaches.get_mut(&from).into_iter().flatten().chain(self.highs.get_mut(&from));
            for (_, ends) in ends {
                ends.retain(|key, _| !anew.contains(&key.topic));
            }
            self.paces.entry(from).or_default().forget(&anew);
        }
    }

    /// Remembers a survey. When there are too many, every second one of the older half goes: the recent past stays
    /// fine, the far past stays known.
    pub fn remember(&mut self, pair: &Pair, survey: &Survey) {
        for flow in &pair.flows {
            let from = flow.direction.from;
            let Some(ends) = ends_of(flow, survey) else { continue };
            self.gone.entry(from).or_default().forget_shown(survey, from);
            let most = (MOST_ENDS / ends.1.len().max(1)).clamp(4, MOST_SURVEYS);
            if let Some(high) = high_watermarks(flow, survey) {
                if let Some(before) = self.highs.get(&from) {
                    self.paces.entry(from).or_default().add(pair, flow, before, &high);
                }
                self.highs.insert(from, high);
            }
            let kept = self.reaches.entry(from).or_default();
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
