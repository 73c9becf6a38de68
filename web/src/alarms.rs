//! Alarms of silent loss: each says where, since when, what was lost and what to do. Filters are kept in the address.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    alarm::{AlarmCode, StandingAlarm},
    notification::Severity,
};
use uuid::Uuid;

use crate::{
    chrome::Chrome,
    format,
    forms::AlarmFilter,
    lag_address::{around, around_partition},
    lag_marks::while_it_was,
    parts::{Action, Choice, Field, Link, Mark, Notice, Tone, When},
    readiness::{Check, CheckState},
    runs::query_string,
};

/// What is done about an alarm where it is shown.
#[derive(Debug)]
enum Act {
    /// The form that acknowledges it, and the list it is shown in, which the answer comes back to.
    Form(Field, String),
    /// The way to the form.
    Page(Link),
    /// Why it cannot be acknowledged, or not by who looks.
    Refused(Action),
}

/// Where an alarm is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// On the page of its pair.
    OnPair,
    /// In the list of this address, with a form for it that was refused.
    InList(&'a str, Option<Refused<'a>>),
}

/// A form that was sent for an alarm and refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The alarm.
    pub id: Uuid,
    /// Why.
    pub why: &'a str,
    /// What was written.
    pub comment: &'a str,
}

/// One alarm, as a list and the pair's page show it.
#[derive(Debug, Template)]
#[template(path = "parts/alarm.html")]
pub(crate) struct AlarmView {
    id: String,
    number: i64,
    title: &'static str,
    code: &'static str,
    subject: String,
    pair: String,
    course: String,
    state: Mark,
    said: String,
    places: Vec<PlaceView>,
    more_places: usize,
    since: String,
    lost: String,
    seen: When,
    not_seen_because: String,
    facts: Vec<String>,
    next_step: String,
    command: Option<String>,
    ended: Option<(String, String)>,
    act: Option<Act>,
    course_href: String,
}
impl HtmlSafe for AlarmView {}

/// Where exactly.
#[derive(Debug)]
struct PlaceView {
    name: String,
    said: String,
    /// The lag of the partition while the alarm was open.
    lag: Option<String>,
}

impl AlarmView {
    /// An alarm; `may_acknowledge` is whether who looks may, where somebody has to.
    pub(crate) fn new(
        kept: &StandingAlarm,
        may_acknowledge: bool,
        shown: Shown<'_>,
        now: DateTime<Utc>,
    ) -> Self {
        let alarm = &kept.alarm;
        let pair = kept.pair.as_str();
        // Of the flow it is about, whichever side is active by now.
        let source = alarm.course.split_once(" → ").map_or("", |(source, _)| source);
        let time = while_it_was(
            alarm.since.after.unwrap_or(alarm.since.by),
            kept.ended.as_ref().map(|ended| ended.at),
            now,
        );
        Self {
            id: kept.id.to_string(),
            number: kept.number,
            title: alarm.code.title(),
            code: alarm.code.as_str(),
            subject: alarm.subject.clone(),
            pair: kept.pair.to_string(),
            course: alarm.course.clone(),
            course_href: around(pair, source, "", time),
            state: state(kept),
            said: alarm.said.clone(),
            places: alarm
                .places
                .iter()
                .map(|place| PlaceView {
                    name: place.name.clone(),
                    said: place.said.clone(),
                    lag: place.partition.as_ref().map(|at| around_partition(pair, source, at, time)),
                })
                .collect(),
            more_places: alarm.more_places,
            since: alarm.since.said(),
            lost: alarm.lost.said(),
            seen: When::ago(now, kept.last_seen_at),
            not_seen_because: kept.not_seen_because.clone(),
            facts: alarm.facts.clone(),
            next_step: alarm.next_step.clone(),
            command: alarm.command.clone(),
            ended: kept.ended.as_ref().map(|ended| {
                let at = format::date_time(ended.at);
                match &ended.by {
                    Some(by) => (format!("{at} UTC, acknowledged by {by}"), ended.comment.clone()),
                    None => (format!("{at} UTC"), "A survey showed that its cause is gone.".to_owned()),
                }
            }),
            act: act(kept, may_acknowledge, shown),
        }
    }
}

fn act(kept: &StandingAlarm, may_acknowledge: bool, shown: Shown<'_>) -> Option<Act> {
    if kept.ended.is_some() {
        return None;
    }
    let label = format!("Acknowledge alarm {}", kept.number);
    let refused = |rule: String| Some(Act::Refused(Action::refused(label.as_str(), rule)));
    if !kept.waits_for_somebody() {
        return refused(
            "Nobody has to: it ends by itself when a survey shows that its cause is gone.".to_owned(),
        );
    }
    if !may_acknowledge {
        return refused(format!("Only operators of {} acknowledge it.", kept.team));
    }
    Some(match shown {
        Shown::OnPair => {
            let href =
                format!("/alarms{}#alarm-{}", query_string(&[("pair", kept.pair.as_str())]), kept.number);
            Act::Page(Link::new(href, label))
        }
        Shown::InList(list, sent) => {
            let sent = sent.filter(|sent| sent.id == kept.id);
            let comment = sent.map_or("", |sent| sent.comment);
            let errors: Vec<_> =
                sent.map(|sent| ("comment".to_owned(), sent.why.to_owned())).into_iter().collect();
            let field =
                Field::area("comment", "What was done about it, or why nothing has to be", comment, 2);
            let field = field.of_form(format!("alarm-{}", kept.number)).required().errors(&errors);
            Act::Form(field, list.to_owned())
        }
    })
}

