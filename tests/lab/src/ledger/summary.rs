//! The ledger in figures: what was written, processed, reprocessed, skipped, and how long writes were away.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{GroupPage, Ledger, Pages, Stay, TopicPage, pair_of_topic};
use crate::wait::now_ms;

/// Figures of a workload at one moment; `<dir>/ledger.json` holds the newest. Times are ms since the Unix epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerSummary {
    /// When these figures were taken.
    pub at_ms: i64,
    /// By topic as the application names it.
    pub topics: BTreeMap<String, TopicSummary>,
    /// By consumer group.
    pub groups: BTreeMap<String, GroupSummary>,
    /// Every redirect of producers, by pair, oldest first.
    pub redirects: Vec<RedirectSummary>,
}

/// One topic's producer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TopicSummary {
    /// Cluster that the producer writes to.
    pub cluster: String,
    /// Records acknowledged (or committed), each counted once.
    pub acked: u64,
    /// Attempts that failed; every one was made again.
    pub failed_attempts: u64,
    /// Records of transactions that the application itself aborted.
    pub aborted: u64,
    /// Newest acknowledgement.
    pub last_ack_ms: Option<i64>,
    /// Newest error.
    pub last_error: Option<String>,
    /// Records whose fate was not known when their producer was replaced, and that were written again.
    pub cut_off: u64,
}

/// One consumer group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Cluster that the group reads from.
    pub cluster: String,
    /// Records processed, repetitions included.
    pub processed: u64,
    /// Records processed on one cluster and again on another (each repetition counts).
    pub reprocessed: u64,
    /// Records processed again on the same cluster: a rebalance or a restart of the application, no move.
    pub repeated_in_place: u64,
    /// Acknowledged records that the group has passed over: a later record of the same partition was processed.
    pub skipped: u64,
    /// Acknowledged records that the group has not processed, the skipped ones included.
    pub pending: u64,
    /// Records of aborted transactions that the group was handed; must be 0.
    pub aborted_seen: u64,
    /// Newest processed record.
    pub last_processed_ms: Option<i64>,
    /// Newest error.
    pub last_error: Option<String>,
}

/// One redirect of the producers, told from what clients did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RedirectSummary {
    /// The pair whose producers were redirected.
    pub pair: String,
    /// Cluster left.
    pub from: String,
    /// Cluster turned to.
    pub to: String,
    /// When the first producer turned.
    pub noticed_ms: i64,
    /// Last acknowledgement on the cluster left, of any topic.
    pub last_ack_old_ms: Option<i64>,
    /// First acknowledgement on the cluster turned to, of any topic.
    pub first_ack_new_ms: Option<i64>,
    /// Longest time without an acknowledged write of any one topic; `None` until every topic is written again.
    pub write_unavailability_ms: Option<i64>,
    /// The same by topic; topics that are not written again yet are absent.
    pub write_unavailability_ms_by_topic: BTreeMap<String, i64>,
    /// First record that each group processed on the cluster turned to, after this redirect.
    pub first_processed_ms_by_group: BTreeMap<String, i64>,
    /// Time from a group's last record on the cluster left to its first on the cluster turned to.
    pub processing_gap_ms_by_group: BTreeMap<String, i64>,
}

impl Ledger {
    /// The figures of this moment; walks all records, so about 1 ms per 10,000 of them in a debug build.
    pub(crate) fn summary(&self) -> LedgerSummary {
        let pages = self.pages();
        LedgerSummary {
            at_ms: now_ms(),
            topics: pages.topics.iter().map(|(topic, page)| (topic.clone(), sum_topic(page))).collect(),
            groups: pages
                .groups
                .iter()
                .map(|(group, page)| (group.clone(), sum_group(&pages, page)))
                .collect(),
            redirects: sum_redirects(&pages),
        }
    }
}

fn sum_topic(page: &TopicPage) -> TopicSummary {
    TopicSummary {
        cut_off: page.cut_off,
        cluster: page.stays.last().map(|stay| stay.cluster.clone()).unwrap_or_default(),
        acked: page.acked,
        failed_attempts: page.failed_attempts,
        aborted: page.aborted,
        last_ack_ms: page.stays.iter().rev().find_map(|stay| stay.last_ms),
        last_error: page.last_error.clone(),
    }
}

fn sum_group(pages: &Pages, page: &GroupPage) -> GroupSummary {
    let (mut skipped, mut pending) = (0, 0);
    for (topic, places) in &page.places {
        if let Some(written) = pages.topics.get(topic) {
            let missed = count_missed(topic, written, places);
            skipped += missed.0;
            pending += missed.1;
        }
    }
    GroupSummary {
        cluster: page.stays.last().map(|stay| stay.cluster.clone()).unwrap_or_default(),
        processed: page.processed,
        reprocessed: page.reprocessed,
        repeated_in_place: page.repeated_in_place,
        skipped,
        pending,
        aborted_seen: page.aborted_seen,
        last_processed_ms: page.stays.iter().rev().find_map(|stay| stay.last_ms),
        last_error: page.last_error.clone(),
    }
}

