//! Figures for monitoring, in a few statements whatever there is to count: what the newest surveys mean, runs, brake.
//!
//! Topics beyond the cap are left out by the database already, so that a pair of ten thousand topics costs a scrape no
//! more than a small one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    ids::{ClusterName, PairName},
    pair::{BySide, Objectives},
    record::Outcome,
    run::RunState,
};
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{StoreError, failed},
    readiness::Kept,
};

/// A pair with what its newest survey means.
#[derive(Debug)]
pub struct PairFigures<T> {
    /// Pair.
    pub pair: PairName,
    /// Its clusters.
    pub clusters: BySide<ClusterName>,
    /// What its owners want of it.
    pub objectives: Objectives,
    /// What the newest survey means, with at most so many topics of each flow; `None` when there was none.
    pub kept: Option<Kept<T>>,
    /// How long that survey took, in milliseconds.
    pub took_ms: Option<i64>,
    /// Topics of all its flows beyond the cap.
    pub topics_left_out: i64,
}

/// The first so many pairs by name, each with so many topics of each flow, the shortest names first: always the same
/// ones, so that a series does not come and go. With none, topics are neither looked at nor counted.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn pairs<T: DeserializeOwned>(
    conn: &mut PgConnection,
    most_pairs: i64,
    most_topics: i64,
) -> Result<Vec<PairFigures<T>>, StoreError> {
    let rows = sqlx::query!(
        r#"select p.name, p.cluster_a, p.cluster_b, p.body -> 'objectives' as "objectives!: Json<Objectives>",
            r.survey_number as "survey_number?", r.at as "at?", s.took_ms as "took_ms?",
            jsonb_set(r.results, '{lag}', coalesce(flows.lag, '[]')) as results,
            coalesce(flows.left_out, 0) as "left_out!"
        from (select name, cluster_a, cluster_b, body from pair order by name limit $1) p
        left join readiness r on r.pair = p.name
        left join survey s on s.pair = p.name
        left join lateral (
            select jsonb_agg(jsonb_set(flow, '{topics}', kept.topics)) as lag, sum(kept.left_out)::bigint as left_out
            from jsonb_array_elements(r.results -> 'lag') flow,
                lateral (
                    select coalesce(jsonb_object_agg(key, value) filter (where position <= $2::bigint), '{}') as topics,
                        greatest(count(*) - $2::bigint, 0) as left_out
                    -- In the order they are stored in: sorting ten thousand names would take longer than all the rest.
                    from jsonb_each(case when $2::bigint > 0 then flow -> 'topics' else '{}' end)
                        with ordinality as topic (key, value, position)
                ) kept
        ) flows on true
        order by p.name"#,
        most_pairs,
        most_topics
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of pairs"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |table, column| StoreError::unreadable(table, column, row.name.clone());
            let kept = match (row.survey_number, row.at, row.results) {
                (Some(survey_number), Some(at), Some(results)) => Some(Kept {
                    survey_number,
                    at,
                    results: serde_json::from_value(results)
                        .map_err(|_| unreadable("readiness", "results"))?,
                }),
                _ => None,
            };
            Ok(PairFigures {
                clusters: BySide {
                    a: ClusterName::new(row.cluster_a).map_err(|_| unreadable("pair", "cluster_a"))?,
                    b: ClusterName::new(row.cluster_b).map_err(|_| unreadable("pair", "cluster_b"))?,
                },
                objectives: row.objectives.0,
                kept,
                took_ms: row.took_ms,
                topics_left_out: row.left_out,
                pair: PairName::new(row.name.clone()).map_err(|_| unreadable("pair", "name"))?,
            })
        })
        .collect()
}

/// How many pairs there are.
///
/// # Errors
/// When the database refuses.
pub async fn count_pairs(conn: &mut PgConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from pair"#)
        .fetch_one(conn)
        .await
        .map_err(failed("count pairs"))
}

/// How many runs there are in each state; states without one are there with 0.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn runs_by_state(conn: &mut PgConnection) -> Result<BTreeMap<&'static str, i64>, StoreError> {
    let rows = sqlx::query!(r#"select state, count(*) as "count!" from run group by state"#)
        .fetch_all(conn)
        .await
        .map_err(failed("count runs"))?;
    let mut counts: BTreeMap<&'static str, i64> =
        RunState::ALL.into_iter().map(|state| (state.as_str(), 0)).collect();
    for row in rows {
        let state = RunState::parse(&row.state)
            .ok_or_else(|| StoreError::unreadable("run", "state", row.state.clone()))?;
        counts.insert(state.as_str(), row.count);
    }
    Ok(counts)
}

/// A run that has ended, or that holds its pair now.
#[derive(Debug)]
pub struct RunFigures {
    /// Pair.
    pub pair: String,
    /// Kind.
    pub operation: String,
    /// Where it is.
    pub state: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When it ended, if it has.
    pub ended_at: Option<DateTime<Utc>>,
    /// What was measured of it, without the figures of groups.
    pub outcome: Option<Json<Outcome>>,
}

/// The newest ended run of each kind of each pair, and every started one that has not ended.
///
/// # Errors
/// When the database refuses.
pub async fn newest_runs(conn: &mut PgConnection) -> Result<Vec<RunFigures>, StoreError> {
    sqlx::query_as!(
        RunFigures,
        r#"select distinct on (run.pair, operation, ended_at is null)
            run.pair, operation, state, started_at as "started_at!", ended_at,
            case when jsonb_typeof(outcome) = 'object' then outcome
                || '{"reprocessed_by_group": {}, "skipped_by_group": {}, "resumed_ms_by_group": {}, "checks": []}'
            end as "outcome: Json<Outcome>"
        from run
        join pair on pair.name = run.pair
        where started_at is not null
        order by run.pair, operation, ended_at is null, number desc"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of runs"))
}

/// When a run last proved, for each pair, that applications can be moved.
///
/// # Errors
/// When the database refuses.
pub async fn last_proofs(conn: &mut PgConnection) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
    let rows = sqlx::query!(
        r#"select run.pair, max(ended_at) as "at!"
        from run
        join pair on pair.name = run.pair
        where state in ('succeeded', 'succeeded_with_exceptions', 'passed')
            and ended_at is not null
            -- What only looks proves nothing of a move.
            and operation <> 'readiness_drill'
        group by run.pair"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of proofs"))?;
    Ok(rows.into_iter().map(|row| (row.pair, row.at)).collect())
}
