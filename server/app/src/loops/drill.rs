//! What schedules make happen by themselves: occurrences are recorded, plans made and approval asked for, ahead of time.
//!
//! Any number of processes may do this at once: a row is locked while it is looked at, and an occurrence is recorded, or
//! gets its run, in one transaction with what that means. Dying anywhere does nothing by halves and nothing twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    both_active,
    direction::{ActiveSide, active_side},
    notification::Event,
    people::Actor,
    record::Run,
    schedule::{Drill, Occurrence, Schedule, Standing},
};
use muster_operations::decisions;
use muster_store::{clock, occurrences, outbox, surveys, untold};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use crate::{
    acts::{
        pairs,
        plans::{self, NewPlan},
    },
    http::{Answer, Failure},
    process::telemetry::Beat,
};

/// Pause between two turns.
pub const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long an occurrence rests for which no plan could be made.
const REST: TimeDelta = TimeDelta::minutes(10);

/// Works until shutdown.
pub async fn run(pool: PgPool, beat: Beat, shutdown: CancellationToken) {
    loop {
        let looked = look(&pool, &shutdown).await;
        beat.turned(looked.is_ok());
        if let Err(failure) = looked {
            tracing::warn!(cause = %failure.problem.detail, "could not look after drill schedules; tried again shortly");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(pool: &PgPool, shutdown: &CancellationToken) -> Answer<()> {
    let now = clock::now(&mut *pool.acquire().await?).await?;
    while !shutdown.is_cancelled() && record_one(pool, now).await? {}
    while !shutdown.is_cancelled() && prepare_one(pool, now).await? {}
    while !shutdown.is_cancelled() && tell_one(pool, now).await? {}
    Ok(())
}

/// Records one occurrence whose time has come; whether there was any.
///
/// # Errors
/// When the database refuses.
pub async fn record_one(pool: &PgPool, now: DateTime<Utc>) -> Answer<bool> {
    let mut tx = muster_store::begin(pool).await?;
    let Some((schedule, nominal)) = occurrences::lock_one_to_record(&mut tx, now).await? else {
        return Ok(false);
    };
    let occurrence = schedule.occurrence(nominal);
    let next = schedule.to_record_after(nominal);
    occurrences::record(&mut tx, &schedule, &occurrence, next).await?;
    tx.commit().await?;
    Ok(true)
}

/// Tells the team of one occurrence that it is due or overdue, each once; whether there was any to tell of. What a passed
/// drill satisfies is told nobody.
///
/// # Errors
/// When the database refuses.
pub async fn tell_one(pool: &PgPool, now: DateTime<Utc>) -> Answer<bool> {
    let mut tx = muster_store::begin(pool).await?;
    let Some(untold) = untold::lock_one(&mut tx, now).await? else { return Ok(false) };
    let (pair, drill) = (untold.schedule.pair.clone(), untold.schedule.drill);
    let (schedule, occurrence) = (untold.schedule.id, untold.occurrence);
    let event = match occurrence.standing(untold.passed, false, now) {
        Standing::Satisfied | Standing::Ahead | Standing::Skipped => None,
        // It runs by itself: nobody has to do anything yet.
        Standing::Due if drill.operation().only_looks() => None,
        Standing::Due => Some(Event::DrillDue { pair, drill, schedule, occurrence }),
        Standing::Overdue => Some(Event::DrillOverdue { pair, drill, schedule, occurrence }),
    };
    if let Some(event) = event {
        outbox::write(&mut tx, &untold.team, &event).await?;
    }
    untold::keep_told(&mut tx, &untold, now >= occurrence.closes, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Asks for the run of one occurrence that has none yet; whether there was any to ask for.
///
/// # Errors
/// When the database refuses. What stands in the way of a plan is kept with the occurrence instead.
pub async fn prepare_one(pool: &PgPool, now: DateTime<Utc>) -> Answer<bool> {
    let mut tx = muster_store::begin(pool).await?;
    let Some((schedule, occurrence)) = occurrences::lock_one_to_prepare(&mut tx, now).await? else {
        return Ok(false);
    };
    // What a plan that cannot run has left behind is taken back; the lock on the occurrence stays.
    let mut attempt = tx.begin().await?;
    match request(&mut attempt, &schedule, &occurrence, now).await {
        Ok(run) => {
            occurrences::keep_run(&mut attempt, schedule.id, occurrence.nominal, run.id).await?;
            attempt.commit().await?;
            tracing::info!(run.id = %run.id, pair.name = %run.pair, "run {} was asked for by the schedule of `{}`", run.number, run.pair);
        }
        Err(failure) => {
            attempt.rollback().await?;
            let trouble = &failure.problem.detail;
            occurrences::keep_trouble(&mut tx, schedule.id, occurrence.nominal, trouble, now + REST).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

async fn request(
    conn: &mut PgConnection,
    schedule: &Schedule,
    occurrence: &Occurrence,
    now: DateTime<Utc>,
) -> Answer<Run> {
    let muster = Actor::muster();
    let pair = pairs::get(conn, &schedule.pair).await?;
    let survey = surveys::latest(conn, &pair.name).await?;
    let survey = survey.ok_or_else(|| plans::not_surveyed(&pair))?;
    let direction = match active_side(&pair, &survey) {
        ActiveSide::Active(direction) => direction,
        ActiveSide::Both { reason } => {
            let why = match schedule.drill {
                Drill::Switchover => both_active::why_not_moved(&reason),
                Drill::ReadinessDrill => both_active::why_no_direction(&reason),
            };
            let next = "The pair's page says what makes it one that can be moved. Until it is, switch the schedule off.";
            return Err(Failure::new("invalid-request", why, next));
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => {
            return Err(Failure::new(
                "invalid-request",
                format!("It cannot be told which side is active: {reason}."),
                "Look at the pair's readiness.",
            ));
        }
    };
    let asked = NewPlan {
        operation: schedule.drill.operation(),
        to: pair.cluster(direction.to()).clone(),
        drill: true,
        rules: serde_json::Map::new(),
    };
    let plan = plans::make(conn, &pair.name, &asked, &muster, now).await?;
    if let Some(blocker) = plan.blockers.first() {
        let more = plan.blockers.len() - 1;
        let and = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(Failure::new(
            "invalid-request",
            format!("The plan is blocked: {} {}{and}", blocker.reason, blocker.next_step),
            "Mend what blocks it; the plan is tried again every 10 minutes.",
        ));
    }
    let reason = format!("Scheduled drill, due {}", occurrence.due.format("%-d %b %Y %H:%M UTC"));
    let run = decisions::request_scheduled_run(conn, &plan, &reason, occurrence).await?;
    match schedule.drill {
        Drill::Switchover => Ok(run),
        // It is not asked for before it is due.
        Drill::ReadinessDrill => Ok(decisions::start_by_schedule(conn, run.id).await?),
    }
}
