//! What eu-west's death cost, as it can be told: bounded or not while it is away, and in each way it can turn out.

use muster_domain::{
    loss::{BriefLoss, EndRead, Interval, Loss, PartitionLoss, ReadAgain, TopicLoss, Truth},
    pair::{Direction, Pair, Side},
};

use super::{
    ago,
    night::{chrome, cluster_name, team},
    pairs,
};
use crate::{
    loss::{LossFilter, LossPage},
    losses::LossesPage,
    parts::Ends,
    runs::query_string,
};

const METHOD: &str = "Its ends were last read 5.0 s before it was found not to answer. Whatever had not reached the target by \
     the connector's committed offsets and offset syncs is lost; on top comes what may have been written in \
     these 5.0 s, at the fastest rate of the 10 m before. Offsets are counted, and \
     transaction markers may be among them: at most so many records, and of those behind the newest offset sync \
     at least half, with a thousand offsets left out for transactions that were open there.";

fn lost(at_least: i64, at_most: Option<i64>, ms: Option<i64>) -> Interval {
    Interval {
        records_at_least: at_least,
        records_at_most: at_most,
        ms_at_least: if at_least > 0 { 1_200 } else { 0 },
        ms_at_most: ms,
    }
}

fn partition(number: i32, through: Option<i64>, lost: Interval) -> PartitionLoss {
    PartitionLoss {
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
    }
}

fn topic(pair: &Pair, name: &str, total: Interval, partitions: Vec<PartitionLoss>) -> TopicLoss {
    TopicLoss {
        topic: name.to_owned(),
        topic_id: None,
        owner: pair.team.clone(),
        lost: total,
        partitions,
        truth: None,
        truth_ms: None,
    }
}

/// Of a source that is still away, and of which one topic is not bounded.
pub(super) fn of(pair: &Pair) -> Loss {
    let refunds = lost(0, None, None);
    Loss {
        total: lost(12, None, None),
        topics: vec![
            captured(pair),
            topic(pair, "payments.refunds", refunds, vec![partition(0, None, refunds)]),
        ],
        ..bounded(pair)
    }
}

fn captured(pair: &Pair) -> TopicLoss {
    topic(
        pair,
        "payments.captured",
        lost(12, Some(1_904), Some(5_100)),
        vec![
            partition(0, Some(183_402), lost(12, Some(980), Some(5_100))),
            partition(1, Some(183_398), lost(0, Some(924), Some(5_000))),
        ],
    )
}

/// Of a source that is still away: an interval and nothing more.
pub(super) fn bounded(pair: &Pair) -> Loss {
    let refunds = lost(0, Some(41), Some(5_000));
    let never = partition(0, Some(-1), refunds);
    Loss {
        direction: Direction { from: Side::A },
        owner: pair.team.clone(),
        seen_at: ago(257),
        noticed_at: ago(252),
        reason: "connect to 10.20.0.11:9093: connection refused".to_owned(),
        total: lost(12, Some(1_931), Some(5_100)),
        topics: vec![captured(pair), topic(pair, "payments.refunds", refunds, vec![never])],
        method: METHOD.to_owned(),
        waits_for_leaders: 0,
        truth: None,
    }
}

/// The same where eu-west answers again and two partitions have no leader yet. One of them did not answer when the others were last read.
pub(super) fn waiting(pair: &Pair) -> Loss {
    let mut loss = Loss { waits_for_leaders: 2, ..bounded(pair) };
    loss.topics[0].partitions[1].end_read = EndRead::Before { at: ago(262) };
    let refunds = &mut loss.topics[1];
    refunds.truth = Some(0);
    refunds.partitions[0].truth = Some(0);
    refunds.partitions[0].read_again = Some(ReadAgain { end: Some(184_201), leaders: None });
    loss
}

/// The same once eu-west could be read again: each partition with so many records, and the whole.
fn back(pair: &Pair, records: Option<i64>, ms: Option<i64>, exact: bool, method: &str) -> Loss {
    let mut loss = bounded(pair);
    for topic in &mut loss.topics {
        for partition in &mut topic.partitions {
            partition.truth = records.map(|records| if partition.partition == 0 { records } else { 0 });
            partition.truth_ms = ms;
        }
        topic.truth = records.map(|records| if topic.topic == "payments.captured" { records } else { 0 });
        topic.truth_ms = ms;
    }
    for refunds in loss.topics.iter_mut().skip(1).flat_map(|topic| &mut topic.partitions) {
        refunds.truth = records.map(|_| 0);
    }
    loss.truth = Some(Truth {
        at: ago(40),
        records,
        ms,
        by_logs: records.is_some(),
        exact,
        settled: true,
        method: method.to_owned(),
    });
    loss
}

