//! What the flight recorder kept of a pair beside lag: where a group stood, at a time and hour by hour, and what changed of ACLs, configs
//! and topic ids. Both questions are in the address.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::{Direction, Pair},
    recorder::{FactChange, FactKind, FactsLeftOut, GroupHour, GroupThen, RecreatedTopic},
};
use serde::Deserialize;

use crate::{
    chrome::Chrome,
    format,
    parts::{Choice, Field, Link},
    recorded_changes::{ChangeRow, RecreatedRow, change_row, left_out_said, recreated_row},
    recorded_group::{HourRow, Stood, hour_row, positions_json},
    runs::query_string,
};

/// What the page's address asks for: of a group `source`, `group` and `at`; of changes the others. Everything is text as browsers
/// send it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RecordedFilter {
    /// Cluster the group reads on; empty for the first of the pair.
    pub source: String,
    /// The group.
    pub group: String,
    /// When, in UTC: `2026-11-19T02:00`; now when empty.
    pub at: String,
    /// `acls`, `configs` or `topics`; everything when empty.
    pub kind: String,
    /// Cluster whose changes; both when empty.
    pub cluster: String,
    /// Text in the name of a topic, group or principal.
    pub name: String,
    /// Begin; seven days before the end when empty.
    pub from: String,
    /// End; now when empty.
    pub to: String,
    /// Place of the last change of the page before.
    pub after: String,
}

impl RecordedFilter {
    /// As a query string, empty parts left out.
    #[must_use]
    pub fn query(&self) -> String {
        query_string(&[
            ("source", &self.source),
            ("group", &self.group),
            ("at", &self.at),
            ("kind", &self.kind),
            ("cluster", &self.cluster),
            ("name", &self.name),
            ("from", &self.from),
            ("to", &self.to),
            ("after", &self.after),
        ])
    }

    /// The page that answers it.
    pub(crate) fn href(&self, pair: &str) -> String {
        format!("/pairs/{pair}/recorded{}", self.query())
    }

    /// Where the group stood at a time.
    pub(crate) fn at(self, at: DateTime<Utc>) -> Self {
        Self { at: text(at), ..self }
    }

    /// What changed within a time.
    pub(crate) fn within(self, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self { from: text(from), to: text(to), ..self }
    }
}

fn text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// What the page is made from.
#[derive(Debug, Clone)]
pub struct RecordedDetail<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// As it was asked, with the source filled in.
    pub filter: &'a RecordedFilter,
    /// Which flow's groups.
    pub direction: Direction,
    /// Groups that are offered.
    pub groups: &'a [String],
    /// Whether there are more.
    pub more_groups: bool,
    /// The time asked about.
    pub at: DateTime<Utc>,
    /// Where the group stood then; `None` when nothing is kept of it, or no group is asked about.
    pub then: Option<&'a GroupThen>,
    /// Hour by hour until then, oldest first.
    pub hours: &'a [GroupHour],
    /// The time changes are shown of.
    pub within: (DateTime<Utc>, DateTime<Utc>),
    /// Changes, newest first.
    pub changes: &'a [FactChange],
    /// The place to read on behind, when there may be more.
    pub next: Option<String>,
    /// Until when changes were looked through for the name, when not all of them were.
    pub looked_until: Option<DateTime<Utc>>,
    /// Of which times changes were left out that reach into that time, newest first.
    pub left_out: &'a [FactsLeftOut],
    /// Topics that were recreated.
    pub recreated: &'a [RecreatedTopic],
    /// What could not be understood of the filter: field and sentence.
    pub errors: &'a [(String, String)],
}

