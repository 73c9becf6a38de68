//! `sample()` of the channels.

use std::collections::BTreeSet;

use muster_domain::{
    ids::{ChannelName, TeamName},
    notification::{Channel, ChannelKind, EventKind, SecretField},
    people::Role,
};
use uuid::Uuid;

use super::{
    ago,
    night::{actor, chrome_of},
};
use crate::{
    channel_form::ChannelPage,
    chrome::Brake,
    notifications::{ChannelsSeen, NotificationsPage, Seen},
    parts::Ends,
};

const TEAM: &str = "payments-core";

pub(super) fn channel(id: u128, name: &str, kind: ChannelKind, host: &str) -> Channel {
    Channel {
        id: Uuid::from_u128(id),
        team: TeamName::new(TEAM).expect("a sample's team is a name"),
        name: ChannelName::new(name).expect("a sample's channel is a name"),
        kind,
        events: BTreeSet::from([EventKind::ApprovalNeeded, EventKind::PausedByFailure, EventKind::Ended]),
        enabled: true,
        recipients: Vec::new(),
        host: host.to_owned(),
        version: 1,
    }
}

fn seen(channel: u128, name: &str, event: EventKind, seconds: i64) -> Seen {
    let at = ago(seconds);
    Seen {
        channel: Uuid::from_u128(channel),
        channel_name: name.to_owned(),
        event,
        at,
        attempts: 1,
        next_at: None,
        delivered_at: Some(at),
        gave_up_at: None,
        last_error: String::new(),
    }
}

impl NotificationsPage {
    /// Three channels, one of them deaf, as an owner sees them.
    #[must_use]
    pub fn sample() -> Self {
        let mail = Channel {
            recipients: vec!["oncall@payments.example".to_owned()],
            enabled: false,
            ..channel(1, "mail", ChannelKind::Email, "")
        };
        let channels = [
            mail,
            channel(2, "on-call", ChannelKind::Pagerduty, ""),
            channel(3, "room", ChannelKind::Slack, "hooks.chat.example"),
        ];
        let refused = "the endpoint answered 410 Gone".to_owned();
        let late = Seen {
            attempts: 7,
            delivered_at: None,
            next_at: Some(ago(-200)),
            last_error: refused.clone(),
            ..seen(3, "room", EventKind::PausedByFailure, 640)
        };
        let lost = Seen {
            attempts: 31,
            delivered_at: None,
            gave_up_at: Some(ago(1800)),
            last_error: refused,
            ..seen(3, "room", EventKind::DrillOverdue, 90_000)
        };
        let found = [late, seen(2, "on-call", EventKind::PausedByFailure, 640), lost];
        let owner = actor(9, "marta.kowalczyk", &[Role::Owner]);
        let chrome = chrome_of(Some(owner), "/notifications", Brake::Released);
        let owned = [TEAM.to_owned()];
        let channels_seen = ChannelsSeen {
            channels: &channels,
            any_enabled: true,
            seen: &found,
            owned: &owned,
            has_mail: false,
            may_enter_secrets: true,
        };
        let ends =
            Ends::new("channels", None, Some("/notifications?after=channel~payments-core~room".to_owned()));
        Self::new(chrome, channels_seen, None, None, "tested").part(ends)
    }

    /// An owner who signed in a while ago.
    #[must_use]
    pub fn sample_late() -> Self {
        let owner = actor(9, "marta.kowalczyk", &[Role::Owner]);
        let chrome = chrome_of(Some(owner), "/notifications", Brake::Released);
        let owned = [TEAM.to_owned()];
        let channels_seen = ChannelsSeen {
            channels: &[],
            any_enabled: false,
            seen: &[],
            owned: &owned,
            has_mail: true,
            may_enter_secrets: false,
        };
        Self::new(chrome, channels_seen, None, None, "")
    }

    /// The first visit of somebody who may set up nothing.
    #[must_use]
    pub fn sample_empty() -> Self {
        let viewer = actor(10, "wei", &[Role::Viewer]);
        let chrome = chrome_of(Some(viewer), "/notifications", Brake::Released);
        let channels_seen = ChannelsSeen {
            channels: &[],
            any_enabled: false,
            seen: &[],
            owned: &[],
            has_mail: true,
            may_enter_secrets: true,
        };
        Self::new(chrome, channels_seen, None, None, "")
    }
}

impl ChannelPage {
    /// A webhook.
    #[must_use]
    pub fn sample() -> Self {
        let owner = actor(9, "marta.kowalczyk", &[Role::Owner]);
        let chrome = chrome_of(Some(owner), "/notifications", Brake::Released);
        let channel = channel(4, "runbook-bot", ChannelKind::Webhook, "bots.payments.example");
        Self::new(chrome, &channel, &[SecretField::Url, SecretField::SigningKey], None, None)
    }
}
