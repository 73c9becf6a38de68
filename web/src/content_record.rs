//! What is in a record that a content proof cites, as it was read just now: the answer to an act, kept nowhere.

use askama::Template;
use muster_domain::{
    pair::Pair,
    payload::{Excerpt, ShownRecord, TimestampType, Written},
    proof::{
        Proof,
        content::{Cited, Look, LookedAt},
    },
};

use crate::{
    chrome::Chrome,
    content_payload::{kind_word, named},
    format,
    parts::{Mark, Notice, Tone},
};

/// Answer to `POST /pairs/{pair}/content/record`.
#[derive(Debug, Template)]
#[template(path = "pages/content_record.html")]
pub struct RecordPage {
    chrome: Chrome,
    name: String,
    lead: String,
    places: Vec<There>,
    back: String,
}

/// The record on one side.
#[derive(Debug)]
struct There {
    cluster: String,
    at: String,
    seen: Result<Seen, Mark>,
}

/// A record that was read.
struct Seen {
    uncommitted: Option<Notice>,
    offset: String,
    written: String,
    key: Part,
    value: Part,
    headers: Vec<Header>,
    headers_cut: String,
}

/// Payload is printed on the page and nowhere else.
impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("offset", &self.offset).finish_non_exhaustive()
    }
}

struct Header {
    name: Part,
    value: Part,
}

/// Some bytes: how many and how they are written, and themselves. Nothing at all is said in words.
struct Part {
    said: String,
    body: String,
}

impl RecordPage {
    /// The page.
    #[must_use]
    pub fn new(chrome: Chrome, pair: &Pair, proof: &Proof, cited: &Cited, places: &[LookedAt]) -> Self {
        let name = cited.places().first().map(named).unwrap_or_default();
        let back = format!("/pairs/{}/content?proof={}", pair.name, proof.id);
        Self {
            chrome: chrome
                .titled(format!("Record {name}"))
                .under(format!("/pairs/{}", pair.name), pair.name.to_string())
                .under(back.clone(), "Content"),
            lead: format!(
                "Cited as {} by proof {} of {}. It was read just now and is kept nowhere; that you looked is in the audit.",
                kind_word(cited.difference.kind),
                proof.number,
                pair.name
            ),
            name,
            places: places.iter().map(There::new).collect(),
            back,
        }
    }
}

impl There {
    fn new(looked: &LookedAt) -> Self {
        let cannot = |tone, why: &str, because: &str| Err(Mark::new(tone, format!("{why}: {because}")));
        Self {
            cluster: looked.cluster.to_string(),
            at: named(&looked.place),
            seen: match &looked.look {
                Look::Shown { record, committed } => Ok(Seen::new(record, *committed, looked.place.offset)),
                Look::Gone { because } => cannot(Tone::Unk, "It cannot be read any more", because),
                Look::Another { because } => cannot(
                    Tone::Warn,
                    "Another record stands there now, which the proof does not cite and which is not shown",
                    because,
                ),
                Look::Unreadable { because } => cannot(Tone::Unk, "It could not be read", because),
            },
        }
    }
}

impl Seen {
    fn new(record: &ShownRecord, committed: bool, offset: i64) -> Self {
        let by = match record.timestamp_type {
            TimestampType::CreateTime => "by its producer (CreateTime)",
            TimestampType::LogAppendTime => "by the broker (LogAppendTime)",
        };
        let uncommitted = || {
            Notice::new(
                Tone::Warn,
                "Its transaction was aborted, or is still open.",
                "Consumers that read committed records do not see it.",
            )
        };
        Self {
            uncommitted: (!committed).then(uncommitted),
            offset: format::number(offset),
            written: match record.timestamp {
                Some(at) => format!("{} {by}", format::date_time_utc(at)),
                None => format!("no time, {by}"),
            },
            key: Part::new(record.key.as_ref(), "null: it has no key"),
            value: Part::new(record.value.as_ref(), "null: it is a tombstone"),
            headers: record
                .headers
                .iter()
                .map(|header| Header {
                    name: Part::new(Some(&header.name), ""),
                    value: Part::new(header.value.as_ref(), "null"),
                })
                .collect(),
            headers_cut: match record.headers_cut {
                0 => String::new(),
                n => format!("{n} further headers are cut."),
            },
        }
    }
}

impl Part {
    fn new(excerpt: Option<&Excerpt>, null: &str) -> Self {
        let Some(Excerpt { written, shown, bytes, cut }) = excerpt else {
            return Self { said: null.to_owned(), body: String::new() };
        };
        let number = |n: u64| format::number(i64::try_from(n).unwrap_or(i64::MAX));
        let written = match written {
            Written::Text => "text",
            Written::Hex => "hex",
        };
        let said = match (*bytes, *cut) {
            (0, _) => "empty: 0 bytes".to_owned(),
            (bytes, 0) => format!("{} bytes, as {written}", number(bytes)),
            (bytes, cut) => {
                let (first, bytes, cut) = (number(bytes - cut), number(bytes), number(cut));
                format!("the first {first} of {bytes} bytes, as {written}; {cut} are cut")
            }
        };
        Self { said, body: shown.clone() }
    }
}
