//! What every page's frame is made from: who asks, for what, and the facts that hold on every page.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{Method, request::Parts},
};
use chrono::Utc;
use muster_domain::{people::Actor, run::RunState};
use muster_store::runs::{self, Decider};
use muster_web::{
    chrome::{Brake, Chrome, Facts, Theme},
    following::as_asked,
};
use sqlx::PgConnection;

use crate::{
    api::{approvals::approves_for, runs::teams},
    app::App,
    auth::cookie,
    http::{Acting, Answer, Failure, SinceShown},
    routes,
    standing::judgement,
};

/// Who asks for which page.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Signed-in person, if any.
    pub person: Option<Actor>,
    /// When they last showed that it is them.
    pub since_shown: SinceShown,
    path: String,
    theme: Theme,
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self {
            person: parts.extensions.get::<Acting>().map(|acting| acting.0.clone()),
            since_shown: parts.extensions.get::<SinceShown>().copied().unwrap_or(SinceShown(None)),
            path: address(parts),
            theme: Theme::parse(&cookie::theme(&parts.headers)),
        })
    }
}

/// The address of the page: that of the request, or of the page whose form was sent. A form's own address often takes nothing else, so
/// whoever looks again or comes back would find nothing there.
fn address(parts: &Parts) -> String {
    let asked = as_asked(parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    match parts.extensions.get::<MatchedPath>() {
        Some(row) if parts.method == Method::POST => page_of_form(row.as_str(), parts.uri.path()),
        Some(_) | None => asked,
    }
}

/// The page at the address of a form, else the nearest one above it. `row` is the address as the table of routes has it.
fn page_of_form(row: &str, path: &str) -> String {
    let routes = routes::routes();
    let is_page = |row: &str| routes.iter().any(|route| route.method == Method::GET && route.path == row);
    let (mut row, mut path) = (row, path);
    while !is_page(row) {
        match (row.rsplit_once('/'), path.rsplit_once('/')) {
            (Some((above, _)), Some((here, _))) if !above.is_empty() && !here.is_empty() => {
                (row, path) = (above, here);
            }
            _ => return "/".to_owned(),
        }
    }
    path.to_owned()
}

impl Asking {
    /// The same, of a page that is found at another address than its form.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// For a page that is made outside of a handler.
    #[must_use]
    pub fn of(person: Option<Actor>, path: &str) -> Self {
        Self { person, since_shown: SinceShown(None), path: path.to_owned(), theme: Theme::System }
    }

    /// For a page whose reader has just been signed out.
    #[must_use]
    pub fn nobody(self) -> Self {
        Self { person: None, ..self }
    }

    /// Who acts.
    ///
    /// # Errors
    /// `sign-in-required`; the guard has seen to it on every page that asks this.
    pub fn actor(&self) -> Answer<&Actor> {
        self.person.as_ref().ok_or_else(crate::http::guard::sign_in_required)
    }

    /// The frame. What cannot be read is said on it; a page never fails for its frame alone.
    pub async fn chrome(&self, app: &App) -> Chrome {
        let facts = match &self.person {
            None => self.bare(Brake::Released),
            Some(person) => match self.facts(app, person).await {
                Ok(facts) => facts,
                Err(_) => self.bare(Brake::Unreadable { reason: "the database does not answer".to_owned() }),
            },
        };
        Chrome::new(facts)
    }

    fn bare(&self, brake: Brake) -> Facts {
        Facts {
            person: self.person.clone(),
            brake,
            problems: None,
            runs_active: 0,
            approvals_open: 0,
            theme: self.theme,
            path: self.path.clone(),
            now: Utc::now(),
        }
    }

    async fn facts(&self, app: &App, person: &Actor) -> Answer<Facts> {
        let mut conn = app.pool.acquire().await?;
        let brake = brake(&mut conn).await?;
        let open = OpenRuns::read(&mut conn, person).await?;
        let approves = approves_for(person);
        let who = Decider { person: person.id, teams: approves.as_deref() };
        let approvals_open = count(runs::count_to_decide(&mut conn, who).await?);
        let problems = judgement::count_causes(app, &mut conn, person).await.ok();
        let runs_active = open.count(RunState::holds_pair);
        Ok(Facts { problems, runs_active, approvals_open, ..self.bare(brake) })
    }
}

/// The brake, for pages.
///
/// # Errors
/// When it cannot be read.
pub async fn brake(conn: &mut PgConnection) -> Answer<Brake> {
    Ok(match muster_store::brake::get(conn).await? {
        None => Brake::Released,
        Some(on) => Brake::Set { by: on.by.name, at: on.since, reason: on.reason },
    })
}

/// How many runs that are not over this person may see, by state. All of them: one that runs is told however many wait.
#[derive(Debug)]
pub struct OpenRuns(Vec<(RunState, i64)>);

impl OpenRuns {
    /// Counts them.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn read(conn: &mut PgConnection, person: &Actor) -> Answer<Self> {
        Ok(Self(runs::count_open(conn, teams(person).as_deref()).await?))
    }

    /// How many are in such a state.
    #[must_use]
    pub fn count(&self, of: fn(RunState) -> bool) -> usize {
        count(self.0.iter().filter(|(state, _)| of(*state)).map(|(_, runs)| runs).sum())
    }
}

/// What the database counted.
fn count(rows: i64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::page_of_form;

    #[test]
    fn the_answer_to_a_form_is_at_the_page_the_form_was_on() {
        for (row, path, page) in [
            ("/drills/{schedule}/edit", "/drills/7/edit", "/drills/7/edit"),
            ("/pairs/{pair}/canary", "/pairs/orders/canary", "/pairs/orders"),
            ("/pairs/{pair}/plan", "/pairs/orders/plan", "/pairs/orders"),
            ("/pairs/{pair}/content/record", "/pairs/orders/content/record", "/pairs/orders/content"),
            ("/alarms/{alarm}/acknowledge", "/alarms/7/acknowledge", "/alarms"),
            ("/account/tokens", "/account/tokens", "/account"),
            ("/proofs/{proof}/cancel", "/proofs/7/cancel", "/"),
            ("/sign-out", "/sign-out", "/"),
        ] {
            assert_eq!(page_of_form(row, path), page, "{path}");
        }
    }
}
