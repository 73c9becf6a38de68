//! Notification channels: made, changed, tried, removed. What opens them goes in sealed and never comes out again.

use std::collections::BTreeSet;

use muster_domain::{
    ids::{ChannelName, TeamName},
    notification::{Channel, ChannelKind, ChannelSecrets, Event, EventKind, check_channel, told_of},
    people::{Actor, Role},
};
use muster_routing::outbound;
use muster_store::{StoreError, channels, outbox, secrets};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit_trail::{self, Entry},
    needs_role,
};
use crate::{
    app::App,
    http::{Answer, Failure, check_version},
};

/// A channel to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"team": "core-platform", "name": "on-call", "kind": "email", "events": ["approval_needed", "ended"],
    "recipients": ["oncall@example.com"]}))]
pub struct NewChannel {
    /// Team whose events it is told of.
    pub team: TeamName,
    /// Its name within the team.
    pub name: ChannelName,
    /// How it is reached.
    pub kind: ChannelKind,
    /// What it is told of. `break_glass` is added: every channel is told of that.
    pub events: BTreeSet<EventKind>,
    /// Whether anything is written for it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Mail addresses, for e-mail.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// Address messages are posted to. For PagerDuty only when it is not the usual one.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub url: Option<SecretString>,
    /// PagerDuty's integration key.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub routing_key: Option<SecretString>,
    /// Key of the signature of a webhook's messages, 16 characters or more.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub signing_key: Option<SecretString>,
}

fn yes() -> bool {
    true
}

/// Changes to a channel; what is left out stays. Its kind and team stay for good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"events": ["approval_needed", "paused_by_failure", "ended"]}))]
pub struct ChannelEdit {
    /// Its name within the team.
    #[serde(default)]
    pub name: Option<ChannelName>,
    /// What it is told of, all of it but `break_glass`, of which every channel is told.
    #[serde(default)]
    pub events: Option<BTreeSet<EventKind>>,
    /// Whether anything is written for it. Off gives up what is still to be sent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Mail addresses, all of them.
    #[serde(default)]
    pub recipients: Option<Vec<String>>,
    /// Another address; left out or empty, the kept one stays.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub url: Option<SecretString>,
    /// Another integration key.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub routing_key: Option<SecretString>,
    /// Another key of signatures.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub signing_key: Option<SecretString>,
}

/// A channel as it is shown: which secrets are kept, never what they are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelView {
    /// The channel.
    #[serde(flatten)]
    pub channel: Channel,
    /// Names of the secrets that are kept.
    pub secrets_kept: Vec<String>,
}

/// A channel as it is shown.
///
/// # Errors
/// When the database refuses.
pub async fn view(conn: &mut PgConnection, channel: Channel) -> Answer<ChannelView> {
    let kept = secrets::channels::fields(conn, channel.id).await?;
    Ok(ChannelView { channel, secrets_kept: kept.iter().map(|field| field.as_str().to_owned()).collect() })
}

/// A channel this person may see.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Channel> {
    let found = channels::get(conn, id).await?;
    found
        .filter(|channel| actor.may_read(&channel.team))
        .ok_or_else(|| Failure::not_found("channel", &id.to_string()))
}

/// Makes a channel.
///
/// # Errors
/// `forbidden`, `name-taken`, `invalid-request`.
pub async fn create(
    app: &App,
    conn: &mut PgConnection,
    new: NewChannel,
    actor: &Actor,
) -> Answer<ChannelView> {
    needs_role(actor, Role::Owner, &new.team)?;
    let given = given(new.url, new.routing_key, new.signing_key);
    let mut channel = Channel {
        id: Uuid::now_v7(),
        team: new.team,
        name: new.name,
        kind: new.kind,
        events: new.events,
        enabled: new.enabled,
        recipients: new.recipients,
        host: String::new(),
        version: 1,
    };
    check(app, &mut channel, &[], &given)?;
    channel.events = told_of(channel.kind, channel.events);
    channels::insert(conn, &channel).await?;
    secrets::channels::put(conn, &app.secrets_key, channel.id, &given).await?;
    told(conn, actor, "channel.create", &channel, &given).await?;
    view(conn, channel).await
}

