//! A difference on the page of content proofs, and what is offered to who wants to see what is in its record: the act, or the
//! rule that forbids it.

use chrono::DateTime;
use muster_domain::{
    content::DifferenceKind,
    pair::Pair,
    people::Role,
    proof::content::{Cited, Place, ProofSide},
};

use crate::{chrome::Chrome, format, parts::Link};

/// Whether payload may be shown to this person, in a sentence.
#[derive(Debug)]
pub(crate) struct PayloadSaid {
    pub(crate) said: String,
    pub(crate) link: Option<Link>,
    /// The acts are offered.
    pub(crate) acts: bool,
}

impl PayloadSaid {
    /// For somebody who has just shown that it is them.
    pub(crate) fn new(chrome: &Chrome, pair: &Pair) -> Self {
        let (may_edit, may_look) =
            (chrome.may(Role::Owner, &pair.team), chrome.may(Role::Operator, &pair.team));
        let (said, link) = match (pair.show_payload, may_look, may_edit) {
            (false, _, true) => (
                "What is in these records may not be shown, as the settings of the pair are.".to_owned(),
                Some(Link::new(
                    format!("/pairs/{}/edit", pair.name),
                    format!("Allow it in the settings of {}", pair.name),
                )),
            ),
            (false, _, false) => (
                format!("What is in these records may not be shown; an owner of {} may allow it.", pair.team),
                None,
            ),
            (true, false, _) => {
                (format!("What is in these records may be shown to operators of {}.", pair.team), None)
            }
            (true, true, _) => (
                "What is in a record is read when you ask and kept nowhere; that you asked is in the audit."
                    .to_owned(),
                None,
            ),
        };
        Self { said, link, acts: pair.show_payload && may_look }
    }

    /// For somebody who has to show again that it is them, and comes back to this proof.
    pub(crate) fn after_showing_who_asks(self, pair: &str, proof: &str) -> Self {
        if !self.acts {
            return self;
        }
        Self {
            said: "What is in these records is shown to somebody who has just shown that it is them."
                .to_owned(),
            link: Some(Link::new(
                format!("/reauthenticate?next=/pairs/{pair}/content%3Fproof%3D{proof}"),
                "Confirm that it is you",
            )),
            acts: false,
        }
    }
}

/// One difference, without what is in its record.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) act: Option<RecordAct>,
    pub(crate) kind: &'static str,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) key: String,
    pub(crate) written: String,
    pub(crate) bytes: String,
}

impl Example {
    /// Between two clusters.
    pub(crate) fn new(cited: &Cited, from: &str, to: &str) -> Self {
        let difference = &cited.difference;
        let offset = |offset: Option<i64>| offset.map_or_else(|| "not there".to_owned(), format::number);
        Self {
            act: RecordAct::new(cited, from, to),
            kind: kind_word(difference.kind),
            source: match difference.kind {
                // The first copy's place was passed; which it was is not kept.
                DifferenceKind::Duplicate => "copied before".to_owned(),
                DifferenceKind::Missing | DifferenceKind::Extra | DifferenceKind::OutOfOrder => {
                    offset(difference.source_offset)
                }
            },
            target: offset(difference.target_offset),
            key: difference.key_hash.clone().unwrap_or_else(|| "no key".to_owned()),
            written: difference
                .timestamp
                .and_then(DateTime::from_timestamp_millis)
                .map_or_else(|| "no time".to_owned(), format::date_time_utc),
            bytes: difference.bytes.map_or_else(String::new, |n| format::number(i64::from(n))),
        }
    }
}

/// Showing one record: what the button says, and which record its form names.
#[derive(Debug)]
pub(crate) struct RecordAct {
    pub(crate) label: String,
    pub(crate) side: &'static str,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl RecordAct {
    /// Of a difference between two clusters; `None` when it names no place.
    pub(crate) fn new(cited: &Cited, from: &str, to: &str) -> Option<Self> {
        let places = cited.places();
        let place = places.first()?;
        let on = match (places.len(), place.side) {
            (2, _) => "both sides",
            (_, ProofSide::Source) => from,
            (_, ProofSide::Target) => to,
        };
        Some(Self {
            label: format!("Show record {} on {on}", named(place)),
            side: place.side.as_str(),
            topic: place.partition.topic.clone(),
            partition: place.partition.partition,
            offset: place.offset,
        })
    }
}

/// `orders-3 @ 1,234`.
pub(crate) fn named(place: &Place) -> String {
    format!("{} @ {}", place.partition, format::number(place.offset))
}

/// What a difference is, in a word or two.
pub(crate) fn kind_word(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Extra => "foreign",
        DifferenceKind::Duplicate => "copied twice",
        DifferenceKind::OutOfOrder => "out of order",
    }
}
