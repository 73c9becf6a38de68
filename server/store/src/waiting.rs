//! Figures of what waits for somebody: messages on their way, open findings, drills nobody held.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::error::StoreError;

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
    .map_err(|source| StoreError::database("read figures of messages", source))
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
    .map_err(|source| StoreError::database("read figures of findings", source))?;
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
    .map_err(|source| StoreError::database("read figures of drills", source))
}
