//! What changed of ACLs, configs and topic ids, in words.

use chrono::{DateTime, SecondsFormat, Utc};
use muster_domain::{
    acl::AclBinding,
    pair::Pair,
    recorder::{Changed, FactChange, FactKind, FactsLeftOut, RecreatedTopic, TopicIdSeen, WhatChanged},
    topic::{ConfigEntry, ConfigSource},
};
use uuid::Uuid;

use crate::{
    format,
    parts::{Mark, Tone, When},
    runs::query_string,
};

/// Changes listed of one kind at one time.
const LISTED: usize = 20;
/// Topics named of one change.
const NAMED: usize = 8;

/// One change.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) mark: Mark,
    pub(crate) said: String,
    pub(crate) names: String,
}

/// What a survey saw changed of one kind on one side.
#[derive(Debug)]
pub(crate) struct ChangeRow {
    pub(crate) no: String,
    pub(crate) title: String,
    pub(crate) seen: When,
    pub(crate) age: String,
    /// Stands before the note where something is not known.
    pub(crate) mark: Option<Mark>,
    pub(crate) note: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) more: usize,
    pub(crate) json: String,
}

/// A topic that was recreated.
#[derive(Debug)]
pub(crate) struct RecreatedRow {
    pub(crate) topic: String,
    pub(crate) cluster: String,
    pub(crate) ids: Vec<(String, String)>,
}

/// What a survey saw changed.
pub(crate) fn change_row(pair: &Pair, change: &FactChange, now: DateTime<Utc>) -> ChangeRow {
    let cluster = pair.cluster(change.side);
    let what = kind_said(change.kind);
    let mark = match &change.what {
        WhatChanged::CannotBeTold | WhatChanged::LeftOut | WhatChanged::KeptAgain => {
            Some(Mark::new(Tone::Unk, "not known"))
        }
        WhatChanged::FirstKept | WhatChanged::These(_) => None,
    };
    let (note, changes): (&str, &[Changed]) = match &change.what {
        WhatChanged::FirstKept => ("The first that are kept: nothing is known of what was before.", &[]),
        WhatChanged::CannotBeTold => ("What changed cannot be told: what is kept does not read back.", &[]),
        WhatChanged::LeftOut => (
            "Something changed that is not kept: changes of that day had taken as much room as they may. What changed from then on is not \
             known until they are kept whole again.",
            &[],
        ),
        WhatChanged::KeptAgain => (
            "They are kept whole again after changes were left out: what changed meanwhile is not known.",
            &[],
        ),
        WhatChanged::These(changes) if changes.is_empty() => match change.kind {
            FactKind::Acls => ("Only how many brokers knew of bindings changed, none of the bindings.", &[]),
            FactKind::Configs => ("Only how they are kept changed, none of the values.", &[]),
        },
        WhatChanged::These(changes) => ("", changes),
    };
    ChangeRow {
        no: format!("{cluster}-{}-{}", change.kind.as_str(), change.at.timestamp_millis()),
        title: format!("{what} of {cluster}"),
        seen: When::full(change.at),
        age: format::ago(now, change.at),
        mark,
        note: note.to_owned(),
        lines: changes.iter().take(LISTED).map(line).collect(),
        more: changes.len().saturating_sub(LISTED),
        json: json(pair, change),
    }
}

fn kind_said(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Acls => "ACLs",
        FactKind::Configs => "Configs of topics",
    }
}

/// Of what and since when nothing is known: no change in the list is not that nothing changed.
pub(crate) fn left_out_said(pair: &Pair, gap: &FactsLeftOut) -> String {
    let (what, cluster) = (kind_said(gap.kind), pair.cluster(gap.side));
    let since = format::date_time(gap.since);
    let until = match gap.until {
        Some(until) => format!("to {} UTC", format::date_time(until)),
        None => "on, until they are kept whole again with the first survey of the next day".to_owned(),
    };
    format!(
        "{what} of {cluster} from {since} UTC {until}: changes of that day had taken as much room as they may, so those after them are \
         not recorded."
    )
}

