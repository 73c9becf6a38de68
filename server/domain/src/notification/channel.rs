//! Where a team is told, and of what.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventKind;
use crate::ids::{ChannelName, TeamName};

/// How a channel is reached.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// By e-mail, through the server of Muster's settings.
    Email,
    /// An incoming webhook of Slack, or of what takes the same messages.
    Slack,
    /// A workflow webhook of Microsoft Teams.
    Teams,
    /// Any HTTP endpoint; messages are signed.
    Webhook,
    /// PagerDuty's Events API v2.
    Pagerduty,
}

impl ChannelKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Email, Self::Slack, Self::Teams, Self::Webhook, Self::Pagerduty];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Webhook => "webhook",
            Self::Pagerduty => "pagerduty",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What is sealed for it: needed, and possible.
    fn secrets(self) -> (&'static [SecretField], &'static [SecretField]) {
        use SecretField::{RoutingKey, SigningKey, Url};
        match self {
            Self::Email => (&[], &[]),
            Self::Slack | Self::Teams => (&[Url], &[Url]),
            Self::Webhook => (&[Url, SigningKey], &[Url, SigningKey]),
            Self::Pagerduty => (&[RoutingKey], &[RoutingKey, Url]),
        }
    }
}

/// A place where a team is told, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Channel {
    /// Its id.
    pub id: Uuid,
    /// Team whose events it is told of.
    pub team: TeamName,
    /// Its name within the team.
    pub name: ChannelName,
    /// How it is reached.
    pub kind: ChannelKind,
    /// What it is told of.
    pub events: BTreeSet<EventKind>,
    /// Whether anything is written for it.
    pub enabled: bool,
    /// Addresses mail goes to; none for other kinds.
    pub recipients: Vec<String>,
    /// Host of its address: all of the address that is ever shown.
    pub host: String,
    /// Row version for If-Match.
    pub version: i64,
}

/// A secret a channel may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretField {
    /// [`ChannelSecrets::url`].
    Url,
    /// [`ChannelSecrets::routing_key`].
    RoutingKey,
    /// [`ChannelSecrets::signing_key`].
    SigningKey,
}

impl SecretField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Url, Self::RoutingKey, Self::SigningKey];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::RoutingKey => "routing_key",
            Self::SigningKey => "signing_key",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

/// What opens a channel.
#[derive(Debug, Clone, Default)]
pub struct ChannelSecrets {
    /// Address messages are posted to. Whoever has that of Slack or Teams can write there.
    pub url: Option<SecretString>,
    /// PagerDuty's integration key.
    pub routing_key: Option<SecretString>,
    /// Key of the signature of a webhook's messages.
    pub signing_key: Option<SecretString>,
}

impl ChannelSecrets {
    /// One of them.
    #[must_use]
    pub fn get(&self, field: SecretField) -> Option<&SecretString> {
        match field {
            SecretField::Url => self.url.as_ref(),
            SecretField::RoutingKey => self.routing_key.as_ref(),
            SecretField::SigningKey => self.signing_key.as_ref(),
        }
    }

    /// Names of those that are there.
    #[must_use]
    pub fn fields(&self) -> Vec<SecretField> {
        SecretField::ALL.into_iter().filter(|field| self.get(*field).is_some()).collect()
    }
}

/// Shortest key a signature is worth anything with.
const SHORTEST_KEY: usize = 16;
/// Most addresses of one channel: one refused address holds up the others.
const MOST_RECIPIENTS: usize = 20;

/// Why a channel cannot be kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongChannel {
    /// It would be told of nothing.
    #[error("A channel is told of at least one kind of event")]
    NoEvents,
    /// Every channel is told of tests; none asks for them.
    #[error("`test` is no event a channel asks for")]
    AsksForTests,
    /// E-mail to nobody, or to too many.
    #[error("A channel of kind email has 1 to {MOST_RECIPIENTS} recipients; {0} were given")]
    Recipients(usize),
    /// Recipients of something that is no e-mail.
    #[error("Only a channel of kind email has recipients")]
    NoRecipients,
    /// A secret is missing.
    #[error("A channel of kind {} needs `{}`", .0.as_str(), .1.as_str())]
    Missing(ChannelKind, SecretField),
    /// A secret that means nothing there.
    #[error("A channel of kind {} has no `{}`", .0.as_str(), .1.as_str())]
    Useless(ChannelKind, SecretField),
    /// A key that can be guessed.
    #[error("The signing key has at least {SHORTEST_KEY} characters")]
    ShortKey,
    /// PagerDuty's keys are letters and digits.
    #[error("A routing key of PagerDuty is 1 to 64 letters and digits")]
    RoutingKey,
}

/// Whether a channel holds together. `kept` are secrets stored before, `given` those that are set now.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_channel(
    channel: &Channel,
    kept: &[SecretField],
    given: &ChannelSecrets,
) -> Result<(), WrongChannel> {
    if channel.events.is_empty() {
        return Err(WrongChannel::NoEvents);
    }
    if channel.events.contains(&EventKind::Test) {
        return Err(WrongChannel::AsksForTests);
    }
    let recipients = channel.recipients.len();
    match channel.kind {
        ChannelKind::Email if !(1..=MOST_RECIPIENTS).contains(&recipients) => {
            return Err(WrongChannel::Recipients(recipients));
        }
        ChannelKind::Email => {}
        ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Webhook | ChannelKind::Pagerduty => {
            if recipients > 0 {
                return Err(WrongChannel::NoRecipients);
            }
        }
    }
    let (needed, possible) = channel.kind.secrets();
    if let Some(field) = needed.iter().find(|field| !kept.contains(field) && given.get(**field).is_none()) {
        return Err(WrongChannel::Missing(channel.kind, *field));
    }
    if let Some(field) = given.fields().into_iter().find(|field| !possible.contains(field)) {
        return Err(WrongChannel::Useless(channel.kind, field));
    }
    check_keys(given)
}

fn check_keys(given: &ChannelSecrets) -> Result<(), WrongChannel> {
    if given.signing_key.as_ref().is_some_and(|key| key.expose_secret().len() < SHORTEST_KEY) {
        return Err(WrongChannel::ShortKey);
    }
    let fits = |key: &str| (1..=64).contains(&key.len()) && key.chars().all(|c| c.is_ascii_alphanumeric());
    match &given.routing_key {
        Some(key) if !fits(key.expose_secret()) => Err(WrongChannel::RoutingKey),
        Some(_) | None => Ok(()),
    }
}

/// The events a channel is told of, given those it asks for: what every channel is told of, and to PagerDuty what ends an alarm it
/// was sent, or its incidents would stay open for ever.
#[must_use]
pub fn told_of(kind: ChannelKind, mut events: BTreeSet<EventKind>) -> BTreeSet<EventKind> {
    let any = |of: &[EventKind]| of.iter().any(|event| events.contains(event));
    let runs = any(&[EventKind::ApprovalNeeded, EventKind::WaitingForInput, EventKind::PausedByFailure]);
    let asked = any(&[EventKind::ApprovalNeeded]);
    let readiness = any(&[EventKind::ReadinessWorse]);
    match kind {
        ChannelKind::Pagerduty => {
            events.extend(runs.then_some(EventKind::Ended));
            events.extend(asked.then_some(EventKind::RunStarted));
            events.extend(readiness.then_some(EventKind::ReadinessBetter));
        }
        ChannelKind::Email | ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Webhook => {}
    }
    events.extend(EventKind::ALL.into_iter().filter(|kind| kind.is_always_told()));
    events
}
