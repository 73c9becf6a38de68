//! Runs started without approval, and their reviews.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    break_glass::{BreakGlass, Review, Verdict},
    record::Person,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// Keeps that a run was started without approval. The review is due so long after now, by the database's clock.
///
/// # Errors
/// `Conflict` when it was kept before; otherwise when the database refuses.
pub async fn insert(
    conn: &mut PgConnection,
    run: Uuid,
    by: &Person,
    reason: &str,
    overridden: &[String],
    review_within: TimeDelta,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into break_glass (run_id, by, by_name, reason, overridden, review_due)
        values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))",
        run,
        by.id,
        by.name,
        reason,
        overridden,
        review_within.num_seconds() as f64
    )
    .execute(conn)
    .await
    .map_err(failed("keep start without approval"))?;
    Ok(())
}

struct BreakGlassRow {
    run_id: Uuid,
    by: Uuid,
    by_name: String,
    reason: String,
    overridden: Vec<String>,
    at: DateTime<Utc>,
    review_due: DateTime<Utc>,
    reviewed_by: Option<Uuid>,
    reviewed_by_name: Option<String>,
    reviewed_at: Option<DateTime<Utc>>,
    verdict: Option<String>,
    comment: String,
}

impl TryFrom<BreakGlassRow> for BreakGlass {
    type Error = StoreError;

    fn try_from(row: BreakGlassRow) -> Result<Self, StoreError> {
        let review = match (row.reviewed_by, row.reviewed_by_name, row.reviewed_at, row.verdict) {
            (Some(id), Some(name), Some(at), Some(verdict)) => Some(Review {
                by: Person { id, name },
                at,
                verdict: Verdict::parse(&verdict).ok_or_else(|| {
                    StoreError::unreadable("break_glass", "verdict", row.run_id.to_string())
                })?,
                comment: row.comment,
            }),
            _ => None,
        };
        Ok(Self {
            by: Person { id: row.by, name: row.by_name },
            at: row.at,
            reason: row.reason,
            overridden: row.overridden,
            review_due: row.review_due,
            review,
        })
    }
}

/// How a run was started without approval; `None` when it was not.
///
/// # Errors
/// When the database refuses or the row does not read back.
pub async fn get(conn: &mut PgConnection, run: Uuid) -> Result<Option<BreakGlass>, StoreError> {
    sqlx::query_as!(
        BreakGlassRow,
        r#"select run_id, by, by_name, reason, overridden, at, review_due, reviewed_by, reviewed_by_name, reviewed_at,
            verdict, comment
        from break_glass
        where run_id = $1"#,
        run
    )
    .fetch_optional(conn)
    .await
    .map_err(failed("read start without approval"))?
    .map(BreakGlass::try_from)
    .transpose()
}

/// Keeps a review; false when there is one already.
///
/// # Errors
/// `Conflict` with `break_glass_reviewed_by_another`; otherwise when the database refuses.
pub async fn review(
    conn: &mut PgConnection,
    run: Uuid,
    by: &Person,
    verdict: Verdict,
    comment: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update break_glass
        set reviewed_by = $2,
            reviewed_by_name = $3,
            reviewed_at = clock_timestamp(),
            verdict = $4,
            comment = $5
        where run_id = $1
            and reviewed_at is null",
        run,
        by.id,
        by.name,
        verdict.as_str(),
        comment
    )
    .execute(conn)
    .await
    .map_err(failed("keep review"))?;
    Ok(done.rows_affected() == 1)
}

/// Runs whose review should have come by now and of which no finding says so yet; locked until the transaction ends, those
/// another process looks at left out.
///
/// # Errors
/// When the database refuses.
pub async fn unreviewed(conn: &mut PgConnection, about: &str) -> Result<Vec<Uuid>, StoreError> {
    sqlx::query_scalar!(
        "select run_id
        from break_glass
        where reviewed_at is null
            and review_due < clock_timestamp()
            and not exists (select 1 from finding where finding.run_id = break_glass.run_id and about = $1)
        for update skip locked",
        about
    )
    .fetch_all(conn)
    .await
    .map_err(failed("find reviews that did not come"))
}
