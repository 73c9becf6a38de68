//! What the target has behind the newest offset sync, counted as records that arrived: how far that can be believed.
//!
//! Behind a sync source and target advance alike as long as whatever is added to the target is a record. Who writes there in transactions
//! leaves a marker behind each of them, which has an offset, too: taken for a record it would hide one that is missing. Tasks of Connect
//! write in transactions wherever their worker has `exactly.once.source.support` enabled, whatever the connector asks for, and no
//! worker tells. The target's leaders do.
//!
//! Records of others look like the flow's own. So it is believed no longer than the flow takes to prove it ([`super::UnprovenCopies`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::survey::{FlowObservation, OffsetPair, WriterSeen};

/// Where on a flow's target nothing but records is added.
pub(crate) enum RecordsOnly<'a> {
    /// On every partition, as far as those that were looked at tell: neither replication nor anybody else wrote in transactions.
    Everywhere,
    /// On these, by topic; of others nothing is known.
    On(BTreeMap<&'a str, BTreeSet<i32>>),
}

impl<'a> RecordsOnly<'a> {
    pub(crate) fn of(observed: Option<&'a FlowObservation>) -> Self {
        let writers = observed.and_then(|flow| flow.writers.value());
        // Those of tasks are known for a week, and what a leader remembers of a partition only for a day.
        let Some(writers) = writers.filter(|writers| writers.own.is_empty()) else {
            return Self::On(BTreeMap::new());
        };
        let in_transactions = |seen: &Vec<WriterSeen>| seen.iter().any(|writer| writer.transactional);
        if !writers.partitions.is_empty() && !writers.partitions.values().any(in_transactions) {
            return Self::Everywhere;
        }
        let mut on: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        for (at, _) in writers.partitions.iter().filter(|(_, seen)| !in_transactions(seen)) {
            on.entry(&at.topic).or_default().insert(at.partition);
        }
        Self::On(on)
    }

    /// Whether it is known of a partition of the target.
    pub(crate) fn on(&self, replica: &str, partition: i32) -> bool {
        match self {
            Self::Everywhere => true,
            Self::On(known) => known.get(replica).is_some_and(|partitions| partitions.contains(&partition)),
        }
    }
}

/// Source and target advance alike behind a pair. Holes on the source and transaction markers there make this too low, which is safe;
/// records that were copied twice or foreign ones make it too high, so it is never better than tight.
pub(super) fn fit((pair, target_end): (OffsetPair, i64)) -> Option<i64> {
    let ahead = target_end.saturating_sub(1).saturating_sub(pair.downstream);
    (ahead >= 0).then(|| pair.upstream.saturating_add(ahead))
}
