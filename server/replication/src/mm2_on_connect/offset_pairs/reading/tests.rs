//! Random lives of an offset-syncs topic that several processes read, now and then, while it is compacted and cut.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use muster_domain::{
    offset_pairs::{KeptUntil, Seen},
    survey::OffsetPair,
};
use muster_kafka::{Piece, Record};
use proptest::prelude::*;

use super::*;

const PROCESSES: usize = 3;
const PARTITIONS: i32 = 4;

#[derive(Debug, Clone)]
enum Event {
    /// The task writes pairs of these partitions, from such source offsets.
    Write(Vec<(i32, i64)>),
    /// Somebody else's records, and offsets that hold none (markers of their transactions).
    Foreign { records: usize, markers: i64 },
    /// So many 16ths of the log are compacted.
    Compact(i64),
    /// So many 16ths of the log are deleted.
    Delete(i64),
    /// The topic is made anew.
    Recreate,
    /// A process reads: so many pieces, or to the end; then what it keeps may be lost with it.
    Read { process: usize, pieces: Option<usize>, kept: bool },
    /// A process starts, knowing nothing.
    Restart(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let write = prop::collection::vec((0..PARTITIONS, 0_i64..50), 1..8).prop_map(Event::Write);
    let foreign = (0_usize..3, 0_i64..3).prop_map(|(records, markers)| Event::Foreign { records, markers });
    let pieces = prop_oneof![2 => Just(None), 1 => (0_usize..3).prop_map(Some)];
    let read = (0..PROCESSES, pieces, prop::bool::weighted(0.7))
        .prop_map(|(process, pieces, kept)| Event::Read { process, pieces, kept });
    let event = prop_oneof![
        8 => write,
        1 => foreign,
        3 => (1_i64..17).prop_map(Event::Compact),
        1 => (1_i64..17).prop_map(Event::Delete),
        1 => Just(Event::Recreate),
        8 => read,
        2 => (0..PROCESSES).prop_map(Event::Restart),
    ];
    prop::collection::vec(event, 1..60)
}

/// The topic, and everything that was ever written to it.
#[derive(Default)]
struct Topic {
    life: u128,
    start: i64,
    end: i64,
    records: Vec<Record>,
    downstream: i64,
    written: BTreeMap<TopicPartition, Vec<OffsetPair>>,
}

impl Topic {
    fn log(&self) -> Log {
        let id = Some(Uuid::from_u128(self.life));
        Log { cluster: "central".to_owned(), name: "mm2-offset-syncs.west.internal".to_owned(), id }
    }

    fn append(&mut self, key: Vec<u8>, value: Vec<u8>) {
        let (key, value) = (Some(Bytes::from(key)), Some(Bytes::from(value)));
        let (offset, timestamp, headers) = (self.end, 1, Vec::new());
        self.records.push(Record { offset, timestamp, log_append_time: false, key, value, headers });
        self.end += 1;
    }

    fn write(&mut self, number: i32, upstream: i64) {
        self.downstream += 1;
        let pair = OffsetPair { upstream, downstream: self.downstream };
        self.written.entry(TopicPartition::new("orders", number)).or_default().push(pair);
        let key = [[0_u8, 6].as_slice(), b"orders", &number.to_be_bytes()].concat();
        self.append(key, [upstream.to_be_bytes(), self.downstream.to_be_bytes()].concat());
    }

    /// As a log cleaner does: of each key the newest stays of what it has come to.
    fn compact(&mut self, sixteenths: i64) {
        let until = self.start + (self.end - self.start) * sixteenths / 16;
        let cleaned = self.records.iter().filter(|record| record.offset < until);
        let newest: BTreeMap<Option<Bytes>, i64> =
            cleaned.map(|record| (record.key.clone(), record.offset)).collect();
        self.records
            .retain(|record| record.offset >= until || newest.get(&record.key) == Some(&record.offset));
    }

    fn delete(&mut self, sixteenths: i64) {
        self.start += (self.end - self.start) * sixteenths / 16;
        self.records.retain(|record| record.offset >= self.start);
    }

    fn recreate(&mut self) {
        *self = Self { life: self.life + 1, downstream: self.downstream, ..Self::default() };
    }

    fn piece(&self, offsets: Range<i64>) -> Piece {
        let mut piece = Piece::default();
        piece.records =
            self.records.iter().filter(|record| offsets.contains(&record.offset)).cloned().collect();
        piece.next = offsets.end;
        piece.done = offsets.end >= self.end;
        piece
    }
}

/// What all processes keep their pairs in.
#[derive(Default)]
struct Shared(Option<(i64, SyncsTopic, ReadPairs, Seen)>);

impl Shared {
    fn recall(&self) -> Option<Kept> {
        self.0.clone().map(|(turn, topic, read, seen)| Kept { turn, pairs: Some((topic, read)), seen })
    }

