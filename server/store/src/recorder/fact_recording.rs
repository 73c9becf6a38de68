//! Keeps ACLs and configs survey by survey: whole at most once a day, between that what changed, and of that so much a day.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, NaiveTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{FactCourse, FactKind, Keep, MOST_CHANGES_A_DAY},
    survey::SideObservation,
};
use serde_json::Value;
use sqlx::PgConnection;

use super::facts::{FactOf, newest};
use crate::error::{StoreError, failed};

/// Stands where the version before keeps what tells one content from another. It is none that it makes, so it writes whatever it sees
/// when it takes a pair over: what changed since this whole state it does not know of.
const FOLLOWED_BY_CHANGES: &str = "followed by changes";
/// What a row takes beside its body: its own head, its names, its place in the index.
const BYTES_OF_ROW: i64 = 128;

/// Where the recording of a pair's ACLs and configs stands. Of one process, for as long as it holds the pair's lease; after a
/// transaction that failed it begins anew from what is kept.
#[derive(Debug)]
pub struct FactRecording {
    courses: BTreeMap<(Side, FactKind), FactCourse>,
    most_a_day: i64,
}

impl Default for FactRecording {
    fn default() -> Self {
        Self::keeping(MOST_CHANGES_A_DAY)
    }
}

/// What was written of one survey.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FactsWritten {
    /// As JSON, before the database packs it.
    pub bytes: usize,
    /// Of which changes are left out from now on until the next day.
    pub left_out: Vec<FactKind>,
}

impl FactRecording {
    /// One that keeps at most so many bytes of changes of each kind a day.
    #[must_use]
    pub fn keeping(most_a_day: i64) -> Self {
        Self { courses: BTreeMap::new(), most_a_day }
    }

    /// Reads how what is kept of a pair stands, where that is not known yet: of ten thousand topics it is some megabytes, which the transaction
    /// that keeps the first survey is not to wait for. Later ones read it only where something changed, that of which it did.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recall(&mut self, conn: &mut PgConnection, pair: &PairName) -> Result<(), StoreError> {
        for side in Side::BOTH {
            for kind in FactKind::ALL {
                self.course(conn, (pair, side, kind)).await?;
            }
        }
        Ok(())
    }

    async fn course(
        &mut self,
        conn: &mut PgConnection,
        of: FactOf<'_>,
    ) -> Result<&mut FactCourse, StoreError> {
        let (_, side, kind) = of;
        Ok(match self.courses.entry((side, kind)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(newest(conn, of).await?),
        })
    }

    /// Keeps what a survey saw of a side, where it is otherwise than it was. In the transaction that keeps the survey, under its lease;
    /// when that fails, this has to begin anew.
    ///
    /// # Errors
    /// `Conflict` with `recorder_fact_of_pair` or `recorder_fact_change_of_pair` when the pair was deleted; when the database refuses.
    pub async fn record(
        &mut self,
        conn: &mut PgConnection,
        (pair, side): (&PairName, Side),
        at: DateTime<Utc>,
        seen: &SideObservation,
    ) -> Result<FactsWritten, StoreError> {
        let (mut written, most_a_day) = (FactsWritten::default(), self.most_a_day);
        for kind in FactKind::ALL {
            let of = (pair, side, kind);
            let course = self.course(conn, of).await?;
            let mut keep = course.follow(seen, at);
            if keep == Keep::ReadFirst {
                *course = newest(conn, of).await?;
                keep = course.follow(seen, at);
            }
            match keep {
                // What was read just now is not to be read first.
                Keep::Nothing | Keep::ReadFirst => {}
                Keep::Whole(body) => {
                    written.bytes += body.to_string().len();
                    keep_fact(conn, of, at, &body).await?;
                }
                Keep::Change(change) => {
                    // Kept first: so it is measured as PostgreSQL packs it, like those before.
                    keep_fact_change(conn, of, at, Some(&change)).await?;
                    if spent(conn, (pair, kind), at).await? <= most_a_day {
                        written.bytes += change.to_string().len();
                    } else {
                        course.leave_out();
                        written.left_out.push(kind);
                        leave_out_change(conn, of, at).await?;
                    }
                }
            }
        }
        Ok(written)
    }
}

/// Keeps what a side's ACLs or configs are from a time on, whole.
///
/// # Errors
/// `Conflict` with `recorder_fact_of_pair` when the pair was deleted; when the database refuses.
pub async fn keep_fact(
    conn: &mut PgConnection,
    (pair, side, kind): FactOf<'_>,
    at: DateTime<Utc>,
    body: &Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into recorder_fact (pair, side, kind, at, hash, body)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair, side, kind, at) do nothing",
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        at,
        FOLLOWED_BY_CHANGES,
        body
    )
    .execute(conn)
    .await
    .map_err(failed("keep ACLs or configs"))?;
    Ok(())
}

/// Keeps what changed of a side's ACLs or configs since what was kept last; without it, that changes are left out from then on. A whole state
/// that a process of the version before wrote is marked as followed by changes: it would take what it knows for what was kept last.
///
/// # Errors
/// `Conflict` with `recorder_fact_change_of_pair` when the pair was deleted; when the database refuses.
pub async fn keep_fact_change(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    at: DateTime<Utc>,
    change: Option<&Value>,
) -> Result<(), StoreError> {
    let (pair, side, kind) = of;
    sqlx::query!(
        "insert into recorder_fact_change (pair, side, kind, at, body)
        values ($1, $2, $3, $4, $5)",
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        at,
        change
    )
    .execute(&mut *conn)
    .await
    .map_err(failed("keep what changed of ACLs or configs"))?;
    mark_followed(conn, of).await
}

/// The newest whole state is followed by changes. Nothing is written where that is said already.
async fn mark_followed(conn: &mut PgConnection, (pair, side, kind): FactOf<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "update recorder_fact
        set hash = $4
        where pair = $1
            and side = $2
            and kind = $3
            and at = (
                select max(at)
                from recorder_fact
                where pair = $1
                    and side = $2
                    and kind = $3
            )
            and hash <> $4",
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        FOLLOWED_BY_CHANGES
    )
    .execute(conn)
    .await
    .map_err(failed("mark ACLs or configs as followed by changes"))?;
    Ok(())
}

/// The change that was kept at a time is none any more: from then on changes are left out.
async fn leave_out_change(
    conn: &mut PgConnection,
    (pair, side, kind): FactOf<'_>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update recorder_fact_change
        set body = null
        where pair = $1
            and side = $2
            and kind = $3
            and at = $4",
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        at
    )
    .execute(conn)
    .await
    .map_err(failed("leave out what changed of ACLs or configs"))?;
    StoreError::expect_rows("leave out what changed of ACLs or configs", done.rows_affected(), 1)
}

/// Bytes that changes of one kind of a pair took on the day of a time, as they are stored.
async fn spent(
    conn: &mut PgConnection,
    (pair, kind): (&PairName, FactKind),
    at: DateTime<Utc>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"select coalesce(sum(pg_column_size(body)), 0)::bigint + count(*) * $3::bigint as "bytes!"
        from recorder_fact_change
        where pair = $1
            -- Named, so that the index leads to the day and not through the year.
            and side in ('a', 'b')
            and kind = $4
            and at >= $2"#,
        pair.as_str(),
        at.date_naive().and_time(NaiveTime::MIN).and_utc(),
        BYTES_OF_ROW,
        kind.as_str()
    )
    .fetch_one(conn)
    .await
    .map_err(failed("measure what changes of ACLs and configs took today"))
}
