//! What is in one record, as people are shown it: bounded, as text where it is text. It is shown once and kept nowhere, so it
//! cannot be read back from anywhere and does not print itself into logs.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// Most bytes of a key that are shown.
pub const KEY_BYTES: usize = 1024;
/// Most bytes of a value that are shown.
pub const VALUE_BYTES: usize = 4096;
/// Most headers that are shown.
pub const HEADERS: usize = 64;
/// Most bytes of a header's name that are shown, and of its value.
pub const HEADER_BYTES: usize = 1024;

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// As the UTF-8 text they are.
    Text,
    /// Two digits a byte: they are no text, or hold characters that would hide or reorder what is read.
    Hex,
}

/// The beginning of some bytes.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Excerpt {
    /// How `shown` is written.
    pub written: Written,
    /// The bytes that are shown; empty when there are none.
    pub shown: String,
    /// Bytes there are.
    pub bytes: u64,
    /// How many of them are left out at the end.
    pub cut: u64,
}

impl Excerpt {
    /// At most so many bytes.
    #[must_use]
    pub fn of(bytes: &[u8], most: usize) -> Self {
        let (written, shown, taken) = match text(bytes, most) {
            Some(text) => (Written::Text, text.to_owned(), text.len()),
            None => {
                let head = &bytes[..bytes.len().min(most)];
                (Written::Hex, hex::encode(head), head.len())
            }
        };
        Self { written, shown, bytes: bytes.len() as u64, cut: (bytes.len() - taken) as u64 }
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.written, self.bytes)
    }
}

/// The first bytes as text, when that is what they are.
fn text(bytes: &[u8], most: usize) -> Option<&str> {
    let head = &bytes[..bytes.len().min(most)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The bound may have cut the last character in two.
        Err(e) if e.error_len().is_none() && head.len() < bytes.len() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    text.chars().all(is_plain).then_some(text)
}

/// Nothing a terminal obeys, and nothing that makes text read in another order than it stands.
fn is_plain(c: char) -> bool {
    match c {
        '\n' | '\r' | '\t' => true,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => false,
        c => !c.is_control(),
    }
}

/// Who wrote a record's timestamp, as Kafka calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampType {
    /// Whoever wrote the record.
    CreateTime,
    /// The broker, when it appended the record.
    LogAppendTime,
}

/// A record as it was read.
#[derive(Debug)]
pub struct RawRecord<'a> {
    /// Timestamp in milliseconds since the epoch; -1 when it has none.
    pub timestamp: i64,
    /// Who wrote that.
    pub timestamp_type: TimestampType,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// A header as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownHeader {
    /// Its name.
    pub name: Excerpt,
    /// Its value; null when it has none, which is not empty.
    pub value: Option<Excerpt>,
}

/// A record as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownRecord {
    /// Its timestamp; null when it has none.
    pub timestamp: Option<DateTime<Utc>>,
    /// Who wrote that.
    pub timestamp_type: TimestampType,
    /// Its key, at most 1,024 bytes; null when it has none, which is not empty.
    pub key: Option<Excerpt>,
    /// Its value, at most 4,096 bytes; null for a tombstone, which is not empty.
    pub value: Option<Excerpt>,
    /// Its headers in order, at most 64.
    pub headers: Vec<ShownHeader>,
    /// How many further headers it has.
    pub headers_cut: u64,
}

