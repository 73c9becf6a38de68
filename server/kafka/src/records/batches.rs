//! Record batches (message format 2) as fetched: where each is, whose it is, and the records in it.
//!
//! The codec's own decoder is not used: it drops repeated headers, gives log-append records their creation time and
//! pre-allocates whatever a record claims. A fingerprint must see what is there.

use bytes::{Buf, Bytes};

use crate::{
    mover::Record,
    records::{
        prints::{RecordPrint, take_varint},
        unpack::unpack,
    },
};

/// Most records and headers of one batch that are taken apart: each costs far more memory than the bytes it is read from.
const MOST_PARTS: usize = 1 << 20;
/// Bytes before a batch's records.
const HEADER: usize = 61;
/// Bytes before the field that `batch length` counts from.
const PREFIX: usize = 12;

/// One batch, its records still packed.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) producer_id: i64,
    attributes: i16,
    first_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    records: Bytes,
}

/// Takes the next whole batch off the front. Brokers cut the last one off at the size limit: that ends the list.
pub(crate) fn next_batch(data: &mut Bytes) -> Result<Option<Batch>, String> {
    if data.len() < PREFIX + 5 {
        return Ok(None);
    }
    let length = data.slice(8..PREFIX).get_i32();
    let magic = data[16];
    let length = usize::try_from(length).map_err(|_| format!("a batch of {length} bytes"))?;
    if data.len() - PREFIX < length {
        return Ok(None);
    }
    if magic != 2 {
        return Err(format!("records in message format {magic}, older than Kafka 0.11"));
    }
    let mut batch = data.split_to(PREFIX + length);
    if batch.len() < HEADER {
        return Err(format!("a batch of {length} bytes"));
    }
    let mut header = batch.split_to(HEADER);
    let base_offset = header.get_i64();
    header.advance(13); // length, leader epoch, magic, checksum
    let attributes = header.get_i16();
    let last_offset = base_offset.saturating_add(i64::from(header.get_i32()));
    let (first_timestamp, max_timestamp) = (header.get_i64(), header.get_i64());
    let producer_id = header.get_i64();
    header.advance(6); // producer epoch, base sequence
    let count = header.get_i32();
    Ok(Some(Batch {
        base_offset,
        last_offset,
        producer_id,
        attributes,
        first_timestamp,
        max_timestamp,
        count,
        records: batch,
    }))
}

impl Batch {
    /// Part of a transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// Holds a marker, no data.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Whether this control batch ends a transaction by aborting it (control type 0).
    pub(crate) fn is_abort_marker(&self) -> Result<bool, String> {
        let marker = self.records()?.into_iter().next();
        // The key is a version and a type, two bytes each.
        Ok(marker.and_then(|marker| marker.key).is_some_and(|key| key.get(2..4) == Some(&[0, 0])))
    }

    /// The records, unpacked.
    pub(crate) fn records(&self) -> Result<Vec<Record>, String> {
        let mut data = self.unpack()?;
        // What a batch claims is no reason to allocate.
        let claimed = usize::try_from(self.count).unwrap_or_default();
        let mut records = Vec::with_capacity(claimed.min(data.len() / 7 + 1).min(MOST_PARTS));
        let mut room = MOST_PARTS;
        for _ in 0..self.count {
            let record = self.read_record(&mut data, room).ok_or("a record that ends too soon")?;
            room = room.checked_sub(1 + record.headers.len()).ok_or_else(too_many)?;
            records.push(record);
        }
        Ok(records)
    }

    /// How many records it says it holds.
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.count).unwrap_or_default()
    }

    /// Why it cannot be read, with its place.
    pub(crate) fn unreadable(&self, why: &str) -> String {
        let (first, last) = (self.base_offset, self.last_offset);
        format!("the batch at offsets {first} to {last} cannot be read: {why}")
    }

    /// Hands out the print of each record, copying nothing: most of a large read is this.
    pub(crate) fn each_print(&self, mut keep: impl FnMut(RecordPrint)) -> Result<(), String> {
        let data = self.unpack()?;
        let mut rest = &data[..];
        if self.count() > MOST_PARTS as u64 {
            return Err(too_many());
        }
        for _ in 0..self.count {
            keep(self.read_print(&mut rest).ok_or("a record that ends too soon")?);
        }
        Ok(())
    }

    fn read_print(&self, rest: &mut &[u8]) -> Option<RecordPrint> {
        let length = usize::try_from(take_varint(rest)?).ok()?;
        let (record, after) = rest.split_at_checked(length)?;
        *rest = after;
        let (_, mut body) = record.split_first()?; // attributes, unused
        let timestamp = self.timestamp(take_varint(&mut body)?);
        let offset = self.base_offset.checked_add(take_varint(&mut body)?)?;
        let print = RecordPrint::of_body(offset, timestamp, body)?;
        Some(RecordPrint { log_append_time: self.log_append_time(), ..print })
    }

    /// The time of a record so many milliseconds after the first; the broker's own where the topic says so.
    fn timestamp(&self, delta: i64) -> i64 {
        if self.log_append_time() { self.max_timestamp } else { self.first_timestamp.wrapping_add(delta) }
    }

    fn log_append_time(&self) -> bool {
        self.attributes & 0x08 != 0
    }

    fn unpack(&self) -> Result<Bytes, String> {
        unpack(self.attributes & 0x07, &self.records)
    }

    /// The next record, of which no more than so many headers are read: one too many makes the batch unreadable.
    fn read_record(&self, data: &mut Bytes, room: usize) -> Option<Record> {
        let length = usize::try_from(read_varint(data)?).ok()?;
        if data.len() < length {
            return None;
        }
        let mut data = data.split_to(length);
        data.try_get_u8().ok()?; // attributes, unused
        let timestamp_delta = read_varint(&mut data)?;
        let offset = self.base_offset.checked_add(read_varint(&mut data)?)?;
        let timestamp = self.timestamp(timestamp_delta);
        let key = read_bytes(&mut data)?;
        let value = read_bytes(&mut data)?;
        let count = usize::try_from(read_varint(&mut data)?).ok()?;
        let mut headers = Vec::with_capacity(count.min(data.len() / 2).min(room));
        for _ in 0..count.min(room + 1) {
            let name = read_bytes(&mut data)??;
            headers.push((String::from_utf8_lossy(&name).into_owned(), read_bytes(&mut data)?));
        }
        let log_append_time = self.log_append_time();
        Some(Record { offset, timestamp, log_append_time, key, value, headers })
    }
}

