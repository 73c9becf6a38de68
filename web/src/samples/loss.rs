//! What eu-west's death cost.

use muster_domain::{
    loss::{EndRead, Interval, Loss, PartitionLoss, TopicLoss},
    pair::{Direction, Pair, Side},
};

use super::ago;

/// Of a source that is still away.
pub(super) fn of(pair: &Pair) -> Loss {
    let lost = |at_least, at_most, ms| Interval {
        records_at_least: at_least,
        records_at_most: at_most,
        ms_at_least: 0,
        ms_at_most: ms,
    };
    let partition = |number, through, lost| PartitionLoss {
        partition: number,
        end: 184_201,
        end_read: EndRead::Then,
        through,
        counts_from: Some(0),
        leader_epoch: Some(7),
        lost,
        truth: None,
        truth_ms: None,
        read_again: None,
    };
    let topic = |name: &str, total, partitions| TopicLoss {
        topic: name.to_owned(),
        owner: pair.team.clone(),
        lost: total,
        partitions,
        truth: None,
        truth_ms: None,
    };
    let captured = lost(12, Some(1_904), Some(5_100));
    let refunds = lost(0, None, None);
    Loss {
        direction: Direction { from: Side::A },
        owner: pair.team.clone(),
        seen_at: ago(257),
        noticed_at: ago(252),
        reason: "connect to 10.20.0.11:9093: connection refused".to_owned(),
        total: lost(12, None, None),
        topics: vec![
            topic(
                "payments.captured",
                captured,
                vec![
                    partition(0, Some(183_402), lost(12, Some(980), Some(5_100))),
                    partition(1, Some(183_398), lost(0, Some(924), Some(5_000))),
                ],
            ),
            topic("payments.refunds", refunds, vec![partition(0, None, refunds)]),
        ],
        method: "Its ends were last read 5003 ms before it was found not to answer. Whatever had not reached the target by \
                 the connector's committed offsets and offset syncs is lost; on top comes what may have been written in \
                 these 5003 ms, at the fastest rate of the 600 s before. Offsets are counted, and \
                 transaction markers may be among them: at most so many records, and of those behind the newest offset sync \
                 at least half, with a thousand offsets left out for transactions that were open there."
            .to_owned(),
        waits_for_leaders: 0,
        truth: None,
    }
}
