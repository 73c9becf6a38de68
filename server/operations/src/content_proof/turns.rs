//! Comparing stretches a few at a time. What is to be tried again holds no place meanwhile, so one broker that nobody reaches keeps
//! nothing from being compared but what it leads.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use muster_domain::{
    proof::content::{Checkpoint, Stretch, StretchEnd},
    topic::TopicPartition,
};
use muster_kafka::KafkaError;
use muster_replication::{
    FlowRecords,
    verify::{CompareStretch, Keep},
};

use super::{
    again::{GivenUp, Tries},
    heard::Heard,
    work::{Hand, OpenStretch, StretchBook},
};

/// Stretches compared at the same time; each holds some tens of megabytes when both sides differ a lot.
const AT_ONCE: usize = 4;

impl Hand<'_> {
    /// Compares these until each has an answer, or is not wanted any more.
    pub(super) async fn compare_all(&self, todo: Vec<OpenStretch>) {
        let mut turns = Turns { todo: todo.into(), ..Turns::default() };
        let mut under_way = FuturesUnordered::new();
        let mut pausing: FuturesUnordered<BoxFuture<'_, Trying<'_>>> = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(one) = turns.next(&self.given_up, self.book)
            {
                under_way.push(self.compare(one));
            }
            if under_way.is_empty() && pausing.is_empty() {
                return;
            }
            tokio::select! {
                Some((one, pause)) = under_way.next(), if !under_way.is_empty() => match pause {
                    Some(pause) => pausing.push(Box::pin(rest(turns.keeps_waiting(one), pause))),
                    None => turns.over(&one),
                },
                Some(one) = pausing.next(), if !pausing.is_empty() => turns.again.push_back(one),
            }
        }
    }

    /// Compares one; comes back with how long to wait when it is to be tried once more.
    async fn compare<'a>(&self, mut one: Trying<'a>) -> (Trying<'a>, Option<Duration>) {
        let number = one.number;
        let heard = |mover| Heard { mover, number, standstill: &self.standstill };
        let (source, target) = (heard(self.records.source), heard(self.records.target));
        let records = FlowRecords {
            source: &source,
            target: &target,
            isolation: self.records.isolation,
            deadline_ms: self.records.deadline_ms,
        };
        let compare = CompareStretch {
            records: &records,
            source: &**self.clients.admin.get(self.direction.from),
            target: &**self.clients.admin.get(self.direction.to()),
            pairs: self.offset_pairs.get(&one.stretch.source).map_or(&[][..], Vec::as_slice),
            stretch: &one.stretch,
            meter: &self.meter,
        };
        let ran = compare.run(one.page.kept(), &one.page).await;
        let end = match ran {
            Ok(Some(end)) => {
                one.tries.answered();
                Some(end)
            }
            Ok(None) => None,
            Err(error) => {
                self.standstill.hear(number, &one.stretch.source, &error);
                if let Some(pause) = one.failed(&error) {
                    return (one, Some(pause));
                }
                Some(StretchEnd::Unreadable { because: one.tries.because(&error) })
            }
        };
        if let Some(end) = end {
            self.book.end(number, &end).await;
        }
        self.standstill.ended(number);
        (one, None)
    }
}

async fn rest(one: Trying<'_>, pause: Duration) -> Trying<'_> {
    tokio::time::sleep(pause).await;
    one
}

/// Whose turn it is.
#[derive(Default)]
struct Turns<'a> {
    todo: VecDeque<OpenStretch>,
    /// Those that waited long enough.
    again: VecDeque<Trying<'a>>,
    /// By partition how many of its stretches are waited for, and those that are put off until none is.
    waited_for: BTreeMap<TopicPartition, (usize, Vec<OpenStretch>)>,
}

impl<'a> Turns<'a> {
    fn next(&mut self, given_up: &'a GivenUp, book: &'a dyn StretchBook) -> Option<Trying<'a>> {
        if let Some(one) = self.again.pop_front() {
            return Some(one);
        }
        loop {
            let open = self.todo.pop_front()?;
            match self.waited_for.get_mut(&open.stretch.source) {
                Some((_, put_off)) => put_off.push(open),
                None => return Some(Trying::of(open, given_up, book)),
            }
        }
    }

    /// One is to be tried again.
    fn keeps_waiting(&mut self, mut one: Trying<'a>) -> Trying<'a> {
        if !one.waits {
            one.waits = true;
            self.waited_for.entry(one.stretch.source.clone()).or_default().0 += 1;
        }
        one
    }

    /// One has its answer: those of its partition that were put off for it have their turn, unless others are waited for.
    fn over(&mut self, one: &Trying<'_>) {
        if !one.waits {
            return;
        }
        let partition = &one.stretch.source;
        let Some((waits, _)) = self.waited_for.get_mut(partition) else { return };
        *waits -= 1;
        if *waits == 0
            && let Some((_, put_off)) = self.waited_for.remove(partition)
        {
            put_off.into_iter().rev().for_each(|open| self.todo.push_front(open));
        }
    }
}

/// A stretch being compared, however often that takes.
pub(super) struct Trying<'a> {
    number: i32,
    stretch: Stretch,
    pub(super) page: Page<'a>,
    tries: Tries<'a>,
    /// It failed and others of its partition wait for what becomes of it.
    waits: bool,
}

impl<'a> Trying<'a> {
    /// Not tried yet.
    pub(super) fn of(open: OpenStretch, given_up: &'a GivenUp, book: &'a dyn StretchBook) -> Self {
        let OpenStretch { number, stretch, from } = open;
        let tries = Tries::of(given_up, &stretch.source);
        let page = Page { number, book, kept: Mutex::new(Kept { at: from, moved_on: false }) };
        Self { number, stretch, page, tries, waits: false }
    }

    /// How long to wait after an error before it is tried once more; `None` when it is not.
    pub(super) fn failed(&mut self, error: &KafkaError) -> Option<Duration> {
        if std::mem::take(&mut self.page.lock().moved_on) {
            self.tries.got_on();
        }
        self.tries.again_after(error)
    }
}

/// One stretch's page of the book.
pub(super) struct Page<'a> {
    number: i32,
    book: &'a dyn StretchBook,
    kept: Mutex<Kept>,
}

struct Kept {
    /// Where it goes on when it is tried once more.
    at: Option<Checkpoint>,
    /// That is another place than where the last try began.
    moved_on: bool,
}

impl Page<'_> {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> Option<Checkpoint> {
        self.lock().at.clone()
    }
}

#[async_trait]
impl Keep for Page<'_> {
    async fn keep(&self, checkpoint: Checkpoint) -> bool {
        let wanted = self.book.keep(self.number, &checkpoint).await;
        let mut kept = self.lock();
        kept.moved_on |= kept.at.as_ref() != Some(&checkpoint);
        kept.at = Some(checkpoint);
        wanted
    }
}
