//! What Muster signs in with at the Connect of a pair's flows: entering it, and the page before it is removed. It goes in and never
//! comes out.

use askama::Template;
use muster_domain::{
    connect_credentials::KeptCredentials,
    pair::{Direction, Pair, Side},
    problem::Problem,
};

use crate::{
    chrome::Chrome,
    danger::{Danger, DangerPage},
    format,
    forms::ConnectForm,
    parts::{Field, FieldSet, Link, Notice},
    removals::under_pair,
    sign_in::notice,
};

const TITLE: &str = "Sign in at Connect";

/// A flow that is attached, and what is kept for its Connect.
#[derive(Debug)]
pub struct ConnectSeen {
    /// The side its records come from.
    pub from: Side,
    /// REST address of its Connect worker.
    pub connect_url: String,
    /// What is kept, if anything is.
    pub kept: Option<KeptCredentials>,
    /// Whether it was entered for that address, so that it is sent there.
    pub sent: bool,
}

/// `GET /pairs/{name}/connect`; posts [`ConnectForm`] there.
#[derive(Debug, Template)]
#[template(path = "pages/connect.html")]
pub struct ConnectFormPage {
    chrome: Chrome,
    heading: String,
    lead: &'static str,
    problem: Option<Notice>,
    action: String,
    sets: Vec<FieldSet>,
    button: String,
    removals: Vec<Link>,
    back: Link,
}

impl ConnectFormPage {
    /// What is kept of each flow, and the form as it was sent, if it was.
    #[must_use]
    pub fn new(
        chrome: Chrome,
        pair: &Pair,
        seen: &[ConnectSeen],
        form: Option<&ConnectForm>,
        problem: Option<&Problem>,
    ) -> Self {
        let name = &pair.name;
        let removals = seen.iter().filter(|seen| seen.kept.is_some()).map(|seen| {
            let course = pair.course(Direction { from: seen.from });
            Link::new(removal(pair, seen.from), format!("Remove what is kept for {course}"))
        });
        let lead = match seen {
            [] => {
                "No flow of this pair is attached to Connect yet; that is done in the settings of the pair."
            }
            _ => {
                "What is entered is sealed, sent to that address only, and never shown. What is left empty stays. Over http:// it \
                 can be read on the way. Plans and approvals stand."
            }
        };
        Self {
            chrome: under_pair(chrome.titled(format!("{TITLE}, {name}")), pair).here(TITLE),
            heading: format!("{TITLE} for {name}"),
            lead,
            problem: problem.map(notice),
            action: format!("/pairs/{name}/connect"),
            sets: seen.iter().map(|seen| fields(pair, seen, form)).collect(),
            button: format!("Save what opens Connect for {name}"),
            removals: removals.collect(),
            back: Link::new(format!("/pairs/{name}"), "Leave without saving"),
        }
    }
}

fn removal(pair: &Pair, from: Side) -> String {
    format!("/pairs/{}/connect/{}/remove", pair.name, pair.cluster(from))
}

fn fields(pair: &Pair, seen: &ConnectSeen, form: Option<&ConnectForm>) -> FieldSet {
    let (legend, names) = match seen.from {
        Side::A => ("Flow A → B", ["a_to_b_username", "a_to_b_password", "a_to_b_token"]),
        Side::B => ("Flow B → A", ["b_to_a_username", "b_to_a_password", "b_to_a_token"]),
    };
    let typed = form.map(|form| match seen.from {
        Side::A => form.a_to_b_username.as_str(),
        Side::B => form.b_to_a_username.as_str(),
    });
    let kept = seen.kept.as_ref();
    let user = kept.and_then(|kept| kept.username.as_deref());
    let token_kept = kept.is_some() && user.is_none();
    let set = FieldSet::new(
        legend,
        vec![
            Field::text(names[0], "User name", typed.or(user).unwrap_or_default())
                .help("For HTTP basic authentication, with its password."),
            Field::secret(names[1], "Password", user.is_some()),
            Field::secret(names[2], "Bearer token", token_kept).help("In the place of both."),
        ],
    );
    let course = pair.course(Direction { from: seen.from });
    set.note(format!("{course}, Connect at {}: {}.", seen.connect_url, standing(kept, seen.sent)))
}

/// What is kept, in words.
fn standing(kept: Option<&KeptCredentials>, sent: bool) -> String {
    let Some(kept) = kept else { return "it is asked without signing in".to_owned() };
    let entered = format!("entered {} UTC", format::date_time(kept.entered_at));
    match sent {
        true => format!("Muster signs in {}, {entered}", with_what(kept)),
        false => format!(
            "it is asked without signing in. What is kept was {entered} for {}, and is sent nowhere else: enter it anew for this \
             address",
            kept.address
        ),
    }
}

fn with_what(kept: &KeptCredentials) -> String {
    match &kept.username {
        Some(username) => format!("as {username}, with a password"),
        None => "with a bearer token".to_owned(),
    }
}

impl DangerPage {
    /// Before it is forgotten what Muster signs in with at the Connect of a flow.
    #[must_use]
    pub fn remove_connect_sign_in(
        chrome: Chrome,
        pair: &Pair,
        from: Side,
        kept: Option<&KeptCredentials>,
    ) -> Self {
        let course = pair.course(Direction { from });
        let facts = vec![
            (
                "Kept",
                match kept {
                    None => "nothing".to_owned(),
                    Some(kept) => format!("Muster signs in {}, at {}", with_what(kept), kept.address),
                },
            ),
            (
                "From then on",
                "Connect is asked without signing in. If it asks for it, the flow is neither seen nor steered: its lag and what a \
                 death would cost are not known, and no run can be planned"
                    .to_owned(),
            ),
            ("Stays", "plans, approvals, and what was observed".to_owned()),
            ("On Connect", "nothing is changed: the user keeps its rights there until somebody takes them away".to_owned()),
        ];
        let danger = Danger {
            act: format!("Remove what opens Connect for {course}"),
            verb: "remove",
            lead: "It is forgotten at once. To sign in again it has to be entered anew.".to_owned(),
            facts,
            rule: kept.is_none().then(|| format!("Nothing is kept for {course}.")),
            action: removal(pair, from),
            version: None,
            typed: None,
            back: Link::new(format!("/pairs/{}", pair.name), format!("Leave pair {} as it is", pair.name)),
        };
        Self::new(under_pair(chrome, pair), danger)
    }
}
