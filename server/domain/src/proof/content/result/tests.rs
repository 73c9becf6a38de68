//! What stretches found put together, and what is said of it.

use super::*;
use crate::{content::Compacted, proof::content::SampleAsk};

fn stretch(partition: i32, from: i64) -> Stretch {
    let at = TopicPartition::new("orders", partition);
    Stretch {
        source: at.clone(),
        target: at,
        source_from: from,
        source_until: from + 10,
        required_until: from + 10,
        target_until: 100,
        source_goes_on: false,
        timestamps: true,
        compacted: Compacted::default(),
    }
}

fn compared(found: Found) -> StretchEnd {
    let digest = "aa".to_owned();
    let one_sided = found.missing + found.undecided + found.pending + found.before;
    let found = Found { on_source: 10, matched: 10 - one_sided, source_digest: digest, ..found };
    StretchEnd::Compared { found, source_gone: 0, target_gone: 0 }
}

fn proof(ends: &[(Stretch, StretchEnd)], sampling: Option<Sampling>) -> ContentProof {
    let (began_at, asked) = (DateTime::UNIX_EPOCH, ContentAsk::default());
    ContentProof::new(ContentFacts { began_at, took_ms: 5, asked, sampling, processes: 1 }, ends)
}

#[test]
fn the_worst_stretch_decides_and_comes_first() {
    let lost = Found { missing: 2, ..Found::default() };
    let twice = Found { duplicates: 1, ..Found::default() };
    let ends = [
        (stretch(0, 0), compared(Found::default())),
        (stretch(1, 0), compared(Found::default())),
        (stretch(1, 10), compared(lost)),
        (stretch(2, 0), compared(twice)),
    ];
    let all = proof(&ends, None);
    let verdicts: Vec<_> = all.partitions.iter().map(|one| (one.source.partition, one.verdict)).collect();
    use ContentVerdict::{Differs, Same, SecondCopies};
    assert_eq!(verdicts, [(1, Differs), (2, SecondCopies), (0, Same)]);
    assert_eq!(all.partitions[0].stretches, 2);
    assert!(
        all.partitions[0].found.source_digest.is_empty() && all.partitions[2].found.source_digest == "aa"
    );
    assert_eq!(all.sentence(), "38 records compared: 2 missing, 1 copied twice");
    assert_eq!(
        proof(&ends[3..], None).sentence(),
        "10 records compared: none missing, all in order, 1 copied twice"
    );
    assert_eq!((all.topics["orders"].partitions, all.summary.differing), (3, 1));
}

#[test]
fn what_was_not_read_is_never_the_same() {
    let silent = StretchEnd::Unreadable { because: "the broker is gone".to_owned() };
    let some = proof(&[(stretch(0, 0), compared(Found::default())), (stretch(1, 0), silent)], None);
    assert_eq!(some.summary.verdict, ContentVerdict::CannotSay);
    assert_eq!(some.sentence(), "10 records compared; 1 stretches could not be read");
    let none = proof(&[], None);
    assert_eq!(none.summary.verdict, ContentVerdict::CannotSay);
    assert_eq!(none.sentence(), "no topic in scope has records to compare");
}

#[test]
fn a_sample_says_how_sure_it_is_only_when_it_found_nothing() {
    let sampling =
        Sampling { asked: SampleAsk { differing: 0.01, confidence: 0.95 }, of: 10_000, taken: 294 };
    let good = proof(&[(stretch(0, 0), compared(Found { pending: 3, ..Found::default() }))], Some(sampling));
    assert_eq!(
        good.sentence(),
        "7 records compared: the same on both sides, in order; 294 of 10000 stretches were compared; with 95 % \
         confidence fewer than 1 % of all stretches differ; 3 not known to be copied yet"
    );
    let bad = Found { extra: 1, ..Found::default() };
    let bad = proof(&[(stretch(0, 0), compared(bad))], Some(sampling));
    assert_eq!(bad.sentence(), "10 records compared: 1 foreign; 1 of 294 sampled stretches differ");
    let ends = [
        (stretch(0, 0), compared(Found::default())),
        (stretch(0, 10), compared(Found { before: 10, ..Found::default() })),
    ];
    let part = proof(&ends, Some(sampling));
    assert_eq!(
        part.sentence(),
        "10 records compared: the same on both sides, in order, as far as both reach back; 0 of 294 sampled stretches \
         differ, of 1 it cannot be said; 10 older than the other side reaches back"
    );
}

