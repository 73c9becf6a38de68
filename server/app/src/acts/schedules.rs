//! Drill schedules: made, changed, removed.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use muster_domain::{
    ids::PairName,
    people::{Actor, Role},
    schedule::{Blackout, Cadence, Drill, Fate, Schedule},
};
use muster_operations::decisions;
use muster_store::{occurrences, runs, schedules};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audit_trail::{self, Entry},
    needs_role, pairs,
};
use crate::http::{Answer, Failure, check_version};

/// A schedule to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 15 2,5,8,11 *"},
    "zone": "Europe/Berlin", "owners": ["mira"]}))]
pub struct NewSchedule {
    /// The pair.
    pub pair: PairName,
    /// What is drilled.
    #[serde(default = "switchover")]
    pub drill: Drill,
    /// How often.
    pub cadence: Cadence,
    /// Time zone of the IANA database.
    #[serde(default = "utc")]
    #[schema(value_type = String)]
    pub zone: Tz,
    /// Minutes after the due time within which the drill should begin.
    #[serde(default = "four_hours")]
    pub window_minutes: u32,
    /// Days without drills.
    #[serde(default)]
    pub blackouts: Vec<Blackout>,
    /// Who sees to it, by the name they sign in with.
    #[serde(default)]
    pub owners: Vec<String>,
    /// Days before the due time at which the plan is made and approval asked for.
    #[serde(default = "a_week")]
    pub lead_days: u32,
    /// Whether it fires.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn switchover() -> Drill {
    Drill::Switchover
}

fn utc() -> Tz {
    Tz::UTC
}

fn four_hours() -> u32 {
    240
}

fn a_week() -> u32 {
    7
}

fn yes() -> bool {
    true
}

/// Changes to a schedule; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct ScheduleEdit {
    /// How often.
    #[serde(default)]
    pub cadence: Option<Cadence>,
    /// Time zone.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub zone: Option<Tz>,
    /// Minutes after the due time within which the drill should begin.
    #[serde(default)]
    pub window_minutes: Option<u32>,
    /// Days without drills, all of them.
    #[serde(default)]
    pub blackouts: Option<Vec<Blackout>>,
    /// Who sees to it.
    #[serde(default)]
    pub owners: Option<Vec<String>>,
    /// Days before the due time at which the plan is made.
    #[serde(default)]
    pub lead_days: Option<u32>,
    /// Whether it fires.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A schedule this person may see.
