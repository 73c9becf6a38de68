//! Findings: all of them with filters kept in the address, and one of them with how it is changed and closed.

use askama::Template;
use chrono::NaiveDate;
use muster_domain::{
    finding::{Finding, Severity},
    people::{Actor, Role},
};

use crate::{
    chrome::Chrome,
    format,
    forms::{FindingFilter, FindingForm},
    parts::{Choice, Field, FieldSet, Link, Mark, Notice, Tone, When},
    runs::query_string,
};

/// One finding in a list.
#[derive(Debug)]
pub(crate) struct FindingRow {
    pub(crate) href: String,
    pub(crate) number: i64,
    pub(crate) text: String,
    pub(crate) pair: String,
    pub(crate) severity: Mark,
    pub(crate) owner: String,
    pub(crate) due: String,
    pub(crate) state: Mark,
}

impl FindingRow {
    /// A finding as a row on a day.
    pub(crate) fn new(finding: &Finding, today: NaiveDate) -> Self {
        Self {
            href: format!("/findings/{}", finding.id),
            number: finding.number,
            text: finding.text.clone(),
            pair: finding.pair.to_string(),
            severity: severity(finding.severity),
            owner: if finding.owner.is_empty() { "nobody".to_owned() } else { finding.owner.clone() },
            due: finding.due.map_or_else(|| "no date".to_owned(), day),
            state: state(finding, today),
        }
    }
}

fn day(day: NaiveDate) -> String {
    day.format("%-d %b %Y").to_string()
}

fn severity(severity: Severity) -> Mark {
    match severity {
        Severity::High => Mark::new(Tone::Bad, "high"),
        Severity::Medium => Mark::new(Tone::Warn, "medium"),
        Severity::Low => Mark::new(Tone::Idle, "low"),
    }
}

fn state(finding: &Finding, today: NaiveDate) -> Mark {
    match &finding.closed {
        Some(_) => Mark::new(Tone::Ok, "closed"),
        None if finding.overdue(today) => Mark::new(Tone::Bad, "overdue"),
        None => Mark::new(Tone::Warn, "open"),
    }
}

/// Whether somebody may raise, change and close findings of a team.
fn may_write(chrome: &Chrome, team: &muster_domain::ids::TeamName) -> bool {
    [Role::Operator, Role::Approver, Role::Owner].iter().any(|role| chrome.may(*role, team))
}

/// `GET /findings`; its filter form sends [`FindingFilter`], the other one posts [`FindingForm`].
#[derive(Debug, Template)]
#[template(path = "pages/findings.html")]
pub struct FindingsPage {
    chrome: Chrome,
    filters: Vec<Field>,
    filtered: bool,
    rows: Vec<FindingRow>,
    older: Option<Link>,
    fields: Option<FieldSet>,
    run: String,
    done: Option<Notice>,
}

impl FindingsPage {
    /// Findings that match, newest first. `pairs` are names with whether this person may raise findings about them;
    /// `form` and `errors` are what was sent before and refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        filter: &FindingFilter,
        pairs: &[(String, bool)],
        found: &[Finding],
        more: bool,
        form: &FindingForm,
        errors: &[(String, String)],
    ) -> Self {
        let today = chrome.now().date_naive();
        let last = found.last().map(|finding| finding.number);
        let older = last.filter(|_| more).map(|number| {
            let next = FindingFilter { after: number.to_string(), ..filter.clone() };
            Link::new(format!("/findings{}", query(&next)), "Older findings")
        });
        let own: Vec<&str> = pairs.iter().filter(|(_, may)| *may).map(|(name, _)| name.as_str()).collect();
        Self {
            filters: filters(filter, pairs),
            filtered: FindingFilter { done: String::new(), ..filter.clone() } != FindingFilter::default(),
            rows: found.iter().map(|finding| FindingRow::new(finding, today)).collect(),
            older,
            fields: (!own.is_empty()).then(|| raise_fields(&own, form, errors)),
            run: form.run.clone(),
            done: (filter.done == "raised").then(|| {
                Notice::new(
                    Tone::Ok,
                    "The finding is raised.",
                    "Its owner closes it with what was done about it.",
                )
            }),
            chrome: chrome.titled("Findings"),
        }
    }
}

fn severities() -> Vec<Choice> {
    let label = |severity| match severity {
        Severity::Low => "low: worth mending",
        Severity::Medium => "medium: costs time in an emergency",
        Severity::High => "high: a failover would lose data or not work",
    };
    Severity::ALL.map(|severity| Choice::new(severity.as_str(), label(severity))).to_vec()
}

fn filters(filter: &FindingFilter, pairs: &[(String, bool)]) -> Vec<Field> {
    let mut of_pairs = vec![Choice::new("", "all pairs")];
    of_pairs.extend(pairs.iter().map(|(pair, _)| Choice::new(pair, pair)));
    let mut bad = vec![Choice::new("", "any severity")];
    bad.extend(Severity::ALL.map(|severity| Choice::new(severity.as_str(), severity.as_str())));
    let states = vec![
        Choice::new("", "open and closed"),
        Choice::new("open", "open"),
        Choice::new("closed", "closed"),
    ];
    [
        Field::select("state", "State", states, &filter.state),
        Field::select("pair", "Pair", of_pairs, &filter.pair),
        Field::select("severity", "Severity", bad, &filter.severity),
        Field::line("text", "Words", "search", &filter.text, "off"),
    ]
    .map(Field::of_filter)
    .to_vec()
}