    fn keep(
        &mut self,
        (after, topic, read, seen): (Option<i64>, &SyncsTopic, &ReadPairs, Seen),
    ) -> Option<i64> {
        if self.0.as_ref().map(|(turn, ..)| *turn) != after {
            return None;
        }
        let turn = after.unwrap_or(0) + 1;
        match &mut self.0 {
            Some((was, of, known, before)) if *of == *topic && known.until == read.from => {
                known.append(read.clone());
                before.read_at = seen.read_at;
                before.copies.extend(seen.copies);
                *was = turn;
            }
            Some(_) | None => self.0 = Some((turn, topic.clone(), read.clone(), seen)),
        }
        Some(turn)
    }
}

fn read_on(
    reading: Option<Reading>,
    topic: &Topic,
    shared: &mut Shared,
    pieces: Option<usize>,
    kept: bool,
) -> Reading {
    let (log, bounds) = (topic.log(), (topic.start, topic.end));
    let mut reading = match reading {
        Some(reading) if reading.goes_on(&log, bounds) => reading,
        Some(_) | None => {
            let of = log.kept_as().expect("it has an id");
            Reading::on_from(shared.recall(), log, of, bounds)
        }
    };
    reading.go_on();
    let mut left = pieces;
    while reading.next() < topic.end {
        if left == Some(0) {
            return reading;
        }
        left = left.map(|left| left - 1);
        let next = reading.next();
        reading.take(topic.piece(next..(next + 5).min(topic.end)), topic.end);
    }
    reading.caught_up(Utc::now());
    // As if long enough had passed.
    reading.unkept.as_mut().expect("it has an id").kept_at = None;
    let outcome = reading.due().map(|due| if kept { shared.keep(due) } else { None });
    if let Some(turn) = outcome {
        reading.kept(turn);
    }
    reading
}

/// Pairs of a partition that follow one another without one missing, up to some pair.
fn is_a_stretch(known: &[OffsetPair], written: &[OffsetPair]) -> bool {
    let begins = known.first().and_then(|first| written.iter().position(|pair| pair == first));
    begins.is_some_and(|begin| written[begin..].starts_with(known))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever reads, however often the log is compacted in between, whichever process dies before it has kept what it read: of
    /// what is known of a partition none is missing in the middle, and who has read to the end knows the newest.
    #[test]
    fn of_what_is_known_none_is_missing_in_the_middle(events in events()) {
        let (mut topic, mut shared) = (Topic::default(), Shared::default());
        let mut processes: [Option<Reading>; PROCESSES] = [None, None, None];
        for event in &events {
            match event {
                Event::Write(pairs) => pairs.iter().for_each(|(number, upstream)| topic.write(*number, *upstream)),
                Event::Foreign { records, markers } => {
                    (0..*records).for_each(|_| topic.append(b"foreign".to_vec(), b"x".to_vec()));
                    topic.end += markers;
                }
                Event::Compact(sixteenths) => topic.compact(*sixteenths),
                Event::Delete(sixteenths) => topic.delete(*sixteenths),
                Event::Recreate => topic.recreate(),
                Event::Restart(process) => processes[*process] = None,
                Event::Read { process, pieces, kept } => {
                    let reading = read_on(processes[*process].take(), &topic, &mut shared, *pieces, *kept);
                    for (partition, known) in &reading.known().partitions {
                        let written = topic.written.get(partition).map(Vec::as_slice).unwrap_or_default();
                        prop_assert!(is_a_stretch(&known.pairs, written), "{known:?} of {written:?}");
                        if reading.next() == topic.end {
                            prop_assert_eq!(known.pairs.last(), written.last());
                        }
                    }
                    processes[*process] = Some(reading);
                }
            }
        }
        if let Some((_, of, kept, _)) = &shared.0 && Some(of) == topic.log().kept_as().as_ref() {
            for (partition, known) in &kept.partitions {
                prop_assert!(is_a_stretch(&known.pairs, &topic.written[partition]), "kept: {known:?}");
            }
        }
    }
}

fn all(topic: &Topic, reading: &Reading) -> Vec<usize> {
    topic
        .written
        .keys()
        .map(|at| reading.known().partitions.get(at).map_or(0, |known| known.pairs.len()))
        .collect()
}

#[test]
fn what_was_read_once_is_known_after_compaction_and_a_gap_begins_only_those_anew_that_may_have_one() {
    let (mut topic, mut shared) = (Topic::default(), Shared::default());
    for upstream in 0..10 {
        topic.write(0, upstream);
        topic.write(1, upstream);
    }
    read_on(None, &topic, &mut shared, None, true);
    topic.compact(16);
    let second = read_on(None, &topic, &mut shared, None, true);
    assert_eq!(
        all(&topic, &second),
        [10, 10],
        "another process, which the topic would tell of one pair each"
    );
    // Nobody reads while one partition goes on and is compacted.
    for upstream in 10..20 {
        topic.write(0, upstream);
    }
    topic.compact(16);
    topic.write(1, 10);
    let third = read_on(None, &topic, &mut shared, None, true);
    assert_eq!(all(&topic, &third), [1, 1], "whose the offsets were that are gone nobody knows");
    assert!(third.known().partitions.values().all(|known| known.anew));
    let foreign = topic.end;
    topic.append(b"foreign".to_vec(), b"x".to_vec());
    topic.write(0, 20);
    let fourth = read_on(Some(third), &topic, &mut shared, None, true);
    assert_eq!(all(&topic, &fourth), [2, 1]);
    let unreadable = &fourth.known().unreadable;
    assert_eq!(unreadable.count, 1);
    assert!(unreadable.last.starts_with(&format!("the record at offset {foreign} is not")), "{unreadable:?}");
}

#[test]
fn records_that_could_not_be_read_are_spoken_of_for_a_day_after_the_last() {
    let (mut topic, mut shared) = (Topic::default(), Shared::default());
    topic.append(b"foreign".to_vec(), b"x".to_vec());
    topic.write(0, 1);
    let mut reading = read_on(None, &topic, &mut shared, None, true);
    let later = |hours: u64| Instant::now() + Duration::from_secs(hours * 60 * 60);
    reading.forget_unreadable(topic.start, later(23));
    assert_eq!(reading.known().unreadable.count, 1);
    reading.forget_unreadable(topic.start, later(25));
    assert_eq!(reading.known().unreadable, UnreadableSyncs::default());
    // Whoever goes on from what is kept is told no more of it, either.
    topic.write(0, 2);
    let reading = read_on(Some(reading), &topic, &mut shared, None, true);
    assert_eq!(
        (
            all(&topic, &reading),
            shared.recall().expect("kept").pairs.expect("it reads back").1.unreadable.count
        ),
        (vec![2], 0)
    );
}

#[test]
fn records_without_a_key_or_a_value_are_no_syncs_and_said_to_be() {
    let mut topic = Topic::default();
    (1..4).for_each(|upstream| topic.write(0, upstream));
    topic.records[0].key = None;
    topic.records[2].value = None;
    let reading = read_on(None, &topic, &mut Shared::default(), None, true);
    let known = &reading.known().partitions[&TopicPartition::new("orders", 0)];
    assert_eq!(known.pairs, [OffsetPair { upstream: 2, downstream: 2 }]);
    let UnreadableSyncs { count, last } = &reading.known().unreadable;
    assert_eq!(
        (*count, last.as_str()),
        (2, "the record at offset 2 is without a value, which no offset sync is")
    );
}

#[test]
fn partitions_that_cannot_be_are_refused_and_said() {
    let mut topic = Topic::default();
    let long = [[0_u8, 250].as_slice(), "a".repeat(250).as_bytes(), &0_i32.to_be_bytes()].concat();
    topic.append(long, vec![0; 16]);
    topic.write(0, 1);
    let reading = read_on(None, &topic, &mut Shared::default(), None, true);
    assert_eq!(all(&topic, &reading), [1]);
    assert_eq!(reading.known().unreadable.last, "the record at offset 0 is of a topic that cannot be");
}

#[test]
fn keeping_is_left_to_another_process_until_it_no_longer_does() {
    let mut topic = Topic::default();
    topic.write(0, 1);
    let of = topic.log().kept_as().expect("it has an id");
    let mut reading = Reading::on_from(None, topic.log(), of.clone(), (topic.start, topic.end));
    let goes_on = |reading: &Reading, topic: &Topic| reading.goes_on(&topic.log(), (topic.start, topic.end));
    let read = |reading: &mut Reading, topic: &Topic| {
        reading.go_on();
        reading.take(topic.piece(reading.next()..topic.end), topic.end);
        reading.caught_up(Utc::now());
    };
    let kept = |turn, until| KeptUntil { turn, topic: of.clone(), until };
    read(&mut reading, &topic);
    reading.leave(Some(&kept(1, 0)));
    assert!(goes_on(&reading, &topic) && reading.is_left() && !reading.looks_who_keeps());
    reading.leave(Some(&kept(2, 1)));
    topic.write(0, 2);
    read(&mut reading, &topic);
    assert!(goes_on(&reading, &topic), "they go on");
    reading.leave(Some(&kept(2, 1)));
    assert!(goes_on(&reading, &topic), "they had kept all there was when it was looked at last");
    reading.leave(Some(&kept(2, 1)));
    assert!(!goes_on(&reading, &topic), "they did not keep what there was then");
    let mut late = Reading::on_from(None, topic.log(), of.clone(), (topic.start, topic.end));
    read(&mut late, &topic);
    late.leave(Some(&kept(2, 2)));
    (3..6).for_each(|upstream| topic.write(0, upstream));
    topic.compact(16);
    read(&mut late, &topic);
    assert!(!goes_on(&late, &topic), "they may have read what was gone when it was read here");
    let mut other = Reading::on_from(None, topic.log(), of.clone(), (topic.start, topic.end));
    let topic_made_anew = SyncsTopic { id: Uuid::from_u128(9), ..of.clone() };
    other.leave(Some(&KeptUntil { turn: 1, topic: topic_made_anew, until: 0 }));
    assert!(!goes_on(&other, &topic), "what they keep is of another log");
}
