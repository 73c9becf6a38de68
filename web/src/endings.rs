//! What the page says before sessions are ended and before an API token is revoked.

use chrono::{DateTime, Utc};

use crate::{
    account::{SessionSeen, TokenSeen, address, scopes},
    chrome::Chrome,
    client::client_words,
    danger::{Danger, DangerPage},
    format,
    parts::Link,
};

impl DangerPage {
    /// Before one of one's own sessions is ended.
    #[must_use]
    pub fn end_session(chrome: Chrome, session: &SessionSeen) -> Self {
        let now = chrome.now();
        let client = client_words(&session.user_agent);
        let from = address(session);
        let facts = vec![
            ("Client", client.clone()),
            ("From", from.clone()),
            ("Begun", format!("{} UTC", format::date_time(session.begun_at))),
            ("Last used", format::ago(now, session.last_used_at)),
            ("Goes on", "your other sessions, and programs with an API token".to_owned()),
        ];
        let lead = match session.this {
            true => "It is the one you read this in: you have to sign in again.",
            false => "Whoever uses it has to sign in again. What they have typed and not sent is lost.",
        };
        let danger = Danger {
            act: format!("End your session of {client} from {from}"),
            verb: "end",
            lead: lead.to_owned(),
            facts,
            rule: None,
            action: format!("/account/sessions/{}/revoke", session.id),
            version: None,
            typed: None,
            back: Link::new("/account", "Leave the session as it is"),
        };
        Self::new(chrome.under("/account", "Your account"), danger)
    }

    /// Before all of one's own sessions but this one are ended.
    #[must_use]
    pub fn end_other_sessions(chrome: Chrome, sessions: &[SessionSeen]) -> Self {
        let others: Vec<&SessionSeen> = sessions.iter().filter(|session| !session.this).collect();
        let mut facts = said_of(&others, chrome.now());
        facts.push(("Goes on", "this session, and programs with an API token".to_owned()));
        let danger = Danger {
            act: match others.len() {
                1 => "End your other session".to_owned(),
                n => format!("End your {n} other sessions"),
            },
            verb: "end sessions",
            lead: "Whoever uses them has to sign in again. What they have typed and not sent is lost."
                .to_owned(),
            facts,
            rule: others.is_empty().then(|| "You have no other session.".to_owned()),
            action: "/account/sessions/revoke".to_owned(),
            version: None,
            typed: None,
            back: Link::new("/account", "Leave your sessions as they are"),
        };
        Self::new(chrome.under("/account", "Your account"), danger)
    }

    /// Before an admin ends the sessions of somebody; of themselves all but the one this is read in.
    #[must_use]
    pub fn end_sessions_of(chrome: Chrome, name: &str, sessions: &[SessionSeen]) -> Self {
        let ended: Vec<&SessionSeen> = sessions.iter().filter(|session| !session.this).collect();
        let mut facts = said_of(&ended, chrome.now());
        facts.push((
            "Goes on",
            format!("programs with an API token of {name}; {name} may sign in again at once"),
        ));
        let danger = Danger {
            act: format!("End all sessions of {name}"),
            verb: "end sessions",
            lead: format!(
                "Whoever uses them has to sign in again. To keep {name} out, take signing in away instead: that stops \
                 their API tokens, too."
            ),
            facts,
            rule: ended.is_empty().then(|| format!("{name} has no session that could be ended here.")),
            action: format!("/people/{name}/sessions/revoke"),
            version: None,
            typed: None,
            back: Link::new(format!("/people/{name}"), format!("Leave the sessions of {name} as they are")),
        };
        let chrome = chrome.under("/people", "People").under(format!("/people/{name}"), name);
        Self::new(chrome, danger)
    }

    /// Before one of one's own API tokens is revoked, or one of somebody else by an admin.
    #[must_use]
    pub fn revoke_token(chrome: Chrome, token: &TokenSeen, of: Option<&str>) -> Self {
        let now = chrome.now();
        let name = match of {
            None => token.name.clone(),
            Some(owner) => format!("{} of {owner}", token.name),
        };
        let page = of.map_or_else(|| "/account".to_owned(), |owner| format!("/people/{owner}"));
        let facts = vec![
            ("May use", scopes(token, of)),
            ("Ends by itself", format!("{} UTC", format::date_time(token.expires_at))),
            ("Last used", token.last_used_at.map_or_else(|| "never".to_owned(), |at| format::ago(now, at))),
            ("Stays", "what was done with it, in the audit".to_owned()),
        ];
        let over = match token.revoked_at {
            Some(_) => Some("It is revoked already."),
            None if token.expires_at <= now => Some("It has ended by itself."),
            None => None,
        };
        let danger = Danger {
            act: format!("Revoke API token {name}"),
            verb: "revoke",
            lead: "Programs that use it are refused from their next request on. It cannot be brought back: they need another \
                   one."
                .to_owned(),
            facts,
            rule: over.map(str::to_owned),
            action: format!("/account/tokens/{}/revoke", token.id),
            version: None,
            typed: None,
            back: Link::new(page.as_str(), format!("Leave API token {name} as it is")),
        };
        let chrome = match of {
            None => chrome.under(page, "Your account"),
            Some(owner) => chrome.under("/people", "People").under(page, owner),
        };
        Self::new(chrome, danger)
    }
}

/// Sessions that end, each in a line.
fn said_of(sessions: &[&SessionSeen], now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let line = |session: &&SessionSeen| {
        let client = client_words(&session.user_agent);
        let used = format::ago(now, session.last_used_at);
        ("Ends", format!("{client} from {}, last used {used}", address(session)))
    };
    match sessions.is_empty() {
        true => vec![("Ends", "none".to_owned())],
        false => sessions.iter().map(line).collect(),
    }
}
