//! What differed of the parts that a pair's newest survey cannot compare, as it was when that was possible last. Whoever writes it
//! keeps a survey in the same transaction ([`crate::surveys::keep`]), so nobody else observes the pair meanwhile.

use chrono::{DateTime, Utc};
use muster_domain::ids::PairName;
use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use crate::error::{StoreError, failed};

/// As it was kept, by whichever version; `None` where nothing is.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, pair: &PairName) -> Result<Option<serde_json::Value>, StoreError> {
    sqlx::query_scalar!(
        "select body
        from differences_compared
        where pair = $1",
        pair.as_str()
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read what was compared last"))
}

/// Keeps it in the place of what was kept before; `at` is when the survey began it is written with.
///
/// # Errors
/// When the database refuses.
pub async fn keep(
    conn: &mut PgConnection,
    pair: &PairName,
    at: DateTime<Utc>,
    body: &(impl Serialize + Sync),
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into differences_compared (pair, at, body)
        values ($1, $2, $3)
        on conflict (pair) do update
        set at = excluded.at,
            body = excluded.body",
        pair.as_str(),
        at,
        Json(body) as _
    )
    .execute(conn)
    .await
    .map_err(failed("keep what was compared last"))?;
    Ok(())
}

/// Removes it, if there is any.
///
/// # Errors
/// When the database refuses.
pub async fn remove(conn: &mut PgConnection, pair: &PairName) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from differences_compared
        where pair = $1",
        pair.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("remove what was compared last"))?;
    Ok(())
}
