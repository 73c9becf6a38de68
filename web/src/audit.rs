//! The audit: who did what to what, refusals too, and whether the chain holds.

use askama::Template;
use muster_domain::audit::{AuditEntry, BrokenChain};

use crate::{
    chrome::Chrome,
    format,
    forms::AuditFilter,
    parts::{Choice, Field, Hash, Link, Mark, Notice, Tone, When},
    run_steps::evidence_text,
    runs::query_string,
};

/// One entry.
#[derive(Debug)]
struct Row {
    number: String,
    at: When,
    actor: String,
    action: String,
    object: String,
    outcome: Mark,
    detail: String,
    hash: Hash,
}

/// `GET /audit`; its form sends [`AuditFilter`].
#[derive(Debug, Template)]
#[template(path = "pages/audit.html")]
pub struct AuditPage {
    chrome: Chrome,
    filters: Vec<Field>,
    filtered: bool,
    verified: Option<Notice>,
    verify_href: String,
    rows: Vec<Row>,
    older: Option<Link>,
}

impl AuditPage {
    /// Entries that match, newest first. `verified` is the result over the whole chain when it was asked for: the last
    /// number and hash, or where it breaks.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        filter: &AuditFilter,
        entries: &[AuditEntry],
        verified: Option<Result<(i64, String), BrokenChain>>,
        more: bool,
    ) -> Self {
        let now = chrome.now();
        let last = entries.last().map(|entry| entry.content.number);
        let older = last.filter(|_| more).map(|number| {
            let next = AuditFilter { after: number.to_string(), verify: String::new(), ..filter.clone() };
            Link::new(format!("/audit{}", query(&next)), "Older entries")
        });
        let verify = AuditFilter { verify: "on".to_owned(), ..filter.clone() };
        let outcomes = vec![
            Choice::new("", "done and refused"),
            Choice::new("done", "done"),
            Choice::new("refused", "refused"),
        ];
        Self {
            chrome: chrome.titled("Audit"),
            filters: vec![
                Field::text("actor", "Who", &filter.actor),
                Field::text("action", "Did", &filter.action),
                Field::text("object", "To", &filter.object),
                Field::select("outcome", "Outcome", outcomes, &filter.outcome),
                Field::line("since", "Since", "date", &filter.since, "off"),
            ],
            filtered: AuditFilter { verify: String::new(), ..filter.clone() } != AuditFilter::default(),
            verified: verified.map(verdict),
            verify_href: format!("/audit{}", query(&verify)),
            rows: entries.iter().map(|entry| row(entry, now)).collect(),
            older,
        }
    }
}

fn verdict(result: Result<(i64, String), BrokenChain>) -> Notice {
    match result {
        Ok((number, hash)) => Notice::new(
            Tone::Ok,
            "The chain holds.",
            format!("{} entries follow one another unchanged; the last hash is {}.", format::number(number), format::hash(&hash)),
        ),
        Err(broken) => Notice::new(Tone::Bad, "The chain is broken.", format!("{}.", capital(&broken.to_string())))
            .more("Keep a copy of the database as it is and compare with the last exported chain before anything else."),
    }
}

fn capital(text: &str) -> String {
    crate::words::capital(text)
}

fn row(entry: &AuditEntry, now: chrono::DateTime<chrono::Utc>) -> Row {
    let content = &entry.content;
    let outcome = match content.outcome.as_str() {
        "done" => Mark::new(Tone::Idle, "done"),
        "refused" => Mark::new(Tone::Warn, "refused"),
        other => Mark::new(Tone::Unk, other),
    };
    Row {
        number: format::number(content.number),
        at: When::moment(now, content.at),
        actor: content.actor.clone(),
        action: content.action.clone(),
        object: content.object.clone(),
        outcome,
        detail: evidence_text(&content.detail),
        hash: Hash::short(&entry.hash),
    }
}

/// The filter as a query string.
fn query(filter: &AuditFilter) -> String {
    query_string(&[
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("object", &filter.object),
        ("outcome", &filter.outcome),
        ("since", &filter.since),
        ("after", &filter.after),
        ("verify", &filter.verify),
    ])
}