/// It is back, and all had arrived.
pub(super) fn nothing(pair: &Pair) -> Loss {
    let method = "Up to where the leaders that were last seen had ended when others were elected, by the source's own logs as they \
                  are now: all of it had reached the target. What was written since is not in it.";
    back(pair, Some(0), Some(0), true, method)
}

fn page(loss: &Loss, filter: &LossFilter) -> LossPage {
    let query = query_string(&[("topic", &filter.topic), ("skip", &filter.skip)]);
    let path = format!("/pairs/payments/losses/{}{query}", loss.id());
    LossPage::new(chrome(&path), &pairs::payments().pair, loss, filter)
}

impl LossPage {
    /// eu-west is away: an interval.
    #[must_use]
    pub fn sample() -> Self {
        page(&bounded(&pairs::payments().pair), &LossFilter::default())
    }

    /// It is away, and not every partition is bounded.
    #[must_use]
    pub fn sample_unknown() -> Self {
        page(&of(&pairs::payments().pair), &LossFilter::default())
    }

    /// It answers again, and not with all it had.
    #[must_use]
    pub fn sample_waiting() -> Self {
        page(&waiting(&pairs::payments().pair), &LossFilter::default())
    }

    /// It is back: the true figure beside the interval, of one topic.
    #[must_use]
    pub fn sample_settled() -> Self {
        let method = "Up to where the leaders that were last seen had ended when others were elected, by the source's own logs as they \
                      are now, less what was proven to have reached the target. What was written since is not in it. It is at most so \
                      many: transaction markers count among the offsets, and so do records that arrived behind the last committed \
                      offset or offset sync. The oldest of them says by its own timestamp that it was written 4.2 s before the source \
                      was found not to answer.";
        let loss = back(&pairs::payments().pair, Some(1_204), Some(4_210), false, method);
        page(&loss, &LossFilter { topic: "captured".to_owned(), skip: String::new() })
    }

    /// It is back, and all had arrived.
    #[must_use]
    pub fn sample_nothing() -> Self {
        page(&nothing(&pairs::payments().pair), &LossFilter::default())
    }

    /// It came back with less than it had.
    #[must_use]
    pub fn sample_cut() -> Self {
        let method = "The source came back without what it had: `payments.captured-0` had been seen up to offset 184201, and the log of \
                      the leader that was elected since has what was there only up to 183000, of which 403 offsets had reached the target \
                      and are only there now. What was lost cannot be told from its ends: a replica that lagged was elected, or a log was \
                      cut.";
        page(&back(&pairs::payments().pair, None, None, false, method), &LossFilter::default())
    }
}

pub(super) fn brief(loss: Loss, days: i64) -> BriefLoss {
    let earlier = chrono::TimeDelta::days(days);
    BriefLoss {
        pair: pairs::payments().pair.name,
        direction: loss.direction,
        source: cluster_name("eu-west"),
        target: cluster_name("eu-central"),
        owner: team("payments-core"),
        seen_at: loss.seen_at - earlier,
        noticed_at: loss.noticed_at - earlier,
        total: loss.total,
        truth: loss.truth,
    }
}

impl LossesPage {
    /// The second page: one of each kind.
    #[must_use]
    pub fn sample() -> Self {
        let pair = pairs::payments().pair;
        let losses = [
            brief(of(&pair), 0),
            brief(back(&pair, Some(1_204), Some(4_210), false, ""), 9),
            brief(back(&pair, Some(0), Some(0), true, ""), 40),
            brief(back(&pair, None, None, false, ""), 203),
        ];
        let next = losses.last().map(|loss| format!("/pairs/payments/losses?after={}", loss.id()));
        let before = "/pairs/payments/losses?after=a-1763521708000000";
        Self::new(chrome(before), &pair, &losses).part(Ends::new(
            "losses",
            Some("/pairs/payments/losses".to_owned()),
            next,
        ))
    }

    /// No source ever died.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::new(chrome("/pairs/payments/losses"), &pairs::payments().pair, &[])
    }
}
