//! People and their roles.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use muster_domain::people::{Actor, Grant, Role};
use muster_store::{
    grants, identities, identities::Identity, login_failures, people, people::User, sessions,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    approvers,
    audit_trail::{self, Entry},
};
use crate::{
    app::App,
    http::{Answer, Failure, check_version},
};

/// A person to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "nora", "display_name": "Nora Lind", "password": "correct horse battery",
    "grants": [{"role": "approver", "team": "core-platform"}]}))]
pub struct NewUser {
    /// What they sign in with.
    pub name: String,
    /// Name for people; the sign-in name when left out.
    #[serde(default)]
    pub display_name: String,
    /// First password.
    #[schema(value_type = String, write_only)]
    pub password: SecretString,
    /// What they may do.
    #[serde(default)]
    pub grants: Vec<Grant>,
}

/// Changes to a person; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"disabled": true}))]
pub struct UserEdit {
    /// Name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// A new password; ends all their sessions.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    pub password: Option<SecretString>,
    /// All they may do from now on, besides what their groups at the identity provider give.
    #[serde(default)]
    pub grants: Option<Vec<Grant>>,
    /// True: may not sign in any more, and is signed out everywhere.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Who they are at the identity provider (`sub`), from their next sign-in there; empty: nobody.
    #[serde(default)]
    pub provider_subject: Option<String>,
    /// True: may try to sign in again at once, after too many tries failed.
    #[serde(default)]
    pub unlock: bool,
}

/// A person as shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserView {
    /// Id.
    pub id: Uuid,
    /// What they sign in with.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// Those of it that their groups at the identity provider gave at the last sign-in there.
    pub from_provider: Vec<Grant>,
    /// Who they are at the identity provider, if anybody.
    pub identity: Option<IdentityView>,
    /// Since when they may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when no sign-in of theirs is taken, after too many that failed.
    pub locked_until: Option<DateTime<Utc>>,
    /// Row version for If-Match.
    pub version: i64,
}

/// Somebody as the identity provider knows them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdentityView {
    /// The provider.
    pub issuer: String,
    /// What it calls them for ever.
    pub subject: String,
    /// Groups it named when they last came from there.
    pub groups: Vec<String>,
    /// When that was; none when an admin said who they are and they have not come yet.
    pub signed_in_at: Option<DateTime<Utc>>,
}

impl UserView {
    fn new(user: User, identity: Option<Identity>, locked_until: Option<DateTime<Utc>>) -> Self {
        let identity = identity.map(|known| IdentityView {
            issuer: known.issuer,
            subject: known.subject,
            groups: known.groups,
            signed_in_at: known.signed_in_at,
        });
        Self {
            identity,
            locked_until,
            id: user.id,
            name: user.name,
            display_name: user.display_name,
            grants: user.grants,
            from_provider: user.from_provider,
            disabled_at: user.disabled_at,
            version: user.version,
        }
    }
}

/// Hashes the password of a new person, before any transaction is open.
///
/// # Errors
/// `invalid-request` on a password too short or too long; `too-many-requests`.
pub async fn hash(app: &App, password: &SecretString) -> Answer<SecretString> {
    Ok(app.hashing.hash_password(password.expose_secret().to_owned()).await?.into())
}

/// Adds a person.
///
/// # Errors
/// `name-taken`, `invalid-request`.
pub async fn create(
    conn: &mut PgConnection,
    new: &NewUser,
    hash: &SecretString,
    actor: &Actor,
) -> Answer<UserView> {
    let id = Uuid::now_v7();
    let display = if new.display_name.is_empty() { &new.name } else { &new.display_name };
    people::insert(conn, id, &new.name, display, Some(hash), &new.grants).await?;
    let detail = json!({"grants": new.grants});
    audit_trail::record(conn, actor, Entry::done("user.create", &object(&new.name), detail)).await?;
    get(conn, &new.name).await
}

/// A person by name.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, name: &str) -> Answer<UserView> {
    let user = people::get_by_name(conn, name).await?.ok_or_else(|| Failure::not_found("person", name))?;
    view(conn, user).await
}

/// Whoever acts, as a person; also by a token of theirs.
///
/// # Errors
/// `not-found`.
pub async fn of(conn: &mut PgConnection, actor: &Actor) -> Answer<UserView> {
    let user = people::get(conn, actor.id).await?;
    let user = user.ok_or_else(|| Failure::not_found("person", &actor.name))?;
    view(conn, user).await
}

async fn view(conn: &mut PgConnection, user: User) -> Answer<UserView> {
    let identity = identities::of_user(conn, user.id).await?;
    let locked_until = login_failures::locked_until(conn, &lock_key(&user.name)).await?;
    Ok(UserView::new(user, identity, locked_until))
}

/// What failed sign-ins of a person are counted under.
fn lock_key(name: &str) -> String {
    format!("user:{name}")
}

