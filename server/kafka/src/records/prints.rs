//! Prints of records: what tells one record from another when its payload is forgotten, made without copying it.

use std::fmt;

use muster_domain::topic::TopicPartition;
use xxhash_rust::xxh3::xxh3_64;

use crate::mover::{ReadRange, Record, TailRecord};

/// An odd number whose bits look random (2^64 over the golden ratio): times of different records stay different.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// A record without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPrint {
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds since the epoch; -1 when the record has none.
    pub timestamp: i64,
    /// See [`Record::log_append_time`].
    pub log_append_time: bool,
    /// XXH3-64 over key, value and headers, and the timestamp unless it is left out: see [`PrintRange::without_timestamps`].
    pub fingerprint: u64,
    /// XXH3-64 of the key; `None` when it has none.
    pub key: Option<u64>,
    /// Bytes of key, value and headers with their lengths.
    pub bytes: u32,
    /// It has no value: compaction removes what it deletes, and at last itself.
    pub tombstone: bool,
}

impl RecordPrint {
    /// Takes a record's body as it is on the wire: key, value and headers, each after its length.
    pub(crate) fn of_body(offset: i64, timestamp: i64, mut body: &[u8]) -> Option<Self> {
        let (bytes, content) = (u32::try_from(body.len()).ok()?, xxh3_64(body));
        let key = take_field(&mut body)?.map(xxh3_64);
        let tombstone = take_field(&mut body)?.is_none();
        let fingerprint = content ^ spread(timestamp);
        Some(Self { offset, timestamp, log_append_time: false, fingerprint, key, bytes, tombstone })
    }

    /// The same without what the timestamp adds to the fingerprint; of one that was made with it.
    #[must_use]
    pub fn without_timestamp(self) -> Self {
        Self { fingerprint: self.fingerprint ^ spread(self.timestamp), ..self }
    }
}

impl TailRecord {
    /// The same without what the timestamp adds to the fingerprint.
    #[must_use]
    pub fn without_timestamp(self) -> Self {
        Self { fingerprint: self.fingerprint ^ spread(self.timestamp), ..self }
    }
}

fn spread(timestamp: i64) -> u64 {
    timestamp.cast_unsigned().wrapping_mul(SPREAD)
}

impl Record {
    /// What tells it from others.
    #[must_use]
    pub fn print(&self) -> RecordPrint {
        let mut body = Vec::new();
        put_field(&mut body, self.key.as_deref());
        put_field(&mut body, self.value.as_deref());
        put_varint(&mut body, self.headers.len() as u64 * 2);
        for (name, value) in &self.headers {
            put_field(&mut body, Some(name.as_bytes()));
            put_field(&mut body, value.as_deref());
        }
        RecordPrint {
            offset: self.offset,
            timestamp: self.timestamp,
            log_append_time: self.log_append_time,
            fingerprint: xxh3_64(&body) ^ spread(self.timestamp),
            key: self.key.as_deref().map(xxh3_64),
            bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            tombstone: self.value.is_none(),
        }
    }
}

/// A stretch of a partition that is read piece by piece; only prints of its records are kept.
pub struct PrintRange {
    /// Partition.
    pub partition: TopicPartition,
    /// Next offset to read.
    pub next: i64,
    /// One past the last offset.
    pub until: i64,
    /// Nothing is left to read.
    pub done: bool,
    /// Visible records read and not taken yet.
    pub prints: Vec<RecordPrint>,
    /// Bytes the cluster sent for it, as they were packed, and that are not taken yet.
    pub bytes: u64,
    /// Offsets that retention had removed before they were read.
    pub gone: i64,
    /// Where reading went on behind them, each time, and that is not taken yet: what was read before stands below, what is read
    /// after does not.
    pub jumps: Vec<i64>,
    pub(crate) timestamps: bool,
    /// The last answer had no room for it.
    pub(crate) left_out: bool,
}

