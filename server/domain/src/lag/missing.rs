//! How many records are proven to be missing on the target: the one rule for today's lag, a death and the past.

use crate::survey::OffsetPair;

/// Transactions that are taken to be open in one partition at once, at most. Each of them may have written its records before
/// the place from which is counted, and leave a marker behind it.
const OPEN_AT_ONCE: i64 = 1_000;

/// What is known of a partition whose log keeps every record, and of its copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// First offset still on the source.
    pub(crate) start: i64,
    /// One past the last offset of the source that the flow could copy to.
    pub(crate) reach: i64,
    /// Last source offset that is known to be on the target.
    pub(crate) through: i64,
    /// Newest offset sync.
    pub(crate) pair: Option<OffsetPair>,
    /// High watermark of the copy; 0 where there is none.
    pub(crate) target_end: i64,
}

/// At least so many records of a partition are on its source and not on the target.
///
/// No offset follows from a number alone: consumers never get transaction markers, so copying leaves them out whatever the flow
/// reads. What holds is this. Behind a place, every marker ends a transaction with a record of its own in the partition: behind
/// that place too, or before it, and then the transaction was open there. So of the offsets behind a place, less one for each
/// transaction open at it, at least half are records; at the very beginning of a log none is open. And no more records can have
/// arrived behind it than the copy has offsets there: records copied twice, foreign ones and markers of the copy only make that
/// more.
///
/// Not covered: more than [`OPEN_AT_ONCE`] transactions open in one partition, and a transaction that added the partition, wrote
/// nothing there, and so leaves a lone marker. Not to be asked of a compacted topic, nor of a flow that copies committed
/// records only: what was given up is no loss, and it may be all there is.
pub(crate) fn surely_missing(known: &Known) -> i64 {
    let behind = |place: i64, open: i64, arrived: i64| {
        let offsets = (known.reach.saturating_sub(1)).saturating_sub(place).saturating_sub(open).max(0);
        (offsets / 2 + offsets % 2).saturating_sub(arrived)
    };
    let before_start = known.start.saturating_sub(1);
    let open_at_start = if known.start <= 0 { 0 } else { OPEN_AT_ONCE };
    let since_start = behind(before_start, open_at_start, known.target_end.max(0));
    let since_pair = known.pair.and_then(|pair| {
        let ahead = known.target_end.saturating_sub(1).saturating_sub(pair.downstream);
        (ahead >= 0).then(|| behind(pair.upstream.max(before_start), OPEN_AT_ONCE, ahead))
    });
    let not_proven_to_be_there = known.reach.saturating_sub(1).saturating_sub(known.through).max(0);
    since_start.max(since_pair.unwrap_or(0)).clamp(0, not_proven_to_be_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(reach: i64, pair: (i64, i64), target_end: i64) -> Known {
        let pair = OffsetPair { upstream: pair.0, downstream: pair.1 };
        Known { start: 0, reach, through: pair.upstream, pair: Some(pair), target_end }
    }

    #[test]
    fn a_marker_behind_every_record_is_no_record() {
        // 500 transactions of one record behind the pair, and all of them were copied.
        assert_eq!(surely_missing(&known(2_001, (1_000, 1_000), 1_501)), 0);
        // 900 transactions were open at the pair, each wrote its record before it: 900 markers and nothing else.
        assert_eq!(surely_missing(&known(10_900, (9_999, 9_999), 10_000)), 0);
    }

    #[test]
    fn of_many_offsets_half_are_records_at_least() {
        assert_eq!(surely_missing(&known(111_001, (100_000, 90_000), 90_001)), 5_000);
        assert_eq!(surely_missing(&known(111_001, (100_000, 90_000), 90_101)), 4_900, "100 of them arrived");
        let nothing_there = Known { start: 0, reach: 11, through: -1, pair: None, target_end: 0 };
        assert_eq!(surely_missing(&nothing_there), 6, "none was open before the first offset of a log");
        assert_eq!(surely_missing(&Known { start: 5, ..nothing_there }), 0);
    }

    #[test]
    fn what_is_known_to_have_arrived_is_not_missing() {
        let known = known(111_001, (100_000, 90_000), 90_001);
        assert_eq!(surely_missing(&Known { through: 110_990, ..known }), 10);
        // A pair of another life of the target counts nothing.
        assert_eq!(surely_missing(&Known { target_end: 80_000, ..known }), 0);
    }

    #[test]
    fn no_number_of_kafka_overflows() {
        for number in [i64::MIN, -1, 0, i64::MAX] {
            let pair = Some(OffsetPair { upstream: number, downstream: number });
            for other in [i64::MIN, 0, i64::MAX] {
                let known = Known { start: other, reach: number, through: other, pair, target_end: other };
                assert!(surely_missing(&known) >= 0);
            }
        }
    }
}
