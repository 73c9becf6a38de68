//! What cleanup policies topics have: as the newest survey read them, and where it could not as they were kept last.
//!
//! Configs are kept with the survey that saw them change, so what is kept says what the newest survey read, and is a small part of a
//! survey's size. The survey is unpacked only where that does not hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{CleanupPolicies, FactKind},
};
use sqlx::PgConnection;

use super::{
    facts::{FactOf, fact_at, fact_changes},
    facts_changed::{FactFilter, facts_left_out},
};
use crate::{
    error::{StoreError, failed},
    surveys,
};

/// The cleanup policies of a side's topics at a time. A survey that was taken by then says them whatever became of the changes of that day: these
/// may have been left out, and what they were is unknown until the next. Of a time before the newest survey, and of topics whose configs it
/// could not read, they are what was kept.
///
/// # Errors
/// When the database refuses.
pub async fn cleanup_policies(
    conn: &mut PgConnection,
    (pair, side): (&PairName, Side),
    at: DateTime<Utc>,
) -> Result<CleanupPolicies, StoreError> {
    let of = (pair, side, FactKind::Configs);
    let newest = surveys::head(conn, pair).await?.map(|newest| newest.began_at).filter(|began| *began <= at);
    let is_kept = match newest {
        Some(began) => is_kept(conn, of, (began, at)).await?,
        None => true,
    };
    let kept = if is_kept { fact_at(conn, of, at).await? } else { None };
    if newest.is_none() || kept.is_some() {
        return Ok(CleanupPolicies::new(BTreeMap::new(), kept));
    }
    read_by_survey(conn, of, at).await
}

/// Whether what a survey saw of it is in what is kept at a later time. It is not where changes are left out then, and where something was kept
/// after that survey by its time: a clock was set back, and what changed since waits.
async fn is_kept(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    (began, at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, StoreError> {
    let (pair, side, kind) = of;
    let changes = fact_changes(conn, of, 1).await?;
    if changes.first().is_none_or(|changed| *changed > began) {
        return Ok(false);
    }
    let then = FactFilter { side: Some(side), kind: Some(kind), from: at, to: at };
    Ok(facts_left_out(conn, pair, then, 1).await?.is_empty())
}

/// As the newest survey read them, and of topics whose configs it could not read as they were kept.
async fn read_by_survey(
    conn: &mut PgConnection,
    of: FactOf<'_>,
    at: DateTime<Utc>,
) -> Result<CleanupPolicies, StoreError> {
    let (pair, side, _) = of;
    let rows = sqlx::query!(
        r#"select
            topic.name as "name!",
            seen.topics -> topic.name #>> '{configs,value,cleanup.policy,value}' as policy
        from (
            select body #> array['sides', $2::text, 'topics', 'value'] as topics
            from survey
            where pair = $1
                and began_at <= $3
            -- Unpacked once, and not for each topic.
            offset 0
        ) as seen
        cross join lateral jsonb_object_keys(seen.topics) as topic (name)"#,
        pair.as_str(),
        side.as_str(),
        at
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed("read the cleanup policies of a side's topics"))?;
    let topics = rows.len();
    let read: BTreeMap<String, String> =
        rows.into_iter().filter_map(|row| Some((row.name, row.policy?))).collect();
    let is_whole = topics > 0 && read.len() == topics;
    let kept = if is_whole { None } else { fact_at(conn, of, at).await? };
    Ok(CleanupPolicies::new(read, kept))
}
