//! Messages over HTTP. What an endpoint answers is not shown to anybody, only its status: whoever may make a channel could
//! otherwise read through Muster what they cannot reach themselves.

use std::time::Duration;

use muster_domain::notification::{
    ChannelKind, ChannelSecrets, Event, Message, is_refusal, pagerduty, slack, teams, webhook,
};
use muster_routing::outbound;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{NotSent, Then};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Where PagerDuty takes events, unless the channel has another address (that of its EU region).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Posts a message as the channel takes it.
///
/// # Errors
/// Why it did not arrive, without its address.
pub(super) async fn post(
    client: &Client,
    allow_private: bool,
    kind: ChannelKind,
    secrets: &ChannelSecrets,
    message: &Message,
    event: &Event,
) -> Result<(), NotSent> {
    let url = address(kind, secrets)?;
    outbound::check_address(&url, allow_private)?;
    let body = body(kind, secrets, message, event).to_string();
    let mut request = client
        .post(url)
        .timeout(ANSWER_WITHIN)
        .header("content-type", "application/json")
        .header("idempotency-key", message.id.to_string());
    if let Some(key) = &secrets.signing_key {
        request = request.header("x-muster-signature", outbound::sign(key, body.as_bytes()));
    }
    let answer = request.body(body).send().await;
    let status = answer.map_err(|e| outbound::why_unreachable(e, ANSWER_WITHIN).reason)?.status();
    if status.is_success() {
        return Ok(());
    }
    let then = if is_refusal(status.as_u16()) { Then::AsRefused } else { Then::Later };
    Err(NotSent { why: format!("the endpoint answered {status}"), then })
}

fn address(kind: ChannelKind, secrets: &ChannelSecrets) -> Result<Url, String> {
    let kept = secrets.url.as_ref().map(SecretString::expose_secret);
    let text = match (kept, kind) {
        (Some(url), _) => url,
        (None, ChannelKind::Pagerduty) => PAGERDUTY,
        (None, ChannelKind::Email | ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Webhook) => {
            return Err("its address is missing".to_owned());
        }
    };
    Url::parse(text.trim()).map_err(|e| format!("its address cannot be read: {e}"))
}

fn body(kind: ChannelKind, secrets: &ChannelSecrets, message: &Message, event: &Event) -> Value {
    match kind {
        ChannelKind::Slack => slack(message),
        ChannelKind::Teams => teams(message),
        ChannelKind::Pagerduty => {
            let mut body = pagerduty(message);
            body["routing_key"] = json!(secrets.routing_key.as_ref().map(SecretString::expose_secret));
            body
        }
        ChannelKind::Webhook | ChannelKind::Email => webhook(message, event),
    }
}
