//! `/people`: who can sign in and what they may do.

use axum::extract::State;
use muster_domain::{
    ids::TeamName,
    people::{Grant, Role},
};
use muster_store::{login_failures, people as stored, sessions, teams};
use muster_web::{
    forms::PersonForm,
    people::{Listed, PeoplePage},
};
use serde::Deserialize;

use super::{PAGE, asking::Asking, cut, ends, html, is_about_the_form, refused_form, see};
use crate::{
    acts::people::{self, NewUser},
    api::{cursor, people::PERSON},
    app::App,
    http::{Answer, Failure, Form, Query},
};

/// Which page of the list, and who was just added.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    made: String,
    /// Cursor of the page before.
    after: String,
}

/// `GET /people`.
pub async fn list(State(app): State<App>, asking: Asking, Query(shown): Query<Shown>) -> Answer {
    html(&page(&app, &asking, None, &[], &shown).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    form: Option<&PersonForm>,
    errors: &[(String, String)],
    shown: &Shown,
) -> Answer<PeoplePage> {
    let chrome = asking.chrome(app).await;
    let after = cursor::read_name(PERSON, Some(&shown.after)).unwrap_or_default();
    let mut conn = app.pool.acquire().await?;
    let mut found = stored::page(&mut conn, after, PAGE + 1).await?;
    let next = cut(&mut found, |user| cursor::write(PERSON, &[&user.name]));
    let mut listed = Vec::new();
    for user in found {
        let last_seen =
            sessions::list(&mut conn, user.id).await?.into_iter().map(|session| session.last_seen_at).max();
        let locked = login_failures::locked_until(&mut conn, &format!("user:{}", user.name)).await?.is_some();
        listed.push(Listed {
            person: user.actor(),
            disabled: user.disabled_at.is_some(),
            from_provider: user.from_provider,
            last_seen,
            locked,
        });
    }
    let teams: Vec<String> =
        teams::list(&mut conn).await?.into_iter().map(|team| team.name.to_string()).collect();
    // They may be on another page of the list.
    let made = stored::get_by_name(&mut conn, &shown.made).await?.map(|user| user.name);
    let page = PeoplePage::new(chrome, &listed, &teams, form, errors, made.as_deref());
    Ok(page.part(ends("people", "/people", after.is_some(), next)))
}

/// `POST /people`.
pub async fn create(State(app): State<App>, asking: Asking, Form(form): Form<PersonForm>) -> Answer {
    match try_create(&app, &asking, &form).await {
        Ok(()) => Ok(see(&format!("/people?made={}", form.name))),
        Err(failure) if is_about_the_form(&failure) => {
            let field = if failure.problem.detail.contains("password") { "password" } else { "name" };
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &page(&app, &asking, Some(&form), &errors, &Shown::default()).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_create(app: &App, asking: &Asking, form: &PersonForm) -> Answer<()> {
    let role = Role::parse(&form.role)
        .ok_or_else(|| Failure::invalid(format!("There is no role `{}`.", form.role)))?;
    let team = match form.team.as_str() {
        "" => None,
        team => Some(TeamName::new(team).map_err(|e| Failure::invalid(e.to_string()))?),
    };
    let new = NewUser {
        name: form.name.trim().to_owned(),
        display_name: String::new(),
        password: form.password.clone(),
        grants: vec![Grant { role, team }],
    };
    let hash = people::hash(app, &new.password).await?;
    let mut tx = muster_store::begin(&app.pool).await?;
    people::create(&mut tx, &new, &hash, asking.actor()?).await?;
    Ok(tx.commit().await?)
}
