//! History of runs, with the filters kept in the address.

use askama::Template;
use muster_domain::{
    record::Run,
    run::{Operation, RunState},
};

use crate::{
    chrome::Chrome,
    format,
    forms::RunFilter,
    parts::{Choice, Field, Link, Mark, When},
    words,
};

/// One run in a list.
#[derive(Debug, Clone)]
pub(crate) struct RunRow {
    pub(crate) href: String,
    pub(crate) name: String,
    pub(crate) pair: String,
    pub(crate) kind: String,
    pub(crate) course: String,
    pub(crate) when: When,
    pub(crate) took: String,
    pub(crate) away: String,
    pub(crate) lost: String,
    pub(crate) by: String,
    pub(crate) state: Mark,
    pub(crate) waiting: bool,
}

impl RunRow {
    /// A run as a row at `now`.
    pub(crate) fn new(run: &Run, now: chrono::DateTime<chrono::Utc>) -> Self {
        let outcome = run.outcome.as_ref();
        let unmeasured = if run.state.ended() { "not measured" } else { "not yet" };
        let said =
            |value: Option<i64>, say: fn(i64) -> String| value.map_or_else(|| unmeasured.to_owned(), say);
        let page = if run.state == RunState::AwaitingApproval { "/approval" } else { "" };
        Self {
            href: format!("/runs/{}{page}", run.id),
            name: words::run_name(run),
            pair: run.pair.to_string(),
            kind: format!("{}{}", words::operation(run.operation), if run.drill { ", drill" } else { "" }),
            course: run.course.clone(),
            when: When::said(run.created_at, format::short(now, run.created_at)),
            took: run.started_at.map_or_else(
                || "not started".to_owned(),
                |at| format::duration((run.ended_at.unwrap_or(now) - at).num_milliseconds()),
            ),
            away: said(outcome.and_then(|outcome| outcome.write_unavailability_ms), format::duration),
            lost: said(outcome.and_then(|outcome| outcome.lost_records), format::number),
            by: run.requested_by.name.clone(),
            state: words::run_mark(run.state),
            waiting: !run.state.ended(),
        }
    }
}

/// `GET /runs`; its filter form sends [`RunFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/runs.html")]
pub struct RunsPage {
    chrome: Chrome,
    heading: &'static str,
    filters: Vec<Field>,
    filtered: bool,
    rows: Vec<RunRow>,
    older: Option<Link>,
}

impl RunsPage {
    /// Runs that match, newest first. `pairs` are the names to choose from; `more` is whether older ones match too.
    #[must_use]
    pub fn new(chrome: Chrome, filter: &RunFilter, pairs: &[String], runs: &[Run], more: bool) -> Self {
        let now = chrome.now();
        let waiting = filter.state == RunState::AwaitingApproval.as_str();
        let last = runs.last().map(|run| run.number);
        let older = last.filter(|_| more).map(|number| {
            let next = RunFilter { after: number.to_string(), ..filter.clone() };
            Link::new(format!("/runs{}", query(&next)), "Older runs")
        });
        Self {
            chrome: chrome.titled(if waiting { "Approvals" } else { "Runs" }),
            heading: if waiting { "Requests that wait for approval" } else { "Runs" },
            filters: filters(filter, pairs),
            filtered: *filter != RunFilter::default(),
            rows: runs.iter().map(|run| RunRow::new(run, now)).collect(),
            older,
        }
    }
}

fn filters(filter: &RunFilter, pairs: &[String]) -> Vec<Field> {
    let mut pair_choices = vec![Choice::new("", "all pairs")];
    pair_choices.extend(pairs.iter().map(|pair| Choice::new(pair, pair)));
    let operations = Operation::ALL.into_iter().filter(|operation| !operation.reserved());
    let mut kinds = vec![Choice::new("", "all kinds")];
    kinds.extend(operations.map(|operation| Choice::new(operation.as_str(), words::operation(operation))));
    let mut states = vec![Choice::new("", "all states")];
    let reached = RunState::ALL.into_iter().filter(|state| !state.reserved());
    states.extend(reached.map(|state| Choice::new(state.as_str(), words::run_state(state).2)));
    let drills = vec![
        Choice::new("", "drills and others"),
        Choice::new("drill", "drills"),
        Choice::new("real", "not drills"),
    ];
    vec![
        Field::select("pair", "Pair", pair_choices, &filter.pair),
        Field::select("operation", "Kind", kinds, &filter.operation),
        Field::select("state", "State", states, &filter.state),
        Field::select("kind", "Drill or not", drills, &filter.kind),
        Field::line("since", "Since", "date", &filter.since, "off"),
        Field::line("until", "Until", "date", &filter.until, "off"),
        Field::line("text", "Words", "search", &filter.text, "off"),
    ]
}

/// The filter as a query string, empty parts left out.
#[must_use]
pub fn query(filter: &RunFilter) -> String {
    query_string(&[
        ("pair", &filter.pair),
        ("operation", &filter.operation),
        ("state", &filter.state),
        ("kind", &filter.kind),
        ("text", &filter.text),
        ("since", &filter.since),
        ("until", &filter.until),
        ("after", &filter.after),
    ])
}

/// `?a=1&b=2` of what is not empty, percent-encoded; empty when all are.
pub(crate) fn query_string(parts: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(b).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(k, v)| format!("{k}={}", encode(v)))
        .collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_live_in_the_address() {
        let filter =
            RunFilter { pair: "a&b=c".to_owned(), state: "running".to_owned(), ..RunFilter::default() };
        assert_eq!(query(&filter), "?pair=a%26b%3Dc&state=running");
        assert_eq!(query(&RunFilter::default()), "");
    }
}
