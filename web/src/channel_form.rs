//! The fields of a notification channel, and editing one. Addresses and keys go in and never come out.

use askama::Template;
use muster_domain::{
    notification::{Channel, ChannelKind, EventKind, SecretField},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    forms::ChannelForm,
    parts::{Field, FieldSet, Notice},
    sign_in::notice,
    words,
};

impl From<&Channel> for ChannelForm {
    fn from(channel: &Channel) -> Self {
        let mut form = Self {
            team: channel.team.to_string(),
            name: channel.name.to_string(),
            kind: channel.kind.as_str().to_owned(),
            recipients: channel.recipients.join("\n"),
            enabled: if channel.enabled { "on".to_owned() } else { String::new() },
            version: channel.version,
            ..Self::default()
        };
        for kind in EventKind::ALL {
            form.ask_for(kind, channel.events.contains(&kind));
        }
        form
    }
}

/// `GET /notifications/{channel}/edit`; posts [`ChannelForm`] there.
#[derive(Debug, Template)]
#[template(path = "pages/form.html")]
pub struct ChannelPage {
    chrome: Chrome,
    heading: String,
    lead: String,
    problem: Option<Notice>,
    action: String,
    version: i64,
    sets: Vec<FieldSet>,
    button: String,
    back: String,
}

impl ChannelPage {
    /// A channel to edit, as it is or as it was sent. `kept` are the secrets it has.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        channel: &Channel,
        kept: &[SecretField],
        form: Option<&ChannelForm>,
        problem: Option<&Problem>,
    ) -> Self {
        let present = ChannelForm::from(channel);
        let form = form.unwrap_or(&present);
        let heading = format!("Edit channel {}", channel.name);
        let mut fields = vec![
            Field::text("name", "Name", &form.name).required(),
            Field::check("enabled", "messages are sent", form.enabled == "on"),
        ];
        fields.extend(places(Some(channel.kind), kept, form));
        Self {
            chrome: chrome.titled(heading.clone()).under("/notifications", "Notifications"),
            heading,
            lead: format!("Of team {}; {}.", channel.team, words::channel_kind(channel.kind)),
            problem: problem.map(notice),
            action: format!("/notifications/{}/edit", channel.id),
            version: form.version,
            sets: vec![FieldSet::new("The channel", fields), events_set(form)],
            button: format!("Save channel {}", channel.name),
            back: "/notifications".to_owned(),
        }
    }
}

/// Where messages go. Of a new channel every field; of one that is edited those of its kind.
pub(crate) fn places(kind: Option<ChannelKind>, kept: &[SecretField], form: &ChannelForm) -> Vec<Field> {
    let of = |kinds: &[ChannelKind]| kind.is_none_or(|kind| kinds.contains(&kind));
    let mut fields = Vec::new();
    if of(&[ChannelKind::Email]) {
        fields.push(
            Field::area("recipients", "Recipients", &form.recipients, 2)
                .help("Mail addresses, for e-mail only; one a line."),
        );
    }
    if of(&[ChannelKind::Slack, ChannelKind::Teams, ChannelKind::Webhook, ChannelKind::Pagerduty]) {
        let help = match kind {
            Some(ChannelKind::Pagerduty) => "Only when it is not PagerDuty's usual one.",
            Some(ChannelKind::Email | ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Webhook) => {
                "Of the webhook."
            }
            None => "Of the webhook. For PagerDuty only when it is not the usual one.",
        };
        fields.push(Field::secret("url", "Address", kept.contains(&SecretField::Url)).help(help));
    }
    if of(&[ChannelKind::Webhook]) {
        fields.push(
            Field::secret("signing_key", "Signing key", kept.contains(&SecretField::SigningKey))
                .help("For a webhook: 16 characters or more; the receiver checks signatures with it."),
        );
    }
    if of(&[ChannelKind::Pagerduty]) {
        fields.push(
            Field::secret("routing_key", "Integration key", kept.contains(&SecretField::RoutingKey))
                .help("For PagerDuty: of an Events API v2 integration."),
        );
    }
    fields
}

pub(crate) fn events_set(form: &ChannelForm) -> FieldSet {
    let fields = EventKind::ALL.map(|kind| match kind.is_always_told() {
        true => Field::always(kind.as_str(), words::event(kind)),
        false => Field::check(kind.as_str(), words::event(kind), form.asks_for(kind)),
    });
    FieldSet::new("Told of", fields.to_vec()).note(
        "Every channel is told when somebody breaks the glass. PagerDuty is also told of what ends an incident, whether it is \
         ticked or not.",
    )
}
