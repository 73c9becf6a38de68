//! What a content proof found, in words: of all, of topics the worst first, of partitions those with a difference.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    content::Found,
    proof::{
        Proof,
        content::{ContentProof, ContentSummary, ContentVerdict, PartitionContent, TopicContent},
    },
};

use super::{Partition, ProvenContent, Shown, Topic};
use crate::{
    content_payload::Example,
    format,
    lag_address::around,
    lag_marks::while_it_was,
    parts::{Hash, Mark, Tone, When},
};

/// Topics on one page.
const TOPICS: usize = 100;
/// Partitions with a difference on one page.
const PARTITIONS: usize = 50;

impl Shown {
    pub(super) fn new(shown: &ProvenContent, now: DateTime<Utc>) -> Self {
        let ProvenContent { proof, result, hash } = shown;
        let ContentSummary { verdict, found, .. } = &result.summary;
        let then = Then::new(proof, result, now);
        let agrees = |one: &&PartitionContent| {
            matches!(one.verdict, ContentVerdict::Same | ContentVerdict::SameInPart)
        };
        let wrong: Vec<&PartitionContent> = result.partitions.iter().filter(|one| !agrees(one)).collect();
        // What nobody can say is not drawn as good.
        let none = match *verdict == ContentVerdict::CannotSay || found.matched == 0 {
            true => Mark::new(Tone::Unk, "none in what was compared"),
            false => Mark::new(Tone::Ok, "none"),
        };
        Self {
            id: proof.id.to_string(),
            number: proof.number,
            age: format::ago(now, result.began_at),
            sentence: Mark::new(tone(*verdict), proof.sentence.as_str()),
            records: number(found.matched),
            missing: match (found.missing, found.undecided) {
                (0, 0) => none.clone(),
                (0, n) => Mark::new(Tone::Unk, format!("{} not decided", number(n))),
                (n, _) => Mark::new(Tone::Bad, number(n)),
            },
            others: others(found).unwrap_or(none),
            before: number(found.before),
            pending: number(found.pending),
            when: When::full(result.began_at),
            took: format::duration(result.took_ms),
            hash: Hash::short(hash),
            from: proof.from.to_string(),
            to: proof.to.to_string(),
            extent: extent(result),
            topics: topics(&result.topics, then),
            topics_in_all: result.topics.len(),
            partitions_in_all: wrong.len(),
            partitions: wrong.into_iter().take(PARTITIONS).map(|one| Partition::new(one, then)).collect(),
        }
    }
}

/// Of which proof something is told: names lead to the lag around the time it compared.
#[derive(Clone, Copy)]
struct Then<'a> {
    proof: &'a Proof,
    time: (DateTime<Utc>, DateTime<Utc>),
}

impl<'a> Then<'a> {
    fn new(proof: &'a Proof, result: &ContentProof, now: DateTime<Utc>) -> Self {
        let took = TimeDelta::try_milliseconds(result.took_ms).unwrap_or_default();
        let end = result.began_at.checked_add_signed(took);
        Self { proof, time: while_it_was(result.began_at, end, now) }
    }

    fn lag_of(self, topic: &str) -> String {
        around(self.proof.pair.as_str(), self.proof.from.as_str(), topic, self.time)
    }
}

fn number(n: u64) -> String {
    format::number(i64::try_from(n).unwrap_or(i64::MAX))
}

fn tone(verdict: ContentVerdict) -> Tone {
    match verdict {
        ContentVerdict::Same => Tone::Ok,
        ContentVerdict::SameInPart | ContentVerdict::SecondCopies => Tone::Warn,
        ContentVerdict::CannotSay => Tone::Unk,
        ContentVerdict::Differs => Tone::Bad,
    }
}

/// What is wrong besides missing records; `None` when nothing was found to be.
fn others(found: &Found) -> Option<Mark> {
    let said = told(&[
        (found.extra, "foreign"),
        (found.out_of_order, "out of order"),
        (found.duplicates, "copied twice"),
    ]);
    match (found.extra + found.out_of_order, found.duplicates) {
        (0, 0) => None,
        (0, _) => Some(Mark::new(Tone::Warn, said)),
        (_, _) => Some(Mark::new(Tone::Bad, said)),
    }
}

