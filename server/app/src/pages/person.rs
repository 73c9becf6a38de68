//! `/people/{user}`: one person, for admins.

use axum::{Extension, extract::State};
use muster_domain::people::{Grant, Role};
use muster_store::{
    audit::{self, AuditFilter},
    teams,
};
use muster_web::{
    people_forms::PersonEditForm,
    person::{PersonFacts, PersonFormPage, PersonPage, PersonSeen},
};
use secrecy::ExposeSecret as _;

use super::{
    asking::Asking,
    html, is_about_the_form, refused_form, see,
    ways_in::{Shown, WaysIn},
};
use crate::{
    acts::{
        people::{self, UserEdit, UserView},
        sessions,
    },
    app::App,
    auth::SessionRef,
    http::{Answer, Failure, Form, Path, Query},
};

/// Entries of what they did.
const DEEDS: i64 = 10;

/// `GET /people/{user}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Path(name): Path<String>,
    Query(asked): Query<Shown>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let user = people::get(&mut conn, &name).await?;
    let page = format!("/people/{name}");
    let whose = (Some(name.as_str()), user.id);
    let ways = WaysIn::read(&mut conn, (asking.actor()?, session), whose, (page.as_str(), &asked)).await?;
    let of_them = AuditFilter { actor: Some(name.clone()), ..AuditFilter::default() };
    let did = audit::list(&mut conn, &of_them, DEEDS).await?;
    let may_unlock = asking.since_shown.opens();
    let (sessions, tokens) = (ways.sessions.as_slice(), ways.tokens.as_slice());
    let person = PersonSeen { sessions, tokens, did: &did, may_unlock, ..shown(&user) };
    html(&PersonPage::new(chrome, &person, &asked.done).part(ways.session_ends, ways.token_ends))
}

fn shown(user: &UserView) -> PersonSeen<'_> {
    let identity = user.identity.as_ref();
    PersonSeen {
        name: &user.name,
        display_name: &user.display_name,
        grants: &user.grants,
        from_provider: &user.from_provider,
        identity: identity.map(|known| (known.issuer.as_str(), known.subject.as_str())),
        groups: identity.map(|known| known.groups.as_slice()).unwrap_or_default(),
        disabled_at: user.disabled_at,
        locked_until: user.locked_until,
        may_unlock: false,
        sessions: &[],
        tokens: &[],
        did: &[],
    }
}

/// `GET /people/{user}/edit`.
pub async fn edit(State(app): State<App>, asking: Asking, Path(name): Path<String>) -> Answer {
    html(&edit_page(&app, &asking, &name, None, None).await?)
}

async fn edit_page(
    app: &App,
    asking: &Asking,
    name: &str,
    form: Option<&PersonEditForm>,
    wrong: Option<&Failure>,
) -> Answer<PersonFormPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let user = people::get(&mut conn, name).await?;
    let teams: Vec<String> =
        teams::list(&mut conn).await?.into_iter().map(|team| team.name.to_string()).collect();
    let facts = facts(app, &user, &teams);
    let present = PersonEditForm::of(&shown(&user), user.version);
    let form = form.unwrap_or(&present);
    Ok(PersonFormPage::new(chrome, &facts, form, wrong.map(|failure| &failure.problem)))
}

fn facts<'a>(app: &App, user: &'a UserView, teams: &'a [String]) -> PersonFacts<'a> {
    PersonFacts {
        name: &user.name,
        grants: &user.grants,
        from_provider: &user.from_provider,
        may_sign_in: user.disabled_at.is_none(),
        teams,
        has_provider: app.oidc.is_some(),
    }
}

/// `POST /people/{user}/edit`. What takes something away comes back first, and asks for the name of the person.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<String>,
    Form(form): Form<PersonEditForm>,
) -> Answer {
    if form.typed.trim().is_empty() && takes_away(&app, &name, &form).await? {
        return html(&edit_page(&app, &asking, &name, Some(&form), None).await?);
    }
    match try_change(&app, &asking, &name, &form).await {
        Ok(()) => Ok(see(&format!("/people/{name}?done=changed"))),
        Err(failure) if is_about_the_form(&failure) || failure.problem.code == "last-admin" => {
            refused_form(&failure, &edit_page(&app, &asking, &name, Some(&form), Some(&failure)).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn takes_away(app: &App, name: &str, form: &PersonEditForm) -> Answer<bool> {
    let user = people::get(&mut *app.pool.acquire().await?, name).await?;
    Ok(!facts(app, &user, &[]).taken(form).is_empty())
}

async fn try_change(app: &App, asking: &Asking, name: &str, form: &PersonEditForm) -> Answer<()> {
    if takes_away(app, name, form).await? && form.typed.trim() != name {
        let wrong = format!("The name typed must be `{name}`, the person this takes something away from.");
        return Err(Failure::invalid(format!("{wrong} Nothing was changed.")));
    }
    let version = form.version.parse();
    let version = version.map_err(|_| Failure::invalid("The form does not say which version it changes."))?;
    let before = people::get(&mut *app.pool.acquire().await?, name).await?;
    let subject = before.identity.as_ref().map_or("", |known| known.subject.as_str());
    let edit = UserEdit {
        display_name: Some(form.display_name.trim().to_owned()).filter(|shown| !shown.is_empty()),
        password: Some(form.password.clone()).filter(|typed| !typed.expose_secret().is_empty()),
        grants: Some(grants(form)?),
        disabled: Some(form.may_sign_in != "on"),
        // Left as it is unless it was typed anew: another one ends all their sessions.
        provider_subject: Some(form.provider_subject.trim().to_owned())
            .filter(|typed| app.oidc.is_some() && typed != subject),
        unlock: false,
    };
    people::change(app, name, Some(version), edit, asking.actor()?).await?;
    Ok(())
}

/// Roles that were ticked: `operator@payments`, `viewer@` for all teams.
fn grants(form: &PersonEditForm) -> Answer<Vec<Grant>> {
    let wrong = |word: &str| Failure::invalid(format!("There is no role `{word}`."));
    form.ticked
        .keys()
        .filter_map(|key| key.split_once('@'))
        .map(|(role, team)| {
            let role = Role::parse(role).ok_or_else(|| wrong(role))?;
            let team = match team {
                "" => None,
                team => Some(team.to_owned().try_into().map_err(|_| wrong(team))?),
            };
            Ok(Grant { role, team })
        })
        .collect()
}

/// `POST /people/{user}/unlock`.
pub async fn unlock(State(app): State<App>, asking: Asking, Path(name): Path<String>) -> Answer {
    let edit = UserEdit { unlock: true, ..UserEdit::default() };
    people::change(&app, &name, None, edit, asking.actor()?).await?;
    Ok(see(&format!("/people/{name}?done=unlocked")))
}

/// `POST /people/{user}/sessions/revoke`.
pub async fn revoke_sessions(
    State(app): State<App>,
    asking: Asking,
    Extension(session): Extension<SessionRef>,
    Path(name): Path<String>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    sessions::revoke_all(&mut tx, Some(&name), asking.actor()?, session).await?;
    tx.commit().await?;
    Ok(see(&format!("/people/{name}?done=sessions")))
}
