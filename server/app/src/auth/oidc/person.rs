//! Who somebody proven by the provider is here: found by issuer and subject and by nothing else, or made.

use std::collections::BTreeSet;

use muster_domain::{
    people::{Actor, Grant},
    provider_roles::user_name,
};
use muster_store::{grants, identities, people, people::User, secrets::id_tokens, sessions, teams};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::provider::{Proven, Provider};
use crate::{
    acts::audit_trail::{self, Entry},
    app::App,
    auth::sign_in::{From, open_session},
    http::{Answer, Failure},
};

/// Most groups named to a person who has no role.
const GROUPS_TOLD: usize = 20;

/// Opens a session for somebody: with the roles their groups give now, and those an admin gave.
pub(super) async fn sign_in(app: &App, provider: &Provider, proven: &Proven, from: &From) -> Answer<Uuid> {
    let mut tx = muster_store::begin(&app.pool).await?;
    identities::lock(&mut tx, provider.issuer(), &proven.subject).await?;
    let groups = proven.groups.clone().unwrap_or_default();
    let given = grants_of(&mut tx, provider, &groups).await?;
    let user = match identities::get(&mut tx, provider.issuer(), &proven.subject).await? {
        Some(identity) => {
            let user = people::get(&mut tx, identity.user).await?;
            let user = user.ok_or_else(|| Failure::not_found("person", &identity.user.to_string()))?;
            update(&mut tx, provider, proven, &user, &given).await?;
            user.id
        }
        None if given.is_empty() => return Err(no_role(provider, proven)),
        None => make(&mut tx, provider, proven, &given).await?,
    };
    identities::note_sign_in(&mut tx, user, &groups).await?;
    let user = people::get(&mut tx, user).await?;
    let user = user.ok_or_else(|| Failure::not_found("person", &proven.subject))?;
    if user.disabled_at.is_some() || user.grants.is_empty() {
        // What the groups no longer give is taken away all the same.
        tx.commit().await?;
        return Err(if user.disabled_at.is_some() { disabled(&user) } else { no_role(provider, proven) });
    }
    let detail = json!({"provider": provider.issuer(), "subject": proven.subject, "groups": groups});
    let sid = open_session(&mut tx, &user.actor(), from, detail).await?;
    sessions::note_proof(&mut tx, sid, proven.authenticated_at).await?;
    id_tokens::put(&mut tx, &app.secrets_key, sid, &proven.id_token).await?;
    tx.commit().await?;
    Ok(sid)
}

/// What groups give here. Roles for a team that does not exist give nothing; `muster doctor` names such teams.
async fn grants_of(conn: &mut PgConnection, provider: &Provider, groups: &[String]) -> Answer<Vec<Grant>> {
    let teams: BTreeSet<_> = teams::list(conn).await?.into_iter().map(|team| team.name).collect();
    let mut given = provider.settings().roles.grants(groups);
    given.retain(|grant| grant.team.as_ref().is_none_or(|team| teams.contains(team)));
    Ok(given)
}

/// A person who was never here. A name that is somebody's stays theirs.
async fn make(
    conn: &mut PgConnection,
    provider: &Provider,
    proven: &Proven,
    given: &[Grant],
) -> Answer<Uuid> {
    let name = user_name(&proven.preferred_name).or_else(|| user_name(&proven.subject));
    let name = name.filter(|name| *name != Actor::muster().name).ok_or_else(|| nameless(provider))?;
    if people::get_by_name(conn, &name).await?.is_some() {
        return Err(name_taken(provider, proven, &name));
    }
    let display = if proven.display_name.is_empty() { &name } else { &proven.display_name };
    let id = Uuid::now_v7();
    people::insert(conn, id, &name, display, None, &[]).await?;
    for grant in given {
        grants::insert_from_provider(conn, id, grant).await?;
    }
    identities::put(conn, id, provider.issuer(), &proven.subject).await?;
    let detail = json!({"grants": given, "provider": provider.issuer(), "subject": proven.subject});
    let object = format!("user {name}");
    audit_trail::record(conn, &Actor::muster(), Entry::done("user.create", &object, detail)).await?;
    Ok(id)
}

/// Replaces what the groups gave at the sign-in before by what they give now.
async fn update(
    conn: &mut PgConnection,
    provider: &Provider,
    proven: &Proven,
    user: &User,
    given: &[Grant],
) -> Answer<()> {
    let had: BTreeSet<&Grant> = user.from_provider.iter().collect();
    let local = user.grants.iter().filter(|grant| !had.contains(grant));
    let local: BTreeSet<&Grant> = local.collect();
    let gives: BTreeSet<&Grant> = given.iter().filter(|grant| !local.contains(grant)).collect();
    for grant in had.difference(&gives) {
        grants::delete(conn, user.id, grant).await?;
    }
    for grant in gives.difference(&had) {
        grants::insert_from_provider(conn, user.id, grant).await?;
    }
    let renamed = !proven.display_name.is_empty() && proven.display_name != user.display_name;
    if renamed {
        let disabled = user.disabled_at.is_some();
        people::update(conn, user.id, user.version, &proven.display_name, disabled).await?;
    }
    if had != gives {
        let detail = json!({"from_provider": given, "provider": provider.issuer()});
        let object = format!("user {}", user.name);
        audit_trail::record(conn, &Actor::muster(), Entry::done("user.change", &object, detail)).await?;
    }
    Ok(())
}

fn no_role(provider: &Provider, proven: &Proven) -> Failure {
    let label = provider.label();
    let seen = match proven.groups.as_deref() {
        None => format!("sent no claim `{}`", provider.settings().groups_claim),
        Some([]) => "named none of your groups".to_owned(),
        Some(groups) => {
            let named: Vec<String> =
                groups.iter().take(GROUPS_TOLD).map(|group| format!("`{group}`")).collect();
            let more = groups.len().saturating_sub(GROUPS_TOLD);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("named the groups {}{more}", named.join(", "))
        }
    };
    Failure::new(
        "no-role-from-groups",
        format!(
            "{label} knows you and {seen}. That gives you no role in Muster, so there is nothing you could see."
        ),
        format!(
            "Ask whoever runs Muster to map one of your groups (MUSTER_OIDC_ROLES), or whoever runs {label} to put you in \
             one that is mapped. Then sign in again."
        ),
    )
}

fn name_taken(provider: &Provider, proven: &Proven, name: &str) -> Failure {
    let (label, subject) = (provider.label(), &proven.subject);
    Failure::new(
        "name-taken",
        format!("{label} calls you `{name}`, and here that is somebody who does not sign in as you there."),
        format!(
            "If that is you, ask an admin of Muster: on the page of people they open `{name}`, edit who that is and enter \
             `{subject}` as subject at the identity provider. Then sign in again."
        ),
    )
}

fn nameless(provider: &Provider) -> Failure {
    let (label, claim) = (provider.label(), &provider.settings().name_claim);
    Failure::new(
        "name-taken",
        format!(
            "{label} sent no name for you that can be one here: the claim `{claim}` is missing or not usable."
        ),
        "Ask an admin to set MUSTER_OIDC_NAME_CLAIM to a claim with a name.",
    )
}

fn disabled(user: &User) -> Failure {
    Failure::new(
        "sign-in-refused",
        format!("`{}` may not sign in any more: an admin of Muster ended it.", user.name),
        "Ask an admin of Muster if that is a mistake.",
    )
}
