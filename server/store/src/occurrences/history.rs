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

/// Which recorded occurrences to list; every `None` matches all.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordedFilter<'a> {
    /// Only of pairs of these teams.
    pub teams: Option<&'a [String]>,
    /// Only of this pair.
    pub pair: Option<&'a PairName>,
    /// Due at or after.
    pub since: Option<DateTime<Utc>>,
    /// Due before.
    pub until: Option<DateTime<Utc>>,
    /// Only those that come after one in the order of the list: its due time and schedule.
    pub after: Option<(DateTime<Utc>, Uuid)>,
}

/// Recorded occurrences, newest due first, at most `limit`.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn recorded(
    conn: &mut PgConnection,
    filter: RecordedFilter<'_>,
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
            and ($3::timestamptz is null or o.due >= $3)
            and ($4::timestamptz is null or o.due < $4)
            and ($5::timestamptz is null or (o.due, o.schedule_id) < ($5, $6::uuid))
        order by o.due desc, o.schedule_id desc
        limit $7"#,
        filter.teams,
        filter.pair.map(PairName::as_str),
        filter.since,
        filter.until,
        filter.after.map(|(due, _)| due),
        filter.after.map(|(_, schedule)| schedule),
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
