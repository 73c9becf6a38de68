//! `sample()` of content proofs.

use muster_domain::{
    content::{Compacted, Difference, DifferenceKind, Found},
    direction::ActiveSides,
    pair::Pair,
    payload::{RawRecord, ShownRecord, TimestampType},
    proof::{
        Proof, ProofKind, ProofState,
        content::{
            Cited, ContentAsk, ContentFacts, ContentProof, Look, LookedAt, Place, ProofSide, Stretch,
            StretchEnd,
        },
    },
    topic::TopicPartition,
};

use super::{
    ago,
    night::{chrome, cluster_name},
    pairs::pair,
    translation::proof,
};
use crate::{
    content::{ContentPage, ProvenContent},
    content_record::RecordPage,
    forms::{ContentFilter, ContentForm},
    parts::Course,
};

fn stretch(topic: &str, partition: i32, timestamps: bool) -> Stretch {
    let at = TopicPartition::new(topic, partition);
    Stretch {
        source: at.clone(),
        target: at,
        source_from: 1_204_000,
        source_until: 1_684_118,
        required_until: 1_684_000,
        target_until: 1_690_000,
        source_goes_on: false,
        timestamps,
        compacted: Compacted::default(),
    }
}

fn end(found: Found) -> StretchEnd {
    let found = Found { on_source: 480_118, matched: 480_118 - found.missing, ..found };
    StretchEnd::Compared { found, source_gone: 0, target_gone: 0 }
}

fn lost() -> Found {
    let example = |kind, source_offset, target_offset| Difference {
        kind,
        source_offset,
        target_offset,
        key_hash: Some("9a3f2c7700b1d4e8".to_owned()),
        timestamp: Some(ago(3_800).timestamp_millis()),
        bytes: Some(318),
    };
    Found {
        missing: 2,
        duplicates: 1,
        examples: vec![
            example(DifferenceKind::Missing, Some(1_401_877), None),
            example(DifferenceKind::Missing, Some(1_401_878), None),
            example(DifferenceKind::Duplicate, None, Some(1_399_005)),
        ],
        ..Found::default()
    }
}

fn result() -> ContentProof {
    let mut ends = Vec::new();
    for partition in 0..6 {
        let found = if partition == 3 { lost() } else { Found { pending: 14, ..Found::default() } };
        ends.push((stretch("payments", partition, true), end(found)));
        ends.push((stretch("ledger", partition, true), end(Found { compacted: 812, ..Found::default() })));
        ends.push((stretch("audit-trail", partition, false), end(Found::default())));
    }
    ends.push((
        stretch("settlements", 0, true),
        StretchEnd::Unreadable {
            because:
                "read 1 stretches of records on on cluster `eu-west` (broker 3): no answer within 60000 ms"
                    .to_owned(),
        },
    ));
    let asked = ContentAsk { since: Some(ago(86_400)), ..ContentAsk::default() };
    let facts = ContentFacts { began_at: ago(540), took_ms: 18_420, asked, sampling: None, processes: 3 };
    ContentProof::new(facts, &ends)
}

impl ContentPage {
    /// One proof that is done, one under way; payload may be shown.
    #[must_use]
    pub fn sample() -> Self {
        Self::of_proofs(true).of_somebody(true)
    }

    /// The same for somebody who signed in a while ago.
    #[must_use]
    pub fn sample_signed_in_long_ago() -> Self {
        Self::of_proofs(true).of_somebody(false)
    }

    /// The same where payload may not be shown.
    #[must_use]
    pub fn sample_without_payload() -> Self {
        Self::of_proofs(false).of_somebody(true)
    }

    fn of_proofs(show_payload: bool) -> Self {
        let result = result();
        let of_content = |proof: Proof| Proof { kind: ProofKind::Content, ..proof };
        let done = of_content(proof(61, ProofState::Done, &result.sentence(), "", 540));
        let history = [of_content(proof(62, ProofState::Running, "", "", 12)), done.clone()];
        let shown = ProvenContent { proof: done, result, hash: "c0ffee".repeat(11)[..64].to_owned() };
        Self::page(&history, Some(&shown), show_payload, "")
    }

