//! Copies that hold more than any position of their flow proves, and for how long: somebody else may have written it.
//!
//! What the copy has behind the newest offset sync counts as arrived (`fit`). A flow that runs proves it soon: its worker commits the
//! offsets of what it has written every `offset.flush.interval.ms` and writes the offset syncs that are left then. A dead task proves
//! nothing, whatever Connect says of it, and records that somebody else writes into the copy would hide those that are missing. So what
//! counts as arrived beyond the positions is believed for two intervals: one flush may fail. No worker tells how long its interval is;
//! it is taken to be a minute, as it is unless somebody sets it. Where it is longer, less is said to have arrived than has: never more.

use chrono::{DateTime, TimeDelta, Utc};

use super::{copyable_ends, fit::fit};
use crate::{
    pair::{Flow, Pair},
    patterns::Scope,
    reading::Observed,
    survey::{
        ConnectorObservation, ConnectorRole, FlowObservation, OffsetPair, PartitionObservation, Survey,
        TopicObservation,
    },
    topic::{ByPartition, TopicPartition},
};

/// Two intervals in which workers commit offsets (`offset.flush.interval.ms`, 60 s unless set).
const BELIEVED_FOR: TimeDelta = TimeDelta::seconds(120);

/// What of one flow's copies counts as arrived and was not proven yet. See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnprovenCopies(ByPartition<Claim>);

/// That more has arrived than the positions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claim {
    position: Position,
    /// The first survey that showed it with these positions.
    since: DateTime<Utc>,
}

/// Where a flow stands on a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// Connect's committed offset; `None` where there is none, or it was not read.
    committed: Option<i64>,
    pair: OffsetPair,
}

impl Position {
    /// Whether a later survey shows no other one. What it did not read has not moved.
    fn stands(&self, later: &Self) -> bool {
        self.pair == later.pair && later.committed.is_none_or(|committed| self.committed == Some(committed))
    }
}

impl UnprovenCopies {
    /// Says in a survey of which partitions what counts as arrived was not proven for too long ([`FlowObservation::unproven`]). What an
    /// earlier process said so of is in the survey before. While positions or copies cannot be read all stays as it was.
    pub fn mark(&mut self, pair: &Pair, flow: &Flow, survey: &mut Survey, previous: Option<&Survey>) {
        let now = survey.began_at;
        if let Some(claimed) = claimed(pair, flow, survey) {
            let before = previous.and_then(|previous| observed(previous, flow));
            let kept = std::mem::take(&mut self.0);
            let claim = |(key, position): (TopicPartition, Position)| {
                let earlier = kept.get(&key).copied().or_else(|| said_before(before?, &key));
                let stood = earlier.filter(|earlier| earlier.position.stands(&position));
                (key, stood.unwrap_or(Claim { position, since: now }))
            };
            self.0 = claimed.into_iter().map(claim).collect();
        }
        let too_long = self.0.iter().filter(|(_, claim)| now - claim.since >= BELIEVED_FOR);
        let unproven = too_long.map(|(key, claim)| (key.clone(), claim.since)).collect();
        if let Some(observed) = survey.flows.iter_mut().find(|seen| seen.direction == flow.direction) {
            observed.unproven = unproven;
        }
    }
}

/// What a survey that is kept said of a partition.
fn said_before(before: &FlowObservation, key: &TopicPartition) -> Option<Claim> {
    let since = *before.unproven.get(key)?;
    let pair = *before.syncs(false).ok()?.0.get(key)?;
    Some(Claim { position: Position { committed: before.committed_offset(key), pair }, since })
}

/// Where the flow stands on each partition of which more counts as arrived than its positions prove; `None` where that cannot be told.
fn claimed(pair: &Pair, flow: &Flow, survey: &Survey) -> Option<ByPartition<Position>> {
    let observed = observed(survey, flow)?;
    let mut claimed = ByPartition::new();
    // It proves nothing then, and nothing is counted either: nobody looks who writes on the target.
    let connector = observed.connectors.get(&ConnectorRole::Source).and_then(Observed::value);
    if connector.is_some_and(ConnectorObservation::stands_on_purpose) {
        return Some(claimed);
    }
    let source = survey.sides.get(flow.direction.from).topics.value();
    let target = survey.sides.get(flow.direction.to()).topics.value()?;
    let syncs = observed.syncs(source.is_some()).ok()?;
    let (scope, end_of) = (Scope::of(pair), copyable_ends(flow, survey));
    let all: Vec<(&TopicPartition, &OffsetPair)> = syncs.0.iter().collect();
    for of_topic in all.chunk_by(|(a, _), (b, _)| a.topic == b.topic) {
        let name = &of_topic[0].0.topic;
        if !scope.application_topic(flow.direction.from, name) {
            continue;
        }
        let Some(copy) = target.get(&scope.replica(flow.direction, name)) else { continue };
        let original = source.and_then(|topics| topics.get(name));
        if source.is_some() && original.is_none() {
            continue;
        }
        for (key, pair) in of_topic {
            // Of a source that does not answer nobody knows what it had.
            let end = original.and_then(|topic| end_of(partition(topic, key.partition)?));
            let copy_end = partition(copy, key.partition).and_then(|copy| copy.end);
            let position = unproven_at(observed, key, **pair, (end.unwrap_or(i64::MAX), copy_end));
            claimed.extend(position.map(|position| ((*key).clone(), position)));
        }
    }
    Some(claimed)
}

/// Where the flow stands on a partition, if more counts as arrived. `end` is that of what it can copy.
fn unproven_at(
    observed: &FlowObservation,
    key: &TopicPartition,
    pair: OffsetPair,
    (end, copy_end): (i64, Option<i64>),
) -> Option<Position> {
    let committed = observed.committed.value().and_then(|committed| committed.offsets.get(key)).copied();
    let (committed, pair) = observed.of_this_log(key, committed, Some(pair));
    let pair = pair?;
    let proven = committed.map_or(pair.upstream, |committed| committed.max(pair.upstream));
    let counted = fit((pair, copy_end?))?.min(end.saturating_sub(1));
    (counted > proven).then_some(Position { committed, pair })
}

fn observed<'s>(survey: &'s Survey, flow: &Flow) -> Option<&'s FlowObservation> {
    survey.flows.iter().find(|observed| observed.direction == flow.direction)
}

fn partition(topic: &TopicObservation, number: i32) -> Option<&PartitionObservation> {
    topic.partitions.get(usize::try_from(number).ok()?)
}
