//! Where the groups of a pair would go on reading on the other side: the newest proof, and how one is asked for.

mod looks;
mod partition;

use std::cmp::Reverse;

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::Pair,
    proof::{
        Proof,
        looks::Looks,
        translation::{DeadSource, GroupProof, MirroredSum, TranslationProof, Verdict},
    },
};

use self::{
    looks::Source,
    partition::{Partition, dead, exactly},
};
use crate::{
    chrome::Chrome,
    format,
    forms::TranslationFilter,
    parts::{Choice, Course, Field, Hash, Mark, Notice, Tone, When},
    proofs::{Looked, ProofParts, from_field, wrong_from},
    runs::query_string,
};

/// Groups on one page.
const GROUPS: usize = 100;
/// Partitions shown of one group.
const PARTITIONS: usize = 50;

/// A proof that is done, with what it found.
#[derive(Debug, Clone)]
pub struct ProvenTranslation {
    /// The proof.
    pub proof: Proof,
    /// What it found.
    pub result: TranslationProof,
    /// Hash of its evidence.
    pub hash: String,
}

/// `GET /pairs/{pair}/translation`; its filter form sends [`TranslationFilter`], its form for another proof posts
/// [`crate::forms::TranslationForm`].
#[derive(Debug, Template)]
#[template(path = "pages/translation.html")]
pub struct TranslationPage {
    chrome: Chrome,
    pair: String,
    course: Course,
    proofs: ProofParts,
    asked_from: Field,
    shown: Option<Shown>,
    filters: Vec<Field>,
    filtered: bool,
    /// The same proof without a filter.
    all: String,
    sources: Vec<Source>,
}

/// What the newest proof that is done found.
#[derive(Debug)]
struct Shown {
    /// Of a dead source: since when, and as of when everything is.
    dead: Option<Notice>,
    id: String,
    number: i64,
    age: String,
    sentence: String,
    tone: Tone,
    when: When,
    took: String,
    hash: Hash,
    from: String,
    to: String,
    exactly: String,
    again: String,
    cannot: usize,
    theirs: Mark,
    groups: Vec<Group>,
    matching: usize,
}

#[derive(Debug)]
struct Group {
    name: String,
    verdict: Mark,
    because: String,
    positions: String,
    theirs: Mark,
    partitions: Vec<Partition>,
    left_out: usize,
}

impl TranslationPage {
    /// The page. `proofs` are those of the pair, newest first; `shown` is the one whose result is told; `looks` are those at its
    /// sources.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        pair: &Pair,
        course: Course,
        proofs: &[Proof],
        shown: Option<&ProvenTranslation>,
        filter: &TranslationFilter,
        looks: &[Looks],
    ) -> Self {
        let now = chrome.now();
        let chrome = chrome
            .titled(format!("Translation of {}", pair.name))
            .under("/", "Fleet")
            .under(format!("/pairs/{}", pair.name), pair.name.to_string());
        let looked =
            Looked { proofs, shown: shown.map(|shown| &shown.proof), asked: &filter.proof, course: &course };
        let proofs =
            ProofParts::new(&chrome, pair, looked, format!("Prove translation of {} now", pair.name));
        Self {
            chrome: proofs.of_chrome(chrome),
            proofs,
            asked_from: from_field(pair, &filter.from, &course),
            shown: shown.map(|shown| Shown::new(shown, filter, now)),
            filters: filters(filter),
            filtered: !filter.verdict.is_empty() || !filter.group.is_empty(),
            all: format!("/pairs/{}/translation{}", pair.name, query_string(&[("proof", &filter.proof)])),
            sources: looks.iter().map(|looks| Source::new(looks, now)).collect(),
            pair: pair.name.to_string(),
            course,
        }
    }

    /// With what was wrong with the cluster another proof was asked from.
    #[must_use]
    pub fn refused_from(self, why: &str) -> Self {
        Self { asked_from: wrong_from(self.asked_from, why), ..self }
    }
}

fn filters(filter: &TranslationFilter) -> Vec<Field> {
    let verdicts = vec![
        Choice::new("", "all groups"),
        Choice::new("cannot_say", "cannot be told"),
        Choice::new("reprocesses", "read records again"),
        Choice::new("exactly", "go on exactly"),
    ];
    [
        Field::select("verdict", "Verdict", verdicts, &filter.verdict),
        Field::line("group", "Group", "search", &filter.group, "off"),
    ]
    .map(Field::of_filter)
    .to_vec()
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Exactly => "exactly",
        Verdict::Reprocesses { .. } => "reprocesses",
        Verdict::CannotSay { .. } => "cannot_say",
    }
}

