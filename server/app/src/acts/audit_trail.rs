//! Writing the audit: what was done goes with the change, what was refused goes alone.

use muster_domain::people::Actor;
use muster_store::{audit, happenings};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use crate::http::{Answer, network};

/// What is told of an act. The detail never holds a secret.
#[derive(Debug)]
pub struct Entry<'a> {
    action: &'a str,
    object: &'a str,
    detail: Value,
}

impl<'a> Entry<'a> {
    /// Something done: `cluster.create` on `cluster eu-west`.
    #[must_use]
    pub fn done(action: &'a str, object: &'a str, detail: Value) -> Self {
        Self { action, object, detail }
    }
}

/// Writes what was done, as the last write of the change's own transaction.
///
/// # Errors
/// When the database refuses; then the change is not done either.
pub async fn record(conn: &mut PgConnection, actor: &Actor, entry: Entry<'_>) -> Answer<()> {
    audit::append(conn, &actor.name, entry.action, entry.object, "done", entry.detail).await?;
    Ok(())
}

/// Who was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Their name; none when nobody is signed in.
    pub name: Option<&'a str>,
    /// Where the request came from; empty when that is not known.
    pub address: &'a str,
}

/// Most refusals an hour that are entries each: of one person, of one address where nobody is signed in, of nobody at all.
/// What goes beyond is counted only, or whoever likes could fill the audit with their refusals.
const OF_PERSON: i32 = 1000;
const FROM_ADDRESS: i32 = 200;
const OF_NOBODY: i32 = 2000;
const HOUR: f64 = 3600.0;
/// Longest text of such an entry, in characters: who is refused chose what they were refused at.
const LONGEST: usize = 1000;

impl Refused<'_> {
    /// What their refusals are counted under, the narrowest first, with how many of them are entries.
    fn counted_as(&self) -> Vec<(String, i32)> {
        match self.name {
            Some(name) => vec![(format!("refusals of {name}"), OF_PERSON)],
            None => vec![
                (format!("refusals from {}", network::counted(self.address)), FROM_ADDRESS),
                // Not "of nobody": a person may be called that.
                ("refusals without a name".to_owned(), OF_NOBODY),
            ],
        }
    }
}

/// Writes what was refused, unless there was too much of it; the last entry says so. The answer does not wait for this to
/// succeed: a refusal stays one.
pub async fn record_refusal(pool: &PgPool, who: Refused<'_>, action: &str, object: &str, detail: Value) {
    let actor = who.name.unwrap_or("nobody");
    if let Err(cause) = write_refusal(pool, who, actor, action, object, detail).await {
        tracing::error!(%actor, %action, %object, cause = %cause.problem.detail, "could not audit a refusal");
    }
}

async fn write_refusal(
    pool: &PgPool,
    who: Refused<'_>,
    actor: &str,
    action: &str,
    object: &str,
    mut detail: Value,
) -> Answer<()> {
    let mut tx = muster_store::begin(pool).await?;
    for (place, (key, most)) in who.counted_as().iter().enumerate() {
        let counted = happenings::count(&mut tx, key, HOUR).await?;
        if counted.count > *most {
            tracing::warn!(%actor, %action, %object, address = who.address, "a refusal is counted and no entry: {key} were {} within an hour", counted.count);
            if place > 0 {
                // However many addresses they come from, none of these leaves a row of its own.
                tx.rollback().await?;
                tx = muster_store::begin(pool).await?;
                happenings::count(&mut tx, key, HOUR).await?;
            }
            return Ok(tx.commit().await?);
        }
        if counted.count == *most {
            detail["only_counted_until"] = json!(counted.until);
        }
    }
    shorten(&mut detail);
    audit::append(&mut tx, actor, action, &short(object), "refused", detail).await?;
    Ok(tx.commit().await?)
}

fn shorten(detail: &mut Value) {
    for value in detail.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if let Value::String(text) = value {
            *text = short(text);
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
