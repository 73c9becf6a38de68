//! What happened in a run, append-only: intents, outcomes, decisions, notes.

use muster_domain::run::RunEvent;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// What to append.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Epoch of the worker; 0 for people's decisions.
    pub epoch: i64,
    /// Step it belongs to.
    pub step: Option<&'a str>,
    /// `intent`, `outcome`, `undo_intent`, `undo_outcome`, `note`, `decision`, `state`.
    pub kind: &'a str,
    /// One sentence for people.
    pub message: &'a str,
    /// Figures and evidence; never a secret.
    pub detail: serde_json::Value,
}

/// Appends an event. The run's row is locked by the caller (`runs::hold` or `runs::lock`), which keeps numbers dense.
///
/// # Errors
/// When the database refuses.
pub async fn append(conn: &mut PgConnection, run: Uuid, event: &NewEvent<'_>) -> Result<i64, StoreError> {
    let number = sqlx::query_scalar!(
        "update run
        set last_event = last_event + 1
        where id = $1
        returning last_event",
        run
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed("number run event"))?;
    sqlx::query!(
        "insert into run_event (run_id, number, epoch, step, kind, message, detail)
        values ($1, $2, $3, $4, $5, $6, $7)",
        run,
        number,
        event.epoch,
        event.step,
        event.kind,
        event.message,
        event.detail
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep run event"))?;
    crate::runs::notify(conn, run).await?;
    Ok(number)
}

/// Most events read at once.
pub const AT_MOST: usize = 1000;

/// Events after a number, oldest first, at most [`AT_MOST`].
///
/// # Errors
/// When the database refuses.
pub async fn after(conn: &mut PgConnection, run: Uuid, number: i64) -> Result<Vec<RunEvent>, StoreError> {
    page(conn, run, number, AT_MOST as i64).await
}

/// Events after a number, oldest first, at most `limit`.
///
/// # Errors
/// When the database refuses.
pub async fn page(
    conn: &mut PgConnection,
    run: Uuid,
    number: i64,
    limit: i64,
) -> Result<Vec<RunEvent>, StoreError> {
    let rows = sqlx::query!(
        "select number, at, step, kind, message, detail
        from run_event
        where run_id = $1
            and number > $2
        order by number
        limit $3",
        run,
        number,
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read run events"))?;
    Ok(rows
        .into_iter()
        .map(|row| RunEvent {
            number: row.number,
            at: row.at,
            step: row.step,
            kind: row.kind,
            message: row.message,
            detail: row.detail,
        })
        .collect())
}