fn state(kept: &StandingAlarm) -> Mark {
    if kept.ended.is_some() {
        return Mark::new(Tone::Idle, "ended");
    }
    if !kept.not_seen_because.is_empty() {
        return Mark::new(Tone::Unk, "open, not seen again");
    }
    match kept.alarm.severity() {
        Severity::Warning if kept.alarm.likely => Mark::new(Tone::Warn, "likely, not proven"),
        Severity::Critical => Mark::new(Tone::Bad, "critical"),
        Severity::Warning | Severity::Info => Mark::new(Tone::Warn, "warning"),
    }
}

/// An open alarm as a cause in the problems strip.
pub(crate) fn as_problem(kept: &StandingAlarm) -> Check {
    let state = match (kept.not_seen_because.is_empty(), kept.is_bad()) {
        (false, _) => CheckState::Unknown,
        (true, true) => CheckState::Critical,
        (true, false) => CheckState::Warning,
    };
    Check {
        code: kept.alarm.code.as_str().to_owned(),
        group: String::new(),
        state,
        reason: kept.alarm.said.clone(),
        next_step: kept.alarm.next_step.clone(),
        at: kept.last_seen_at,
    }
}

/// `GET /alarms`; its filter form sends [`AlarmFilter`], each alarm's form posts [`crate::forms::AcknowledgeForm`].
#[derive(Debug, Template)]
#[template(path = "pages/alarms.html")]
pub struct AlarmsPage {
    chrome: Chrome,
    again: String,
    filters: Vec<Field>,
    filtered: bool,
    alarms: Vec<AlarmView>,
    older: Option<Link>,
    done: Option<Notice>,
}

impl AlarmsPage {
    /// Alarms that match, newest first, each with whether this person may acknowledge it. `refused` is a form that was sent for
    /// one of them; that one is shown before the others.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        filter: &AlarmFilter,
        pairs: &[String],
        found: &[(&StandingAlarm, bool)],
        more: bool,
        refused: Option<Refused<'_>>,
    ) -> Self {
        let now = chrome.now();
        let filter_only = AlarmFilter { done: String::new(), ..filter.clone() };
        let last = found.last().map(|(alarm, _)| alarm.number);
        let older = last.filter(|_| more).map(|number| {
            let next = AlarmFilter { after: number.to_string(), ..filter_only.clone() };
            Link::new(address(&next), "Older alarms")
        });
        let list = address(&filter_only);
        let shown = Shown::InList(&list, refused);
        let view = |(alarm, may): &(&StandingAlarm, bool)| AlarmView::new(alarm, *may, shown, now);
        // A form somebody writes in is not taken away by looking again.
        let has_form = found.iter().any(|(alarm, may)| *may && alarm.waits_for_somebody());
        Self {
            again: address(filter),
            filters: filters(filter, pairs),
            filtered: filter_only != AlarmFilter::default(),
            alarms: found.iter().map(view).collect(),
            older,
            done: (filter.done == "acknowledged").then(|| {
                Notice::new(Tone::Ok, "The alarm is acknowledged.", "It is kept with what you said of it.")
            }),
            chrome: if has_form { chrome.titled("Alarms") } else { chrome.titled("Alarms").refreshing(30) },
        }
    }
}

fn filters(filter: &AlarmFilter, pairs: &[String]) -> Vec<Field> {
    let states =
        vec![Choice::new("", "open"), Choice::new("ended", "ended"), Choice::new("all", "open and ended")];
    let mut of_pairs = vec![Choice::new("", "all pairs")];
    of_pairs.extend(pairs.iter().map(|pair| Choice::new(pair, pair)));
    let mut codes = vec![Choice::new("", "any alarm")];
    codes.extend(AlarmCode::ALL.map(|code| Choice::new(code.as_str(), code.title())));
    [
        Field::select("state", "State", states, &filter.state),
        Field::select("pair", "Pair", of_pairs, &filter.pair),
        Field::select("code", "Alarm", codes, &filter.code),
    ]
    .map(Field::of_filter)
    .to_vec()
}

/// The address of the alarms that match, empty parts left out.
#[must_use]
pub fn address(filter: &AlarmFilter) -> String {
    let query = query_string(&[
        ("state", &filter.state),
        ("pair", &filter.pair),
        ("code", &filter.code),
        ("after", &filter.after),
        ("done", &filter.done),
    ]);
    format!("/alarms{query}")
}
