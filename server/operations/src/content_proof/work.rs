//! Comparing the stretches one process was dealt, a few at a time.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use muster_domain::{
    pair::Direction,
    proof::content::{Checkpoint, Stretch, StretchEnd},
    survey::{ConnectorRole, OffsetPair},
    topic::TopicPartition,
};
use muster_kafka::{Dealt, KafkaError, WorkShare};
use muster_replication::{
    FlowRecords, FlowSettings,
    verify::{CompareStretch, Keep, Meter},
};
use tokio::sync::watch;

use crate::{
    clients::PairClients,
    translation_proof::{ProofError, flow_of, unreadable},
};

/// Stretches compared at the same time; each holds some tens of megabytes when both sides differ a lot.
const AT_ONCE: usize = 4;
/// Bound of each single read, in milliseconds.
const WITHIN_MS: u64 = 60_000;

/// A stretch that has no answer yet.
#[derive(Debug, Clone)]
pub struct OpenStretch {
    /// Its number within the proof.
    pub number: i32,
    /// The stretch.
    pub stretch: Stretch,
    /// Where it goes on.
    pub from: Option<Checkpoint>,
}

/// Where it is kept what stretches there are and what came of them. All of it may be called by several processes at once.
#[async_trait]
pub trait StretchBook: Send + Sync {
    /// Those that have no answer; `None` when the proof is not wanted any more.
    ///
    /// # Errors
    /// When the book cannot be read now.
    async fn open(&self) -> Result<Option<Vec<OpenStretch>>, ProofError>;

    /// Keeps where one could go on; false when it has an answer or is not wanted any more.
    async fn keep(&self, number: i32, checkpoint: &Checkpoint) -> bool;

    /// Keeps what came of one; the first answer counts.
    async fn end(&self, number: i32, end: &StretchEnd);
}

/// How work is shared.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// The consumer group that deals.
    pub group: &'a str,
    /// Does everything when nothing can be dealt: the process that leads the proof.
    pub leads: bool,
    /// Most bytes a second, over all processes.
    pub bytes_per_second: Option<u64>,
}

/// Compares what is dealt to this process until nothing is open, or the proof is not wanted.
///
/// # Errors
/// When the flow cannot be read. A stretch that cannot be compared is told in the book.
pub async fn compare_stretches(
    clients: &PairClients,
    direction: Direction,
    share: Share<'_>,
    book: &dyn StretchBook,
) -> Result<(), ProofError> {
    let (flow, replication) = flow_of(clients, direction)?;
    let config = replication.config(ConnectorRole::Source).await;
    let isolation =
        FlowSettings::from_config(flow, &config.map_err(unreadable("read how the flow copies"))?).isolation;
    let Some(first) = book.open().await? else { return Ok(()) };
    let topics: BTreeSet<String> = first.iter().map(|open| open.stretch.source.topic.clone()).collect();
    let partitions: BTreeSet<TopicPartition> = first.iter().map(|open| open.stretch.source.clone()).collect();
    let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
    let offset_pairs =
        replication.offset_pairs(&partitions).await.map_err(unreadable("read offset syncs"))?;
    let hand = Hand {
        clients,
        direction,
        records: FlowRecords {
            source: &**clients.mover.get(direction.from),
            target: &**clients.mover.get(direction.to()),
            isolation,
            deadline_ms: WITHIN_MS,
        },
        offset_pairs,
        meter: Meter::new(share.bytes_per_second),
        book,
    };
    let topics: Vec<String> = topics.into_iter().collect();
    let joined = hand.records.source.share(share.group, &topics).await;
    hand.work(&share, joined).await;
    Ok(())
}

/// What one process compares with.
struct Hand<'a> {
    clients: &'a PairClients,
    direction: Direction,
    records: FlowRecords<'a>,
    offset_pairs: BTreeMap<TopicPartition, Vec<OffsetPair>>,
    meter: Meter,
    book: &'a dyn StretchBook,
}