impl Shown {
    fn new(shown: &ProvenTranslation, filter: &TranslationFilter, now: DateTime<Utc>) -> Self {
        let ProvenTranslation { proof, result, hash } = shown;
        let summary = &result.summary;
        let wanted = |(name, group): &(&String, &GroupProof)| {
            (filter.verdict.is_empty() || filter.verdict == word(&group.verdict))
                && name.contains(filter.group.trim())
        };
        let mut groups: Vec<(&String, &GroupProof)> = result.groups.iter().filter(wanted).collect();
        groups.sort_by_key(|(name, group)| (severity(&group.verdict), (*name).clone()));
        let matching = groups.len();
        groups.truncate(GROUPS);
        let as_of = result.dead_source.as_ref();
        Self {
            dead: as_of.map(|source| dead(source, proof.from.as_str())),
            id: proof.id.to_string(),
            number: proof.number,
            age: format::ago(now, result.began_at),
            sentence: proof.sentence.clone(),
            tone: match (summary.cannot_say, summary.reprocess, summary.exactly) {
                (0, 0, 0) => Tone::Unk,
                (0, 0, _) if as_of.is_none() => Tone::Ok,
                (0, _, _) => Tone::Warn,
                _ => Tone::Bad,
            },
            when: When::full(result.began_at),
            took: format::duration(result.took_ms),
            hash: Hash::short(hash),
            from: proof.from.to_string(),
            to: proof.to.to_string(),
            exactly: format!(
                "{} of {}",
                format::number(count(summary.exactly)),
                format::number(count(result.groups.len()))
            ),
            again: format::number(summary.reprocessed_at_most),
            cannot: summary.cannot_say,
            theirs: theirs(
                MirroredSum {
                    reprocess: summary.mirrored_reprocess,
                    skip: summary.mirrored_skip,
                    missing: summary.mirrored_missing,
                },
                "group",
            ),
            groups: groups.into_iter().map(|(name, group)| Group::new(name, group, as_of)).collect(),
            matching,
        }
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Those with trouble first, the worst of these before the others.
fn severity(verdict: &Verdict) -> (u8, Reverse<i64>) {
    match verdict {
        Verdict::CannotSay { .. } => (0, Reverse(0)),
        Verdict::Reprocesses { at_most } => (1, Reverse(*at_most)),
        Verdict::Exactly => (2, Reverse(0)),
    }
}

/// What MirrorMaker 2's own positions would do.
fn theirs(sum: MirroredSum, each: &str) -> Mark {
    let mut said = Vec::new();
    if sum.skip > 0 {
        said.push(format!("skips {}", format::number(sum.skip)));
    }
    if sum.reprocess > 0 {
        said.push(format!("reads {} again", format::number(sum.reprocess)));
    }
    if sum.missing > 0 {
        said.push(format!("none for {}", format::count(sum.missing, each)));
    }
    match (sum.skip, said.is_empty()) {
        (_, true) => Mark::new(Tone::Ok, "the same"),
        (0, false) => Mark::new(Tone::Warn, said.join(", ")),
        (_, false) => Mark::new(Tone::Bad, said.join(", ")),
    }
}

impl Group {
    fn new(name: &str, group: &GroupProof, as_of: Option<&DeadSource>) -> Self {
        let then = as_of.map(|source| source.positions_at);
        let (verdict, because) = match &group.verdict {
            Verdict::Exactly => (Mark::new(Tone::Ok, exactly("goes on exactly", then)), String::new()),
            Verdict::Reprocesses { at_most } => (
                Mark::new(Tone::Warn, format!("reads at most {} again", format::number(*at_most))),
                String::new(),
            ),
            Verdict::CannotSay { partitions, because } => (
                Mark::new(
                    Tone::Unk,
                    format!("cannot be told on {}", format::count(*partitions, "partition")),
                ),
                because.clone(),
            ),
        };
        let partitions: Vec<Partition> =
            group.partitions.iter().take(PARTITIONS).map(Partition::new).collect();
        Self {
            name: name.to_owned(),
            verdict,
            because,
            positions: format::number(count(group.positions)),
            theirs: theirs(group.mirrored, "partition"),
            left_out: group.positions - partitions.len(),
            partitions,
        }
    }
}