/// The filter as a query string, empty parts left out.
fn query(filter: &FindingFilter) -> String {
    query_string(&[
        ("state", &filter.state),
        ("pair", &filter.pair),
        ("severity", &filter.severity),
        ("text", &filter.text),
        ("after", &filter.after),
    ])
}

fn raise_fields(own: &[&str], form: &FindingForm, errors: &[(String, String)]) -> FieldSet {
    let pairs = own.iter().map(|pair| Choice::new(*pair, *pair)).collect();
    let mut fields = vec![
        Field::select("pair", "Pair", pairs, &form.pair).required().errors(errors),
        Field::area("text", "What was found", &form.text, 4)
            .help("It is not changed later: another wording is another finding.")
            .required()
            .errors(errors),
    ];
    fields.extend(common_fields(form, errors));
    let note = if form.run.is_empty() { "" } else { "It is kept with the run it came up in." };
    FieldSet::new("What went wrong or surprised", fields).note(note)
}

fn common_fields(form: &FindingForm, errors: &[(String, String)]) -> Vec<Field> {
    vec![
        Field::select("severity", "Severity", severities(), &form.severity).errors(errors),
        Field::text("owner", "Owner", &form.owner).help("The name they sign in with.").errors(errors),
        Field::line("due", "Due", "date", &form.due, "off").errors(errors),
        Field::line("link", "Link to evidence", "url", &form.link, "off").errors(errors),
    ]
}

/// `GET /findings/{id}`; posts [`FindingForm`].
#[derive(Debug, Template)]
#[template(path = "pages/finding.html")]
pub struct FindingPage {
    chrome: Chrome,
    id: String,
    version: i64,
    heading: String,
    text: String,
    severity: Mark,
    state: Mark,
    facts: Vec<(&'static str, String)>,
    pair: String,
    raised: When,
    runs: Vec<(&'static str, Link)>,
    link: String,
    /// Whether it is one a browser may follow; others would act in the reader's name.
    followable: bool,
    closed: bool,
    resolution: String,
    may_write: bool,
    edit: FieldSet,
    close: FieldSet,
    done: Option<Notice>,
}

impl FindingPage {
    /// One finding. `names` gives the runs it speaks of their names; `form` is what was sent before and refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        finding: &Finding,
        names: &[(uuid::Uuid, String)],
        form: Option<&FindingForm>,
        errors: &[(String, String)],
        done: &str,
    ) -> Self {
        let now = chrome.now();
        let kept = as_form(finding);
        let form = form.unwrap_or(&kept);
        let link = |what, run: Option<uuid::Uuid>| {
            let (id, name) = names.iter().find(|(id, _)| Some(*id) == run)?;
            Some((what, Link::new(format!("/runs/{id}"), name)))
        };
        let retest = finding.closed.as_ref().and_then(|closed| closed.retest);
        let mut facts = vec![
            ("Owner", if finding.owner.is_empty() { "nobody".to_owned() } else { finding.owner.clone() }),
            ("Due", finding.due.map_or_else(|| "no date".to_owned(), day)),
            ("Raised by", finding.raised_by.name.clone()),
        ];
        if let Some(closed) = &finding.closed {
            facts.push(("Closed by", format!("{}, {} UTC", closed.by, format::date_time(closed.at))));
        }
        Self {
            id: finding.id.to_string(),
            version: finding.version,
            heading: format!("Finding {}", finding.number),
            text: finding.text.clone(),
            severity: severity(finding.severity),
            state: state(finding, now.date_naive()),
            facts,
            pair: finding.pair.to_string(),
            raised: When::ago(now, finding.raised_at),
            runs: [link("Came up in", finding.run), link("Mended, shown by", retest)]
                .into_iter()
                .flatten()
                .collect(),
            followable: ["https://", "http://"].iter().any(|begins| finding.link.starts_with(begins)),
            link: finding.link.clone(),
            closed: finding.closed.is_some(),
            resolution: finding.closed.as_ref().map(|closed| closed.resolution.clone()).unwrap_or_default(),
            may_write: may_write(&chrome, &finding.team),
            edit: FieldSet::new("What may change", common_fields(form, errors)),
            close: FieldSet::new(
                "It is mended",
                vec![
                    Field::area("resolution", "What was done about it", &form.resolution, 3)
                        .required()
                        .errors(errors),
                    Field::text("retest", "Run that showed it", &form.retest)
                        .help("Its number, if a run did.")
                        .errors(errors),
                ],
            ),
            done: match done {
                "changed" => Some(Notice::new(Tone::Ok, "The finding is changed.", "")),
                "closed" => Some(Notice::new(Tone::Ok, "The finding is closed.", "")),
                "opened" => Some(Notice::new(Tone::Ok, "The finding is open again.", "")),
                _ => None,
            },
            chrome: chrome.titled(format!("Finding {}", finding.number)).under("/findings", "Findings"),
        }
    }
}

/// A finding as its form shows it.
fn as_form(finding: &Finding) -> FindingForm {
    FindingForm {
        severity: finding.severity.as_str().to_owned(),
        owner: finding.owner.clone(),
        due: finding.due.map(|due| due.to_string()).unwrap_or_default(),
        link: finding.link.clone(),
        ..FindingForm::default()
    }
}

/// The form as it is when nothing was typed: about a run, when its page led here.
#[must_use]
pub fn empty_form(person: &Actor, pair: &str, run: &str) -> FindingForm {
    FindingForm {
        pair: pair.to_owned(),
        run: run.to_owned(),
        owner: person.name.clone(),
        ..FindingForm::default()
    }
}