/// Skipped and pending records of one topic for one group.
///
/// With identity naming a partition is one log across redirects, so what was written in an earlier stay comes first.
/// With prefixed names (`clicks.`) each stay is a log of its own, read beside the others.
fn count_missed(topic: &str, written: &TopicPage, places: &[u8]) -> (u64, u64) {
    let one_log = pair_of_topic(topic) != "clicks";
    let log_of = |ack: &super::Ack| (ack.partition, if one_log { 0 } else { ack.stay });
    let acks = || {
        let numbered = written.acks.iter().enumerate();
        numbered.filter_map(|(seq, ack)| Some((ack.as_ref()?, places.get(seq).copied().unwrap_or(0))))
    };
    let mut reached: HashMap<(i32, u32), (u32, i64)> = HashMap::new();
    for (ack, _) in acks().filter(|(_, place)| *place > 0) {
        let position = (ack.stay, ack.offset);
        let furthest = reached.entry(log_of(ack)).or_insert(position);
        *furthest = position.max(*furthest);
    }
    let (mut skipped, mut pending) = (0, 0);
    for (ack, _) in acks().filter(|(_, place)| *place == 0) {
        pending += 1;
        if reached.get(&log_of(ack)).is_some_and(|furthest| (ack.stay, ack.offset) < *furthest) {
            skipped += 1;
        }
    }
    (skipped, pending)
}

fn sum_redirects(pages: &Pages) -> Vec<RedirectSummary> {
    let mut redirects = Vec::new();
    for pair in ["orders", "clicks"] {
        let most = |pages: &Pages| topics_of(pages, pair).map(|(_, page)| page.stays.len()).max();
        let count = most(pages).unwrap_or(0).saturating_sub(1);
        redirects.extend((0..count).filter_map(|index| sum_redirect(pages, pair, index)));
    }
    redirects
}

fn topics_of<'a>(pages: &'a Pages, pair: &'a str) -> impl Iterator<Item = (&'a String, &'a TopicPage)> {
    pages.topics.iter().filter(move |(topic, _)| pair_of_topic(topic) == pair)
}

fn sum_redirect(pages: &Pages, pair: &str, index: usize) -> Option<RedirectSummary> {
    let moves: Vec<(&String, &Stay, &Stay)> = topics_of(pages, pair)
        .filter_map(|(topic, page)| Some((topic, page.stays.get(index)?, page.stays.get(index + 1)?)))
        .collect();
    let (_, old, new) = moves.first()?;
    let (from, to) = (old.cluster.clone(), new.cluster.clone());
    let noticed_ms = moves.iter().map(|(_, _, new)| new.since_ms).min()?;
    let away: BTreeMap<String, i64> = moves
        .iter()
        .filter_map(|(topic, old, new)| Some(((*topic).clone(), new.first_ms? - old.last_ms?)))
        .collect();
    let all_written_again = away.len() == topics_of(pages, pair).count();
    let (first_processed_ms_by_group, processing_gap_ms_by_group) =
        sum_groups_after(pages, pair, noticed_ms, &to);
    Some(RedirectSummary {
        pair: pair.to_owned(),
        from,
        to,
        noticed_ms,
        last_ack_old_ms: moves.iter().filter_map(|(_, old, _)| old.last_ms).max(),
        first_ack_new_ms: moves.iter().filter_map(|(_, _, new)| new.first_ms).min(),
        write_unavailability_ms: all_written_again.then(|| away.values().copied().max()).flatten(),
        write_unavailability_ms_by_topic: away,
        first_processed_ms_by_group,
        processing_gap_ms_by_group,
    })
}

fn sum_groups_after(
    pages: &Pages,
    pair: &str,
    noticed_ms: i64,
    to: &str,
) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let (mut first, mut gap) = (BTreeMap::new(), BTreeMap::new());
    // Groups may be moved a little before the producers (the read path and the write path are separate lanes).
    let earliest_ms = noticed_ms - 60_000;
    let of_pair = |page: &GroupPage| page.places.keys().any(|topic| pair_of_topic(topic) == pair);
    for (group, page) in pages.groups.iter().filter(|(_, page)| of_pair(page)) {
        let arrival = page.stays.iter().enumerate().skip(1);
        let mut arrival = arrival.filter(|(_, stay)| stay.cluster == to && stay.since_ms >= earliest_ms);
        let Some((index, stay)) = arrival.next() else { continue };
        let Some(first_ms) = stay.first_ms else { continue };
        first.insert(group.clone(), first_ms);
        if let Some(last_ms) = page.stays[..index].iter().rev().find_map(|stay| stay.last_ms) {
            gap.insert(group.clone(), first_ms - last_ms);
        }
    }
    (first, gap)
}
