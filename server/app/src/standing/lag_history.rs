//! Ends of a pair's source partitions as earlier surveys saw them: what lag in time is read from, and how fast is written.
//!
//! Kept in memory by the process that observes the pair; one that takes the pair over reads it back from the flight
//! recorder (`loops::memory`).

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    another_log::{GoneTopics, mark_old_positions},
    lag::{EndsAt, Pace, Past, UnprovenCopies, ends_of, high_watermarks},
    loss::{LastEnds, Loss},
    pair::{Flow, Pair, Side},
    patterns::Scope,
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
    /// Ends a flow could copy to. A partition that a survey did not read is not in it.
    reaches: BTreeMap<Side, Vec<EndsAt>>,
    /// High watermarks of the survey that read any last, without those that were brought forward: from there on it is seen how they grow.
    readings: BTreeMap<Side, EndsAt>,
    /// Each side as it was last read.
    highs: BTreeMap<Side, LastEnds>,
    /// How fast it was written to.
    paces: BTreeMap<Side, Pace>,
    /// Topics that cannot be seen now.
    gone: BTreeMap<Side, GoneTopics>,
    /// What of the copies no position has proven yet.
    unproven: BTreeMap<Side, UnprovenCopies>,
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

    /// All that is remembered of the flow from a side.
    #[must_use]
    pub fn past(&self, from: Side) -> Past<'_> {
        let Past { pace: unknown, .. } = Past::default();
        Past {
            ends: self.of(from),
            high: self.readings.get(&from),
            last: self.high(from),
            pace: self.paces.get(&from).unwrap_or(unknown),
        }
    }

    /// Takes what an earlier process saw.
    pub(crate) fn recall(&mut self, pair: &Pair, flow: &Flow, recent: RecentEnds) {
        let from = flow.direction.from;
        let reading = |(at, reaches): &EndsAt| {
            let mut ends = reaches.clone();
            let open = recent.open.iter().filter(|(of, _)| of == at);
            ends.extend(open.flat_map(|(_, open)| open.clone()));
            (*at, ends)
        };
        self.paces.insert(from, Pace::of(pair, flow, recent.reaches.iter().map(reading)));
        self.readings.extend(recent.reaches.last().map(|newest| (from, reading(newest))));
        self.reaches.insert(from, recent.reaches);
        self.highs.extend(recent.high.map(|high| (from, high)));
        self.gone.insert(from, GoneTopics::new(recent.ids));
    }

    /// Takes what a loss says of its source that nobody reads any more, where what an earlier process saw says nothing of it: it died
    /// longer ago than is looked back.
    pub(crate) fn recall_stated(&mut self, loss: &Loss) {
        self.highs.entry(loss.direction.from).or_insert_with(|| LastEnds::stated(loss));
    }

    /// Says in a survey which positions are of topics before that were made anew since, and forgets what was remembered of their logs.
    pub fn tell_logs_apart(&mut self, pair: &Pair, survey: &mut Survey, previous: Option<&Survey>) {
        for flow in &pair.flows {
            let from = flow.direction.from;
            let gone = self.gone.entry(from).or_default();
            let anew = gone.made_anew(survey, previous, from);
            gone.remember(survey, previous, from);
            mark_old_positions(survey, previous, from, &anew);
            if let Some(high) = self.highs.get_mut(&from).filter(|_| !anew.is_empty()) {
                high.ends.retain(|key, _| !anew.contains(&key.topic));
            }
            self.forget(from, &anew);
        }
    }

    /// Says in a survey of which copies more would be counted as arrived than the flow has proven in time.
    pub fn tell_unproven(&mut self, pair: &Pair, survey: &mut Survey, previous: Option<&Survey>) {
        for flow in &pair.flows {
            self.unproven.entry(flow.direction.from).or_default().mark(pair, flow, survey, previous);
        }
    }

    /// Remembers a survey. When there are too many, every second one of the older half goes: the recent past stays
    /// fine, the far past stays known.
    pub fn remember(&mut self, pair: &Pair, survey: &Survey) {
        let scope = Scope::of(pair);
        for flow in &pair.flows {
            let from = flow.direction.from;
            let Some(ends) = ends_of(flow, survey) else { continue };
            self.gone.entry(from).or_default().forget_shown(survey, from);
            let high = self.highs.entry(from).or_insert_with(|| LastEnds::nothing(ends.0));
            let over = high.see(&scope, from, survey);
            self.forget(from, &over);
            self.learn_pace(pair, flow, survey);
            if ends.1.is_empty() {
                // It died while it was looked at: that says of no partition where it was.
                continue;
            }
            let kept = self.reaches.entry(from).or_default();
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

    /// Forgets what earlier surveys saw of topics of a side that are over: where their logs ended, and how fast they grew, says nothing of
    /// what is there now.
    fn forget(&mut self, from: Side, over: &BTreeSet<String>) {
        if over.is_empty() {
            return;
        }
        let kept = self.reaches.entry(from).or_default();
        for (_, ends) in kept.iter_mut().chain(self.readings.get_mut(&from)) {
            ends.retain(|key, _| !over.contains(&key.topic));
        }
        kept.retain(|(_, ends)| !ends.is_empty());
        self.paces.entry(from).or_default().forget(over);
    }

    /// How fast it was written to since the survey before this that read any of it. One that was brought forward is passed over, and the
    /// next one tells of the whole time: after so short a time what reading the ends itself takes would make a rate that never was.
    fn learn_pace(&mut self, pair: &Pair, flow: &Flow, survey: &Survey) {
        if survey.brought_forward {
            return;
        }
        let from = flow.direction.from;
        let Some(now) = high_watermarks(flow, survey).filter(|(_, ends)| !ends.is_empty()) else { return };
        if let Some(before) = self.readings.get(&from) {
            self.paces.entry(from).or_default().add(pair, flow, before, &now);
        }
        self.readings.insert(from, now);
    }
}