impl Hand<'_> {
    async fn work(&self, share: &Share<'_>, joined: Result<Box<dyn WorkShare>, KafkaError>) {
        let mut dealt = match &joined {
            Ok(member) => member.dealt(),
            Err(error) => watch::channel(Dealt::Refused(error.to_string())).1,
        };
        loop {
            let mine = dealt.borrow_and_update().clone();
            let open = match self.book.open().await {
                Ok(Some(open)) if !open.is_empty() => open,
                Ok(_) => return,
                Err(cause) => {
                    tracing::warn!(%cause, "could not look for stretches to compare; tried again shortly");
                    self.wait(&mut dealt).await;
                    continue;
                }
            };
            let all: BTreeSet<TopicPartition> = open.iter().map(|open| open.stretch.source.clone()).collect();
            let mut mine = match mine {
                Dealt::Waiting => BTreeSet::new(),
                Dealt::Mine(mine) => mine,
                Dealt::Refused(reason) if share.leads => {
                    tracing::info!("compares alone, no work can be shared: {reason}");
                    all.clone()
                }
                Dealt::Refused(reason) => {
                    tracing::info!("cannot share in comparing: {reason}");
                    return;
                }
            };
            if share.leads {
                // Nobody is dealt a partition that the source does not have.
                let only_there = open.iter().filter(|open| open.stretch.size() == 0);
                mine.extend(only_there.map(|open| open.stretch.source.clone()));
            }
            let mine: BTreeSet<&TopicPartition> = all.intersection(&mine).collect();
            self.meter.limit(share.bytes_per_second.map(|limit| part(limit, mine.len(), all.len())));
            let todo = open.into_iter().filter(|open| mine.contains(&open.stretch.source)).collect();
            tokio::select! {
                () = self.compare_all(todo) => {}
                // What is under way is dropped; whoever is dealt it goes on where it was kept.
                changed = dealt.changed() => if changed.is_err() { return },
            }
            if mine.is_empty() {
                // Others work, or nothing is dealt yet.
                self.wait(&mut dealt).await;
            }
        }
    }

    /// Waits for news, at most as long as the book may be silent about the end.
    async fn wait(&self, dealt: &mut watch::Receiver<Dealt>) {
        const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(500);
        tokio::select! {
            _ = dealt.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }

    async fn compare_all(&self, todo: Vec<OpenStretch>) {
        let mut todo = todo.into_iter();
        let mut under_way: FuturesUnordered<_> =
            todo.by_ref().take(AT_ONCE).map(|one| self.compare(one)).collect();
        while under_way.next().await.is_some() {
            under_way.extend(todo.next().map(|one| self.compare(one)));
        }
    }

    async fn compare(&self, open: OpenStretch) {
        let OpenStretch { number, stretch, from } = open;
        let compare = CompareStretch {
            records: &self.records,
            source: &**self.clients.admin.get(self.direction.from),
            target: &**self.clients.admin.get(self.direction.to()),
            pairs: self.offset_pairs.get(&stretch.source).map_or(&[][..], Vec::as_slice),
            stretch: &stretch,
            meter: &self.meter,
        };
        let end = match compare.run(from, &Page { number, book: self.book }).await {
            Ok(Some(end)) => end,
            Ok(None) => return,
            Err(error) => StretchEnd::Unreadable { because: error.to_string() },
        };
        self.book.end(number, &end).await;
    }
}

/// One stretch's page of the book.
struct Page<'a> {
    number: i32,
    book: &'a dyn StretchBook,
}

#[async_trait]
impl Keep for Page<'_> {
    async fn keep(&self, checkpoint: Checkpoint) -> bool {
        self.book.keep(self.number, &checkpoint).await
    }
}

/// This process's part of a rate, by partitions; at least a byte.
fn part(limit: u64, mine: usize, all: usize) -> u64 {
    let part = u128::from(limit) * mine as u128 / all.max(1) as u128;
    u64::try_from(part).unwrap_or(limit).max(1)
}
