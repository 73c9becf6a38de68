//! Figures of what waits for somebody: messages on their way, open findings, drills nobody held.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::ids::PairName;
use sqlx::PgConnection;

use crate::error::{StoreError, failed};

/// Messages that wait to be delivered to channels of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// `email`, `slack`, `teams`, `webhook`, `pagerduty`.
    pub kind: String,
    /// How many.
    pub count: i64,
    /// When the oldest of them was written.
    pub oldest: DateTime<Utc>,
}

/// Messages that wait, by kind of channel; kinds for which none does are not there.
///
/// # Errors
/// When the database refuses.
pub async fn undelivered(conn: &mut PgConnection) -> Result<Vec<Undelivered>, StoreError> {
    sqlx::query_as!(
        Undelivered,
        r#"select channel.kind, count(*) as "count!", min(notification.created_at) as "oldest!"
        from delivery
        join channel on channel.id = delivery.channel_id
        join notification on notification.id = delivery.notification_id
        where delivery.next_at is not null
        group by channel.kind"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of messages"))
}

/// How many findings of each of many pairs are open; pairs without one are not there.
///
/// # Errors
/// When the database refuses.
pub async fn open_findings_of(
    conn: &mut PgConnection,
    pairs: &[PairName],
) -> Result<BTreeMap<String, i64>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query!(
        r#"select pair, count(*) as "count!"
        from finding
        where closed_at is null
            and pair = any($1)
        group by pair"#,
        &names
    )
    .fetch_all(conn)
    .await
    .map_err(failed("count open findings of pairs"))?;
    Ok(rows.into_iter().map(|row| (row.pair, row.count)).collect())
}

/// How many findings are open, by severity; severities without one are not there.
///
/// # Errors
/// When the database refuses.
pub async fn open_findings(conn: &mut PgConnection) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"select severity, count(*) as "count!"
        from finding
        where closed_at is null
        group by severity"#
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of findings"))?;
    Ok(rows.into_iter().map(|row| (row.severity, row.count)).collect())
}

/// Schedules of a pair whose last window has closed without a passed drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueDrills {
    /// The pair.
    pub pair: String,
    /// What is drilled.
    pub drill: String,
    /// Schedules; 0 when each was held, or none has come due yet.
    pub count: i64,
}

/// For every pair and kind of drill that has a schedule which is on: how many of them are overdue. Of each schedule only
/// the newest occurrence whose window has closed counts: what was missed before that is history, and a drill that passed
/// since makes up for it.
///
/// # Errors
/// When the database refuses.
pub async fn overdue_drills(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<OverdueDrills>, StoreError> {
    sqlx::query_as!(
        OverdueDrills,
        r#"select schedule.pair, coalesce(schedule.body ->> 'drill', 'switchover') as "drill!",
            count(closed.nominal) filter (where not closed.passed) as "count!"
        from schedule
        join pair on pair.name = schedule.pair
        left join lateral (
            select o.nominal,
                exists (
                    select from run held
                    where held.pair = o.pair
                        and held.operation = o.drill
                        and held.drill
                        and held.state = 'passed'
                        and held.created_at >= o.recorded_at
                ) as passed
            from drill_occurrence o
            where o.schedule_id = schedule.id
                and o.closes <= $1
                and o.skipped_why is null
            order by o.nominal desc
            limit 1
        ) closed on true
        where schedule.removed_at is null
            and (schedule.body ->> 'enabled')::boolean
        group by 1, 2"#,
        now
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read figures of drills"))
}

/// When drills of a schedule that is on are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillDuty {
    /// The pair.
    pub pair: String,
    /// Since when its last window is closed without a passed drill; `None` when one passed, or none has come due yet.
    pub overdue_since: Option<DateTime<Utc>>,
    /// When the next one is due, or since when it is; `None` when it never comes again.
    pub due: Option<DateTime<Utc>>,
    /// Until when the one that is due should begin; `None` when it is not recorded yet.
    pub closes: Option<DateTime<Utc>>,
}

/// When drills of many pairs are due, one for each of their schedules that is on. A drill that passed since an occurrence was
/// recorded makes up for it, as in [`overdue_drills`].
///
/// # Errors
/// When the database refuses.
pub async fn drill_duties(
    conn: &mut PgConnection,
    pairs: &[PairName],
    now: DateTime<Utc>,
) -> Result<Vec<DrillDuty>, StoreError> {
    let names: Vec<String> = pairs.iter().map(PairName::to_string).collect();
    let rows = sqlx::query!(
        r#"select schedule.pair, schedule.next_at,
            coalesce((schedule.body ->> 'lead_days')::bigint, 0) as "lead_days!",
            closed.closes as "overdue_since?", open.due as "due?", open.closes as "closes?"
        from schedule
        left join lateral (
            select held.created_at as at
            from run held
            where held.pair = schedule.pair
                and held.operation = coalesce(schedule.body ->> 'drill', 'switchover')
                and held.drill
                and held.state = 'passed'
            order by held.created_at desc
            limit 1
        ) passed on true
        left join lateral (
            select o.closes, o.recorded_at
            from drill_occurrence o
            where o.schedule_id = schedule.id
                and o.closes <= $2
                and o.skipped_why is null
            order by o.nominal desc
            limit 1
        ) closed on passed.at is null or passed.at < closed.recorded_at
        left join lateral (
            select o.due, o.closes
            from drill_occurrence o
            where o.schedule_id = schedule.id
                and o.closes > $2
                and o.skipped_why is null
                and (passed.at is null or passed.at < o.recorded_at)
            order by o.nominal
            limit 1
        ) open on true
        where schedule.removed_at is null
            and (schedule.body ->> 'enabled')::boolean
            and schedule.pair = any($1)"#,
        &names,
        now
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read when drills of pairs are due"))?;
    // What is not recorded yet is recorded so many days before it is due.
    let ahead = |at: Option<DateTime<Utc>>, lead: i64| at.map(|at| at + TimeDelta::days(lead));
    let duty = |pair, overdue_since, due, closes| DrillDuty { pair, overdue_since, due, closes };
    Ok(rows
        .into_iter()
        .map(|r| duty(r.pair, r.overdue_since, r.due.or_else(|| ahead(r.next_at, r.lead_days)), r.closes))
        .collect())
}
