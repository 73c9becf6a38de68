//! ACLs and configs as they changed: each fact that was kept, told from the one before it.

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{FactChange, FactKind},
};
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// The place of a change among those of a pair, which are newest first: two sides can be seen changed by one survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactPlace {
    /// The survey that saw it.
    pub at: DateTime<Utc>,
    /// Whose.
    pub side: Side,
    /// Of what.
    pub kind: FactKind,
}

impl FactPlace {
    /// Where a change is.
    #[must_use]
    pub fn of(change: &FactChange) -> Self {
        Self { at: change.at, side: change.side, kind: change.kind }
    }
}

/// Which changes; every `None` matches all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactFilter {
    /// Of one side.
    pub side: Option<Side>,
    /// Of one kind.
    pub kind: Option<FactKind>,
    /// Seen at this time or later.
    pub from: DateTime<Utc>,
    /// Seen until this time.
    pub to: DateTime<Utc>,
}

/// Changes of ACLs and configs of a pair, each told from the fact before it, newest first; at most so many behind a place.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn facts_changed(
    conn: &mut PgConnection,
    pair: &PairName,
    wanted: FactFilter,
    behind: Option<FactPlace>,
    most: i64,
) -> Result<Vec<FactChange>, StoreError> {
    let rows = sqlx::query!(
        r#"select
            kept.side,
            kept.kind,
            kept.at,
            kept.body,
            earlier.body as "before?"
        from recorder_fact kept
        left join lateral (
            select fact.body
            from recorder_fact fact
            where fact.pair = kept.pair
                and fact.side = kept.side
                and fact.kind = kept.kind
                and fact.at < kept.at
            order by fact.at desc
            limit 1
        ) earlier on true
        where kept.pair = $1
            and ($2::text is null or kept.side = $2)
            and ($3::text is null or kept.kind = $3)
            and kept.at >= $4
            and kept.at <= $5
            and ($6::timestamptz is null or (kept.at, kept.side, kept.kind) < ($6, $7::text, $8::text))
        order by kept.at desc, kept.side desc, kept.kind desc
        limit $9"#,
        pair.as_str(),
        wanted.side.map(Side::as_str),
        wanted.kind.map(FactKind::as_str),
        wanted.from,
        wanted.to,
        behind.map(|place| place.at),
        behind.map(|place| place.side.as_str()),
        behind.map(|place| place.kind.as_str()),
        most
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list changes of ACLs and configs"))?;
    rows.into_iter()
        .map(|row| {
            let strange =
                |column| StoreError::unreadable("recorder_fact", column, format!("{pair} at {}", row.at));
            let side = Side::parse(&row.side).ok_or_else(|| strange("side"))?;
            let kind = FactKind::parse(&row.kind).ok_or_else(|| strange("kind"))?;
            Ok(FactChange::new((side, kind), row.at, row.before.as_ref(), &row.body))
        })
        .collect()
}
