//! How often something happened in a window of time, counted in the database so that limits hold across processes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// A count with the end of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How often it happened in this window, this time included.
    pub count: i32,
    /// When the window ends and counting starts again.
    pub until: DateTime<Utc>,
}

/// Counts something that happens now. A window begins with what is counted first in it.
///
/// # Errors
/// When the database refuses.
pub async fn count(conn: &mut PgConnection, key: &str, window_seconds: f64) -> Result<Counted, StoreError> {
    sqlx::query_as!(
        Counted,
        r#"insert into happening as kept (key, count, since)
        values ($1, 1, clock_timestamp())
        on conflict (key) do update
        set (count, since) = (
            select
                case when over.yes then 1 else least(kept.count, 2147483646) + 1 end,
                case when over.yes then clock_timestamp() else kept.since end
            from (select kept.since < clock_timestamp() - make_interval(secs => $2) as yes) as over
        )
        returning count, since + make_interval(secs => $2) as "until!""#,
        key,
        window_seconds
    )
    .fetch_one(conn)
    .await
    .map_err(failed("count what happens"))
}

/// Removes counts that began more than a day ago: no window is as long. Says how many.
///
/// # Errors
/// When the database refuses.
pub async fn delete_old(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from happening
        where since < clock_timestamp() - interval '1 day'"
    )
    .execute(conn)
    .await
    .map_err(failed("remove old counts"))?;
    Ok(done.rows_affected())
}