/// People by name, at most `limit`; only those that come after a name, if given.
///
/// # Errors
/// When the database refuses.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: i64) -> Answer<Vec<UserView>> {
    let mut listed = Vec::new();
    for user in people::page(conn, after, limit).await? {
        listed.push(view(conn, user).await?);
    }
    Ok(listed)
}

/// Changes a person. The last admin stays one.
///
/// # Errors
/// `last-admin`, `too-few-approvers`, `edited-in-between`, `not-found`, `invalid-request`, `name-taken`, `too-many-requests`.
pub async fn change(
    app: &App,
    name: &str,
    version: Option<i64>,
    edit: UserEdit,
    actor: &Actor,
) -> Answer<UserView> {
    let hash = match &edit.password {
        Some(password) => Some(self::hash(app, password).await?),
        None => None,
    };
    let mut tx = muster_store::begin(&app.pool).await?;
    let user = people::get_by_name(&mut tx, name).await?.ok_or_else(|| Failure::not_found("person", name))?;
    check_version(version, user.version)?;
    let disabled = edit.disabled.unwrap_or(user.disabled_at.is_some());
    let display = edit.display_name.as_deref().unwrap_or(&user.display_name);
    keep_an_admin(&mut tx, &user, disabled, edit.grants.as_deref()).await?;
    people::update(&mut tx, user.id, user.version, display, disabled).await?;
    if let Some(hash) = &hash {
        people::set_password_hash(&mut tx, user.id, hash).await?;
    }
    if let Some(wanted) = &edit.grants {
        let fulfilled = approvers::fulfilled(&mut tx).await?;
        set_grants(&mut tx, &user, wanted).await?;
        // Who may not sign in any more has left; that is not held up.
        if !disabled {
            approvers::still_fulfil(&mut tx, &fulfilled).await?;
        }
    }
    if edit.unlock {
        login_failures::clear(&mut tx, &lock_key(name)).await?;
    }
    if let Some(subject) = &edit.provider_subject {
        let issuer = app.oidc.as_ref().map(|provider| provider.issuer());
        link(&mut tx, &user, issuer, subject).await?;
    }
    if hash.is_some() || disabled || edit.provider_subject.is_some() {
        sessions::revoke_all(&mut tx, user.id, None).await?;
    }
    let detail = json!({
        "grants": edit.grants,
        "disabled": edit.disabled,
        "new_password": hash.is_some(),
        "provider_subject": edit.provider_subject,
        "unlock": edit.unlock,
    });
    audit_trail::record(&mut tx, actor, Entry::done("user.change", &object(name), detail)).await?;
    tx.commit().await?;
    let mut conn = app.pool.acquire().await?;
    get(&mut conn, name).await
}

async fn set_grants(conn: &mut PgConnection, user: &User, wanted: &[Grant]) -> Answer<()> {
    let given = |grant: &&Grant| !user.from_provider.contains(grant);
    let had: BTreeSet<_> = user.grants.iter().filter(given).collect();
    let wants: BTreeSet<_> = wanted.iter().filter(given).collect();
    for grant in had.difference(&wants) {
        grants::delete(conn, user.id, grant).await?;
    }
    for grant in wants.difference(&had) {
        grants::insert(conn, user.id, grant).await?;
    }
    Ok(())
}

/// Says who somebody is at the provider. What groups gave the one they were before goes; it comes anew with a sign-in.
async fn link(conn: &mut PgConnection, user: &User, issuer: Option<&str>, subject: &str) -> Answer<()> {
    let issuer = issuer.ok_or_else(|| {
        Failure::invalid(
            "No identity provider is set up (MUSTER_OIDC_ISSUER), so nobody can be somebody there.",
        )
    })?;
    for grant in &user.from_provider {
        grants::delete(conn, user.id, grant).await?;
    }
    if subject.is_empty() {
        identities::delete(conn, user.id).await?;
    } else {
        identities::put(conn, user.id, issuer, subject).await?;
    }
    Ok(())
}

/// Without an admin nobody could ever add one again.
async fn keep_an_admin(
    conn: &mut PgConnection,
    user: &User,
    disabled: bool,
    wanted: Option<&[Grant]>,
) -> Answer<()> {
    let admins = grants::lock_admins(conn).await?;
    let is_admin = |grants: &[Grant]| grants.iter().any(|grant| grant.role == Role::Admin);
    let stays = !disabled && (is_admin(wanted.unwrap_or(&user.grants)) || is_admin(&user.from_provider));
    if stays || admins != [user.id] {
        return Ok(());
    }
    Err(Failure::new(
        "last-admin",
        format!("`{}` is the last admin; without one nobody could add people any more.", user.name),
        "Make somebody else an admin first.",
    ))
}

fn object(name: &str) -> String {
    format!("user {name}")
}
