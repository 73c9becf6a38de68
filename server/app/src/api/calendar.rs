//! `/api/v1/calendar.ics`: when drills are due, for calendars that people already look at.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Alarm, Calendar, Component as _, Event, EventLike as _, EventStatus};
use muster_domain::{
    ids::TeamName,
    schedule::{Occurrence, Schedule, Standing},
};
use muster_store::{
    occurrences::{self, Recorded, RecordedFilter},
    schedules as stored,
};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::runs::teams;
use crate::{
    app::App,
    http::{Acting, Answer, Failure, Query},
};

/// How far ahead drills are shown.
const AHEAD: TimeDelta = TimeDelta::days(400);
/// How far back drills that came due are shown: a quarter, and some days. All of them are in the list of occurrences.
const BEHIND: TimeDelta = TimeDelta::days(100);
/// Most drills of one schedule.
const MOST: usize = 60;

/// What the calendar is of.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct CalendarQuery {
    /// Only drills of this team's pairs.
    #[param(inline)]
    team: Option<TeamName>,
}

/// `GET /api/v1/calendar.ics`.
pub async fn show(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<CalendarQuery>,
) -> Answer<Response> {
    let seen = match &query.team {
        Some(team) if !actor.may_read(team) => return Err(Failure::not_found("team", team.as_str())),
        Some(team) => Some(vec![team.to_string()]),
        None => teams(&actor),
    };
    let now = Utc::now();
    let mut conn = app.pool.acquire().await?;
    let of_calendar = RecordedFilter {
        teams: seen.as_deref(),
        since: Some(now - BEHIND),
        until: Some(now + AHEAD),
        ..RecordedFilter::default()
    };
    // A calendar has no pages: all of them, and the oldest first.
    let mut came: BTreeMap<Uuid, Vec<Recorded>> = BTreeMap::new();
    for one in occurrences::recorded(&mut conn, of_calendar, i64::MAX).await?.into_iter().rev() {
        came.entry(one.schedule).or_default().push(one);
    }
    let schedules = stored::list(&mut conn, seen.as_deref(), None, i64::MAX).await?;
    drop(conn);
    let name = query.team.as_ref().map_or_else(|| "Drills".to_owned(), |team| format!("Drills of {team}"));
    let mut calendar = Calendar::new();
    calendar.name(&name).description("Drills that Muster has scheduled");
    for schedule in &schedules {
        let came = came.get(&schedule.id).map(Vec::as_slice).unwrap_or_default();
        for one in came {
            calendar.push(event(&app, schedule, &one.occurrence, Some(one), now));
        }
        let known = |next: &Occurrence| came.iter().any(|one| one.occurrence.nominal == next.nominal);
        let ahead = match schedule.enabled {
            true => schedule.between(now, now + AHEAD, MOST).unwrap_or_default(),
            false => Vec::new(),
        };
        for next in ahead.iter().filter(|next| !known(next)) {
            calendar.push(event(&app, schedule, next, None, now));
        }
    }
    let kind = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8")];
    Ok((kind, calendar.to_string()).into_response())
}

fn event(
    app: &App,
    schedule: &Schedule,
    at: &Occurrence,
    came: Option<&Recorded>,
    now: DateTime<Utc>,
) -> Event {
    let what = format!("Drill: {} of {}", schedule.drill.as_str(), schedule.pair);
    let (word, status) = match came.map(|came| at.standing(came.passed, came.skipped.is_some(), now)) {
        None | Some(Standing::Ahead) => ("", EventStatus::Tentative),
        Some(Standing::Due) => (" (due now)", EventStatus::Confirmed),
        Some(Standing::Overdue) => (" (overdue)", EventStatus::Confirmed),
        Some(Standing::Satisfied) => (" (held)", EventStatus::Confirmed),
        Some(Standing::Skipped) => (" (skipped)", EventStatus::Cancelled),
    };
    let mut said = Vec::new();
    if !schedule.owners.is_empty() {
        // A carriage return would be left as it is, and some programs end a line there.
        let owners = schedule.owners.join(", ").replace(char::is_control, " ");
        said.push(format!("Owners: {owners}"));
    }
    let page = match came.and_then(|came| came.run) {
        Some((run, ..)) => format!("{}/runs/{run}", app.public_url),
        None => format!("{}/drills", app.public_url),
    };
    said.push(page.clone());
    let mut event = Event::new();
    event
        .uid(&format!("{}-{}@muster", schedule.id, at.nominal.timestamp()))
        .timestamp(now)
        .starts(at.due)
        .ends(at.closes)
        .summary(&format!("{what}{word}"))
        .description(&said.join("\n"))
        .url(&page)
        .status(status);
    if at.due > now {
        event.alarm(Alarm::display(&what, -TimeDelta::days(1)));
    }
    event.done()
}
