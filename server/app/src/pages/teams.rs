//! `/teams`: what teams there are and what belongs to them.

use axum::extract::State;
use muster_domain::ids::TeamName;
use muster_web::{
    people_forms::TeamForm,
    teams::{MemberSeen, TeamPage, TeamSeen, TeamsPage},
};
use serde::Deserialize;

use super::{PAGE, asking::Asking, cut, ends, html, is_about_the_form, refused_form, see};
use crate::{
    acts::teams::{self, TeamDetail, TeamEdit, TeamView},
    api::{cursor, teams::TEAM},
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: String,
}

/// Which page of the list, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    done: String,
    /// Cursor of the page before.
    after: String,
}

/// `GET /teams`.
pub async fn list(State(app): State<App>, asking: Asking, Query(shown): Query<Shown>) -> Answer {
    html(&list_page(&app, &asking, &TeamForm::default(), None, &shown).await?)
}

async fn list_page(
    app: &App,
    asking: &Asking,
    form: &TeamForm,
    wrong: Option<&Failure>,
    shown: &Shown,
) -> Answer<TeamsPage> {
    let chrome = asking.chrome(app).await;
    let after = cursor::read_name(TEAM, Some(&shown.after)).unwrap_or_default();
    let mut conn = app.pool.acquire().await?;
    let mut found = teams::page(&mut conn, after, PAGE + 1).await?;
    let next = cut(&mut found, |team| cursor::write(TEAM, &[&team.name]));
    let mut all = Vec::new();
    for team in found {
        all.push(seen(teams::get(&mut conn, &team.name).await?));
    }
    let page = TeamsPage::new(chrome, &all, form, wrong.map(|failure| &failure.problem), &shown.done);
    Ok(page.part(ends("teams", "/teams", after.is_some(), next)))
}

/// A team as pages take it.
pub(super) fn seen(team: TeamDetail) -> TeamSeen {
    let member = |member: teams::Member| MemberSeen {
        name: member.name,
        roles: member.roles,
        everywhere: member.everywhere,
        may_sign_in: member.may_sign_in,
    };
    TeamSeen {
        name: team.name.to_string(),
        description: team.description,
        members: team.members.into_iter().map(member).collect(),
        pairs: team.pairs,
        channels: team.channels,
        version: team.version,
    }
}

/// `POST /teams`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<TeamForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(()) => Ok(see("/teams?done=created")),
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &list_page(&app, &asking, &form, Some(&failure), &Shown::default()).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &TeamForm) -> Answer<()> {
    let name = TeamName::new(form.name.trim()).map_err(|e| Failure::invalid(format!("{e}.")))?;
    let team = TeamView { name, description: form.description.trim().to_owned() };
    let mut tx = muster_store::begin(&app.pool).await?;
    teams::create(&mut tx, &team, asking.actor()?).await?;
    Ok(tx.commit().await?)
}

/// `GET /teams/{team}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<TeamName>,
    Query(done): Query<Done>,
) -> Answer {
    html(&page(&app, &asking, &name, None, None, &done.done).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    name: &TeamName,
    form: Option<&TeamForm>,
    wrong: Option<&Failure>,
    done: &str,
) -> Answer<TeamPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let team = seen(teams::get(&mut conn, name).await?);
    Ok(TeamPage::new(chrome, &team, form, wrong.map(|failure| &failure.problem), done))
}

/// `POST /teams/{team}`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<TeamName>,
    Form(form): Form<TeamForm>,
) -> Answer {
    match try_change(&app, &asking, &name, &form).await {
        Ok(()) => Ok(see(&format!("/teams/{name}?done=changed"))),
        Err(failure) if is_about_the_form(&failure) => {
            refused_form(&failure, &page(&app, &asking, &name, Some(&form), Some(&failure), "").await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_change(app: &App, asking: &Asking, name: &TeamName, form: &TeamForm) -> Answer<()> {
    let edit = TeamEdit { description: Some(form.description.trim().to_owned()) };
    let mut tx = muster_store::begin(&app.pool).await?;
    teams::change(&mut tx, name, Some(form.version), edit, asking.actor()?).await?;
    Ok(tx.commit().await?)
}
