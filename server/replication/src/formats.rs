//! What MirrorMaker 2 writes for itself: offset syncs and checkpoints, byte for byte (mm2.md 1, proven by mm2-verified 4).
//! Kafka's old `Schema` encoding: big-endian integers, strings with an INT16 length, no checksum.
//!
//! Anything may be in these topics, since anybody with WRITE can put it there: nothing here panics or trusts a length.

use muster_domain::{survey::OffsetPair, topic::TopicPartition};

/// Bytes that are not what MirrorMaker 2 writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a MirrorMaker 2 {what}: {problem}")]
pub struct FormatError {
    /// `offset sync` or `checkpoint`.
    pub what: &'static str,
    /// What does not fit.
    pub problem: String,
}

/// Record of `<source alias>.checkpoints.internal`: where MirrorMaker 2 would put a group. Both offsets are "next to
/// read", as groups commit them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Group id.
    pub group: String,
    /// Partition by its name on the target.
    pub target: TopicPartition,
    /// The group's offset on the source.
    pub upstream: i64,
    /// MirrorMaker's translation of it.
    pub downstream: i64,
    /// The note the client committed with it.
    pub metadata: String,
}

/// No log gets that far; and sums and differences of two offsets below it fit.
pub const HIGHEST_OFFSET: i64 = i64::MAX / 2;

/// Reads an offset sync: the offsets of one record on both clusters. The partition is named as on the source.
pub fn decode_offset_sync(key: &[u8], value: &[u8]) -> Result<(TopicPartition, OffsetPair), FormatError> {
    let mut key = Cursor::new("offset sync", key);
    let partition = key.partition()?;
    let mut value = Cursor::new("offset sync", value);
    let (upstream, downstream) = (value.offset()?, value.offset()?);
    Ok((partition, OffsetPair { upstream, downstream }))
}

/// Reads a checkpoint. Muster translates positions itself and shows beside them what MirrorMaker 2 committed on the target, so only
/// the benchmark that measures both reads these.
pub fn decode_checkpoint(key: &[u8], value: &[u8]) -> Result<Checkpoint, FormatError> {
    let mut key = Cursor::new("checkpoint", key);
    let (group, target) = (key.string()?, key.partition()?);
    let mut value = Cursor::new("checkpoint", value);
    value.version_0()?;
    let (upstream, downstream, metadata) = (value.offset()?, value.offset()?, value.string()?);
    Ok(Checkpoint { group, target, upstream, downstream, metadata })
}

