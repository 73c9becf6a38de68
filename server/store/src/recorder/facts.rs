//! What changes seldom: ACLs and configs, kept when they differ from what was kept last.

use chrono::{DateTime, Utc};
use muster_domain::{ids::PairName, pair::Side};
use serde::Serialize;
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// Keeps what a side's ACLs (`acls`) or configs (`configs`) are from a time on, unless they are as they were. `hash` tells
/// one content from another. Answers whether they had changed.
///
/// # Errors
/// `Conflict` with `recorder_fact_of_pair` when the pair was deleted; when the database refuses.
pub async fn keep_fact(
    conn: &mut PgConnection,
    (pair, side, kind): (&PairName, Side, &str),
    at: DateTime<Utc>,
    hash: &str,
    body: &impl Serialize,
) -> Result<bool, StoreError> {
    let last = sqlx::query_scalar!(
        "select hash
        from recorder_fact
        where pair = $1
            and side = $2
            and kind = $3
        order by at desc
        limit 1",
        pair.as_str(),
        side.as_str(),
        kind
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(failed("read which ACLs and configs were kept last"))?;
    if last.as_deref() == Some(hash) {
        return Ok(false);
    }
    let body = serde_json::to_value(body)
        .map_err(|_| StoreError::unreadable("recorder_fact", "body", format!("{kind} of `{pair}`")))?;
    sqlx::query!(
        "insert into recorder_fact (pair, side, kind, at, hash, body)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair, side, kind, at) do nothing",
        pair.as_str(),
        side.as_str(),
        kind,
        at,
        hash,
        body
    )
    .execute(conn)
    .await
    .map_err(failed("keep ACLs or configs"))?;
    Ok(true)
}

/// What a side's ACLs (`acls`) or configs (`configs`) were at a time; `None` before they were first read.
///
/// # Errors
/// When the database refuses.
pub async fn fact_at(
    conn: &mut PgConnection,
    (pair, side, kind): (&PairName, Side, &str),
    at: DateTime<Utc>,
) -> Result<Option<serde_json::Value>, StoreError> {
    sqlx::query_scalar!(
        "select body
        from recorder_fact
        where pair = $1
            and side = $2
            and kind = $3
            and at <= $4
        order by at desc
        limit 1",
        pair.as_str(),
        side.as_str(),
        kind,
        at
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read ACLs or configs of a time"))
}

/// ACLs or configs of a side as they were for some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The survey that saw them first.
    pub since: DateTime<Utc>,
    /// The survey that saw them changed; `None` while they are so.
    pub until: Option<DateTime<Utc>>,
    /// As [`muster_domain::recorder::facts_of`] has them.
    pub body: serde_json::Value,
}

/// What a side's ACLs (`acls`) or configs (`configs`) were at a time and for how long; `None` before they were first read.
///
/// # Errors
/// When the database refuses.
pub async fn fact(
    conn: &mut PgConnection,
    (pair, side, kind): (&PairName, Side, &str),
    at: DateTime<Utc>,
) -> Result<Option<Fact>, StoreError> {
    sqlx::query_as!(
        Fact,
        r#"select kept.at as since,
            (
                select min(later.at)
                from recorder_fact later
                where later.pair = kept.pair
                    and later.side = kept.side
                    and later.kind = kept.kind
                    and later.at > $4
            ) as "until?",
            kept.body
        from recorder_fact kept
        where kept.pair = $1
            and kept.side = $2
            and kept.kind = $3
            and kept.at <= $4
        order by kept.at desc
        limit 1"#,
        pair.as_str(),
        side.as_str(),
        kind,
        at
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read ACLs or configs of a time"))
}

/// When a side's ACLs (`acls`) or configs (`configs`) were seen to change, newest first; at most so many.
///
/// # Errors
/// When the database refuses.
pub async fn fact_changes(
    conn: &mut PgConnection,
    (pair, side, kind): (&PairName, Side, &str),
    most: i64,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    sqlx::query_scalar!(
        "select at
        from recorder_fact
        where pair = $1
            and side = $2
            and kind = $3
        order by at desc
        limit $4",
        pair.as_str(),
        side.as_str(),
        kind,
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list changes of ACLs or configs"))
}
