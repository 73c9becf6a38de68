//! What every page's frame is made from: who asks, for what, and the facts that hold on every page.

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono::Utc;
use muster_domain::{
    people::Actor,
    record::{Approval, Run},
    run::RunState,
};
use muster_store::{approvals, runs};
use muster_web::{
    approval::may_decide,
    chrome::{Brake, Chrome, Facts, Theme},
};
use sqlx::PgConnection;

use crate::{
    api::runs::teams,
    app::App,
    auth::cookie,
    http::{Acting, Answer, Failure, Proven},
    judgement,
};

/// Most open runs looked at for the numbers of the frame.
const OPEN_RUNS: i64 = 200;

/// Who asks for which page.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Signed-in person, if any.
    pub person: Option<Actor>,
    /// When they last showed that it is them.
    pub proven: Proven,
    path: String,
    theme: Theme,
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self {
            person: parts.extensions.get::<Acting>().map(|acting| acting.0.clone()),
            proven: parts.extensions.get::<Proven>().copied().unwrap_or(Proven(None)),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            theme: Theme::parse(&cookie::theme(&parts.headers)),
        })
    }
}

impl Asking {
    /// For a page that is made outside of a handler.
    #[must_use]
    pub fn of(person: Option<Actor>, path: &str) -> Self {
        Self { person, proven: Proven(None), path: path.to_owned(), theme: Theme::System }
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
        let open = open_runs(&mut conn, person).await?;
        let approvals_open = waiting_for(&mut conn, person, &open).await?.len();
        let problems = judgement::count_causes(app, &mut conn, person).await.ok();
        let runs_active = open.iter().filter(|run| run.state.holds_pair()).count();
        Ok(Facts { problems, runs_active, approvals_open, ..self.bare(brake) })
    }
}

/// Those of open runs that wait for this person's decision, with the votes there are.
///
/// # Errors
/// When the database refuses.
pub async fn waiting_for(
    conn: &mut PgConnection,
    person: &Actor,
    open: &[Run],
) -> Answer<Vec<(Run, Vec<Approval>)>> {
    let mut waiting = Vec::new();
    for run in open.iter().filter(|run| run.state == RunState::AwaitingApproval) {
        let votes = approvals::list(conn, run.id).await?;
        if may_decide(run, &votes, Some(person)).is_ok() {
            waiting.push((run.clone(), votes));
        }
    }
    Ok(waiting)
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

/// Runs that are not ended and that this person may see, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn open_runs(conn: &mut PgConnection, person: &Actor) -> Answer<Vec<Run>> {
    Ok(runs::open(conn, teams(person).as_deref(), OPEN_RUNS).await?)
}
