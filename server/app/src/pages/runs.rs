//! `/runs`: history, a live run, its report, and the run beside another. Acts on a run are in [`super::run_acts`].

use std::convert::Infallible;

use axum::{
    Extension,
    extract::State,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use chrono::Days;
use futures_util::stream;
use muster_domain::{
    break_glass::BreakGlass,
    pair::Objectives,
    plan::Plan,
    record::{Approval, Run, RunStep},
    run::RunEvent,
};
use muster_operations::report;
use muster_store::{approvals, break_glass, channels, pairs, run_events, run_steps, runs as stored};
use muster_web::{
    comparison::ComparisonPage,
    forms::RunFilter,
    report::ReportPage,
    run::{RunPage, RunRecord},
    run_live::RunLive,
    runs::RunsPage,
    words,
};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{asking, asking::Asking, html};
use crate::{
    acts::{comparisons, pairs as pair_acts, plans, runs},
    api::runs::teams,
    app::App,
    auth::{
        SessionRef,
        reader::{Reader, ReadsOn},
    },
    http::{Answer, Failure, Path, Query, times::midnight},
};

/// Runs on one page of the history.
const PAGE: i64 = 50;

/// Everything kept of a run.
#[derive(Debug)]
pub(super) struct Everything {
    /// The run.
    pub run: Run,
    /// Its plan.
    pub plan: Plan,
    /// Its steps, once it was started.
    pub steps: Vec<RunStep>,
    events: Vec<RunEvent>,
    approvals: Vec<Approval>,
    break_glass: Option<BreakGlass>,
    objectives: Option<Objectives>,
    channels: Vec<String>,
}

impl Everything {
    /// As pages take it.
    pub(super) fn record(&self) -> RunRecord<'_> {
        RunRecord {
            run: &self.run,
            plan: &self.plan,
            steps: &self.steps,
            events: &self.events,
            approvals: &self.approvals,
            break_glass: self.break_glass.as_ref(),
            objectives: self.objectives.as_ref(),
            channels: &self.channels,
        }
    }
}

/// Reads everything kept of a run.
pub(super) async fn everything(conn: &mut PgConnection, id: Uuid) -> Answer<Everything> {
    let run = runs::get(conn, id).await?;
    let plan = plans::get(conn, run.plan).await?;
    let steps = if run.started_at.is_some() { run_steps::list(conn, id).await? } else { Vec::new() };
    let events = run_events::after(conn, id, 0).await?;
    let approvals = approvals::list(conn, id).await?;
    let break_glass = break_glass::get(conn, id).await?;
    let objectives = pairs::get(conn, &run.pair).await?.map(|pair| pair.objectives);
    let channels = channels::list(conn, Some(&[run.team.to_string()])).await?;
    let told = channels.iter().filter(|channel| channel.enabled);
    let channels =
        told.map(|channel| format!("{} ({})", channel.name, words::channel_kind(channel.kind))).collect();
    Ok(Everything { run, plan, steps, events, approvals, break_glass, objectives, channels })
}

/// `GET /runs`.
pub async fn list(State(app): State<App>, asking: Asking, Query(filter): Query<RunFilter>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let wanted = stored::RunFilter {
        pair: given(&filter.pair),
        operation: given(&filter.operation),
        state: given(&filter.state),
        since: midnight(&filter.since),
        // The last day counts.
        until: midnight(&filter.until).and_then(|day| day.checked_add_days(Days::new(1))),
        drill: match filter.kind.as_str() {
            "drill" => Some(true),
            "real" => Some(false),
            _ => None,
        },
        text: given(filter.text.trim()),
        teams: teams(actor),
    };
    let mut found = stored::list(&mut conn, &wanted, filter.after.parse().ok(), PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let names: Vec<String> =
        pair_acts::list(&mut conn, actor).await?.into_iter().map(|pair| pair.name.to_string()).collect();
    html(&RunsPage::new(chrome, &filter, &names, &found, more))
}

/// Whether the page is held still.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hold {
    hold: String,
}

/// `GET /runs/{run}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Query(hold): Query<Hold>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let all = everything(&mut *app.pool.acquire().await?, id).await?;
    html(&RunPage::new(chrome, &all.record(), hold.hold == "on"))
}

/// `GET /runs/{run}/live`: the part of the page that changes.
pub async fn live(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let mut conn = app.pool.acquire().await?;
    let all = everything(&mut conn, id).await?;
    let brake = asking::brake(&mut conn).await?;
    html(&RunLive::new(&all.record(), asking.person.as_ref(), &brake, chrono::Utc::now()))
}

/// `GET /runs/{run}/events`: tells the page to read its live part again.
pub async fn events(
    State(app): State<App>,
    Extension(session): Extension<SessionRef>,
    Path(id): Path<Uuid>,
) -> Answer {
    let watch = app.watch.watch(id);
    let reader = Reader::of_run(&app, session, id, watch.turn()).await?;
    let changes = stream::unfold((watch, reader), |(mut watch, mut reader)| async move {
        watch.changed().await;
        tokio::time::sleep(watch.turn().waits()).await;
        // Where the database does not answer, the page finds out by itself: nothing of the run is in here.
        if watch.closed() || reader.reads_on().await == ReadsOn::No {
            return None;
        }
        Some((Ok::<_, Infallible>(Event::default().event("changed").data("{}")), (watch, reader)))
    });
    Ok(Sse::new(changes).keep_alive(KeepAlive::default()).into_response())
}

/// `GET /runs/{run}/report`.
pub async fn report(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let report =
        report::report(&mut conn, id).await?.ok_or_else(|| Failure::not_found("run", &id.to_string()))?;
    let objectives = pairs::get(&mut conn, &report.run.pair).await?.map(|pair| pair.objectives);
    html(&ReportPage::new(chrome, &report, objectives.as_ref()))
}

/// Which run this one is compared with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct With {
    with: String,
}

/// `GET /runs/{run}/compare`.
pub async fn compare(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Query(with): Query<With>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let run = runs::get(&mut conn, id).await?;
    let mut others = comparisons::started(&mut conn, &run.pair, teams(actor)).await?;
    others.retain(|other| other.id != id);
    let chosen = match with.with.parse::<Uuid>() {
        Ok(with) => Some(runs::get(&mut conn, with).await?),
        Err(_) => comparisons::usual(&run, &others).or(others.first()).cloned(),
    };
    let compared = match &chosen {
        Some(first) => Some((first, comparisons::beside(&mut conn, id, first.id, actor).await?)),
        None => None,
    };
    let compared = compared.as_ref().map(|(first, comparison)| (*first, comparison));
    html(&ComparisonPage::new(chrome, &run, &others, compared))
}
