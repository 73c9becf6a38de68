//! Named leases by the database's clock: exactly one process does a thing at a time.
//!
//! Time alone cannot keep two processes apart (one may sleep through its lease and wake up writing), so each claim
//! raises the epoch and every write made under a lease goes through [`hold`] in its own transaction.

use chrono::{DateTime, Utc};
use muster_domain::ids::PairName;
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// A lease somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its name: `survey:payments`.
    pub name: String,
    /// The process that holds it.
    pub owner: String,
    /// Fencing number: later claims have higher ones.
    pub epoch: i64,
    /// When it runs out, by the database's clock.
    pub until: DateTime<Utc>,
}

/// A process that holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// As it names itself: host and process.
    pub process: String,
    /// Pairs it observes.
    pub pairs: i64,
    /// Runs it carries out.
    pub runs: i64,
}

/// Every process that holds a lease or a run now, by name. One that only serves pages holds nothing and is not told.
///
/// # Errors
/// When the database refuses.
pub async fn holders(conn: &mut PgConnection) -> Result<Vec<Holder>, StoreError> {
    sqlx::query_as!(
        Holder,
        r#"select process as "process!", count(*) filter (where not is_run) as "pairs!", count(*) filter (where is_run) as "runs!"
        from (
            select owner as process, false as is_run
            from lease
            where until > clock_timestamp()
                and owner <> ''
            union all
            select coalesce(lease_owner, ''), true
            from run
            where state in ('running', 'rolling_back', 'verifying', 'cleaning_up')
                and lease_until > clock_timestamp()
        ) as held
        group by process
        order by process"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list processes"))
}

/// Name of the lease that makes one process observe a pair.
#[must_use]
pub fn survey_lease(pair: &PairName) -> String {
    format!("survey:{pair}")
}

/// Takes a lease nobody holds; `None` while somebody else does. An owner that claims its own lease again (a task that
/// crashed and was restarted) gets a new epoch, so that whatever is left of the old task is fenced too.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    conn: &mut PgConnection,
    name: &str,
    owner: &str,
    seconds: f64,
) -> Result<Option<Lease>, StoreError> {
    sqlx::query_as!(
        Lease,
        "insert into lease (name, owner, epoch, until)
        values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
        on conflict (name) do update
        set owner = excluded.owner,
            epoch = lease.epoch + 1,
            until = clock_timestamp() + make_interval(secs => $3)
        where lease.until < clock_timestamp()
            or lease.owner = excluded.owner
        returning name, owner, epoch, until",
        name,
        owner,
        seconds
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("claim lease"))
}

/// Extends a lease; false when somebody else has it now. A lease that ran out but was not taken is still ours.
///
/// # Errors
/// When the database refuses.
pub async fn renew(
    conn: &mut PgConnection,
    name: &str,
    epoch: i64,
    seconds: f64,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update lease
        set until = clock_timestamp() + make_interval(secs => $3)
        where name = $1
            and epoch = $2
            and owner <> ''",
        name,
        epoch,
        seconds
    )
    .execute(conn)
    .await
    .map_err(failed("renew lease"))?;
    Ok(done.rows_affected() == 1)
}

/// The epoch of a lease that an owner holds, and whether it does for at least so many seconds to come: for something that
/// goes along with what the lease is for and must have ended before somebody else begins.
///
/// # Errors
/// When the database refuses.
pub async fn held_by(
    conn: &mut PgConnection,
    name: &str,
    owner: &str,
    seconds: f64,
) -> Result<Option<(i64, bool)>, StoreError> {
    let row = sqlx::query!(
        r#"select epoch, until > clock_timestamp() + make_interval(secs => $3) as "long_enough!"
        from lease
        where name = $1
            and owner = $2"#,
        name,
        owner,
        seconds
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read who holds a lease"))?;
    Ok(row.map(|row| (row.epoch, row.long_enough)))
}

/// Gives back everything an owner holds, so that others need not wait for it to run out; the names, in order.
///
/// # Errors
/// When the database refuses.
pub async fn release_all(conn: &mut PgConnection, owner: &str) -> Result<Vec<String>, StoreError> {
    let mut names = sqlx::query_scalar!(
        "update lease
        set owner = '',
            until = '-infinity'
        where owner = $1
        returning name",
        owner
    )
    .fetch_all(conn)
    .await
    .map_err(failed("release leases"))?;
    names.sort_unstable();
    Ok(names)
}

/// Checks, for the rest of the caller's transaction, that the lease is still of this epoch: a claim by somebody else
/// waits until the transaction ends.
///
/// # Errors
/// `LeaseLost` when somebody else has it; otherwise when the database refuses.
pub async fn hold(conn: &mut PgConnection, name: &str, epoch: i64) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        "select 1 as one
        from lease
        where name = $1
            and epoch = $2
            and owner <> ''
        for share",
        name,
        epoch
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("hold lease"))?
    .map(|_| ())
    .ok_or_else(|| StoreError::LeaseLost { name: name.to_owned(), epoch })
}

/// A lease that is held right now, for `doctor` and pages.
///
/// # Errors
/// When the database refuses.
pub async fn get(conn: &mut PgConnection, name: &str) -> Result<Option<Lease>, StoreError> {
    sqlx::query_as!(
        Lease,
        "select name, owner, epoch, until
        from lease
        where name = $1
            and until >= clock_timestamp()",
        name
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read lease"))
}
