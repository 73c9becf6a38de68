//! Looks that failed: at a source that does not answer, and at one that does.

use chrono::{DateTime, Utc};
use muster_domain::{ids::PairName, pair::Direction};
use sqlx::PgConnection;

use crate::{
    error::{StoreError, failed},
    leases::{self, survey_lease},
};

/// Keeps that a source cannot be read, since the first time that was so. Nothing else changes. A source that was never
/// looked at has nothing that could be said of it.
///
/// # Errors
/// `LeaseLost` when another process looks now; otherwise when the database refuses.
pub async fn keep_silence(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    epoch: i64,
    at: DateTime<Utc>,
    because: &str,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    sqlx::query!(
        "update ring_look
        set silent_since = coalesce(silent_since, $3),
            silent_because = $4
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str(),
        at,
        because
    )
    .execute(conn)
    .await
    .map_err(failed("keep that a source is silent"))?;
    Ok(())
}

/// Keeps that a look failed although the source answers, which is not silent then, and since when. Nothing else changes. A source that
/// was never looked at has nothing that could be said of it.
///
/// # Errors
/// `LeaseLost` when another process looks now; otherwise when the database refuses.
pub async fn keep_failure(
    conn: &mut PgConnection,
    (pair, direction): (&PairName, Direction),
    epoch: i64,
    at: DateTime<Utc>,
    because: &str,
) -> Result<(), StoreError> {
    leases::hold(conn, &survey_lease(pair), epoch).await?;
    // What a process of the version before looked at since is no failure.
    sqlx::query!(
        "update ring_look
        set silent_since = null,
            silent_because = '',
            failing_since = case when failing_since > looked_at then failing_since else $3 end,
            failing_because = $4
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        direction.from.as_str(),
        at,
        because
    )
    .execute(conn)
    .await
    .map_err(failed("keep that looks at a source fail"))?;
    Ok(())
}
