//! Where teams are told what happens: the channels, what was sent through them, and a form for the next one.

use askama::Template;
use chrono::{DateTime, Utc};
use muster_domain::{
    notification::{Channel, ChannelKind, EventKind},
    people::Role,
    problem::Problem,
};
use uuid::Uuid;

use crate::{
    channel_form::{events_set, places},
    chrome::Chrome,
    forms::ChannelForm,
    parts::{Choice, Ends, Field, FieldSet, Link, Mark, Notice, Tone, When},
    sign_in::notice,
    words,
};

/// A message for a channel, and where it stands.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The channel.
    pub channel: Uuid,
    /// Its name.
    pub channel_name: String,
    /// What it tells.
    pub event: EventKind,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub gave_up_at: Option<DateTime<Utc>>,
    /// Why the last failed attempt failed.
    pub last_error: String,
}

#[derive(Debug)]
struct ChannelRow {
    name: String,
    team: String,
    place: String,
    events: Vec<&'static str>,
    mark: Mark,
    id: String,
    may_change: bool,
}

#[derive(Debug)]
struct SeenRow {
    channel: String,
    event: &'static str,
    at: When,
    mark: Mark,
    said: String,
}

/// `GET /notifications`; posts [`ChannelForm`].
#[derive(Debug, Template)]
#[template(path = "pages/notifications.html")]
pub struct NotificationsPage {
    chrome: Chrome,
    summary: String,
    channels: Vec<ChannelRow>,
    seen: Vec<SeenRow>,
    may_create: bool,
    confirm: Option<Link>,
    sets: Vec<FieldSet>,
    done: Option<Notice>,
    problem: Option<Notice>,
    no_mail: bool,
    ends: Ends,
}

/// What the page is made of.
#[derive(Debug, Clone, Copy)]
pub struct ChannelsSeen<'a> {
    /// Channels of this person's teams.
    pub channels: &'a [Channel],
    /// Whether any of them, on this page or another, is switched on.
    pub any_enabled: bool,
    /// What was sent through them, newest first.
    pub seen: &'a [Seen],
    /// Teams this person may make channels for.
    pub owned: &'a [String],
    /// Whether Muster has a mail server.
    pub has_mail: bool,
    /// Whether this person has just shown that it is them, as whoever enters addresses and keys must.
    pub may_enter_secrets: bool,
}

