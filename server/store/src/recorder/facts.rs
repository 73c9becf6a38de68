//! What changes seldom, read back: ACLs and configs as they were at a time, told from the last whole state and what changed since.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{FactCourse, FactKind, FactRow, FactStanding},
};
use serde_json::Value;
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// Whose, and what of it.
pub type FactOf<'a> = (&'a PairName, Side, FactKind);

/// What is kept between two times, oldest first: from the last whole state that was kept until the first time on, so that every row can be
/// told; without one from that time itself. All in one statement: a whole state that is written meanwhile must not come between.
pub(super) async fn rows(
    conn: &mut PgConnection,
    (pair, side, kind): FactOf<'_>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(DateTime<Utc>, FactRow)>, StoreError> {
    let rows = sqlx::query!(
        r#"with base as (
            select coalesce(max(at), $4::timestamptz) as at
            from recorder_fact
            where pair = $1
                and side = $2
                and kind = $3
                and at <= $4
        )
        select kept.at as "at!", kept.body as "body?", kept.whole as "whole!"
        from base
        cross join lateral (
            select fact.at, fact.body, true as whole
            from recorder_fact fact
            where fact.pair = $1
                and fact.side = $2
                and fact.kind = $3
                and fact.at >= base.at
                and fact.at <= $5
            union all
            select change.at, change.body, false as whole
            from recorder_fact_change change
            where change.pair = $1
                and change.side = $2
                and change.kind = $3
                and change.at > base.at
                and change.at <= $5
        ) kept
        order by kept.at"#,
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        from,
        to
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read ACLs or configs of a time"))?;
    let row = |whole, body: Option<Value>| match (whole, body) {
        (true, body) => FactRow::Whole(body.unwrap_or_default()),
        (false, Some(change)) => FactRow::Change(change),
        (false, None) => FactRow::LeftOut,
    };
    Ok(rows.into_iter().map(|kept| (kept.at, row(kept.whole, kept.body))).collect())
}

/// What is known of a time.
struct Then {
    /// When it was kept whole last.
    whole_at: DateTime<Utc>,
    /// When anything was kept last.
    at: DateTime<Utc>,
    standing: FactStanding,
}

/// `None` before anything was kept.
async fn then(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    moment: DateTime<Utc>,
) -> Result<Option<Then>, StoreError> {
    let rows = rows(conn, of, (moment, moment)).await?;
    let Some((whole_at, at)) = rows.first().zip(rows.last()).map(|(first, last)| (first.0, last.0)) else {
        return Ok(None);
    };
    let known = |standing: FactStanding, (_, row)| standing.after(of.2, row);
    let standing = rows.into_iter().fold(FactStanding::Nothing, known);
    Ok(Some(Then { whole_at, at, standing }))
}

/// How recording goes on after what is kept.
pub(super) async fn newest(conn: &mut PgConnection, of: FactOf<'_>) -> Result<FactCourse, StoreError> {
    // Also what was kept by a clock that is ahead of this one.
    let ever = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_else(Utc::now);
    let then = then(conn, of, ever).await?;
    Ok(match then {
        Some(then) => FactCourse::read(of.2, (then.whole_at, then.at), then.standing),
        None => FactCourse::new(of.2),
    })
}

/// What a side's ACLs or configs were at a time; `None` before they were first read, and where it is not known what they were: where
/// changes were left out, or what is kept does not read back.
///
/// # Errors
/// When the database refuses.
pub async fn fact_at(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    at: DateTime<Utc>,
) -> Result<Option<Value>, StoreError> {
    let standing = then(conn, of, at).await?.map(|then| then.standing);
    Ok(match standing {
        Some(FactStanding::Known(state)) => Some(state.into_body()),
        Some(FactStanding::Nothing | FactStanding::LeftOut | FactStanding::Unreadable) | None => None,
    })
}

/// ACLs or configs of a side as they were for some time.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The survey that saw them so first.
    pub since: DateTime<Utc>,
    /// The survey that saw them changed; `None` while they are so.
    pub until: Option<DateTime<Utc>>,
    /// As [`muster_domain::recorder::FactState`] has them; `None` where changes were left out, since then and until then.
    pub body: Option<Value>,
}

/// What a side's ACLs or configs were at a time and for how long; `None` before they were first read.
///
/// # Errors
/// `Unreadable` when what is kept of that time does not read back; when the database refuses.
pub async fn fact(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    at: DateTime<Utc>,
) -> Result<Option<Fact>, StoreError> {
    let Some(then) = then(conn, of, at).await? else { return Ok(None) };
    let (pair, side, kind) = of;
    let body = match then.standing {
        FactStanding::Known(state) => Some(state.into_body()),
        FactStanding::LeftOut => None,
        FactStanding::Nothing | FactStanding::Unreadable => {
            let row = format!("{} of side {} of `{pair}` at {}", kind.as_str(), side.as_str(), then.at);
            return Err(StoreError::unreadable("recorder_fact_change", "body", row));
        }
    };
    let until = sqlx::query_scalar!(
        r#"select min(later.at) as "until?"
        from (
            select min(fact.at) as at
            from recorder_fact fact
            where fact.pair = $1
                and fact.side = $2
                and fact.kind = $3
                and fact.at > $4
            union all
            select min(change.at) as at
            from recorder_fact_change change
            where change.pair = $1
                and change.side = $2
                and change.kind = $3
                and change.at > $4
        ) later"#,
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        at
    )
    .fetch_one(conn)
    .await
    .map_err(failed("read how long ACLs or configs were so"))?;
    Ok(Some(Fact { since: then.at, until, body }))
}

/// When a side's ACLs or configs were seen to change, newest first; at most so many. Where changes were left out from a time on, that time
/// is among them, and the next is the one at which they were kept whole again.
///
/// # Errors
/// When the database refuses.
pub async fn fact_changes(
    conn: &mut PgConnection,
    (pair, side, kind): FactOf<'_>,
    most: i64,
) -> Result<Vec<DateTime<Utc>>, StoreError> {
    sqlx::query_scalar!(
        r#"select kept.at as "at!"
        from (
            (
                select at
                from recorder_fact
                where pair = $1
                    and side = $2
                    and kind = $3
                order by at desc
                limit $4
            )
            union all
            (
                select at
                from recorder_fact_change
                where pair = $1
                    and side = $2
                    and kind = $3
                order by at desc
                limit $4
            )
        ) kept
        order by kept.at desc
        limit $4"#,
        pair.as_str(),
        side.as_str(),
        kind.as_str(),
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list changes of ACLs or configs"))
}
