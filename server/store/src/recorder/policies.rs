//! What cleanup policies topics have: as the newest survey read them, and where it could not as they were kept last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::PairName,
    pair::Side,
    recorder::{CleanupPolicies, FactKind},
};
use sqlx::PgConnection;

use super::facts::fact_at;
use crate::error::{StoreError, failed};

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
    let kept = if is_whole { None } else { fact_at(conn, (pair, side, FactKind::Configs), at).await? };
    Ok(CleanupPolicies::new(read, kept))
}
