//! Random lives of one partition: a source log, a flow that copies it with restarts, and what compaction and
//! retention leave of both. Every record knows which it is, so the truth needs no comparing.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::{AllSyncs, Visible};
use crate::survey::OffsetPair;

/// What happens on the source, in order.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Record { key: u8, value: u8 },
    Transaction { records: Vec<(u8, u8)>, committed: bool },
}

/// One life of the copying task.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) copies: usize,
    /// Without exactly-once: records copied again by the next life.
    pub(super) repeats: usize,
    /// With exactly-once: records of a transaction that is aborted at the crash.
    pub(super) junk: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) events: Vec<Event>,
    pub(super) lives: Vec<Life>,
    pub(super) unique: bool,
    pub(super) exactly_once: bool,
    pub(super) read_committed: bool,
    pub(super) batch: usize,
    /// Decides which pairs are written; one per copied record, round and round.
    pub(super) emits: Vec<bool>,
    pub(super) first_pair_may_be_lost: bool,
    /// Whether the last life copies everything there is.
    pub(super) catches_up: bool,
    /// Parts of the logs, in 16ths, that are compacted before copying, and after it on both sides.
    pub(super) compacted: [usize; 3],
    /// Parts, in 16ths, that retention removes afterwards on both sides.
    pub(super) expired: [usize; 2],
    pub(super) group: usize,
}

pub(super) fn scripts() -> impl Strategy<Value = Script> {
    let field = || (0u8..5, 0u8..3);
    let event = prop_oneof![
        4 => field().prop_map(|(key, value)| Event::Record { key, value }),
        1 => (prop::collection::vec(field(), 1..5), any::<bool>())
            .prop_map(|(records, committed)| Event::Transaction { records, committed }),
    ];
    let life = (1usize..30, 0usize..12, 0usize..4).prop_map(|(copies, repeats, junk)| Life {
        copies,
        repeats,
        junk,
    });
    let sometimes = || prop_oneof![3 => Just(0usize), 1 => 1usize..17];
    let rarely = || prop_oneof![6 => Just(0usize), 1 => 1usize..12];
    (
        prop::collection::vec(event, 1..40),
        prop::collection::vec(life, 1..5),
        any::<[bool; 3]>(),
        1usize..9,
        prop::collection::vec(prop::bool::weighted(0.3), 1..20),
        (prop::bool::weighted(0.2), prop::bool::weighted(0.3)),
        [sometimes(), sometimes(), sometimes()],
        [rarely(), rarely()],
        any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16)),
    )
        .prop_map(
            |(
                events,
                lives,
                flags,
                batch,
                emits,
                (first_pair_may_be_lost, catches_up),
                compacted,
                expired,
                group,
            )| {
                let [unique, exactly_once, read_committed] = flags;
                let read_committed = read_committed || exactly_once;
                Script {
                    events,
                    lives,
                    unique,
                    exactly_once,
                    read_committed,
                    batch,
                    emits,
                    first_pair_may_be_lost,
                    catches_up,
                    compacted,
                    expired,
                    group,
                }
            },
        )
}

#[derive(Clone, Copy)]
pub(super) struct Record {
    /// Offset it had when it was produced to the source: its identity.
    pub(super) id: i64,
    pub(super) offset: i64,
    pub(super) fingerprint: u64,
    key: u8,
}

impl Record {
    /// One that was written in the place of another, like none before.
    pub(super) fn written(id: i64, offset: i64) -> Self {
        Self { id, offset, fingerprint: 1_000_000_000 + id.unsigned_abs(), key: 0 }
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}({})", self.offset, self.id, self.fingerprint)
    }
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) source: Vec<Record>,
    pub(super) source_end: i64,
    pub(super) target: Vec<Record>,
    pub(super) target_end: i64,
    pub(super) pairs: Vec<OffsetPair>,
    pub(super) exactly_once: bool,
    pub(super) group: i64,
    /// The source as it was copied, before it was compacted again and expired.
    pub(super) copied: Vec<Record>,
    /// Everything that was ever written to the target.
    pub(super) written: Vec<Record>,
    /// First offset the target still has.
    pub(super) target_start: i64,
    /// A restart shows in no pair; then the flow has caught up in the end.
    pub(super) hidden: bool,
}

impl History {
    pub(super) fn of(script: &Script) -> Self {
        let (mut source, source_end) = produce(script);
        compact(&mut source, script.compacted[0], source_end);
        let (mut target, target_end, pairs, hidden) = copy(&source, script);
        let (copied, written) = (source.clone(), target.clone());
        compact(&mut source, script.compacted[1], source_end);
        compact(&mut target, script.compacted[2], target_end);
        expire(&mut source, script.expired[0], source_end);
        expire(&mut target, script.expired[1], target_end);
        let group = i64::try_from(script.group).expect("small") % (source_end + 1);
        let exactly_once = script.exactly_once;
        let target_start = target_end * i64::try_from(script.expired[1]).expect("small") / 16;
        Self {
            source,
            source_end,
            target,
            target_end,
            pairs,
            exactly_once,
            group,
            copied,
            written,
            target_start,
            hidden,
        }
    }