/// Changes a channel.
///
/// # Errors
/// `edited-in-between`, `forbidden`, `not-found`, `name-taken`, `invalid-request`.
pub async fn change(
    app: &App,
    conn: &mut PgConnection,
    id: Uuid,
    version: Option<i64>,
    edit: ChannelEdit,
    actor: &Actor,
) -> Answer<ChannelView> {
    let mut channel = owned(conn, id, actor).await?;
    check_version(version, channel.version)?;
    let given = given(edit.url, edit.routing_key, edit.signing_key);
    channel.name = edit.name.unwrap_or(channel.name);
    channel.events = edit.events.unwrap_or(channel.events);
    channel.enabled = edit.enabled.unwrap_or(channel.enabled);
    channel.recipients = edit.recipients.unwrap_or(channel.recipients);
    let kept = secrets::channels::fields(conn, id).await?;
    check(app, &mut channel, &kept, &given)?;
    channel.events = told_of(channel.kind, channel.events);
    if !channels::update(conn, &channel).await? {
        return Err(StoreError::Stale { op: "change channel" }.into());
    }
    secrets::channels::put(conn, &app.secrets_key, id, &given).await?;
    told(conn, actor, "channel.change", &channel, &given).await?;
    view(conn, Channel { version: channel.version + 1, ..channel }).await
}

/// Writes a message that only tries the channel; it goes the way all messages go.
///
/// # Errors
/// `forbidden`, `not-found`.
pub async fn test(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<()> {
    let channel = owned(conn, id, actor).await?;
    let event = Event::Test { channel: id, name: channel.name.clone(), by: actor.name.clone() };
    outbox::write_to(conn, &channel.team, &event, id).await?;
    told(conn, actor, "channel.test", &channel, &ChannelSecrets::default()).await
}

/// Removes a channel with what it was still to send.
///
/// # Errors
/// `edited-in-between`, `forbidden`, `not-found`.
pub async fn remove(conn: &mut PgConnection, id: Uuid, version: Option<i64>, actor: &Actor) -> Answer<()> {
    let channel = owned(conn, id, actor).await?;
    check_version(version, channel.version)?;
    channels::remove(conn, id).await?;
    told(conn, actor, "channel.delete", &channel, &ChannelSecrets::default()).await
}

async fn owned(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Channel> {
    let channel = get(conn, id, actor).await?;
    needs_role(actor, Role::Owner, &channel.team)?;
    Ok(channel)
}

/// Those that are given; an empty one counts as left out.
fn given(
    url: Option<SecretString>,
    routing_key: Option<SecretString>,
    signing_key: Option<SecretString>,
) -> ChannelSecrets {
    let given = |secret: Option<SecretString>| secret.filter(|s| !s.expose_secret().trim().is_empty());
    ChannelSecrets { url: given(url), routing_key: given(routing_key), signing_key: given(signing_key) }
}

/// Whether it holds together; keeps the host of a new address.
fn check(
    app: &App,
    channel: &mut Channel,
    kept: &[muster_domain::notification::SecretField],
    given: &ChannelSecrets,
) -> Answer<()> {
    check_channel(channel, kept, given).map_err(|wrong| Failure::invalid(format!("{wrong}.")))?;
    if let Some(bad) = channel.recipients.iter().find(|text| !is_address(text)) {
        return Err(Failure::invalid(format!("`{bad}` is no mail address like oncall@example.com.")));
    }
    let Some(url) = &given.url else { return Ok(()) };
    let wrong = |why: String| Failure::invalid(format!("The address cannot be used: {why}."));
    let url = Url::parse(url.expose_secret().trim()).map_err(|e| wrong(e.to_string()))?;
    outbound::check_address(&url, app.courier.allows_private()).map_err(wrong)?;
    channel.host = url.host_str().unwrap_or_default().to_owned();
    Ok(())
}

fn is_address(text: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | ',');
    !text.contains(odd) && text.parse::<lettre::Address>().is_ok()
}

/// What the audit keeps: what it is told of and which secrets were set, never their content, and how many recipients.
async fn told(
    conn: &mut PgConnection,
    actor: &Actor,
    action: &str,
    channel: &Channel,
    given: &ChannelSecrets,
) -> Answer<()> {
    let set: Vec<&str> = given.fields().into_iter().map(|field| field.as_str()).collect();
    let detail = json!({"team": channel.team, "name": channel.name, "kind": channel.kind, "host": channel.host,
        "events": channel.events, "enabled": channel.enabled, "recipients": channel.recipients.len(),
        "secrets_set": set});
    let object = format!("channel {}", channel.id);
    audit_trail::record(conn, actor, Entry::done(action, &object, detail)).await
}
