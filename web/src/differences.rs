//! What would be different for applications on the other side, by cause, with filters kept in the address.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    difference::{Affected, Difference, DifferenceKind as Kind, Differences, Names, NotCompared, Weight},
    pair::Pair,
};

use crate::{
    chrome::Chrome,
    format,
    forms::DifferenceFilter,
    parts::{Choice, Field, Mark, Notice, Tone, When},
    survey_age, words,
};

/// One kind of names that are affected.
#[derive(Debug)]
struct NamesRow {
    said: String,
    names: Vec<String>,
    more: Option<String>,
}

/// One cause.
#[derive(Debug)]
struct CauseRow {
    no: usize,
    mark: Mark,
    says: String,
    consequence: String,
    expected: String,
    actual: String,
    affected: Vec<NamesRow>,
    next_step: String,
    commands: String,
    commands_said: String,
}

/// Causes of one part of the clusters.
#[derive(Debug)]
struct Section {
    id: &'static str,
    title: &'static str,
    note: String,
    causes: Vec<CauseRow>,
}

/// `GET /pairs/{name}/differences`; its filter form sends [`DifferenceFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/differences.html")]
pub struct DifferencesPage {
    chrome: Chrome,
    name: String,
    lead: String,
    mark: Mark,
    read: Option<When>,
    notice: Option<Notice>,
    filters: Vec<Field>,
    filtered: bool,
    active: String,
    standby: String,
    sections: Vec<Section>,
    not_compared: Vec<NotCompared>,
}

/// Kinds that are looked at together, by the word in the address.
const PARTS: [(&str, &str, &[Kind]); 4] = [
    (
        "topics",
        "Topics and their settings",
        &[Kind::TopicMissing, Kind::Partitions, Kind::Replicas, Kind::TopicExtra, Kind::Config],
    ),
    ("access", "Who may do what", &[Kind::Grant, Kind::Deny, Kind::ScramUser]),
    ("limits", "Client quotas", &[Kind::Quota]),
    ("groups", "Consumer groups", &[Kind::GroupActive, Kind::GroupPositions, Kind::GroupType]),
];

/// The kinds that a filter asks for; none for all.
#[must_use]
pub fn kinds(filter: &DifferenceFilter) -> Vec<Kind> {
    let part = PARTS.iter().find(|(word, ..)| *word == filter.part);
    part.map(|(_, _, kinds)| kinds.to_vec()).unwrap_or_default()
}

impl DifferencesPage {
    /// Of a pair that was surveyed `at`; without a survey there is nothing to compare. What is left of `found` after the
    /// filter is shown, shortened already.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        pair: &Pair,
        filter: &DifferenceFilter,
        found: Option<(&Differences, DateTime<Utc>)>,
    ) -> Self {
        let (name, now) = (pair.name.to_string(), chrome.now());
        let nothing = Differences::default();
        let differences = found.map_or(&nothing, |(differences, _)| differences);
        let cluster = |name: &Option<muster_domain::ids::ClusterName>| {
            name.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string)
        };
        let (active, standby) = (cluster(&differences.active), cluster(&differences.standby));
        let filtered = *filter != DifferenceFilter::default();
        Self {
            lead: match found {
                Some((Differences { active: Some(_), .. }, _)) => format!(
                    "What applications would find different if they moved from {active} to {standby} now, beyond the records."
                ),
                Some(_) | None => {
                    "What applications would find different on the other side, beyond the records.".to_owned()
                }
            },
            mark: mark(found.map(|(differences, _)| differences), filtered)
                .of_then(found.is_some_and(|(_, at)| survey_age::is_old(now, at))),
            read: found.map(|(_, at)| When::ago(now, at)),
            notice: match found {
                Some((_, at)) => survey_age::notice(now, at),
                None => Some(Notice::new(
                    Tone::Unk,
                    "Never surveyed.",
                    "The first survey begins within seconds of creating the pair; until then nothing can be compared.",
                )),
            },
            filters: filters(filter),
            filtered,
            sections: sections(differences),
            not_compared: unread(differences),
            active,
            standby,
            chrome: chrome
                .titled(format!("Differences of {name}"))
                .here("differences")
                .under("/", "Fleet")
                .under(format!("/pairs/{name}"), name.clone()),
            name,
        }
    }
}

