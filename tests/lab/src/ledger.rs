//! What applications saw: every acknowledged record, every processed record, when and where.
//!
//! Records are numbered 0, 1, 2 … per topic by the application that writes them. A *stay* is the time that one
//! topic's producer, or one group, spent on one cluster between two redirects. Kept in memory: about 40 bytes a record
//! and 1 byte a record and group.

mod summary;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::wait::now_ms;

pub use summary::{GroupSummary, LedgerSummary, RedirectSummary, TopicSummary};

/// One acknowledged record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    /// Which stay of the topic's producer.
    stay: u32,
    partition: i32,
    offset: i64,
}

/// One client's time on one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Stay {
    cluster: String,
    /// When the client turned to this cluster.
    since_ms: i64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct TopicPage {
    /// By sequence number; `None` is not (yet) acknowledged.
    acks: Vec<Option<Ack>>,
    stays: Vec<Stay>,
    acked: u64,
    failed_attempts: u64,
    last_error: Option<String>,
    /// Records of transactions that the application aborted; no reader may see one.
    aborted: u64,
    /// Records whose fate was not known when their producer was replaced, and that were written again.
    cut_off: u64,
}

#[derive(Debug, Default)]
pub(crate) struct GroupPage {
    /// Per topic, by sequence number: where each record was processed last, 1 + index in `clusters`; 0 is nowhere yet.
    places: BTreeMap<String, Vec<u8>>,
    clusters: Vec<String>,
    stays: Vec<Stay>,
    processed: u64,
    reprocessed: u64,
    repeated_in_place: u64,
    aborted_seen: u64,
    last_error: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Pages {
    topics: BTreeMap<String, TopicPage>,
    groups: BTreeMap<String, GroupPage>,
}

/// The running record of what applications saw; shared by all clients of a workload.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
}

impl Ledger {
    /// A producer of `topic` turned to `cluster`.
    pub(crate) fn producer_moved(&self, topic: &str, cluster: &str, at_ms: i64) {
        let mut pages = self.pages();
        pages.topics.entry(topic.to_owned()).or_default().stays.push(Stay::new(cluster, at_ms));
    }

    /// Record `seq` of `topic` was acknowledged at `partition` and `offset` of the cluster of the current stay.
    pub(crate) fn acked(&self, topic: &str, seq: u64, partition: i32, offset: i64, at_ms: i64) {
        let mut pages = self.pages();
        let page = pages.topics.entry(topic.to_owned()).or_default();
        let stay = u32::try_from(page.stays.len().saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(stay) = page.stays.last_mut() {
            stay.touch(at_ms);
        }
        let slot = slot(&mut page.acks, seq);
        if slot.is_none() {
            *slot = Some(Ack { stay, partition, offset });
            page.acked += 1;
        }
    }

    /// An attempt to write to `topic` failed and will be made again.
    pub(crate) fn write_failed(&self, topic: &str, error: &str) {
        let mut pages = self.pages();
        let page = pages.topics.entry(topic.to_owned()).or_default();
        page.failed_attempts += 1;
        page.last_error = Some(error.to_owned());
    }

    /// `count` records of `topic` had no answer when their producer was replaced: each may be there twice.
    pub(crate) fn cut_off(&self, topic: &str, count: usize) {
        self.pages().topics.entry(topic.to_owned()).or_default().cut_off += count as u64;
    }

    /// `count` records of `topic` were written in a transaction that the application aborted.
    pub(crate) fn aborted(&self, topic: &str, count: u64) {
        self.pages().topics.entry(topic.to_owned()).or_default().aborted += count;
    }

    /// A consumer of `group` turned to `cluster`.
    pub(crate) fn group_moved(&self, group: &str, cluster: &str) {
        self.pages().groups.entry(group.to_owned()).or_default().stays.push(Stay::new(cluster, now_ms()));
    }

    /// `group` processed record `seq` of `topic` now, read from `cluster`.
    pub(crate) fn processed(&self, group: &str, cluster: &str, topic: &str, seq: u64) {
        let mut pages = self.pages();
        let page = pages.groups.entry(group.to_owned()).or_default();
        page.processed += 1;
        if let Some(stay) = page.stays.last_mut() {
            stay.touch(now_ms());
        }
        let here = page.clusters.iter().position(|known| known == cluster).unwrap_or_else(|| {
            page.clusters.push(cluster.to_owned());
            page.clusters.len() - 1
        });
        let here = u8::try_from(here + 1).unwrap_or(u8::MAX);
        match std::mem::replace(slot(page.places.entry(topic.to_owned()).or_default(), seq), here) {
            0 => {}
            before if before == here => page.repeated_in_place += 1,
            _ => page.reprocessed += 1,
        }
    }

    /// `group` was handed a record of an aborted transaction.
    pub(crate) fn aborted_seen(&self, group: &str) {
        self.pages().groups.entry(group.to_owned()).or_default().aborted_seen += 1;
    }

    /// A consumer of `group` met an error and goes on.
    pub(crate) fn read_failed(&self, group: &str, error: &str) {
        self.pages().groups.entry(group.to_owned()).or_default().last_error = Some(error.to_owned());
    }

    /// Sequence numbers of `topic` that are acknowledged at this moment, with the number at their index.
    pub(crate) fn acked_numbers(&self, topic: &str) -> Vec<bool> {
        let pages = self.pages();
        pages
            .topics
            .get(topic)
            .map(|page| page.acks.iter().map(Option::is_some).collect())
            .unwrap_or_default()
    }

    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages> {
        match self.pages.lock() {
            Ok(pages) => pages,
            // Counters stay meaningful when a client thread panicked between two of them.
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// The pair that replicates `topic`.
pub(crate) fn pair_of_topic(topic: &str) -> &'static str {
    if topic.starts_with("clicks.") { "clicks" } else { "orders" }
}

impl Pages {
    /// The topics that applications write, by their own names.
    pub(crate) fn topic_names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }
}

impl Stay {
    fn new(cluster: &str, since_ms: i64) -> Self {
        Self { cluster: cluster.to_owned(), since_ms, first_ms: None, last_ms: None }
    }

    fn touch(&mut self, at_ms: i64) {
        self.first_ms.get_or_insert(at_ms);
        self.last_ms = Some(at_ms);
    }
}

fn slot<T: Clone + Default>(list: &mut Vec<T>, seq: u64) -> &mut T {
    let index = usize::try_from(seq).unwrap_or(usize::MAX);
    if list.len() <= index {
        list.resize(index + 1, T::default());
    }
    &mut list[index]
}
