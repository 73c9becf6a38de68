//! The frame every page sits in: who is signed in, where one can go, and the facts that hold on every page.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    ids::TeamName,
    people::{Actor, Role},
};

use crate::{format, parts::Link};

/// The colour scheme a person keeps, from the `theme` cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// What the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The cookie's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// From the cookie; anything else is the system's.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// The global stop. When it cannot be read nothing starts, and the page says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brake {
    /// Runs may start.
    Released,
    /// Nothing starts; running steps stop at their boundary.
    Set {
        /// Who pulled it.
        by: String,
        /// When.
        at: DateTime<Utc>,
        /// Why, in their words.
        reason: String,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// What the app knows about every request.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Signed-in person, if any.
    pub person: Option<Actor>,
    /// The brake.
    pub brake: Brake,
    /// Causes in the problems strip that this person may see; `None` when they could not be read.
    pub problems: Option<usize>,
    /// Runs under way that this person may see.
    pub runs_active: usize,
    /// Requests waiting for this person's decision.
    pub approvals_open: usize,
    /// Kept theme.
    pub theme: Theme,
    /// Path and query of the request.
    pub path: String,
    /// When what the page shows was read.
    pub now: DateTime<Utc>,
}

/// A place of the navigation.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) count: usize,
    pub(crate) meaning: &'static str,
}

impl Place {
    const fn plain(href: &'static str, label: &'static str) -> Self {
        Self { href, label, count: 0, meaning: "" }
    }
}

/// The brake in the watch line.
#[derive(Debug, Clone, Template)]
#[template(
    source = r##"<span class="fact">{{ crate::parts::icon("brake") }}<a href="/brake">Brake <b>{{ word }}</b></a><span class="wide-only">{{ note }}</span></span>"##,
    ext = "html"
)]
pub(crate) struct BrakeFact {
    word: &'static str,
    note: String,
}
impl HtmlSafe for BrakeFact {}

/// The frame as a page prints it.
#[derive(Debug, Clone)]
pub struct Chrome {
    pub(crate) title: String,
    pub(crate) here: String,
    pub(crate) crumbs: Vec<Link>,
    pub(crate) facts: Facts,
    pub(crate) refresh_seconds: Option<u32>,
    pub(crate) live: bool,
    places: Vec<Place>,
}

impl Chrome {
    /// The frame for a request; the page gives it its title.
    #[must_use]
    pub fn new(facts: Facts) -> Self {
        let places = match &facts.person {
            None => Vec::new(),
            Some(person) => places(person, &facts),
        };
        Self {
            title: String::new(),
            here: String::new(),
            crumbs: Vec::new(),
            facts,
            refresh_seconds: None,
            live: false,
            places,
        }
    }

    /// With the page's title.
    #[must_use]
    pub(crate) fn titled(self, title: impl Into<String>) -> Self {
        let title = title.into();
        Self { here: title.clone(), title, ..self }
    }

    /// With the way back up.
    #[must_use]
    pub(crate) fn under(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.crumbs.push(Link::new(href, text));
        self
    }

    /// Read again every few seconds when the browser runs no scripts.
    #[must_use]
    pub(crate) fn refreshing(self, seconds: u32) -> Self {
        Self { refresh_seconds: Some(seconds), ..self }
    }

    /// With the scripts a live page needs.
    #[must_use]
    pub(crate) fn live(self) -> Self {
        Self { live: true, ..self }
    }

    /// When the page was read.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.facts.now
    }

    /// With other words than the title for the place in the crumbs.
    #[must_use]
    pub(crate) fn here(self, here: impl Into<String>) -> Self {
        Self { here: here.into(), ..self }
    }

    /// Whether the signed-in person has a role for a team.
    #[must_use]
    pub(crate) fn may(&self, role: Role, team: &TeamName) -> bool {
        self.facts.person.as_ref().is_some_and(|person| person.has(role, team))
    }

    /// Whether the signed-in person has a role anywhere.
    #[must_use]
    pub(crate) fn may_anywhere(&self, role: Role) -> bool {
        self.facts.person.as_ref().is_some_and(|person| person.has_anywhere(role))
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn brake_is_set(&self) -> bool {
        self.facts.brake != Brake::Released
    }

    pub(crate) fn brake_fact(&self) -> BrakeFact {
        let now = self.facts.now;
        match &self.facts.brake {
            Brake::Released => BrakeFact { word: "released", note: "· runs may start".to_owned() },
            Brake::Set { by, at, reason } => {
                let note = format!("by {by} {}: {reason} · no run starts", format::ago(now, *at));
                BrakeFact { word: "set", note }
            }
            Brake::Unreadable { reason } => {
                BrakeFact { word: "unknown", note: format!("{reason} · no run starts") }
            }
        }
    }

    pub(crate) fn roles(&self) -> String {
        self.facts.person.as_ref().map(roles_of).unwrap_or_default()
    }

    pub(crate) fn current(&self, place: &Place) -> bool {
        let path = self.facts.path.split('?').next().unwrap_or_default();
        let is = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
        match place.href {
            "/" => path == "/" || is("/pairs") || is("/plans"),
            "/runs?state=awaiting_approval" => {
                self.facts.path.contains("state=awaiting_approval") || path.ends_with("/approval")
            }
            "/runs" => {
                is("/runs") && !self.facts.path.contains("awaiting_approval") && !path.ends_with("/approval")
            }
            "/people" => is("/people") || is("/teams"),
            other => is(other),
        }
    }

    pub(crate) fn at_account(&self) -> bool {
        self.facts.path.starts_with("/account")
    }

    pub(crate) fn read_date(&self) -> String {
        self.facts.now.format("%a %-d %b").to_string()
    }

    pub(crate) fn read_time(&self) -> String {
        format::time(self.facts.now)
    }

    pub(crate) fn read_iso(&self) -> String {
        format::iso(self.facts.now)
    }
}

/// `operator, approver`.
#[must_use]
pub fn roles_of(person: &Actor) -> String {
    let mut roles: Vec<Role> = person.grants.iter().map(|grant| grant.role).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.into_iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

fn places(person: &Actor, facts: &Facts) -> Vec<Place> {
    let mut places = vec![
        Place::plain("/", "Fleet"),
        Place { count: facts.runs_active, meaning: " in progress", ..Place::plain("/runs", "Runs") },
        Place {
            count: facts.approvals_open,
            meaning: " waiting for you",
            ..Place::plain("/runs?state=awaiting_approval", "Approvals")
        },
        Place::plain("/drills", "Drills"),
        Place::plain("/alarms", "Alarms"),
        Place::plain("/findings", "Findings"),
        Place::plain("/clusters", "Clusters"),
        Place::plain("/notifications", "Notifications"),
    ];
    if person.has_anywhere(Role::Admin) || person.grants.iter().any(|grant| grant.team.is_none()) {
        places.push(Place::plain("/audit", "Audit"));
    }
    if person.has_anywhere(Role::Admin) {
        places.push(Place::plain("/people", "People"));
        places.push(Place::plain("/settings", "Settings"));
    }
    places
}
