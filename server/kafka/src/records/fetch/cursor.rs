//! A stretch of one partition as it is read: how far, and what of the visible records is kept.

use kafka_protocol::protocol::StrBytes;
use muster_domain::topic::TopicPartition;

use crate::{
    asking::routing::Call,
    broker_error::{OFFSET_NOT_AVAILABLE, broker_error},
    error::KafkaError,
    mover::{Piece, ReadRange, Record},
    records::{
        batches::Batch,
        prints::{PrintRange, RecordPrint},
    },
};

const PARTITION_BYTES: i32 = 1 << 20;
/// A stretch this short needs a batch or two: a whole megabyte would be sent for some records and thrown away.
const SHORT: i64 = 64;
const SHORT_BYTES: i32 = 128 << 10;
/// Prints of one stretch that are enough for a round: one answer may hold very many small records, well packed.
const ENOUGH_PRINTS: usize = 200_000;

/// A stretch being read.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) partition: TopicPartition,
    /// Next offset to read.
    pub(super) next: i64,
    /// One past the last offset wanted.
    pub(super) until: i64,
    /// First offset of the log, once known.
    pub(crate) log_start: Option<i64>,
    pub(crate) found: Found,
    pub(super) stuck: bool,
    /// Where the leader's log ends now, below what was to be read.
    pub(super) short: Option<i64>,
    pub(super) done: bool,
}

/// What to keep of the visible records.
#[derive(Debug)]
pub(crate) enum Found {
    All(Vec<Record>),
    /// The last one only, or why what stands there cannot be read.
    Last(Option<Result<RecordPrint, String>>),
    /// Prints only; where it stands is told to the stretch after each round.
    Prints(Box<PrintRange>),
    /// Records of so many bytes at most, until the piece is full.
    Piece {
        piece: Piece,
        longest: usize,
    },
}

impl Cursor {
    /// From `from` inclusive to `until` exclusive.
    pub(crate) fn new(partition: TopicPartition, from: i64, until: i64, found: Found) -> Self {
        let from = from.max(0);
        Self {
            partition,
            next: from,
            until,
            log_start: None,
            found,
            stuck: false,
            short: None,
            done: from >= until,
        }
    }

    /// Goes on where a stretch was left.
    pub(super) fn of_range(range: &PrintRange) -> Self {
        let (partition, stuck) = (range.partition.clone(), range.left_out);
        let found = Found::Prints(Box::new(range.rest()));
        Self { stuck, ..Self::new(partition, range.next, range.until, found) }
    }

    /// Most bytes of one answer. One that had no room for a batch is asked for with all.
    pub(super) fn most_bytes(&self) -> i32 {
        if self.until - self.next <= SHORT && !self.stuck { SHORT_BYTES } else { PARTITION_BYTES }
    }

    /// What is visible ends here. A whole log was read only if it reaches what was to be read: a leader that was just
    /// elected may not know yet how far its log counts (its high watermark lags), and a log that was cut holds less than was
    /// seen of it. Neither may look like a log that was read to its end.
    pub(super) fn ended(&mut self, high_watermark: i64) {
        self.done = self.until == ReadRange::TO_THE_END || high_watermark >= self.until;
        self.short = (!self.done).then_some(high_watermark);
    }

    /// What was answered cannot be read. Of those who want the last record it is the answer; to others it is an error.
    pub(super) fn give_up(&mut self, why: String) -> Result<(), String> {
        match &mut self.found {
            Found::Last(last) => *last = Some(Err(why)),
            Found::All(_) | Found::Prints(_) | Found::Piece { .. } => return Err(why),
        }
        self.done = true;
        Ok(())
    }

    /// Everything below is read.
    pub(super) fn go_to(&mut self, next: i64) {
        self.next = next;
        if let Found::Prints(range) = &mut self.found {
            range.next = next;
        }
    }

    /// Why the stretch could not be read to where it ends.
    pub(super) fn shortage(&self, call: &Call<'_>, node: Option<i32>) -> Option<KafkaError> {
        let (ends, until) = (self.short?, self.until);
        let text =
            format!("its log ends at {ends}, and {until} was seen before: an election, or records were lost");
        let mut error =
            call.fail(node, broker_error(OFFSET_NOT_AVAILABLE, Some(&StrBytes::from_string(text))));
        error.call = format!("{} ({})", error.call, self.partition);
        Some(error)
    }

    /// Takes what of a batch is within the stretch; answers the bytes that are held for it from now on.
    pub(super) fn keep(&mut self, batch: &Batch) -> Result<usize, String> {
        let (next, until) = (self.next, self.until);
        let wanted = |record: &Record| record.offset >= next && record.offset < until;
        match &mut self.found {
            Found::All(records) => {
                let before = records.len();
                records.extend(batch.records()?.into_iter().filter(wanted));
                let cost = |record: &Record| record.length() + size_of::<Record>();
                return Ok(records[before..].iter().map(cost).sum());
            }
            Found::Last(last) => {
                let read = batch.each_print(|print| {
                    if print.offset >= next && print.offset < until {
                        *last = Some(Ok(print));
                    }
                });
                // One that can be read may follow.
                if let Err(why) = read {
                    *last = Some(Err(batch.unreadable(&why)));
                }
            }
            Found::Prints(range) => batch.each_print(|print| range.keep(print))?,
            Found::Piece { piece, longest } => match batch.records() {
                Ok(records) => piece.take(records.into_iter().filter(wanted), *longest),
                Err(why) => piece.leave_out(batch.count().max(1), batch.unreadable(&why)),
            },
        }
        Ok(0)
    }

    /// Whether the rest of an answer is better asked for again.
    pub(super) fn is_full(&self) -> bool {
        match &self.found {
            Found::All(_) | Found::Last(_) => false,
            Found::Prints(range) => range.prints.len() >= ENOUGH_PRINTS,
            Found::Piece { piece, .. } => piece.is_full(),
        }
    }
}