/// The worst of what is shown. Nothing is alike that was not compared.
fn mark(found: Option<&Differences>, filtered: bool) -> Mark {
    let Some(found) = found else { return Mark::new(Tone::Unk, "nothing compared yet") };
    if found.active.is_none() {
        return Mark::new(Tone::Unk, "nothing compared");
    }
    let count = |weight| found.differences.iter().filter(|one| one.weight == weight).count();
    let (breaks, costs) = (count(Weight::Breaks), count(Weight::Costs));
    if breaks > 0 {
        return Mark::new(Tone::Bad, format!("{} would break something", format::count(breaks, "cause")));
    }
    if costs > 0 {
        return Mark::new(Tone::Warn, format!("{} would cost something", format::count(costs, "cause")));
    }
    match (found.not_compared.is_empty(), filtered) {
        (false, _) => Mark::new(Tone::Unk, "not everything could be compared"),
        (true, true) => Mark::new(Tone::Idle, "nothing of weight matches"),
        (true, false) => Mark::new(Tone::Ok, "nothing would break or cost anything"),
    }
}

/// As sentences begin.
fn unread(found: &Differences) -> Vec<NotCompared> {
    let capital = |part: &NotCompared| NotCompared { what: words::capital(&part.what), ..part.clone() };
    found.not_compared.iter().map(capital).collect()
}

fn filters(filter: &DifferenceFilter) -> Vec<Field> {
    let mut parts = vec![Choice::new("", "everything")];
    parts.extend(PARTS.map(|(word, title, _)| Choice::new(word, title.to_lowercase())));
    [
        Field::select("part", "About", parts, &filter.part),
        Field::line("who", "Topic, group or principal", "search", &filter.who, "off"),
    ]
    .map(Field::of_filter)
    .to_vec()
}

fn sections(found: &Differences) -> Vec<Section> {
    let numbered: Vec<(usize, &Difference)> = (1..).zip(&found.differences).collect();
    PARTS
        .iter()
        .map(|(id, title, kinds)| {
            let of_part = numbered.iter().filter(|(_, one)| kinds.contains(&one.kind));
            let causes: Vec<CauseRow> = of_part.map(|(no, one)| row(*no, one)).collect();
            Section { id, title, note: format::count(causes.len(), "cause"), causes }
        })
        .filter(|section| !section.causes.is_empty())
        .collect()
}

fn row(no: usize, found: &Difference) -> CauseRow {
    let Affected { topics, groups, principals } = &found.affected;
    let affected = [(principals, "principal"), (groups, "group"), (topics, "topic")];
    CauseRow {
        no,
        mark: match found.weight {
            Weight::Breaks => Mark::new(Tone::Bad, "breaks"),
            Weight::Costs => Mark::new(Tone::Warn, "costs"),
            Weight::Differs => Mark::new(Tone::Idle, "differs"),
        },
        says: found.says.clone(),
        consequence: found.consequence.clone(),
        expected: found.expected.clone(),
        actual: found.actual.clone(),
        affected: affected.into_iter().filter_map(|(names, one)| named(names, one)).collect(),
        next_step: found.next_step.clone(),
        commands: found.commands.join("\n"),
        commands_said: format::count(found.commands.len(), "command"),
    }
}

fn named(names: &Names, one: &str) -> Option<NamesRow> {
    let more = names.count - names.names.len();
    (names.count > 0).then(|| NamesRow {
        said: format::count(names.count, one),
        names: names.names.clone(),
        more: (more > 0).then(|| format!("and {more} more")),
    })
}