impl ShownRecord {
    /// What of a record is shown.
    #[must_use]
    pub fn of(record: &RawRecord<'_>) -> Self {
        let header = |(name, value): &(&str, Option<&[u8]>)| ShownHeader {
            name: Excerpt::of(name.as_bytes(), HEADER_BYTES),
            value: value.map(|value| Excerpt::of(value, HEADER_BYTES)),
        };
        Self {
            timestamp: DateTime::from_timestamp_millis(record.timestamp).filter(|_| record.timestamp >= 0),
            timestamp_type: record.timestamp_type,
            key: record.key.map(|key| Excerpt::of(key, KEY_BYTES)),
            value: record.value.map(|value| Excerpt::of(value, VALUE_BYTES)),
            headers: record.headers.iter().take(HEADERS).map(header).collect(),
            headers_cut: record.headers.len().saturating_sub(HEADERS) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excerpt(bytes: &[u8], most: usize) -> (Written, String, u64, u64) {
        let Excerpt { written, shown, bytes, cut } = Excerpt::of(bytes, most);
        (written, shown, bytes, cut)
    }

    #[test]
    fn text_is_text_and_everything_else_is_hex() {
        let text = |bytes: &[u8], shown: &str| {
            assert_eq!(excerpt(bytes, 99), (Written::Text, shown.to_owned(), bytes.len() as u64, 0));
        };
        text(b"{\"id\": 7,\r\n\t\"to\": \"<b>\"}", "{\"id\": 7,\r\n\t\"to\": \"<b>\"}");
        text("żółw 👩‍🚀 שלום".as_bytes(), "żółw 👩‍🚀 שלום");
        text(b"", "");
        let hex = |bytes: &[u8], shown: &str| {
            assert_eq!(excerpt(bytes, 99), (Written::Hex, shown.to_owned(), bytes.len() as u64, 0));
        };
        hex(&[0, 0, 0, 1, 0xff], "00000001ff");
        hex(b"a\x1b[2J", "611b5b324a");
        hex("a\u{202E}b".as_bytes(), "61e280ae62");
        hex("a\u{85}".as_bytes(), "61c285");
        hex(&[b'a', 0xc3], "61c3");
    }

    #[test]
    fn what_is_cut_is_said_and_no_character_is_cut_in_two() {
        assert_eq!(excerpt(b"abcdef", 4), (Written::Text, "abcd".to_owned(), 6, 2));
        assert_eq!(excerpt("aaaöb".as_bytes(), 4), (Written::Text, "aaa".to_owned(), 6, 3));
        assert_eq!(excerpt(&[1, 2, 3], 2), (Written::Hex, "0102".to_owned(), 3, 1));
        // What is not shown decides nothing.
        assert_eq!(excerpt(b"text\0", 4), (Written::Text, "text".to_owned(), 5, 1));
    }

    #[test]
    fn null_is_not_empty_and_nothing_is_unbounded() {
        let (key, value) = (vec![b'k'; 5_000], vec![b'v'; 10_000]);
        let mut record = RawRecord {
            timestamp: -1,
            timestamp_type: TimestampType::LogAppendTime,
            key: Some(&key),
            value: Some(&value),
            headers: vec![("trace", Some(&value[..])); 70],
        };
        let large = ShownRecord::of(&record);
        let cut = |excerpt: &Option<Excerpt>| excerpt.as_ref().map(|one| (one.shown.len(), one.cut));
        assert_eq!(
            (cut(&large.key), cut(&large.value)),
            (Some((KEY_BYTES, 3_976)), Some((VALUE_BYTES, 5_904)))
        );
        assert_eq!((large.headers.len(), large.headers_cut), (HEADERS, 6));
        assert_eq!(cut(&large.headers[0].value), Some((HEADER_BYTES, 8_976)));
        assert_eq!((large.timestamp, large.timestamp_type), (None, TimestampType::LogAppendTime));
        (record.key, record.value, record.headers) =
            (None, Some(&b""[..]), vec![("a", None), ("b", Some(&b""[..]))]);
        let small = ShownRecord::of(&record);
        assert_eq!((small.key, cut(&small.value)), (None, Some((0, 0))));
        assert_eq!((cut(&small.headers[0].value), cut(&small.headers[1].value)), (None, Some((0, 0))));
    }

    #[test]
    fn it_does_not_print_itself() {
        let record = RawRecord {
            timestamp: 5,
            timestamp_type: TimestampType::CreateTime,
            key: Some(b"whose"),
            value: Some(b"secret"),
            headers: vec![("trail", Some(&b"hidden"[..]))],
        };
        let printed = format!("{:?}", ShownRecord::of(&record));
        for word in ["whose", "secret", "trail", "hidden"] {
            assert!(!printed.contains(word), "{printed}");
        }
    }

    proptest! {
        #[test]
        fn fuzz_no_bytes_are_too_much(bytes: Vec<u8>, most in 4_usize..64) {
            let excerpt = Excerpt::of(&bytes, most);
            prop_assert!(excerpt.shown.len() <= most * 2);
            let shown = match excerpt.written {
                Written::Text => excerpt.shown.len(),
                Written::Hex => excerpt.shown.len() / 2,
            };
            prop_assert_eq!(shown as u64 + excerpt.cut, bytes.len() as u64);
            prop_assert!(excerpt.shown.chars().all(is_plain));
        }
    }
}
