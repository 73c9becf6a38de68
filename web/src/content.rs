//! Whether both sides of a pair hold the same records: the newest proof, and how one is asked for.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    content::Found,
    pair::Pair,
    proof::{
        Proof,
        content::{ContentProof, ContentSummary, ContentVerdict, PartitionContent, TopicContent},
    },
};

use crate::{
    chrome::Chrome,
    content_payload::{Example, PayloadSaid},
    format,
    forms::{ContentFilter, ContentForm},
    lag::around,
    lag_marks::while_it_was,
    parts::{Choice, Course, Field, Hash, Mark, Notice, Tone, When},
    proofs::{Looked, ProofParts, from_field, wrong_from},
};

/// Topics on one page.
const TOPICS: usize = 100;
/// Partitions with a difference on one page.
const PARTITIONS: usize = 50;

/// A proof that is done, with what it found.
#[derive(Debug, Clone)]
pub struct ProvenContent {
    /// The proof.
    pub proof: Proof,
    /// What it found.
    pub result: ContentProof,
    /// Hash of its evidence.
    pub hash: String,
}

/// `GET /pairs/{pair}/content`; its form sends [`ContentForm`].
#[derive(Debug, Template)]
#[template(path = "pages/content.html")]
pub struct ContentPage {
    chrome: Chrome,
    pair: String,
    course: Course,
    proofs: ProofParts,
    refused: Option<Notice>,
    asked_from: Field,
    fields: Vec<Field>,
    payload: PayloadSaid,
    shown: Option<Shown>,
}

/// What the newest proof that is done found.
#[derive(Debug)]
struct Shown {
    id: String,
    number: i64,
    age: String,
    sentence: Mark,
    records: String,
    missing: Mark,
    others: Mark,
    before: String,
    pending: String,
    when: When,
    took: String,
    hash: Hash,
    from: String,
    to: String,
    extent: String,
    topics: Vec<Topic>,
    topics_in_all: usize,
    partitions: Vec<Partition>,
    partitions_in_all: usize,
}

#[derive(Debug)]
struct Topic {
    name: String,
    href: String,
    verdict: Mark,
    partitions: String,
    records: String,
    notes: Vec<String>,
}

/// A partition with a difference, or of which something cannot be said.
#[derive(Debug)]
struct Partition {
    name: String,
    href: String,
    verdict: Mark,
    range: String,
    because: String,
    examples: Vec<Example>,
}

impl ContentPage {
    /// The page. `proofs` are the content proofs of the pair, newest first; `shown` is the one whose result is told; `form` is what
    /// the form that asks for one holds.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        pair: &Pair,
        course: Course,
        proofs: &[Proof],
        shown: Option<&ProvenContent>,
        filter: &ContentFilter,
        form: &ContentForm,
    ) -> Self {
        let now = chrome.now();
        let chrome = chrome
            .titled(format!("Content of {}", pair.name))
            .under("/", "Fleet")
            .under(format!("/pairs/{}", pair.name), pair.name.to_string());
        let payload = PayloadSaid::new(&chrome, pair);
        let looked =
            Looked { proofs, shown: shown.map(|shown| &shown.proof), asked: &filter.proof, course: &course };
        let proofs = ProofParts::new(&chrome, pair, looked, format!("Compare content of {} now", pair.name));
        Self {
            chrome: proofs.of_chrome(chrome),
            proofs,
            refused: None,
            asked_from: from_field(pair, &form.from, &course),
            fields: fields(form),
            payload,
            shown: shown.map(|shown| Shown::new(shown, now)),
            pair: pair.name.to_string(),
            course,
        }
    }

    /// For somebody who may have to show again that it is them before they are shown payload.
    #[must_use]
    pub fn of_somebody(self, just_proven: bool) -> Self {
        match &self.shown {
            Some(shown) if !just_proven => {
                let payload = self.payload.after_showing_who_asks(&self.pair, &shown.id);
                Self { payload, ..self }
            }
            _ => self,
        }
    }

    /// With what was wrong with the form.
    #[must_use]
    pub fn refused(self, why: &str) -> Self {
        let said =
            Notice::new(Tone::Bad, why.to_owned(), "Nothing was asked for. Change it and send it again.");
        Self { refused: Some(said), ..self }
    }

    /// With what was wrong with the cluster it was asked from.
    #[must_use]
    pub fn refused_from(self, why: &str) -> Self {
        Self { asked_from: wrong_from(self.asked_from, why), ..self }
    }
}

fn fields(form: &ContentForm) -> Vec<Field> {
    let hours = vec![
        Choice::new("", "everything both sides hold"),
        Choice::new("1", "the last hour"),
        Choice::new("24", "the last 24 hours"),
        Choice::new("168", "the last 7 days"),
    ];
    let sample = vec![
        Choice::new("", "every record"),
        Choice::new("0.1", "a sample: 95 % sure to find 1 stretch in 1,000"),
        Choice::new("1", "a sample: 95 % sure to find 1 stretch in 100"),
        Choice::new("5", "a sample: 95 % sure to find 1 stretch in 20"),
    ];
    vec![
        Field::text("topics", "Topics", &form.topics)
            .help("Names on the source, apart by spaces. All application topics when empty."),
        Field::select("hours", "Written in", hours, &form.hours),
        Field::select("sample", "Compare", sample, &form.sample),
        Field::line("mb_per_second", "Megabytes a second, at most", "number", &form.mb_per_second, "off")
            .help("Both sides and all processes together. No bound when empty."),
    ]
}

impl Shown {
    fn new(shown: &ProvenContent, now: DateTime<Utc>) -> Self {
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
fn topics(topics: &std::collections::BTreeMap<String, TopicContent>, then: Then<'_>) -> Vec<Topic> {
    let mut sorted: Vec<(&String, &TopicContent)> = topics.iter().collect();
    sorted.sort_by_key(|(name, topic)| (std::cmp::Reverse(topic.verdict), (*name).clone()));
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
