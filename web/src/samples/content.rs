//! `sample()` of content proofs.

use muster_domain::{
    content::{Compacted, Difference, DifferenceKind, Found},
    proof::{
        Proof, ProofKind, ProofState,
        content::{ContentAsk, ContentFacts, ContentProof, Stretch, StretchEnd},
    },
    topic::TopicPartition,
};

use super::{ago, night::chrome, pairs::pair, translation::proof};
use crate::{
    content::{ContentPage, ProvenContent},
    forms::ContentForm,
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
    /// One proof that is done, one under way.
    #[must_use]
    pub fn sample() -> Self {
        let result = result();
        let of_content = |proof: Proof| Proof { kind: ProofKind::Content, ..proof };
        let done = of_content(proof(61, ProofState::Done, &result.sentence(), "", 540));
        let history = [of_content(proof(62, ProofState::Running, "", "", 12)), done.clone()];
        let shown = ProvenContent { proof: done, result, hash: "c0ffee".repeat(11)[..64].to_owned() };
        Self::page(&history, Some(&shown))
    }

    /// Nothing was asked for yet.
    #[must_use]
    pub fn sample_empty() -> Self {
        Self::page(&[], None)
    }

    fn page(history: &[Proof], shown: Option<&ProvenContent>) -> Self {
        let pair = pair("payments", "mira.holt", ("eu-west", "eu-central"), (30, 300));
        let chrome = chrome("/pairs/payments/content");
        let course = Course::flowing("eu-west", "eu-central");
        Self::new(chrome, &pair, course, history, shown, &ContentForm::default())
    }
}
