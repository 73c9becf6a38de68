//! What came due of schedules, and what became of it.

use chrono::{DateTime, Utc};
use muster_domain::{ids::PairName, run::RunState, schedule::Occurrence};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{StoreError, failed};

/// An occurrence that was recorded, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its schedule.
    pub schedule: Uuid,
    /// The pair.
    pub pair: PairName,
    /// What is drilled: `switchover` or `readiness_drill`.
    pub drill: String,
    /// When.
    pub occurrence: Occurrence,
    /// The run asked for, with its number and state.
    pub run: Option<(Uuid, i64, RunState)>,
    /// Whether a drill asked for since passed: its own run, or one made by hand before the next occurrence.
    pub passed: bool,
    /// Why there is no run yet.
    pub trouble: String,
    /// Why nobody has to hold it any more; `None` while it stands.
    pub skipped: Option<String>,
}

/// Recorded occurrences of pairs of some teams (`None`: of all), newest due first; only those that come after `before` in
/// this order, if given: its due time and schedule.
///
/// # Errors
/// When the database refuses.
pub async fn recorded(
    conn: &mut PgConnection,
    teams: Option<&[String]>,
    pair: Option<&PairName>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Recorded>, StoreError> {
    let rows = sqlx::query!(
        r#"select o.schedule_id, o.pair, o.drill, o.nominal, o.due, o.closes, o.trouble, o.skipped_why,
            run.id as "run?", run.number as "number?", run.state as "state?",
            exists (
                select from run held
                where held.pair = o.pair
                    and held.operation = o.drill
                    and held.drill
                    and held.state = 'passed'
                    and held.created_at >= o.recorded_at
                    and held.created_at < coalesce(
                        (
                            select min(later.recorded_at)
                            from drill_occurrence later
                            where later.schedule_id = o.schedule_id
                                and later.nominal > o.nominal
                        ),
                        'infinity'
                    )
            ) as "passed!"
        from drill_occurrence o
        join pair on pair.name = o.pair
        left join run on run.id = o.run_id
        where ($1::text[] is null or pair.team = any($1))
            and ($2::text is null or o.pair = $2)
            and ($3::timestamptz is null or (o.due, o.schedule_id) < ($3, $4::uuid))
        order by o.due desc, o.schedule_id desc
        limit $5"#,
        teams,
        pair.map(PairName::as_str),
        before.map(|(due, _)| due),
        before.map(|(_, schedule)| schedule),
        limit
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list occurrences"))?;
    rows.into_iter()
        .map(|row| {
            let unreadable = |column| StoreError::Unreadable {
                table: "drill_occurrence",
                column,
                row: format!("{} {}", row.schedule_id, row.nominal),
            };
            let pair = PairName::new(&row.pair).map_err(|_| unreadable("pair"))?;
            let run = match (row.run, row.number, row.state.as_deref()) {
                (Some(id), Some(number), Some(state)) => {
                    Some((id, number, RunState::parse(state).ok_or_else(|| unreadable("run.state"))?))
                }
                _ => None,
            };
            let occurrence = Occurrence { nominal: row.nominal, due: row.due, closes: row.closes };
            Ok(Recorded {
                schedule: row.schedule_id,
                pair,
                drill: row.drill,
                occurrence,
                run,
                passed: row.passed,
                trouble: row.trouble,
                skipped: row.skipped_why,
            })
        })
        .collect()
}