///
/// # Errors
/// `not-found`.
pub async fn get(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Schedule> {
    let missing = || Failure::not_found("schedule", &id.to_string());
    let schedule = schedules::get(conn, id).await?.ok_or_else(missing)?;
    let pair = pairs::get(conn, &schedule.pair).await?;
    if actor.may_read(&pair.team) { Ok(schedule) } else { Err(missing()) }
}

/// Makes a schedule.
///
/// # Errors
/// `forbidden`, `not-found`, `invalid-request`.
pub async fn create(
    conn: &mut PgConnection,
    new: NewSchedule,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<Schedule> {
    let pair = pairs::get(conn, &new.pair).await?;
    needs_role(actor, Role::Owner, &pair.team)?;
    let schedule = Schedule {
        id: Uuid::now_v7(),
        pair: new.pair,
        drill: new.drill,
        cadence: new.cadence,
        zone: new.zone,
        window_minutes: new.window_minutes,
        blackouts: new.blackouts,
        owners: new.owners,
        lead_days: new.lead_days,
        enabled: new.enabled,
        version: 1,
    };
    check(&schedule, now)?;
    schedules::insert(conn, &schedule, schedule.to_record_after(now)).await?;
    told(conn, actor, "schedule.create", &schedule).await?;
    Ok(schedule)
}

/// Changes a schedule. What is open of it is looked at again: what it no longer has is taken back or skipped.
///
/// # Errors
/// `edited-in-between`, `forbidden`, `not-found`, `invalid-request`.
pub async fn change(
    conn: &mut PgConnection,
    id: Uuid,
    version: Option<i64>,
    edit: ScheduleEdit,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<Schedule> {
    let mut schedule = owned(conn, id, actor).await?;
    check_version(version, schedule.version)?;
    schedule.cadence = edit.cadence.unwrap_or(schedule.cadence);
    schedule.zone = edit.zone.unwrap_or(schedule.zone);
    schedule.window_minutes = edit.window_minutes.unwrap_or(schedule.window_minutes);
    schedule.blackouts = edit.blackouts.unwrap_or(schedule.blackouts);
    schedule.owners = edit.owners.unwrap_or(schedule.owners);
    schedule.lead_days = edit.lead_days.unwrap_or(schedule.lead_days);
    schedule.enabled = edit.enabled.unwrap_or(schedule.enabled);
    check(&schedule, now)?;
    schedules::lock_to_change(conn, id).await?;
    let why = if schedule.enabled { "its schedule was changed" } else { "its schedule was switched off" };
    take_back(conn, &schedule, why, actor, now).await?;
    if !schedules::update(conn, &schedule, schedule.to_record_changed(now)).await? {
        return Err(muster_store::StoreError::Stale { op: "change schedule" }.into());
    }
    told(conn, actor, "schedule.change", &schedule).await?;
    Ok(Schedule { version: schedule.version + 1, ..schedule })
}

/// Removes a schedule; what came due of it stays, skipped if nobody has begun it.
///
/// # Errors
/// `edited-in-between`, `forbidden`, `not-found`.
pub async fn remove(
    conn: &mut PgConnection,
    id: Uuid,
    version: Option<i64>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<()> {
    let schedule = owned(conn, id, actor).await?;
    check_version(version, schedule.version)?;
    schedules::lock_to_change(conn, id).await?;
    let gone = Schedule { enabled: false, ..schedule.clone() };
    take_back(conn, &gone, "its schedule was removed", actor, now).await?;
    schedules::remove(conn, id).await?;
    told(conn, actor, "schedule.delete", &schedule).await
}

/// Takes back what was recorded of a schedule, is not begun, and is no longer of it as it is from now on. The schedule is locked:
/// nothing gets its run meanwhile.
async fn take_back(
    conn: &mut PgConnection,
    schedule: &Schedule,
    why: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Answer<()> {
    for open in occurrences::lock_open(conn, schedule.id, now).await? {
        let nominal = open.occurrence.nominal;
        let run = match open.run {
            Some(run) => runs::lock(conn, run).await?,
            None => None,
        };
        if run.as_ref().is_some_and(|run| run.started_at.is_some()) {
            continue;
        }
        match schedule.changes(&open.occurrence, run.is_some(), now) {
            Fate::Stays => continue,
            Fate::Forgotten => occurrences::forget(conn, schedule.id, nominal).await?,
            Fate::Skipped => occurrences::skip(conn, schedule.id, nominal, why).await?,
        }
        if let Some(run) = run {
            decisions::withdraw_scheduled_run(conn, &run, why, actor).await?;
        }
    }
    Ok(())
}

async fn owned(conn: &mut PgConnection, id: Uuid, actor: &Actor) -> Answer<Schedule> {
    let schedule = get(conn, id, actor).await?;
    let pair = pairs::get(conn, &schedule.pair).await?;
    needs_role(actor, Role::Owner, &pair.team)?;
    Ok(schedule)
}

fn check(schedule: &Schedule, now: DateTime<Utc>) -> Answer<()> {
    schedule.check(now).map_err(|wrong| {
        let mut text = wrong.to_string();
        text.push('.');
        Failure::invalid(text[..1].to_uppercase() + &text[1..])
    })
}

async fn told(conn: &mut PgConnection, actor: &Actor, action: &str, schedule: &Schedule) -> Answer<()> {
    let detail = json!({"pair": schedule.pair, "cadence": schedule.cadence, "zone": schedule.zone,
        "window_minutes": schedule.window_minutes, "enabled": schedule.enabled,
        "blackouts": schedule.blackouts.len(), "lead_days": schedule.lead_days});
    let object = format!("schedule {}", schedule.id);
    audit_trail::record(conn, actor, Entry::done(action, &object, detail)).await
}