/// `GET /pairs/{pair}/recorded`; both of its forms send [`RecordedFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/recorded.html")]
pub struct RecordedPage {
    chrome: Chrome,
    pair: String,
    source: String,
    group: String,
    at_said: String,
    group_fields: Vec<Field>,
    /// What the other form asks for is kept.
    group_kept: Vec<(&'static str, String)>,
    stood: Option<Stood>,
    json: String,
    hours: Vec<HourRow>,
    change_fields: Vec<Field>,
    change_kept: Vec<(&'static str, String)>,
    filtered: bool,
    all_changes: String,
    within_said: String,
    changes: Vec<ChangeRow>,
    shows_changes: bool,
    ends: Vec<Link>,
    looked: String,
    /// Of what changes are not known, one sentence each.
    left_out: Vec<String>,
    recreated: Vec<RecreatedRow>,
    shows_topics: bool,
}

impl RecordedPage {
    /// The page.
    #[must_use]
    pub fn new(chrome: Chrome, detail: &RecordedDetail<'_>) -> Self {
        let (pair, filter, now) = (detail.pair, detail.filter, chrome.now());
        let name = pair.name.to_string();
        let group = filter.group.trim().to_owned();
        let of_changes = RecordedFilter {
            source: filter.source.clone(),
            group: group.clone(),
            at: filter.at.clone(),
            ..RecordedFilter::default()
        };
        Self {
            source: pair.cluster(detail.direction.from).to_string(),
            at_said: format::date_time(detail.at),
            group_fields: group_fields(detail),
            group_kept: kept(&[
                ("kind", &filter.kind),
                ("cluster", &filter.cluster),
                ("name", &filter.name),
                ("from", &filter.from),
                ("to", &filter.to),
            ]),
            stood: detail.then.map(|then| Stood::new(detail, then)),
            json: positions_json(detail),
            hours: detail.hours.iter().rev().map(|hour| hour_row(detail, hour)).collect(),
            change_fields: change_fields(detail),
            change_kept: kept(&[("source", &filter.source), ("group", &group), ("at", &filter.at)]),
            filtered: [&filter.kind, &filter.cluster, &filter.name, &filter.from, &filter.to]
                .iter()
                .any(|part| !part.is_empty()),
            all_changes: format!("{}#changes", of_changes.href(&name)),
            within_said: format!(
                "{} to {} UTC",
                format::date_time(detail.within.0),
                format::date_time(detail.within.1)
            ),
            changes: detail.changes.iter().map(|change| change_row(pair, change, now)).collect(),
            shows_changes: filter.kind != "topics",
            ends: ends(&name, filter, detail.next.as_deref()),
            looked: detail.looked_until.map(format::date_time).unwrap_or_default(),
            left_out: detail.left_out.iter().map(|gap| left_out_said(pair, gap)).collect(),
            recreated: detail.recreated.iter().map(|topic| recreated_row(pair, topic)).collect(),
            shows_topics: filter.kind.is_empty() || filter.kind == "topics",
            chrome: chrome
                .titled(format!("Recorded of {name}"))
                .here("recorded")
                .under("/", "Fleet")
                .under(format!("/pairs/{name}"), name.clone()),
            group,
            pair: name,
        }
    }
}

fn kept(parts: &[(&'static str, &String)]) -> Vec<(&'static str, String)> {
    let given = parts.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (*name, (*value).clone())).collect()
}

fn clusters(pair: &Pair) -> Vec<Choice> {
    [&pair.clusters.a, &pair.clusters.b].map(|name| Choice::new(name.as_str(), name.as_str())).to_vec()
}

fn group_fields(detail: &RecordedDetail<'_>) -> Vec<Field> {
    let filter = detail.filter;
    let group = Field::search("group", "Group", detail.groups.to_vec(), &filter.group);
    let group = if detail.more_groups {
        group.help(format!("The first {} are offered.", detail.groups.len()))
    } else {
        group
    };
    let fields = [
        group,
        Field::line("at", "At, UTC (empty: now)", "datetime-local", &filter.at, "off"),
        Field::select("source", "Reads on", clusters(detail.pair), &filter.source),
    ];
    fields.map(|field| field.errors(detail.errors).of_filter()).to_vec()
}

fn change_fields(detail: &RecordedDetail<'_>) -> Vec<Field> {
    let filter = detail.filter;
    let mut of = vec![Choice::new("", "both clusters")];
    of.extend(clusters(detail.pair));
    let kinds = vec![
        Choice::new("", "ACLs, configs and topic ids"),
        Choice::new(FactKind::Acls.as_str(), "ACLs"),
        Choice::new(FactKind::Configs.as_str(), "configs of topics"),
        Choice::new("topics", "topic ids"),
    ];
    let fields = [
        Field::select("kind", "What", kinds, &filter.kind),
        Field::select("cluster", "Cluster", of, &filter.cluster),
        Field::line("name", "Topic, group or principal", "search", &filter.name, "off"),
        Field::line("from", "From, UTC", "datetime-local", &filter.from, "off"),
        Field::line("to", "To, UTC", "datetime-local", &filter.to, "off"),
    ];
    fields.map(|field| field.errors(detail.errors).of_filter()).to_vec()
}

/// The ways to newer and older changes.
fn ends(pair: &str, filter: &RecordedFilter, next: Option<&str>) -> Vec<Link> {
    let page = |after: &str| {
        let page = RecordedFilter { after: after.to_owned(), ..filter.clone() };
        format!("{}#changes", page.href(pair))
    };
    let first = (!filter.after.is_empty()).then(|| Link::new(page(""), "First changes"));
    let older = next.map(|next| Link::new(page(next), "Older changes"));
    first.into_iter().chain(older).collect()
}