    /// Nothing was asked for yet.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::page(&[], None, false, "")
    }

    /// Somebody comes from the lag of a topic.
    #[must_use]
    pub fn sample_of_topic() -> Self {
        Self::page(&[], None, false, "payments.captured")
    }

    /// Which side is active cannot be told.
    #[must_use]
    pub fn sample_side_not_known() -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let (chrome, course) =
            (chrome("/pairs/payments/content"), Course::of_pair(&pair, ActiveSides::NotKnown));
        Self::new(chrome, &pair, course, &[], None, &ContentFilter::default(), &ContentForm::default())
    }

    fn page(history: &[Proof], shown: Option<&ProvenContent>, show_payload: bool, topics: &str) -> Self {
        let pair =
            Pair { show_payload, ..pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300)) };
        let chrome = chrome("/pairs/payments/content");
        let course = Course::flowing("eu-west", "eu-central");
        let filter = ContentFilter { topics: topics.to_owned(), ..ContentFilter::default() };
        let form =
            ContentForm { from: "eu-west".to_owned(), topics: topics.to_owned(), ..ContentForm::default() };
        Self::new(chrome, &pair, course, history, shown, &filter, &form)
    }
}

/// The differences that the sample's proof cites, each on every side it names.
fn looked_at(cited: &Cited, looks: Vec<Look>) -> Vec<LookedAt> {
    let of = |(place, look): (Place, Look)| {
        let cluster = cluster_name(match place.side {
            ProofSide::Source => "eu-west",
            ProofSide::Target => "eu-central",
        });
        LookedAt { place, cluster, look }
    };
    cited.places().into_iter().zip(looks).map(of).collect()
}

fn cited(kind: DifferenceKind, source_offset: Option<i64>, target_offset: Option<i64>) -> Cited {
    let at = TopicPartition::new("payments", 3);
    let difference = Difference {
        kind,
        source_offset,
        target_offset,
        key_hash: None,
        timestamp: Some(ago(3_800).timestamp_millis()),
        bytes: Some(318),
    };
    Cited { source: at.clone(), target: at, difference, timestamps: true }
}

impl RecordPage {
    /// A record that is out of order: read on both sides, with all there is to tell of bytes.
    #[must_use]
    pub fn sample() -> Self {
        let value = br#"{"payment": "p-20991", "amount": "12.50", "currency": "EUR", "note": "<b>for & against</b>"}"#;
        let (long, binary) = ("abcdefgh".repeat(700), [0_u8, 0, 0, 0, 7, 0xFE]);
        let raw = RawRecord {
            timestamp: ago(3_800).timestamp_millis(),
            timestamp_type: TimestampType::CreateTime,
            key: Some(&b"customer-4711"[..]),
            value: Some(value),
            headers: vec![
                ("trace", Some(&b"4bf92f3577b34da6"[..])),
                ("schema", Some(&binary[..])),
                ("none", None),
                ("empty", Some(&b""[..])),
            ],
        };
        let first = ShownRecord::of(&raw);
        let second = RawRecord {
            timestamp_type: TimestampType::LogAppendTime,
            key: None,
            value: Some(long.as_bytes()),
            headers: vec![("n", None); 70],
            ..raw
        };
        let looks = vec![
            Look::Shown { record: Box::new(first), committed: true },
            Look::Shown { record: Box::new(ShownRecord::of(&second)), committed: false },
        ];
        Self::of_looks(&cited(DifferenceKind::OutOfOrder, Some(1_401_877), Some(1_399_005)), looks)
    }

    /// A record nobody can read any more on one side, and another one in its place on the other.
    #[must_use]
    pub fn sample_gone() -> Self {
        let because =
            "the partition begins at 1402000 now: retention removed it, or somebody deleted records";
        let looks = vec![
            Look::Gone { because: because.to_owned() },
            Look::Another { because: "it has another key".to_owned() },
        ];
        Self::of_looks(&cited(DifferenceKind::OutOfOrder, Some(1_401_877), Some(1_399_005)), looks)
    }

    fn of_looks(cited: &Cited, looks: Vec<Look>) -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let proof = Proof { kind: ProofKind::Content, ..proof(61, ProofState::Done, "", "", 540) };
        let chrome = chrome("/pairs/payments/content/record");
        Self::new(chrome, &pair, &proof, cited, &looked_at(cited, looks))
    }
}
