//! Positions of a flow on the partitions of one topic, which log they are of, and what of it waits behind them.

use crate::{
    survey::{FlowObservation, OffsetPair},
    topic::{ByPartition, TopicPartition},
};

/// Offsets of a log that wait to be copied: those it still has that are past what has arrived. All it has where nothing has.
pub(super) fn waiting(start: Option<i64>, end: i64, through: Option<i64>) -> i64 {
    let next = through.map_or(0, |through| through.saturating_add(1));
    end.saturating_sub(next.max(start.unwrap_or(0))).max(0)
}

/// Connect's committed offset and the newest offset sync of a partition.
type Positions = (Option<i64>, Option<OffsetPair>);

/// Of which log the positions on one topic are. MirrorMaker 2 keeps them by name: those of a topic that was made anew are of the one before
/// until they move.
pub(super) struct Logs<'a> {
    pub(super) flow: Option<&'a FlowObservation>,
    pub(super) before: Option<&'a FlowObservation>,
    /// Whether the topic was made anew since the survey before.
    pub(super) anew: bool,
}

impl Logs<'_> {
    /// What is left of the positions of now.
    pub(super) fn of_now(&self, topic: &str, number: i32, shown: Positions) -> Positions {
        match self.flow.filter(|flow| !flow.of_another_log.is_empty()) {
            Some(flow) => flow.of_this_log(&TopicPartition::new(topic, number), shown.0, shown.1),
            None => shown,
        }
    }

    /// The same of those that were known before: none is of this log where that of now, which came later, is not.
    pub(super) fn of_before(&self, topic: &str, number: i32, shown: Positions) -> Positions {
        if self.anew {
            return (None, None);
        }
        let marks = |flow: &&FlowObservation| !flow.of_another_log.is_empty();
        let (flow, before) = (self.flow.filter(marks), self.before.filter(marks));
        if flow.is_none() && before.is_none() {
            return shown;
        }
        let key = TopicPartition::new(topic, number);
        let (committed, pair) = before.map_or(shown, |flow| flow.of_this_log(&key, shown.0, shown.1));
        match flow.and_then(|flow| flow.of_another_log.get(&key)) {
            None => (committed, pair),
            Some(old) => (committed.filter(|_| !old.covers_committed()), pair.filter(|_| !old.covers_pair())),
        }
    }
}

/// The values of one topic's partitions: a name is compared once a topic and not once a partition.
pub(super) struct Column<'a, T>(Vec<(i32, &'a T)>);

impl<'a, T: Copy> Column<'a, T> {
    pub(super) fn of(map: Option<&'a ByPartition<T>>, topic: &str) -> Self {
        let Some(map) = map else { return Self(Vec::new()) };
        let from = TopicPartition::new(topic, 0);
        let values = map.range(from..).take_while(|(key, _)| key.topic == topic);
        Self(values.map(|(key, value)| (key.partition, value)).collect())
    }

    pub(super) fn get(&self, number: i32) -> Option<T> {
        let found = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(*self.0[found].1)
    }
}
