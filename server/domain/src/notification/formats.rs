//! A message as each kind of channel takes it. What comes from people and clusters goes where the format reads no markup;
//! where there is no such place, its markup is taken away.

use serde_json::{Value, json};

use super::{Alarm, Event, Message};

/// Longest header and longest field of Slack, which refuses the whole message otherwise.
const SLACK_HEADER: usize = 150;
const SLACK_FIELD: usize = 2000;
/// Longest summary of PagerDuty.
const PAGERDUTY_SUMMARY: usize = 1024;

/// A mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// As a mail in plain text: there is no markup to get wrong.
#[must_use]
pub fn email(message: &Message) -> Email {
    let mut body = format!("{}\n\n", message.text);
    for (label, value) in &message.facts {
        body.push_str(&format!("{label}: {value}\n"));
    }
    body.push_str(&format!(
        "\nNext: {}\n{}: {}\n\n-- \nMuster, for team {}\nMessage {}\n",
        message.next_step, message.link_text, message.link, message.team, message.id
    ));
    Email { subject: format!("[muster] {}", message.title), body }
}

/// As Slack's incoming webhooks take it. `text` is what Slack shows in a notification, and all that compatible receivers
/// show.
#[must_use]
pub fn slack(message: &Message) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": cut(&slack_text(text), SLACK_FIELD), "emoji": false});
    let title = slack_text(&message.title);
    let mut text = format!("{title}\n{}", slack_text(&message.text));
    for (label, value) in &message.facts {
        text.push_str(&format!("\n{label}: {}", slack_text(value)));
    }
    let link = format!("<{}|{}>", message.link, message.link_text);
    text.push_str(&format!("\n{} {link}", slack_text(&message.next_step)));
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&title, SLACK_HEADER), "emoji": false}}),
        json!({"type": "section", "text": plain(&message.text)}),
    ];
    let facts: Vec<Value> =
        message.facts.iter().map(|(label, value)| plain(&format!("{label}: {value}"))).collect();
    if !facts.is_empty() {
        blocks.push(json!({"type": "section", "fields": facts}));
    }
    blocks.push(json!({"type": "section", "text": plain(&message.next_step)}));
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]}));
    json!({"text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// Slack's own signs as entities; mentions and links of compatible receivers, which read Markdown, broken by a space
/// nobody sees.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
        .replace("](", "]\u{200b}(")
}

/// As a workflow of Teams takes it: an Adaptive Card. Text blocks read Markdown, text runs read nothing, so all texts are
/// text runs.
#[must_use]
pub fn teams(message: &Message) -> Value {
    let line = |runs: Value| json!({"type": "RichTextBlock", "inlines": runs});
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let strong = |text: &str| json!({"type": "TextRun", "text": text, "weight": "Bolder"});
    let title = json!({"type": "TextRun", "text": message.title, "weight": "Bolder", "size": "Large"});
    let mut body = vec![line(json!([title])), line(json!([run(&message.text)]))];
    for (label, value) in &message.facts {
        body.push(line(json!([strong(&format!("{label}: ")), run(value)])));
    }
    body.push(line(json!([strong("Next: "), run(&message.next_step)])));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": message.link_text, "url": message.link}],
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// As PagerDuty's Events API v2 takes it, without the routing key. Events of one subject have one `dedup_key`: the same
/// message twice is one incident, and what ends an alarm ends that incident.
#[must_use]
pub fn pagerduty(message: &Message) -> Value {
    let mut details = json!({"what": message.text, "next_step": message.next_step, "message": message.id});
    for (label, value) in &message.facts {
        details[*label] = json!(value);
    }
    let pair = message.pair.as_ref().map(ToString::to_string);
    json!({
        "event_action": match message.alarm { Alarm::Open(_) => "trigger", Alarm::Resolved => "resolve" },
        "dedup_key": message.subject,
        "client": "Muster",
        "client_url": message.link,
        "links": [{"href": message.link, "text": message.link_text}],
        "payload": {
            "summary": cut(&message.title, PAGERDUTY_SUMMARY),
            "source": pair.as_deref().unwrap_or("muster"),
            "severity": severity(message),
            "timestamp": message.at,
            "component": pair,
            "group": message.team,
            "class": message.kind,
            "custom_details": details,
        },
    })
}

/// As any program takes it.
#[must_use]
pub fn webhook(message: &Message, event: &Event) -> Value {
    let facts: serde_json::Map<String, Value> =
        message.facts.iter().map(|(label, value)| ((*label).to_owned(), json!(value))).collect();
    json!({
        "id": message.id,
        "at": message.at,
        "event": message.kind,
        "team": message.team,
        "pair": message.pair,
        "subject": message.subject,
        "alarm": match message.alarm { Alarm::Open(_) => "open", Alarm::Resolved => "resolved" },
        "severity": severity(message),
        "title": message.title,
        "text": message.text,
        "facts": facts,
        "next_step": message.next_step,
        "url": message.link,
        "details": event,
    })
}

fn severity(message: &Message) -> &'static str {
    match message.alarm {
        Alarm::Open(severity) => severity.as_str(),
        Alarm::Resolved => "info",
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        // One character less makes room for the mark.
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}
