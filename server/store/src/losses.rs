//! What was lost each time a source died.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    loss::Loss,
    pair::{Direction, Side},
};
use sqlx::{PgConnection, types::Json};

use crate::error::StoreError;

/// Keeps what is said of a loss now, in place of what was said of the same before.
///
/// # Errors
/// `Conflict` with `loss_of_pair` when the pair was deleted; when the database refuses.
pub async fn keep(conn: &mut PgConnection, pair: &PairName, loss: &Loss) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into loss (pair, from_side, seen_at, noticed_at, body, settled)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair, from_side, seen_at) do update
        set body = excluded.body,
            settled = excluded.settled,
            at = clock_timestamp()",
        pair.as_str(),
        side_word(loss.direction.from),
        loss.seen_at,
        loss.noticed_at,
        Json(loss) as _,
        loss.truth.as_ref().is_some_and(|truth| truth.settled)
    )
    .execute(conn)
    .await
    .map_err(|source| StoreError::database("keep a loss", source))?;
    Ok(())
}

/// Losses of a pair whose last word is not said yet: the source is away, or just back.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn unsettled(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<Loss>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"select body as "body: Json<Loss>"
        from loss
        where pair = $1
            and not settled
        order by seen_at desc, from_side"#,
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(|source| StoreError::database("read losses", source))?;
    Ok(rows.into_iter().map(|Json(loss)| loss).collect())
}

/// The loss that stood at a time: of the last source that had died by then. Without a direction of whichever flow.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn at(
    conn: &mut PgConnection,
    pair: &PairName,
    direction: Option<Direction>,
    at: DateTime<Utc>,
) -> Result<Option<Loss>, StoreError> {
    let body = sqlx::query_scalar!(
        r#"select body as "body: Json<Loss>"
        from loss
        where pair = $1
            and ($2::text is null or from_side = $2)
            and noticed_at <= $3
        order by seen_at desc, from_side
        limit 1"#,
        pair.as_str(),
        direction.map(|direction| side_word(direction.from)),
        at
    )
    .fetch_optional(conn)
    .await
    .map_err(|source| StoreError::database("read a loss", source))?;
    Ok(body.map(|Json(loss)| loss))
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}