/// Retention emptied the copy, the connector leaves the topic out, or its copy is not there.
#[test]
fn what_was_found_on_no_other_side_is_not_the_same() {
    for nothing in [Found { before: 10, ..Found::default() }, Found { pending: 10, ..Found::default() }] {
        let alone = proof(&[(stretch(0, 0), compared(nothing.clone()))], None);
        assert_eq!(alone.summary.verdict, ContentVerdict::CannotSay, "{alone:?}");
        let said = "0 records compared; of 1 partitions not one record was found on both sides; 10 ";
        assert!(alone.sentence().starts_with(said), "{}", alone.sentence());
        let beside = [(stretch(0, 0), compared(Found::default())), (stretch(1, 0), compared(nothing))];
        let beside = proof(&beside, None);
        assert_eq!(beside.summary.verdict, ContentVerdict::CannotSay, "one partition of two");
        assert_eq!(beside.topics["orders"].verdict, ContentVerdict::CannotSay);
        let verdicts: Vec<_> = beside.partitions.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [ContentVerdict::CannotSay, ContentVerdict::Same]);
    }
    let nowhere = proof(&[(stretch(0, 0), no_records())], None);
    assert_eq!(nowhere.summary.verdict, ContentVerdict::CannotSay, "and nothing at all is nothing");
}

fn no_records() -> StretchEnd {
    StretchEnd::Compared { found: Found::default(), source_gone: 0, target_gone: 0 }
}

#[test]
fn what_is_older_than_the_other_side_reaches_back_is_told_and_lowers_what_is_said() {
    let older = Found { before: 4, ..Found::default() };
    let all = proof(&[(stretch(0, 0), compared(Found::default())), (stretch(1, 0), compared(older))], None);
    assert_eq!(all.summary.verdict, ContentVerdict::SameInPart);
    assert_eq!(
        all.sentence(),
        "16 records compared: the same on both sides, in order, as far as both reach back; 4 older than the other \
         side reaches back"
    );
    let twice = Found { before: 4, duplicates: 1, ..Found::default() };
    let twice = proof(&[(stretch(0, 0), compared(twice))], None);
    assert_eq!(
        twice.sentence(),
        "6 records compared: none missing, all in order, 1 copied twice; 4 older than the other side reaches back"
    );
}

/// As proofs from before were kept: they say what they said.
#[test]
fn proofs_from_before_read_and_turn_no_better() {
    let ends = [(stretch(0, 0), StretchEnd::Unreadable { because: "the broker is gone".to_owned() })];
    let sampling =
        Sampling { asked: SampleAsk { differing: 0.01, confidence: 0.95 }, of: 10_000, taken: 294 };
    let mut kept = serde_json::to_value(proof(&ends, Some(sampling))).unwrap();
    let summary = kept["summary"].as_object_mut().unwrap();
    assert!(summary.remove("cannot_say").is_some() && summary.remove("uncompared").is_some());
    let read: ContentProof = serde_json::from_value(kept).unwrap();
    assert_eq!(read.summary.verdict, ContentVerdict::CannotSay);
    let sampled = read.sampled();
    assert_eq!(
        sampled.as_deref(),
        Some("0 of 294 sampled stretches differ, of 1 it cannot be said"),
        "not how sure it is"
    );
}

#[test]
fn what_retention_removed_before_it_was_read_cannot_be_told() {
    let overtaken = |source_gone, target_gone| StretchEnd::Compared {
        found: Found { on_source: 10, matched: 10, ..Found::default() },
        source_gone,
        target_gone,
    };
    for (source, target, said) in [
        (5, 0, "10 records compared; retention removed 5 offsets of the source before they were read"),
        (0, 7, "10 records compared; retention removed 7 offsets of the target before they were read"),
        (
            5,
            7,
            "10 records compared; retention removed 5 offsets of the source and 7 offsets of the target before they were read",
        ),
    ] {
        let proof = proof(&[(stretch(0, 0), overtaken(source, target))], None);
        assert_eq!((proof.summary.verdict, proof.sentence().as_str()), (ContentVerdict::CannotSay, said));
        assert!(said.ends_with(&proof.partitions[0].unread()), "{said}");
    }
    let lost = Found { on_source: 10, matched: 9, missing: 1, ..Found::default() };
    let lost = StretchEnd::Compared { found: lost, source_gone: 5, target_gone: 0 };
    let lost = proof(&[(stretch(0, 0), lost)], None);
    assert_eq!(
        lost.sentence(),
        "9 records compared: 1 missing; retention removed 5 offsets of the source before they were read"
    );
}
