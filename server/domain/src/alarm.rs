//! Silent loss: what goes wrong while everything says it is well. A closed list of alarms, judged from what surveys show.
//!
//! Rules are pure over the newest survey, the one before, and the little that has to be remembered from earlier ones
//! ([`Memory`]). An input that is unknown neither raises nor ends an alarm: what stood before stands on, as not seen again.
//! Positions of groups and offset syncs are whatever somebody wrote: sums and differences of them saturate, for one that wraps
//! round would prove what is not so.

mod behind;
mod book;
mod code;
mod connectors;
mod copying;
mod holes;
mod keeping;
mod leftover;
mod memory;
mod positions;
mod raised;
mod settings;
mod stalled;
mod standby;
mod tasks;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_doubt;
#[cfg(test)]
mod tests_of_keeping;
#[cfg(test)]
mod tests_of_numbers;
#[cfg(test)]
mod tests_of_writers;
mod topics;
mod transactions;
mod view;
mod ways;
mod writers;

use std::collections::BTreeMap;

use chrono::TimeDelta;

pub use self::{
    book::{Change, Ending, StandingAlarm, settle},
    code::AlarmCode,
    memory::Memory,
    raised::{Alarm, Lost, Place, Since},
};
pub(crate) use self::{
    settings::{live_identity_flows, rewriting},
    standby::{blocks_syncing, reads_copies_itself},
};
use self::{view::View, ways::Ways};
use crate::{
    cluster::Cluster,
    pair::{BySide, Pair},
    survey::Survey,
};

/// Places named with one alarm; the rest is counted.
const MOST_PLACES: usize = 20;
/// Subjects of one code that have an alarm of their own; the rest is one alarm together.
const MOST_SUBJECTS: usize = 20;
/// The subject of the alarm that stands for all subjects beyond [`MOST_SUBJECTS`].
const THE_REST: &str = "others";

/// What a survey says about all alarms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Those that stand.
    pub standing: Vec<Alarm>,
    /// Those that could not be judged, whole or in part, and why.
    pub unknown: BTreeMap<AlarmCode, String>,
    /// The same of one flow, by its course, where both are judged.
    pub unknown_of: BTreeMap<(AlarmCode, String), String>,
}

impl Judged {
    /// Nothing could be judged, for one reason.
    #[must_use]
    pub fn nothing(reason: &str) -> Self {
        let unknown = AlarmCode::ALL.into_iter().map(|code| (code, reason.to_owned()));
        Self { unknown: unknown.collect(), ..Self::default() }
    }

    /// Of two rules that say the same of one subject the second only adds what it is concluded from, unless it proves what
    /// the first takes for likely. It also says where, if it names partitions and the first does not: then no more is lost at most than
    /// both can bound.
    fn raise(&mut self, mut alarm: Alarm) {
        let same = |one: &&mut Alarm| one.is_same_as(&alarm);
        match self.standing.iter_mut().find(same) {
            Some(first) => {
                if first.likely && !alarm.likely {
                    std::mem::swap(first, &mut alarm);
                }
                if !first.names_partitions() && alarm.names_partitions() {
                    first.lost = first.lost.worse(alarm.lost);
                    (first.places, first.more_places) = (alarm.places, alarm.more_places);
                }
                first.facts.extend(alarm.facts);
            }
            None => self.standing.push(alarm),
        }
    }

    fn unknown(&mut self, code: AlarmCode, reason: impl Into<String>) {
        self.unknown.entry(code).or_insert_with(|| reason.into());
    }

    /// Why it cannot be told whether an open alarm still stands.
    fn why_unknown(&self, open: &Alarm) -> Option<&String> {
        let of_flow = || self.unknown_of.get(&(open.code, open.course.clone()));
        self.unknown.get(&open.code).or_else(of_flow)
    }

    /// Adds what is so of one of two flows that are both judged.
    fn add_flow(&mut self, course: &str, of_flow: Self) {
        self.standing.extend(of_flow.standing.into_iter().map(Alarm::naming_its_course));
        let unknown = of_flow.unknown.into_iter();
        self.unknown_of.extend(unknown.map(|(code, reason)| ((code, course.to_owned()), reason)));
    }
}

/// What alarms are judged from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// Its clusters.
    pub clusters: &'a BySide<Cluster>,
    /// The newest survey.
    pub survey: &'a Survey,
    /// The survey before it.
    pub previous: Option<&'a Survey>,
    /// What was remembered after that one.
    pub memory: &'a Memory,
    /// How often surveys are due.
    pub period: TimeDelta,
    /// The run that moves the pair now, by its number. What it does on purpose is no alarm, so nothing is judged.
    pub moved_by: Option<i64>,
}

/// Judges every alarm; answers also what has to be remembered for the next survey. Where both flows copy under distinct names each is
/// judged by itself.
#[must_use]
pub fn judge(inputs: Inputs<'_>) -> (Judged, Memory) {
    let ways = Ways::of(inputs);
    if let Some(number) = inputs.moved_by {
        let mut memory = ways.remembered(inputs);
        memory.forget_what_runs_change();
        return (Judged::nothing(&format!("run {number} moves the pair")), memory);
    }
    match ways {
        Ways::One(active) => ways::judge_one(inputs, active),
        Ways::Both => ways::judge_both(inputs),
    }
}

/// What is so of the flow that a view is of.
fn judge_flow(view: &View<'_>, judged: &mut Judged, memory: &mut Memory) {
    connectors::judge(view, judged, memory);
    if let Err(reason) = &view.active {
        for code in [topics::CODES, copying::CODES, standby::CODES].concat() {
            judged.unknown(code, reason);
        }
        return;
    }
    topics::judge(view, judged);
    copying::judge(view, judged, memory);
    standby::judge(view, judged, memory);
}