/// Reads fields from the front; bytes after the last field are ignored, as MirrorMaker 2 does.
struct Cursor<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(what: &'static str, rest: &'a [u8]) -> Self {
        Self { what, rest }
    }

    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, FormatError> {
        Err(FormatError { what: self.what, problem: problem.into() })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => self.wrong(format!("{length} bytes are needed and {} are left", self.rest.len())),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        Ok(self.take(N)?.try_into().expect("take returns as many bytes as asked"))
    }

    fn i16(&mut self) -> Result<i16, FormatError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, FormatError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    fn string(&mut self) -> Result<String, FormatError> {
        let length = self.i16()?;
        let Ok(length) = usize::try_from(length) else {
            return self.wrong(format!("a string of length {length}"));
        };
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.wrong("a string that is not UTF-8"),
        }
    }

    fn partition(&mut self) -> Result<TopicPartition, FormatError> {
        let topic = self.string()?;
        let partition = i32::from_be_bytes(self.array()?);
        if partition < 0 {
            return self.wrong(format!("partition {partition}"));
        }
        Ok(TopicPartition { topic, partition })
    }

    fn offset(&mut self) -> Result<i64, FormatError> {
        let offset = self.i64()?;
        if (0..=HIGHEST_OFFSET).contains(&offset) {
            Ok(offset)
        } else {
            self.wrong(format!("offset {offset}"))
        }
    }

    fn version_0(&mut self) -> Result<(), FormatError> {
        match self.i16()? {
            0 => Ok(()),
            other => self.wrong(format!("version {other}; only version 0 is known")),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_domain::bent::{Bend, bend};

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
            .collect()
    }

    #[test]
    fn offset_syncs_read_as_mirror_maker_wrote_them() {
        let pair = |up, down| OffsetPair { upstream: up, downstream: down };
        let seen = decode_offset_sync(
            &bytes("000966342e6f726465727300000003"),
            &bytes("00000000000003e700000000000003e8"),
        );
        assert_eq!(seen, Ok((TopicPartition::new("f4.orders", 3), pair(999, 1000))));
        let from_source = decode_offset_sync(
            &bytes("00066f726465727300000003"),
            &bytes("00000000000003e70000000000000365"),
        );
        assert_eq!(from_source, Ok((TopicPartition::new("orders", 3), pair(999, 869))));
    }

    #[test]
    fn checkpoints_read_as_mirror_maker_wrote_them() {
        let seen = decode_checkpoint(
            &bytes("000667342e6f6e65000966342e6f726465727300000003"),
            &bytes("0000 00000000000003e8 00000000000003e9 0006 6d6574612100"),
        )
        .expect("the record seen on the lab");
        assert_eq!((seen.group.as_str(), seen.upstream, seen.downstream), ("g4.one", 1000, 1001));
        assert_eq!(seen.target, TopicPartition::new("f4.orders", 3));
        assert_eq!(seen.metadata, "meta!\0");
        let renamed = decode_checkpoint(
            &bytes("000267310008412e6f726465727300000003"),
            &bytes("000000000000000003e800000000000003660000"),
        )
        .expect("the vector made from the source");
        assert_eq!((renamed.target.topic.as_str(), renamed.downstream), ("A.orders", 870));
    }

    #[test]
    fn garbage_is_refused_with_what_does_not_fit() {
        let key = bytes("00066f726465727300000003");
        assert!(decode_offset_sync(&key, &[]).is_err());
        assert!(decode_offset_sync(&bytes("ffff"), &[0; 16]).is_err(), "negative length");
        assert!(decode_offset_sync(&bytes("7fff00"), &[0; 16]).is_err(), "length past the end");
        assert!(
            decode_offset_sync(&bytes("00066f7264657273ffffffff"), &[0; 16]).is_err(),
            "negative partition"
        );
        assert!(
            decode_offset_sync(&key, &bytes("ffffffffffffffff0000000000000365")).is_err(),
            "negative offset"
        );
        for (upstream, downstream) in
            [(i64::MAX, 1), (1, i64::MAX), (HIGHEST_OFFSET + 1, 1), (-1, 1), (1, i64::MIN)]
        {
            let value = [upstream.to_be_bytes(), downstream.to_be_bytes()].concat();
            assert!(decode_offset_sync(&key, &value).is_err(), "{upstream} → {downstream}");
        }
        assert!(decode_offset_sync(&key, &[HIGHEST_OFFSET.to_be_bytes(); 2].concat()).is_ok());
        assert!(decode_offset_sync(&bytes("0001ff00000000"), &[0; 16]).is_err(), "not UTF-8");
        let newer = decode_checkpoint(&bytes("000141 000142 00000000"), &bytes("0001 00000199c82cc000"));
        assert_eq!(
            newer.map_err(|e| e.to_string()),
            Err("not a MirrorMaker 2 checkpoint: version 1; only version 0 is known".to_owned())
        );
    }

    /// Whatever is read can be reckoned with.
    fn read_both(key: &[u8], value: &[u8]) {
        let good = |at: &TopicPartition, offsets: [i64; 2]| {
            at.partition >= 0 && offsets.iter().all(|offset| (0..=HIGHEST_OFFSET).contains(offset))
        };
        if let Ok((at, OffsetPair { upstream, downstream })) = decode_offset_sync(key, value) {
            assert!(good(&at, [upstream, downstream]), "{at}: {upstream} → {downstream}");
        }
        if let Ok(read) = decode_checkpoint(key, value) {
            assert!(good(&read.target, [read.upstream, read.downstream]), "{read:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn fuzz_no_bytes_make_it_panic(key: Vec<u8>, value: Vec<u8>) {
            read_both(&key, &value);
        }

        #[test]
        fn fuzz_no_change_to_what_mirror_maker_wrote_makes_it_panic(keys: [Bend; 2], values: [Bend; 2]) {
            let written = [
                ("000966342e6f726465727300000003", "00000000000003e700000000000003e8"),
                (
                    "000667342e6f6e65000966342e6f726465727300000003",
                    "0000 00000000000003e8 00000000000003e9 0006 6d6574612100",
                ),
            ];
            for (key, value) in written.map(|(key, value)| (bytes(key), bytes(value))) {
                read_both(&key, &value);
                read_both(&bend(&key, &keys), &value);
                read_both(&key, &bend(&value, &values));
                read_both(&bend(&key, &keys), &bend(&value, &values));
            }
        }
    }
}
