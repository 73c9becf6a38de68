//! Which batches of a log show no data.

use std::collections::{BTreeMap, HashSet};

use kafka_protocol::messages::fetch_response::AbortedTransaction;

use crate::records::batches::Batch;

/// Which batches of a committed read are aborted data, as Kafka's own consumer decides it.
pub(super) struct Aborted {
    /// By first offset.
    coming: BTreeMap<i64, Vec<i64>>,
    /// Producers whose transaction at this place of the log was aborted.
    current: HashSet<i64>,
}

impl Aborted {
    pub(super) fn new(list: Option<&[AbortedTransaction]>) -> Self {
        let mut coming: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for one in list.unwrap_or_default() {
            coming.entry(one.first_offset).or_default().push(one.producer_id.0);
        }
        Self { coming, current: HashSet::new() }
    }

    /// Whether the batch shows no data: it is a marker, or its transaction was aborted.
    pub(super) fn hides(&mut self, batch: &Batch) -> Result<bool, String> {
        while let Some(entry) = self.coming.first_entry()
            && *entry.key() <= batch.last_offset
        {
            self.current.extend(entry.remove());
        }
        if batch.is_control() {
            if self.current.contains(&batch.producer_id) && batch.is_abort_marker()? {
                self.current.remove(&batch.producer_id);
            }
            return Ok(true);
        }
        Ok(batch.is_transactional() && self.current.contains(&batch.producer_id))
    }
}