    pub(super) fn syncs(&self) -> AllSyncs<'_> {
        AllSyncs { pairs: &self.pairs, exactly_once: self.exactly_once }
    }

    /// The last position on the target from which the group still gets a copy of every record that is there and is
    /// not before the next one it would get on the source, also of those compaction has removed from the source.
    pub(super) fn truth(&self) -> i64 {
        let Some(next) = self.source.iter().find(|r| r.offset >= self.group) else { return self.target_end };
        let newest: HashMap<i64, i64> = self.target.iter().map(|r| (r.id, r.offset)).collect();
        let unread = newest.iter().filter(|(id, _)| **id >= next.id);
        unread.map(|(_, offset)| *offset).min().unwrap_or(self.target_end)
    }

    /// Records the group has read that it would be given again between two positions.
    pub(super) fn read_between(&self, from: i64, to: i64) -> i64 {
        let read = |r: &&Record| r.offset >= from && r.offset < to && r.id < self.group;
        i64::try_from(self.target.iter().filter(read).count()).expect("small")
    }

    /// Records that the group is given from a position on although it has read them, or gets them again behind the last
    /// position that leaves out nothing it has not read.
    pub(super) fn needless_from(&self, position: i64) -> i64 {
        let newest: HashMap<i64, i64> = self.target.iter().map(|r| (r.id, r.offset)).collect();
        let unread = newest.iter().filter(|(id, _)| **id >= self.group);
        let last = unread.map(|(_, offset)| *offset).min().unwrap_or(self.target_end);
        let needless = |r: &&Record| {
            (position..last).contains(&r.offset) && (r.id < self.group || newest[&r.id] >= last)
        };
        i64::try_from(self.target.iter().filter(needless).count()).expect("small")
    }
}

pub(super) fn visible(records: &[Record]) -> Vec<Visible> {
    records.iter().map(|r| Visible { offset: r.offset, fingerprint: r.fingerprint }).collect()
}

fn produce(script: &Script) -> (Vec<Record>, i64) {
    let (mut log, mut end) = (Vec::new(), 0);
    let mut append = |key: u8, value: u8, visible: bool, end: &mut i64| {
        let fingerprint =
            if script.unique { 1_000 + end.unsigned_abs() } else { u64::from(key) * 100 + u64::from(value) };
        if visible {
            log.push(Record { id: *end, offset: *end, fingerprint, key });
        }
        *end += 1;
    };
    for event in &script.events {
        match event {
            Event::Record { key, value } => append(*key, *value, true, &mut end),
            Event::Transaction { records, committed } => {
                for (key, value) in records {
                    append(*key, *value, *committed || !script.read_committed, &mut end);
                }
                end += 1;
            }
        }
    }
    (log, end)
}

/// Keeps the newest record of each key in the first 16ths of a log.
fn compact(log: &mut Vec<Record>, sixteenths: usize, end: i64) {
    let until = end * i64::try_from(sixteenths).expect("small") / 16;
    let newest: BTreeMap<u8, i64> =
        log.iter().filter(|r| r.offset < until).map(|r| (r.key, r.offset)).collect();
    log.retain(|r| r.offset >= until || newest.get(&r.key) == Some(&r.offset));
}

fn expire(log: &mut Vec<Record>, sixteenths: usize, end: i64) {
    let start = end * i64::try_from(sixteenths).expect("small") / 16;
    log.retain(|r| r.offset >= start);
}

struct Copier<'a> {
    script: &'a Script,
    source: &'a [Record],
    target: Vec<Record>,
    end: i64,
    pairs: Vec<OffsetPair>,
    emits: std::iter::Cycle<std::vec::IntoIter<bool>>,
    next: usize,
    /// A restart that no pair shows: its first pair was lost, or holes on the source make up for what is repeated.
    hidden: bool,
}

fn copy(source: &[Record], script: &Script) -> (Vec<Record>, i64, Vec<OffsetPair>, bool) {
    let emits = script.emits.clone().into_iter().cycle();
    let (target, pairs) = (Vec::new(), Vec::new());
    let mut copier = Copier { script, source, target, end: 0, pairs, emits, next: 0, hidden: false };
    for (nth, life) in script.lives.iter().enumerate() {
        copier.live(life, nth > 0);
    }
    // The mapper relies on the flow having caught up after such a restart.
    if copier.hidden || script.catches_up {
        copier.live(&Life { copies: usize::MAX / 2, repeats: 0, junk: 0 }, true);
    }
    (copier.target, copier.end, copier.pairs, copier.hidden)
}

impl Copier<'_> {
    fn live(&mut self, life: &Life, restarted: bool) {
        let start = self.next;
        let until = start.saturating_add(life.copies).min(self.source.len());
        for (at, record) in self.source.iter().enumerate().take(until).skip(start) {
            self.target.push(Record { offset: self.end, ..*record });
            let must = at == start && !(restarted && self.script.first_pair_may_be_lost);
            if self.emits.next() == Some(true) || must {
                self.emit(
                    OffsetPair { upstream: record.offset, downstream: self.end },
                    restarted && at == start,
                );
            } else if at == start {
                self.hidden = true;
            }
            self.end += 1;
            // Exactly-once ends each transaction with a marker.
            let marker = self.script.exactly_once && (at + 1 - start).is_multiple_of(self.script.batch);
            self.end += i64::from(marker);
        }
        if self.script.exactly_once {
            self.end += i64::try_from(life.junk).expect("small") + 1;
            self.next = until;
        } else {
            self.next = until.saturating_sub(life.repeats).max(start);
        }
    }

    fn emit(&mut self, pair: OffsetPair, restarted: bool) {
        if let Some(last) = self.pairs.last() {
            let (up, down) = (pair.upstream - last.upstream, pair.downstream - last.downstream);
            self.hidden |= restarted && up > 0 && down <= up;
        }
        self.pairs.push(pair);
    }
}
