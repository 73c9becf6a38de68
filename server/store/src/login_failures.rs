//! Failed sign-ins, counted in the database so that a lock-out holds across processes and restarts.
//!
//! Count and check two keys, the user name (`user:mira.holt`) and the address (`address:10.0.0.7`): one stops guessing
//! at one person from many places, the other guessing at many people from one place. Unknown names are counted like
//! known ones, or the lock-out would tell which exist.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// When failures lock a key, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct LockOut {
    /// Failures within the window that lock.
    pub failures: i32,
    /// Length of the window in seconds, from the first failure.
    pub window_seconds: f64,
    /// How long it stays locked, in seconds.
    pub lock_seconds: f64,
}

/// Until when a key is locked; `None` when it is not.
///
/// # Errors
/// When the database refuses: treat as locked.
pub async fn locked_until(conn: &mut PgConnection, key: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = sqlx::query_scalar!(
        r#"select locked_until as "until!"
        from login_failure
        where key = $1
            and locked_until > clock_timestamp()"#,
        key
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read lock-out"))?;
    Ok(row)
}

/// Counts a failure and locks the key when there were enough; returns until when. Commit it whatever else happens.
///
/// # Errors
/// When the database refuses.
pub async fn count(
    conn: &mut PgConnection,
    key: &str,
    rule: LockOut,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    // A window that is over, or a lock that has run out, starts the count again.
    sqlx::query_scalar!(
        "insert into login_failure as kept (key, failures, since, locked_until)
        values (
            $1, 1, clock_timestamp(),
            case when $2 <= 1 then clock_timestamp() + make_interval(secs => $4) end
        )
        on conflict (key) do update
        set (failures, since, locked_until) = (
            select
                fresh.failures,
                fresh.since,
                case
                    when fresh.failures >= $2 then clock_timestamp() + make_interval(secs => $4)
                end
            from (
                select
                    case when over.yes then 1 else kept.failures + 1 end as failures,
                    case when over.yes then clock_timestamp() else kept.since end as since
                from (
                    select kept.locked_until < clock_timestamp()
                        or (
                            kept.locked_until is null
                            and kept.since < clock_timestamp() - make_interval(secs => $3)
                        ) as yes
                ) as over
            ) as fresh
        )
        returning locked_until",
        key,
        rule.failures,
        rule.window_seconds,
        rule.lock_seconds
    )
    .fetch_one(conn)
    .await
    .map_err(failed("count failed sign-in"))
}

/// Forgets the failures of a key, after a sign-in or by an admin.
///
/// # Errors
/// When the database refuses.
pub async fn clear(conn: &mut PgConnection, key: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from login_failure
        where key = $1",
        key
    )
    .execute(conn)
    .await
    .map_err(failed("clear failed sign-ins"))?;
    Ok(())
}

/// Removes counters that no longer matter (a day old and not locked), so that guessing does not fill the table.
///
/// # Errors
/// When the database refuses.
pub async fn delete_old(conn: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from login_failure
        where since < clock_timestamp() - interval '1 day'
            and (locked_until is null or locked_until < clock_timestamp())"
    )
    .execute(conn)
    .await
    .map_err(failed("remove old failed sign-ins"))?;
    Ok(done.rows_affected())
}
