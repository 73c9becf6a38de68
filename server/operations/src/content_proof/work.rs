//! Comparing the stretches one process was dealt, a few at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

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

use super::{
    again::{GivenUp, Tries},
    standstill::Standstill,
};
use crate::{
    clients::PairClients,
    translation_proof::{ProofError, flow_of, unreadable},
};

/// Stretches compared at the same time; each holds some tens of megabytes when both sides differ a lot.
const AT_ONCE: usize = 4;
/// Bound of each single read, in milliseconds.
const WITHIN_MS: u64 = 60_000;
/// How often it is looked whether the proof is over.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
/// dealt or read. A stretch that cannot be compared is told in the book.
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
struct Hand<'a> {
    clients: &'a PairClients,
    direction: Direction,
    records: FlowRecords<'a>,
    offset_pairs: BTreeMap<TopicPartition, Vec<OffsetPair>>,
    meter: Meter,
    given_up: GivenUp,
    standstill: Standstill,
    book: &'a dyn StretchBook,
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
            // While nothing of it is mine, others work or nothing is dealt yet: only another dealing changes that.
            let todo = self.mine(share, &now, open);
            let (idle, undealt) = (todo.is_empty(), self.undealt(share, &now));
            tokio::select! {
                () = self.compare_all(todo), if !idle => {}
                // What is under way is dropped; whoever is dealt it goes on where it was kept.
                changed = dealt.changed() => if changed.is_err() { return Ok(()) },
                over = self.look_after(&undealt) => return over,
            }
        }
    }

    /// Those of the open stretches that this process is to compare; keeps to its part of the rate.
    fn mine(&self, share: &Share<'_>, dealt: &Dealt, open: Vec<OpenStretch>) -> Vec<OpenStretch> {
        let all: BTreeSet<TopicPartition> = open.iter().map(|open| open.stretch.source.clone()).collect();
        let mut mine = match dealt {
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

    /// What deals nothing out; empty when it does.
    fn undealt(&self, share: &Share<'_>, dealt: &Dealt) -> String {
        match dealt {
            Dealt::Waiting => format!(
                "group `{}` on cluster `{}`, which deals out what to compare, has dealt nothing",
                share.group,
                self.records.source.cluster()
            ),
            Dealt::Mine(_) | Dealt::Refused(_) => String::new(),
        }
    }

    /// Comes back once the proof is over: nothing is open, or it is not wanted any more.
    async fn look_after(&self, undealt: &str) -> Result<(), ProofError> {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.book.any_open().await {
                Ok(true) => self.standstill.look(self.meter.bytes(), undealt, self.book).await?,
                Ok(false) => return Ok(()),
                Err(cause) => {
                    tracing::warn!(%cause, "could not look whether a proof is over; tried again shortly");
                }
            }
        }
    }

    /// Waits for news, at most as long as the book may be silent about the end.
    async fn wait(&self, dealt: &mut watch::Receiver<Dealt>) {
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
        let page = Page { number, book: self.book, kept: Mutex::new(from) };
        let mut tries = Tries::of(&self.given_up, &stretch.source);
        let end = loop {
            match compare.run(page.kept(), &page).await {
                Ok(Some(end)) => {
                    tries.answered();
                    break end;
                }
                Ok(None) => return,
                Err(error) => {
                    self.standstill.hear(&error);
                    if !tries.again(&error).await {
                        break StretchEnd::Unreadable { because: tries.because(&error) };
                    }
                }
            }
        };
        self.book.end(number, &end).await;
    }
}

/// One stretch's page of the book.
struct Page<'a> {
    number: i32,
    book: &'a dyn StretchBook,
    /// Where it goes on when it is tried once more.
    kept: Mutex<Option<Checkpoint>>,
}

impl Page<'_> {
    fn kept(&self) -> Option<Checkpoint> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Keep for Page<'_> {
    async fn keep(&self, checkpoint: Checkpoint) -> bool {
        let wanted = self.book.keep(self.number, &checkpoint).await;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
        wanted
    }
}

/// This process's part of a rate, by partitions; at least a byte.
fn part(limit: u64, mine: usize, all: usize) -> u64 {
    let part = u128::from(limit) * mine as u128 / all.max(1) as u128;
    u64::try_from(part).unwrap_or(limit).max(1)
}