impl NotificationsPage {
    /// The channels this person may see, all of them unless [`Self::part`] says otherwise. `form` and `problem` are what was sent before, and why it was refused.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        channels_seen: ChannelsSeen<'_>,
        form: Option<&ChannelForm>,
        problem: Option<&Problem>,
        done: &str,
    ) -> Self {
        let ChannelsSeen { channels, any_enabled, seen, owned, has_mail, may_enter_secrets } = channels_seen;
        let now = chrome.now();
        let default = ChannelForm::fresh();
        let form = form.unwrap_or(&default);
        Self {
            summary: summary(any_enabled, seen),
            channels: channels.iter().map(|channel| channel_row(&chrome, channel, seen)).collect(),
            seen: seen.iter().map(|one| seen_row(one, now)).collect(),
            may_create: !owned.is_empty(),
            confirm: (!may_enter_secrets)
                .then(|| Link::new("/reauthenticate?next=/notifications", "Confirm that it is you")),
            sets: new_sets(owned, form),
            done: done_notice(done),
            problem: problem.map(notice),
            no_mail: !has_mail,
            ends: Ends::default(),
            chrome: chrome.titled("Notifications"),
        }
    }

    /// The same with a part of the channels.
    #[must_use]
    pub fn part(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

fn done_notice(done: &str) -> Option<Notice> {
    let (lead, rest) = match done {
        "created" => ("The channel is there.", "Send a test to see that messages arrive."),
        "changed" => ("The channel is changed.", "What happens from now on goes where it says."),
        "tested" => ("A test is on its way.", "Load this page again: it says below whether it arrived."),
        "removed" => ("The channel is removed.", "Nothing more is sent there."),
        _ => return None,
    };
    Some(Notice::new(Tone::Ok, lead, rest))
}

fn summary(any_enabled: bool, seen: &[Seen]) -> String {
    if !any_enabled {
        return "Nobody is told when something happens: people have to look.".to_owned();
    }
    let lost = seen.iter().filter(|one| one.gave_up_at.is_some()).count();
    let late = seen.iter().filter(|one| one.next_at.is_some() && !one.last_error.is_empty()).count();
    match (lost, late) {
        (0, 0) => "Everything that was to be told was told, or is on its way.".to_owned(),
        (0, late) => format!("Not delivered yet: {late} of the last {} messages.", seen.len()),
        (lost, _) => format!("Given up: {lost} of the last {} messages.", seen.len()),
    }
}

fn channel_row(chrome: &Chrome, channel: &Channel, seen: &[Seen]) -> ChannelRow {
    let to = match channel.recipients.is_empty() {
        true => channel.host.clone(),
        false => channel.recipients.join(", "),
    };
    let place = match to.is_empty() {
        true => words::channel_kind(channel.kind).to_owned(),
        false => format!("{}: {to}", words::channel_kind(channel.kind)),
    };
    ChannelRow {
        name: channel.name.to_string(),
        team: channel.team.to_string(),
        place,
        events: channel.events.iter().map(|kind| words::event(*kind)).collect(),
        mark: channel_mark(channel, seen),
        id: channel.id.to_string(),
        may_change: chrome.may(Role::Owner, &channel.team),
    }
}

/// How the channel does, by the last message through it.
fn channel_mark(channel: &Channel, seen: &[Seen]) -> Mark {
    if !channel.enabled {
        return Mark::new(Tone::Idle, "switched off");
    }
    let tried = |one: &&Seen| one.channel == channel.id && one.attempts > 0;
    match seen.iter().find(tried) {
        None => Mark::new(Tone::Unk, "not tried yet"),
        Some(one) if one.delivered_at.is_some() => Mark::new(Tone::Ok, "arrives"),
        Some(one) if one.gave_up_at.is_some() => Mark::new(Tone::Bad, "does not arrive"),
        Some(one) if one.last_error.is_empty() => Mark::new(Tone::Run, "being sent"),
        Some(_) => Mark::new(Tone::Warn, "tried again"),
    }
}

fn seen_row(one: &Seen, now: DateTime<Utc>) -> SeenRow {
    let attempts = match one.attempts {
        1 => "1 attempt".to_owned(),
        n => format!("{n} attempts"),
    };
    let (mark, said) = match (one.delivered_at, one.gave_up_at) {
        (Some(_), _) if one.attempts > 1 => {
            (Mark::new(Tone::Ok, "delivered"), format!("after {attempts}; before: {}", one.last_error))
        }
        (Some(_), _) => (Mark::new(Tone::Ok, "delivered"), String::new()),
        (None, Some(_)) => {
            (Mark::new(Tone::Bad, "given up"), format!("after {attempts}: {}", one.last_error))
        }
        (None, None) if one.last_error.is_empty() => (Mark::new(Tone::Run, "on its way"), String::new()),
        (None, None) => (Mark::new(Tone::Warn, "tried again"), format!("{attempts}: {}", one.last_error)),
    };
    SeenRow {
        channel: one.channel_name.clone(),
        event: words::event(one.event),
        at: When::ago(now, one.at),
        mark,
        said,
    }
}

fn new_sets(owned: &[String], form: &ChannelForm) -> Vec<FieldSet> {
    let teams = owned.iter().map(|team| Choice::new(team, team)).collect();
    let kinds = ChannelKind::ALL.map(|kind| Choice::new(kind.as_str(), words::channel_kind(kind))).to_vec();
    let mut fields = vec![
        Field::select("team", "Team", teams, &form.team).required(),
        Field::text("name", "Name", &form.name).help("Short, such as on-call.").required(),
        Field::select("kind", "Kind", kinds, &form.kind),
    ];
    fields.extend(places(None, &[], form));
    vec![FieldSet::new("A new channel", fields), events_set(form)]
}
