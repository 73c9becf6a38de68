//! API tokens: shown once, hashed at rest, ended by time or by hand.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use muster_domain::{
    hash::sha256_hex,
    people::{Actor, Role, Scope},
};
use muster_store::tokens::{self, Token};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit_trail::{self, Entry};
use crate::{
    auth::SessionRef,
    http::{Answer, Failure},
};

/// Most days a token lives.
pub const LONGEST_DAYS: i64 = 366;

/// A token to make: it acts with the rights of whoever makes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "pipeline", "days": 90, "scopes": ["operator"]}))]
pub struct NewToken {
    /// Its name; the audit shows `token:name`.
    pub name: String,
    /// Days until it ends, 1 to 366.
    pub days: i64,
    /// What it may use of these rights; all of them when left out. `calendar` stands alone.
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

/// A token as shown, without itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenView {
    /// Id.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Whose it is, by the name they sign in with: it acts with their rights.
    pub owner: String,
    /// What it may use of its maker's rights; empty for all.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Last use, to within a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// The token itself: only in the answer that makes it, never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            owner: token.owner,
            scopes: token.scopes.iter().filter_map(|word| Scope::parse(word)).collect(),
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
            token: None,
        }
    }
}

/// Makes a token. A token makes none: a narrow one would otherwise make itself a wide one.
///
/// # Errors
/// `forbidden` by a token, `name-taken`, `invalid-request`.
pub async fn create(
    conn: &mut PgConnection,
    new: &NewToken,
    actor: &Actor,
    asking: SessionRef,
) -> Answer<TokenView> {
    if let SessionRef::Token(_) = asking {
        return Err(Failure::new("forbidden", "A token makes no tokens.", "Sign in, then make the token."));
    }
    if !(1..=LONGEST_DAYS).contains(&new.days) {
        return Err(Failure::invalid(format!("A token lives 1 to {LONGEST_DAYS} days.")));
    }
    if new.scopes.contains(&Scope::Calendar) && new.scopes.len() > 1 {
        return Err(Failure::invalid("A calendar's token reads the calendar and nothing else."));
    }
    let scopes: Vec<String> = new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|e| Failure::internal("make a token", e))?;
    let token = format!("muster_{}", URL_SAFE_NO_PAD.encode(bytes));
    let seconds = (new.days * 86_400) as f64;
    let kept = tokens::insert(
        conn,
        Uuid::now_v7(),
        &new.name,
        actor.id,
        &sha256_hex(token.as_bytes()),
        &scopes,
        seconds,
    )
    .await?;
    let detail = json!({"expires_at": kept.expires_at, "scopes": new.scopes});
    audit_trail::record(conn, actor, Entry::done("token.create", &format!("token {}", new.name), detail))
        .await?;
    Ok(TokenView { token: Some(token), ..kept.into() })
}

/// One's own tokens, those of everybody for an admin, newest first, at most `limit`; only those that come after `before` in this
/// order, if given: when it was made, and its id.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    conn: &mut PgConnection,
    actor: &Actor,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Answer<Vec<Token>> {
    let whose = (!actor.has_anywhere(Role::Admin)).then_some(actor.id);
    Ok(tokens::page(conn, whose, before, limit).await?)
}

/// Revokes one's own token; any for an admin. Answers it. A token revokes itself; others only with the scope `admin` of an admin, as it
/// ends sessions: one that only reads must end nothing of its maker's.
///
/// # Errors
/// `forbidden` by such a token, `not-found`.
pub async fn revoke(conn: &mut PgConnection, id: Uuid, actor: &Actor, asking: SessionRef) -> Answer<Token> {
    if let SessionRef::Token(own) = asking
        && own != id
        && !actor.has_anywhere(Role::Admin)
    {
        return Err(Failure::new(
            "forbidden",
            "A token revokes no token but itself, unless it has the scope `admin` of an admin.",
            "Sign in, then revoke the token.",
        ));
    }
    let token = get(conn, id, actor).await?;
    tokens::revoke(conn, id).await?;
    let detail = json!({"owner": token.owner});
    audit_trail::record(conn, actor, Entry::done("token.revoke", &format!("token {}", token.name), detail))
        .await?;
    Ok(token)
}

/// One's own token, also one that ended; anybody's for an admin.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Token> {
    let may = |token: &Token| token.user == actor.id || actor.has_anywhere(Role::Admin);
    let known = tokens::get(conn, id).await?.filter(may);
    known.ok_or_else(|| Failure::not_found("token", &id.to_string()))
}