impl PrintRange {
    /// A stretch of which nothing is read yet.
    #[must_use]
    pub fn new(range: ReadRange) -> Self {
        let ReadRange { partition, from, until } = range;
        let done = from >= until;
        Self {
            partition,
            next: from.max(0),
            until,
            done,
            prints: Vec::new(),
            bytes: 0,
            gone: 0,
            jumps: Vec::new(),
            timestamps: true,
            left_out: false,
        }
    }

    /// Leaves timestamps out of fingerprints: where brokers write their own, the two sides never have the same.
    #[must_use]
    pub fn without_timestamps(self) -> Self {
        Self { timestamps: false, ..self }
    }

    /// What is left of it, to be read apart: if that fails, this is as it was.
    pub(crate) fn rest(&self) -> Self {
        let range = ReadRange { partition: self.partition.clone(), from: self.next, until: self.until };
        Self { timestamps: self.timestamps, ..Self::new(range) }
    }

    /// Takes what was read apart.
    pub(crate) fn take_over(&mut self, read: Self) {
        self.next = read.next;
        self.bytes += read.bytes;
        self.gone += read.gone;
        self.jumps.extend(read.jumps);
        if self.prints.is_empty() {
            self.prints = read.prints;
        } else {
            self.prints.extend(read.prints);
        }
    }

    /// Retention removed what was to be read next: it goes on at `start`, or ends there.
    pub(crate) fn jump(&mut self, start: i64) {
        let to = start.min(self.until);
        self.gone += (to - self.next).max(0);
        self.jumps.push(to);
    }

    /// Bytes sent for it since they were asked for last.
    pub fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn keep(&mut self, print: RecordPrint) {
        if print.offset >= self.next && print.offset < self.until {
            self.prints.push(if self.timestamps { print } else { print.without_timestamp() });
        }
    }
}

impl fmt::Debug for PrintRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} of {}", self.partition, self.next, self.until)
    }
}

/// Zigzag variable-length integer, at most ten bytes.
pub(crate) fn take_varint(data: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = data.split_first()?;
        *data = rest;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// A length and that many bytes; -1 is null.
fn take_field<'a>(data: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = take_varint(data)?;
    if length < 0 {
        return Some(None);
    }
    let (field, rest) = data.split_at_checked(usize::try_from(length).ok()?)?;
    *data = rest;
    Some(Some(field))
}

fn put_field(body: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        // -1, zigzag.
        None => put_varint(body, 1),
        Some(field) => {
            put_varint(body, field.len() as u64 * 2);
            body.extend_from_slice(field);
        }
    }
}

fn put_varint(body: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        body.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    body.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record() -> Record {
        Record {
            offset: 7,
            timestamp: 1_800_000_000_000,
            log_append_time: false,
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from(vec![9; 300])),
            headers: vec![("h".to_owned(), None), ("h".to_owned(), Some(Bytes::from_static(b"v")))],
        }
    }

    #[test]
    fn a_body_on_the_wire_has_the_print_of_its_record() {
        let record = record();
        let mut body = vec![2, b'k', 0xD8, 0x04];
        body.extend([9; 300]);
        body.extend([4, 2, b'h', 1, 2, b'h', 2, b'v']);
        let read = RecordPrint::of_body(7, record.timestamp, &body).unwrap();
        assert_eq!(read, record.print());
        assert!(!read.tombstone && read.key == Some(xxh3_64(b"k")));
        assert!(RecordPrint::of_body(7, 0, &[20, b'k']).is_none(), "it ends too soon");
    }

    #[test]
    fn whatever_differs_shows_and_time_only_where_it_counts() {
        let (one, print) = (record(), record().print());
        let mut others = vec![one.clone(); 5];
        others[0].timestamp += 1;
        others[1].key = None;
        others[2].value = None;
        others[3].headers.swap(0, 1);
        others[4].headers[0].0 = "hh".to_owned();
        for other in &others {
            assert_ne!(other.print().fingerprint, print.fingerprint, "{other:?}");
        }
        assert_eq!(others[0].print().without_timestamp().fingerprint, print.without_timestamp().fingerprint);
        assert!(others[2].print().tombstone && others[1].print().key.is_none());
    }
}
