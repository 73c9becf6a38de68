//! What would be different for applications on the other side, by cause or by who is affected, with filters kept in the address.

mod who;

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    difference::{
        Affected, ByWho, Difference, DifferenceKind as Kind, Differences, Names, NotCompared, Weight,
    },
    pair::{BySide, Pair},
};

use crate::{
    chrome::Chrome,
    format,
    forms::DifferenceFilter,
    parts::{Choice, Field, Mark, Notice, Tone, When},
    survey_age, words,
};
use who::ByWhoView;

/// What was found of a pair, after the filter.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The differences, shortened already.
    pub differences: &'a Differences,
    /// When the survey began that they are of.
    pub at: DateTime<Utc>,
    /// A page of them by who is affected where that is asked for, and the cursor behind it if there are more.
    pub by_who: Option<(&'a ByWho, Option<&'a str>)>,
}

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
    /// When it was so; `None` where it is so as the newest survey shows.
    as_of: Option<When>,
    /// From where to where applications would move.
    active: String,
    standby: String,
    says: String,
    consequence: String,
    expected: String,
    actual: String,
    affected: Vec<NamesRow>,
    next_step: String,
    commands: String,
    commands_said: String,
}

/// What could not be compared, and when it could last.
#[derive(Debug)]
struct UnreadRow {
    what: String,
    reason: String,
    last: Option<When>,
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
    /// Where all of them are, in this order.
    all: String,
    /// Both orders: where, in words, whether it is this one.
    orders: [(String, &'static str, bool); 2],
    is_by_who: bool,
    /// No cause is left.
    nothing: bool,
    /// By cause; none where they are shown by who is affected.
    sections: Vec<Section>,
    by_who: Option<ByWhoView>,
    not_compared: Vec<UnreadRow>,
}

/// Kinds that are looked at together, by the word in the address.
const PARTS: [(&str, &str, &[Kind]); 4] = [
    (
        "topics",
        "Topics and their settings",
        &[Kind::TopicMissing, Kind::Partitions, Kind::Replicas, Kind::TopicExtra, Kind::Config],
    ),
    ("access", "Who may do what", &[Kind::Grant, Kind::Deny, Kind::ScramUser]),
    ("limits", "Client quotas and settings of brokers", &[Kind::Quota, Kind::Broker]),
    ("groups", "Consumer groups", &[Kind::GroupActive, Kind::GroupPositions, Kind::GroupType]),
];

/// The kinds that a filter asks for; none for all.
#[must_use]
pub fn kinds(filter: &DifferenceFilter) -> Vec<Kind> {
    let part = PARTS.iter().find(|(word, ..)| *word == filter.part);
    part.map(|(_, _, kinds)| kinds.to_vec()).unwrap_or_default()
}

impl DifferencesPage {
    /// Of a pair; without a survey there is nothing to compare.
    #[must_use]
    pub fn new(chrome: Chrome, pair: &Pair, filter: &DifferenceFilter, found: Option<Shown<'_>>) -> Self {
        let (name, now) = (pair.name.to_string(), chrome.now());
        let nothing = Differences::default();
        let differences = found.map_or(&nothing, |found| found.differences);
        let by_who = found.and_then(|found| found.by_who);
        let filtered = filter.is_set();
        Self {
            lead: lead(differences),
            mark: mark(found.map(|found| found.differences), filtered)
                .of_then(found.is_some_and(|found| survey_age::is_old(now, found.at))),
            read: found.map(|found| When::ago(now, found.at)),
            notice: match found {
                Some(found) => survey_age::notice(now, found.at),
                None => Some(Notice::new(
                    Tone::Unk,
                    "Never surveyed.",
                    "The first survey begins within seconds of creating the pair; until then nothing can be compared.",
                )),
            },
            filters: filters(filter),
            filtered,
            all: DifferenceFilter { by: filter.by.clone(), ..DifferenceFilter::default() }.href(&name),
            orders: orders(&name, filter),
            is_by_who: filter.is_by_who(),
            nothing: differences.causes().next().is_none(),
            sections: if by_who.is_some() { Vec::new() } else { sections(pair, differences, now) },
            by_who: by_who.map(|by_who| ByWhoView::new(&name, filter, differences, by_who, now)),
            not_compared: unread(differences, now),
            chrome: chrome
                .titled(format!("Differences of {name}"))
                .here("differences")
                .under("/", "Fleet")
                .under(format!("/pairs/{name}"), name.clone()),
            name,
        }
    }
}

/// What is asked for in either order.
fn orders(pair: &str, filter: &DifferenceFilter) -> [(String, &'static str, bool); 2] {
    let by_who = filter.is_by_who();
    [("", "By cause", !by_who), ("who", "By who is affected", by_who)].map(|(by, label, current)| {
        let first = DifferenceFilter { by: by.to_owned(), after: String::new(), ..filter.clone() };
        (first.href(pair), label, current)
    })
}

fn lead(found: &Differences) -> String {
    match (&found.active, &found.standby, &found.back) {
        (Some(one), Some(other), Some(_)) => format!(
            "Both sides are active: what applications would find different if those of {one} moved to {other} now, or those of {other} to {one}, beyond the records."
        ),
        (Some(active), Some(standby), None) => format!(
            "What applications would find different if they moved from {active} to {standby} now, beyond the records."
        ),
        (None, _, _) | (_, None, _) => {
            "What applications would find different on the other side, beyond the records.".to_owned()
        }
    }
}

/// The worst of what is shown, as it is or was. Nothing is alike that was not compared.
fn mark(found: Option<&Differences>, filtered: bool) -> Mark {
    let Some(found) = found else { return Mark::new(Tone::Unk, "nothing compared yet") };
    let earlier = || found.each().flat_map(|found| &found.earlier).flat_map(|part| &part.differences);
    let now = || found.each().flat_map(|found| &found.differences);
    let count = |weight| now().chain(earlier()).filter(|one| one.weight == weight).count();
    let (breaks, costs) = (count(Weight::Breaks), count(Weight::Costs));
    let then = if earlier().next().is_some() { ", some as last compared" } else { "" };
    if breaks > 0 {
        let causes = format::count(breaks, "cause");
        return Mark::new(Tone::Bad, format!("{causes} would break something{then}"));
    }
    if costs > 0 {
        let causes = format::count(costs, "cause");
        return Mark::new(Tone::Warn, format!("{causes} would cost something{then}"));
    }
    if found.active.is_none() {
        return Mark::new(Tone::Unk, "nothing compared");
    }
    match (found.each().all(|found| found.not_compared.is_empty()), filtered) {
        (false, _) => Mark::new(Tone::Unk, "not everything could be compared"),
        (true, true) => Mark::new(Tone::Idle, "nothing of weight matches"),
        (true, false) => Mark::new(Tone::Ok, "nothing would break or cost anything"),
    }
}

/// As sentences begin. Of both sides the part that was compared the longest ago counts.
fn unread(found: &Differences, now: DateTime<Utc>) -> Vec<UnreadRow> {
    found.each().flat_map(|one| unread_of(one, found.back.is_some(), now)).collect()
}

fn unread_of(found: &Differences, both: bool, now: DateTime<Utc>) -> Vec<UnreadRow> {
    let last = |what: &str| {
        let of_it = found.earlier.iter().filter(|part| found.active.is_none() || part.what == what);
        of_it.map(|part| part.at).min()
    };
    // Of two directions it is said which.
    let course = found.active.as_ref().zip(found.standby.as_ref()).filter(|_| both);
    let course = course.map_or_else(String::new, |(from, to)| format!(", {from} to {to}"));
    let row = |part: &NotCompared| UnreadRow {
        what: format!("{}{course}", words::capital(&part.what)),
        reason: part.reason.clone(),
        last: last(&part.what).map(|at| When::ago(now, at)),
    };
    found.not_compared.iter().map(row).collect()
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

fn sections(pair: &Pair, found: &Differences, now: DateTime<Utc>) -> Vec<Section> {
    let numbered: Vec<_> = (1_usize..).zip(found.causes()).collect();
    PARTS
        .iter()
        .map(|(id, title, kinds)| {
            let of_part = numbered.iter().filter(|(_, (_, one))| kinds.contains(&one.kind));
            let causes: Vec<CauseRow> =
                of_part.map(|(no, (at, one))| row(pair, *no, at.map(|at| When::ago(now, at)), one)).collect();
            Section { id, title, note: format::count(causes.len(), "cause"), causes }
        })
        .filter(|section| !section.causes.is_empty())
        .collect()
}

fn row(pair: &Pair, no: usize, as_of: Option<When>, found: &Difference) -> CauseRow {
    let Affected { topics, groups, principals, .. } = &found.affected;
    let affected = [(principals, "principal"), (groups, "group"), (topics, "topic")];
    let BySide { a, b } = &pair.clusters;
    let active = if *a == found.cluster { b } else { a };
    CauseRow {
        no,
        as_of,
        active: active.to_string(),
        standby: found.cluster.to_string(),
        mark: Mark::new(tone(found.weight), found.weight.as_str()),
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

fn tone(weight: Weight) -> Tone {
    match weight {
        Weight::Breaks => Tone::Bad,
        Weight::Costs => Tone::Warn,
        Weight::Differs => Tone::Idle,
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
