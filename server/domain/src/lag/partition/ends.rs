//! Where a partition ends, for what is asked of it.

use crate::{lag::CopyMode, survey::PartitionObservation};

/// One past the last record the flow could copy. Connect commits the offset of a record, and the marker behind the last one never
/// arrives: where it is known that nothing else lies there, it is not waited for.
pub(crate) fn copyable_end(partition: &PartitionObservation, mode: CopyMode) -> Option<i64> {
    let end = if mode.read_committed { partition.stable } else { partition.end }?;
    Some(up_to_last_record(partition, end))
}

/// An end without what is known to be no record before it.
fn up_to_last_record(partition: &PartitionObservation, end: i64) -> i64 {
    partition.last_record.map_or(end, |last| end.min(last.saturating_add(1)))
}

/// High watermark without what is known to be no record before it. Where a transaction is open nothing is known: how far it was read may
/// be up to where that begins, and what lies behind may be committed in the next moment.
pub(crate) fn written_end(partition: &PartitionObservation) -> Option<i64> {
    let end = partition.end?;
    Some(if partition.stable == Some(end) { up_to_last_record(partition, end) } else { end })
}
