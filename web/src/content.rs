//! Whether both sides of a pair hold the same records: the newest proof, and how one is asked for.

mod found;

use askama::Template;
use muster_domain::{
    pair::Pair,
    proof::{Proof, content::ContentProof},
};

use crate::{
    chrome::Chrome,
    content_payload::{Example, PayloadSaid},
    forms::{ContentFilter, ContentForm},
    parts::{Choice, Course, Field, Hash, Mark, Notice, Tone, When},
    proofs::{Looked, ProofParts, from_field, wrong_from},
};

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
