//! Which worker carries a run, and what people ask of it. Every write of a worker goes through [`hold`] first.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// More takeovers than a run can have had after the backup that its database was restored from.
const BEYOND_THE_BACKUP: i64 = 1000;

/// What a person asked of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Stop at the next step boundary; with who and why.
    Pause(String),
    /// Undo everything; with who and why.
    Abort(String),
}

/// Asks the worker for something at the next step boundary. An abort replaces a pause, never the other way round.
///
/// # Errors
/// When the database refuses.
pub async fn want(conn: &mut PgConnection, run: Uuid, wanted: &Wanted) -> Result<(), StoreError> {
    let (word, reason) = match wanted {
        Wanted::Pause(reason) => ("pause", reason),
        Wanted::Abort(reason) => ("abort", reason),
    };
    sqlx::query!(
        "update run
        set wanted = $2,
            wanted_reason = $3
        where id = $1
            and (wanted is null or wanted = 'pause')",
        run,
        word,
        reason
    )
    .execute(conn)
    .await
    .map_err(failed("ask the worker"))?;
    Ok(())
}

/// What a person asked of the worker, if anything.
///
/// # Errors
/// When the database refuses.
pub async fn wanted(conn: &mut PgConnection, run: Uuid) -> Result<Option<Wanted>, StoreError> {
    let row = sqlx::query!("select wanted, wanted_reason from run where id = $1", run)
        .fetch_one(conn)
        .await
        .map_err(failed("read what is asked of the worker"))?;
    let reason = row.wanted_reason.unwrap_or_default();
    Ok(match row.wanted.as_deref() {
        Some("abort") => Some(Wanted::Abort(reason)),
        Some(_) => Some(Wanted::Pause(reason)),
        None => None,
    })
}

/// Takes over a run that wants a worker and has none alive: raises its epoch, so that the writes of whoever had it
/// before are refused from now on.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    conn: &mut PgConnection,
    worker: &str,
    lease_seconds: f64,
) -> Result<Option<(Uuid, i64)>, StoreError> {
    let row = sqlx::query!(
        "update run
        set epoch = epoch + 1,
            lease_owner = $1,
            lease_until = clock_timestamp() + make_interval(secs => $2)
        where id = (
            select id
            from run
            where state in ('running', 'rolling_back', 'verifying', 'cleaning_up')
                and (lease_until is null or lease_until < clock_timestamp())
            order by number
            -- Two workers asking at once get two different runs.
            for update skip locked
            limit 1
        )
        returning id, epoch",
        worker,
        lease_seconds
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("claim run"))?;
    Ok(row.map(|row| (row.id, row.epoch)))
}

/// Extends the lease; false when somebody else has the run now, or it was given back: a renewal that was on its way
/// must not keep others from it.
///
/// # Errors
/// When the database refuses.
pub async fn renew(
    conn: &mut PgConnection,
    run: Uuid,
    epoch: i64,
    lease_seconds: f64,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update run
        set lease_until = clock_timestamp() + make_interval(secs => $3)
        where id = $1
            and epoch = $2
            and lease_owner is not null",
        run,
        epoch,
        lease_seconds
    )
    .execute(conn)
    .await
    .map_err(failed("renew lease"))?;
    Ok(done.rows_affected() == 1)
}

/// Gives the lease back, so that another worker need not wait for it to run out.
///
/// # Errors
/// When the database refuses.
pub async fn release(conn: &mut PgConnection, run: Uuid, epoch: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "update run
        set lease_until = null,
            lease_owner = null
        where id = $1
            and epoch = $2",
        run,
        epoch
    )
    .execute(conn)
    .await
    .map_err(failed("release lease"))?;
    Ok(())
}

/// Takes a run from whoever had it when the backup was made that its database was restored from. Its next worker's epoch is higher
/// than any that applications were told of after the backup: they would ignore a lower one.
///
/// # Errors
/// When there is no such run or the database refuses.
pub async fn take_away(conn: &mut PgConnection, run: Uuid) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update run
        set epoch = epoch + $2,
            lease_owner = null,
            lease_until = null
        where id = $1",
        run,
        BEYOND_THE_BACKUP
    )
    .execute(conn)
    .await
    .map_err(failed("take the run away"))?;
    StoreError::expect_rows("take the run away", done.rows_affected(), 1)
}

/// Locks the run for a write of the worker with this epoch; `Fenced` when another worker has taken it over.
///
/// # Errors
/// `Fenced`, or when the database refuses.
pub async fn hold(conn: &mut PgConnection, run: Uuid, epoch: i64) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        "select 1 as one
        from run
        where id = $1
            and epoch = $2
        for update",
        run,
        epoch
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("hold run"))?
    .map(|_| ())
    .ok_or(StoreError::Fenced { run, epoch })
}
