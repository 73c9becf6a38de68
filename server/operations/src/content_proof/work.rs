//! Comparing the stretches one process was dealt, a few at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::{
    pair::Direction,
    proof::content::{Checkpoint, Stretch, StretchEnd},
    survey::{ConnectorRole, OffsetPair},
    topic::TopicPartition,
};
use muster_kafka::{Dealt, KafkaError, WorkShare};
use muster_replication::{FlowRecords, FlowSettings, verify::Meter};
use tokio::sync::watch;

use super::{
    again::GivenUp,
    look_after::{Over, Undealt},
    standstill::Standstill,
};
use crate::{
    clients::PairClients,
    translation_proof::{ProofError, flow_of, unreadable},
};

/// Bound of each single read, in milliseconds.
pub(super) const WITHIN_MS: u64 = 60_000;
/// How often it is looked whether the proof is over.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

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

    /// Whether any has no answer; false as well when the proof is not wanted any more. Asked often, so nothing of a stretch is read.
    ///
    /// # Errors
    /// When the book cannot be read now.
    async fn any_open(&self) -> Result<bool, ProofError>;

    /// Source offsets that were compared so far, by whomever; what turned out unreadable is none of them.
    ///
    /// # Errors
    /// When the book cannot be read now.
    async fn compared(&self) -> Result<i64, ProofError>;

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
/// When the flow cannot be read, the source lets this process have no part though it does not lead, or for some minutes nothing could be
/// dealt or read and a side does not answer at all. A stretch that cannot be compared is told in the book.
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
        given_up: GivenUp::default(),
        standstill: Standstill::default(),
        book,
    };
    let topics: Vec<String> = topics.into_iter().collect();
    let joined = hand.records.source.share(share.group, &topics).await;
    hand.work(&share, joined).await
}

/// What one process compares with.
pub(super) struct Hand<'a> {
    pub(super) clients: &'a PairClients,
    pub(super) direction: Direction,
    pub(super) records: FlowRecords<'a>,
    pub(super) offset_pairs: BTreeMap<TopicPartition, Vec<OffsetPair>>,
    pub(super) meter: Meter,
    pub(super) given_up: GivenUp,
    pub(super) standstill: Standstill,
    pub(super) book: &'a dyn StretchBook,
}

impl Hand<'_> {
    async fn work(
        &self,
        share: &Share<'_>,
        joined: Result<Box<dyn WorkShare>, KafkaError>,
    ) -> Result<(), ProofError> {
        // Who refuses stays to the end: without anybody to tell of it there would be an end of news, and of work.
        let (_refuses, mut dealt) = match &joined {
            Ok(member) => (None, member.dealt()),
            Err(error) => {
                let (refuses, dealt) = watch::channel(Dealt::Refused(error.to_string()));
                (Some(refuses), dealt)
            }
        };
        let mut takes_all = false;
        loop {
            let now = dealt.borrow_and_update().clone();
            if let (Dealt::Refused(reason), false) = (&now, share.leads) {
                return Err(ProofError::NoPart { reason: reason.clone() });
            }
            let open = match self.book.open().await {
                Ok(Some(open)) if !open.is_empty() => open,
                Ok(_) => return Ok(()),
                Err(cause) => {
                    tracing::warn!(%cause, "could not look for stretches to compare; tried again shortly");
                    self.wait(&mut dealt).await;
                    continue;
                }
            };
            // While nothing of it is mine, others work or nothing is dealt yet: another dealing changes that, or the wait for it is over.
            let todo = self.mine(share, &now, takes_all, open);
            self.standstill.keep_only(&todo.iter().map(|open| open.number).collect());
            let idle = todo.is_empty();
            let undealt = if takes_all { Undealt::No } else { Undealt::of(share, &now, idle) };
            tokio::select! {
                () = self.compare_all(todo), if !idle => {}
                // What is under way is dropped; whoever is dealt it goes on where it was kept.
                changed = dealt.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    takes_all = false;
                }
                over = self.look_after(share, undealt) => match over? {
                    Over::Proof => return Ok(()),
                    Over::Dealing => takes_all = true,
                },
            }
        }
    }

    /// Those of the open stretches that this process is to compare; keeps to its part of the rate.
    fn mine(
        &self,
        share: &Share<'_>,
        dealt: &Dealt,
        takes_all: bool,
        open: Vec<OpenStretch>,
    ) -> Vec<OpenStretch> {
        let all: BTreeSet<TopicPartition> = open.iter().map(|open| open.stretch.source.clone()).collect();
        let mut mine = match dealt {
            Dealt::Waiting | Dealt::Mine(_) if takes_all => all.clone(),
            Dealt::Waiting => BTreeSet::new(),
            Dealt::Mine(mine) => mine.clone(),
            Dealt::Refused(reason) => {
                tracing::info!("compares alone, no work can be shared: {reason}");
                all.clone()
            }
        };
        if share.leads {
            // Nobody is dealt a partition that the source does not have.
            let only_there = open.iter().filter(|open| open.stretch.size() == 0);
            mine.extend(only_there.map(|open| open.stretch.source.clone()));
        }
        let mine: BTreeSet<&TopicPartition> = all.intersection(&mine).collect();
        self.meter.limit(share.bytes_per_second.map(|limit| part(limit, mine.len(), all.len())));
        open.into_iter().filter(|open| mine.contains(&open.stretch.source)).collect()
    }

    /// Waits for news, at most as long as the book may be silent about the end.
    async fn wait(&self, dealt: &mut watch::Receiver<Dealt>) {
        tokio::select! {
            _ = dealt.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// This process's part of a rate, by partitions; at least a byte.
fn part(limit: u64, mine: usize, all: usize) -> u64 {
    let part = u128::from(limit) * mine as u128 / all.max(1) as u128;
    u64::try_from(part).unwrap_or(limit).max(1)
}