fn too_many() -> String {
    format!("it holds more than {MOST_PARTS} records and headers")
}

/// Zigzag variable-length integer, at most ten bytes.
fn read_varint(data: &mut Bytes) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = data.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// A length and that many bytes; -1 is null.
fn read_bytes(data: &mut Bytes) -> Option<Option<Bytes>> {
    let length = read_varint(data)?;
    if length < 0 {
        return Some(None);
    }
    let length = usize::try_from(length).ok().filter(|length| *length <= data.len())?;
    Some(Some(data.split_to(length)))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::{
        protocol::StrBytes,
        records::{Compression, Record as Written, RecordBatchEncoder, RecordEncodeOptions, TimestampType},
    };
    use muster_domain::bent::{Bend, bend};
    use proptest::prelude::*;

    use super::*;

    const COMPRESSIONS: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// All batches of some bytes, and how many records came of them. What is read as records is read as prints.
    fn read_all(mut data: Bytes) -> usize {
        let mut records = 0;
        while let Ok(Some(batch)) = next_batch(&mut data) {
            let _ = batch.is_abort_marker();
            let mut prints = Vec::new();
            let printed = batch.each_print(|print| prints.push(print.offset));
            if let Ok(read) = batch.records() {
                assert_eq!(printed, Ok(()));
                assert!(read.iter().map(|record| record.offset).eq(prints));
                records += read.len();
            }
        }
        records
    }

    /// A batch whose header is right and says whatever else it likes.
    fn batch(attributes: i16, count: i32, records: &[u8]) -> Bytes {
        let mut data = Vec::new();
        data.extend_from_slice(&7_i64.to_be_bytes());
        let length = i32::try_from(HEADER - PREFIX + records.len()).expect("short");
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(&[0, 0, 0, 0, 2, 0, 0, 0, 0]);
        data.extend_from_slice(&attributes.to_be_bytes());
        data.extend_from_slice(&[0; 34]);
        data.extend_from_slice(&count.to_be_bytes());
        data.extend_from_slice(records);
        data.into()
    }

    /// Three records as a producer writes them.
    fn written(compression: Compression) -> Vec<u8> {
        let record = |number: i32| Written {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id: 7,
            producer_epoch: 0,
            timestamp_type: TimestampType::Creation,
            offset: i64::from(number),
            sequence: number,
            timestamp: 1_800_000_000_000 + i64::from(number),
            key: (number > 0).then(|| Bytes::from_static(b"order-1")),
            value: (number < 2).then(|| Bytes::from_static(b"placed, placed, placed, placed")),
            headers: [(StrBytes::from_static_str("by"), Some(Bytes::from_static(b"web")))]
                .into_iter()
                .collect(),
        };
        let mut data = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        RecordBatchEncoder::encode(&mut data, &[0, 1, 2].map(record), &options).expect("they are small");
        data.to_vec()
    }

    #[test]
    fn records_are_read_whatever_packed_them() {
        for compression in COMPRESSIONS {
            assert_eq!(read_all(written(compression).into()), 3, "{compression:?}");
        }
    }

    #[test]
    fn a_batch_that_claims_more_than_it_holds_is_refused() {
        let mut data = batch(0, i32::MAX, &[1, 2, 3]);
        let batch = next_batch(&mut data).expect("a batch").expect("whole");
        assert_eq!(batch.records(), Err("a record that ends too soon".to_owned()));
        // One record without key, value and headers.
        assert_eq!(read_all(self::batch(0, 1, &[12, 0, 0, 0, 1, 1, 0])), 1);
    }

    proptest! {
        #[test]
        fn fuzz_no_bytes_of_a_broker_make_it_panic(bytes: Vec<u8>) {
            read_all(bytes.into());
        }

        #[test]
        fn fuzz_no_records_of_a_batch_make_it_panic(attributes: i16, count: i32, records: Vec<u8>) {
            read_all(batch(attributes, count, &records));
        }

        #[test]
        fn fuzz_no_change_to_a_batch_makes_it_panic(
            compression in prop::sample::select(COMPRESSIONS.to_vec()),
            bends in any::<[Bend; 3]>(),
            inside in any::<bool>(),
        ) {
            let whole = written(compression);
            // Where its head stays as it is, what was packed is come to.
            let bent = match inside {
                true => batch(compression as i16, 3, &bend(&whole[HEADER..], &bends)),
                false => bend(&whole, &bends).into(),
            };
            read_all(bent);
        }
    }
}