fn told(kinds: &[(u64, &str)]) -> String {
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(*n))).collect();
    told.join(", ")
}

/// What was compared, in a few words.
fn extent(result: &ContentProof) -> String {
    let mut said = vec![match (result.asked.since, result.asked.until) {
        (None, None) => "everything both sides hold".to_owned(),
        (Some(since), None) => format!("written since {}", format::date_time_utc(since)),
        (None, Some(until)) => format!("written before {}", format::date_time_utc(until)),
        (Some(since), Some(until)) => {
            format!("written from {} to {}", format::date_time_utc(since), format::date_time_utc(until))
        }
    }];
    said.extend(result.sampled());
    said.push(match result.processes {
        1 => "by one process".to_owned(),
        n => format!("by {n} processes"),
    });
    said.join("; ")
}

/// The worst first.
fn topics(topics: &BTreeMap<String, TopicContent>, then: Then<'_>) -> Vec<Topic> {
    let mut sorted: Vec<(&String, &TopicContent)> = topics.iter().collect();
    sorted.sort_by_key(|(name, topic)| (Reverse(topic.verdict), (*name).clone()));
    sorted.into_iter().take(TOPICS).map(|(name, topic)| Topic::new(name, topic, then)).collect()
}

impl Topic {
    fn new(name: &str, topic: &TopicContent, then: Then<'_>) -> Self {
        let TopicContent { verdict, partitions, timestamps, found } = topic;
        let mut notes = Vec::new();
        if !timestamps {
            notes.push("without timestamps: brokers of the target write their own".to_owned());
        }
        for (n, what) in [
            (
                found.compacted,
                "removed by compaction on one side, with a newer one of their key on the other",
            ),
            (found.before, "older than the other side reaches back"),
            (found.pending, "not known to be copied yet"),
        ] {
            if n > 0 {
                notes.push(format!("{} {what}", number(n)));
            }
        }
        Self {
            name: name.to_owned(),
            href: then.lag_of(name),
            verdict: verdict_mark(*verdict, found),
            partitions: format::number(i64::try_from(*partitions).unwrap_or(i64::MAX)),
            records: number(found.matched),
            notes,
        }
    }
}

fn verdict_mark(verdict: ContentVerdict, found: &Found) -> Mark {
    let said = match verdict {
        ContentVerdict::Same => "the same".to_owned(),
        ContentVerdict::SameInPart => "the same as far as both reach back".to_owned(),
        ContentVerdict::SecondCopies => format!("{} copied twice", number(found.duplicates)),
        ContentVerdict::CannotSay if found.undecided > 0 => {
            format!("{} not decided", number(found.undecided))
        }
        ContentVerdict::CannotSay if found.on_source > 0 && found.matched == 0 => {
            "cannot be told: not one record was found on both sides".to_owned()
        }
        ContentVerdict::CannotSay => "cannot be told".to_owned(),
        ContentVerdict::Differs => told(&[
            (found.missing, "missing"),
            (found.extra, "foreign"),
            (found.out_of_order, "out of order"),
            (found.duplicates, "copied twice"),
        ]),
    };
    Mark::new(tone(verdict), said)
}

impl Partition {
    fn new(partition: &PartitionContent, then: Then<'_>) -> Self {
        let PartitionContent { source, source_from, source_until, found, .. } = partition;
        let (from, to) = (then.proof.from.as_str(), then.proof.to.as_str());
        Self {
            name: source.to_string(),
            href: format!("{}&partition={}", then.lag_of(&source.topic), source.partition),
            verdict: verdict_mark(partition.verdict, found),
            range: match source_until > source_from {
                true => format!(
                    "Offsets {} to {} of the source were to be compared.",
                    format::number(*source_from),
                    format::number(source_until - 1)
                ),
                false => "The source holds nothing there.".to_owned(),
            },
            because: partition.unread(),
            examples: partition.cited().map(|cited| Example::new(&cited, from, to)).collect(),
        }
    }
}