/// Everything as it was from then on.
fn json(pair: &Pair, change: &FactChange) -> String {
    let at = change.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let query = query_string(&[
        ("kind", change.kind.as_str()),
        ("cluster", pair.cluster(change.side).as_str()),
        ("at", &at),
    ]);
    format!("/api/v1/pairs/{}/facts{query}", pair.name)
}

fn line(change: &Changed) -> Line {
    let of_topics = |topics: &[String]| {
        format!("{}: {}", format::count(topics.len(), "topic"), format::list(topics, NAMED))
    };
    let (mark, said, names) = match change {
        Changed::Authorizer(true) => {
            (Mark::new(Tone::Idle, "now"), "The cluster has an authorizer.".to_owned(), String::new())
        }
        Changed::Authorizer(false) => (
            Mark::new(Tone::Warn, "now"),
            "The cluster has no authorizer: nothing is refused to anybody, and nothing can be fenced."
                .to_owned(),
            String::new(),
        ),
        Changed::AclAdded(binding) => (Mark::new(Tone::Idle, "added"), acl(binding), String::new()),
        Changed::AclRemoved(binding) => (Mark::new(Tone::Idle, "removed"), acl(binding), String::new()),
        Changed::Config { key, before, after, topics } => (
            Mark::new(Tone::Idle, "changed"),
            format!("`{key}` from {} to {}", value(before.as_ref()), value(after.as_ref())),
            of_topics(topics),
        ),
        Changed::TopicsAdded(topics) => (
            Mark::new(Tone::Idle, "read first"),
            "Topics that had not been read before.".to_owned(),
            of_topics(topics),
        ),
        Changed::TopicsGone(topics) => (
            Mark::new(Tone::Warn, "read no more"),
            "Topics that are gone, out of scope, or refused.".to_owned(),
            of_topics(topics),
        ),
    };
    Line { mark, said, names }
}

/// `ALLOW Write on Topic ...`: as the differences of the pair say it.
fn acl(binding: &AclBinding) -> String {
    format!("{binding}.")
}

/// A value as it is set, and where.
fn value(entry: Option<&ConfigEntry>) -> String {
    let Some(entry) = entry else { return "no value".to_owned() };
    let set = match entry.source {
        ConfigSource::Topic => "set on the topic",
        ConfigSource::DynamicBroker => "set on brokers",
        ConfigSource::StaticBroker => "from the brokers' files",
        ConfigSource::Default => "the default",
        ConfigSource::Other => "from elsewhere",
    };
    match &entry.value {
        Some(text) if text.is_empty() => format!("empty ({set})"),
        Some(text) => format!("`{text}` ({set})"),
        None => format!("a value that is not told ({set})"),
    }
}

/// When surveys saw an id: it began before the first of them and was over after the last, and before the next id was seen.
fn by_surveys(first: DateTime<Utc>, last: Option<DateTime<Utc>>) -> String {
    let first = format::date_time(first);
    match last {
        Some(last) => format!("from {first} to {} UTC", format::date_time(last)),
        None => format!("since {first} UTC"),
    }
}

/// A topic with each of its ids.
pub(crate) fn recreated_row(pair: &Pair, topic: &RecreatedTopic) -> RecreatedRow {
    let newest = topic.ids.len().saturating_sub(1);
    let id = |(number, seen): (usize, &TopicIdSeen)| {
        let id = if seen.id == Uuid::nil() { "no id".to_owned() } else { seen.id.to_string() };
        let day = format::date(seen.seen_at);
        let when = match seen.surveys {
            Some((first, last)) => by_surveys(first, last),
            None if number == newest => format!("since then; seen on {day}"),
            None => format!("until some time on {day}, the last day on which it was seen"),
        };
        (id, when)
    };
    RecreatedRow {
        topic: topic.topic.clone(),
        cluster: pair.cluster(topic.side).to_string(),
        ids: topic.ids.iter().enumerate().map(id).collect(),
    }
}
