//! `/runs`: history, a live run, its report, and the acts on it with the page before each dangerous one.

use std::convert::Infallible;

use axum::{
    Extension,
    extract::State,
    response::{
        IntoResponse as _,
        sse::{Event, KeepAlive, Sse},
    },
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use futures_util::stream;
use muster_domain::{
    break_glass::{BreakGlass, Verdict},
    pair::Objectives,
    plan::Plan,
    record::{Approval, Run, RunStep},
    run::RunEvent,
};
use muster_operations::{decisions::Attestation, report};
use muster_store::{approvals, break_glass, channels, pairs, run_events, run_steps, runs as stored};
use muster_web::{
    comparison::ComparisonPage,
    confirm::{ConfirmAct, ConfirmPage},
    forms::{ActForm, RunFilter},
    report::ReportPage,
    run::{RunPage, RunRecord},
    run_live::RunLive,
    runs::RunsPage,
    words,
};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{asking, asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        comparisons, pairs as pair_acts, plans,
        runs::{self, Decision},
    },
    api::runs::teams,
    app::App,
    auth::{
        SessionRef,
        reader::{Reader, ReadsOn},
    },
    http::{Answer, Failure, Form, Path, Query},
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
    steps: Vec<RunStep>,
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

/// The beginning of a day as typed, in UTC.
fn midnight(day: &str) -> Option<DateTime<Utc>> {
    day.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc())
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

/// Which step an act is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct About {
    step: String,
}

type Confirming = (State<App>, Asking, Path<Uuid>, Query<About>);

/// `GET /runs/{run}/start`.
pub async fn confirm_start(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Start).await
}

/// `GET /runs/{run}/skip`.
pub async fn confirm_skip(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Skip).await
}

/// `GET /runs/{run}/abort`.
pub async fn confirm_abort(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Abort).await
}

/// `GET /runs/{run}/close`.
pub async fn confirm_close(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Close).await
}

/// `GET /runs/{run}/attest`.
pub async fn confirm_attest(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Attest).await
}

/// `GET /runs/{run}/break-glass`.
pub async fn confirm_break_glass(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::BreakGlass).await
}

/// `GET /runs/{run}/review`.
pub async fn confirm_review(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Review).await
}

async fn confirm_page((State(app), asking, Path(id), Query(about)): Confirming, act: ConfirmAct) -> Answer {
    let untouched = ActForm { step: about.step, ..ActForm::default() };
    html(&confirming(&app, &asking, id, act, &untouched, &[]).await?)
}

async fn confirming(
    app: &App,
    asking: &Asking,
    id: Uuid,
    act: ConfirmAct,
    form: &ActForm,
    errors: &[(String, String)],
) -> Answer<ConfirmPage> {
    let chrome = asking.chrome(app).await;
    let all = everything(&mut *app.pool.acquire().await?, id).await?;
    let step = all.steps.iter().find(|known| known.name == form.step);
    Ok(ConfirmPage::new(chrome, act, &all.record(), step, form, errors))
}

type Acting = (State<App>, Asking, Path<Uuid>, Form<ActForm>);

/// `POST /runs/{run}/start`.
pub async fn start(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Start), |_| Ok(Decision::Start)).await
}

/// `POST /runs/{run}/pause`.
pub async fn pause(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Pause)).await
}

/// `POST /runs/{run}/resume`.
pub async fn resume(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Resume)).await
}

/// `POST /runs/{run}/confirm`.
pub async fn confirm(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Confirm)).await
}

/// `POST /runs/{run}/retry`.
pub async fn retry(of: Acting) -> Answer {
    act(of, None, |form| Ok(Decision::Retry(form.reason.clone()))).await
}

/// `POST /runs/{run}/skip`.
pub async fn skip(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Skip), |form| {
        Ok(Decision::Skip { step: form.step.clone(), reason: form.reason.clone() })
    })
    .await
}

/// `POST /runs/{run}/abort`.
pub async fn abort(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Abort), |form| match form.reason.trim() {
        "" => Err(Failure::invalid("Say why everything is taken back.")),
        reason => Ok(Decision::Abort(reason.to_owned())),
    })
    .await
}

/// `POST /runs/{run}/close`.
pub async fn close(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Close), |form| Ok(Decision::Close(form.reason.clone()))).await
}

/// `POST /runs/{run}/attest`.
pub async fn attest(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Attest), |form| {
        let verdict = match form.verdict.as_str() {
            "passed" => Attestation::Passed,
            "failed" => Attestation::Failed,
            "inconclusive" => Attestation::Inconclusive,
            _ => return Err(Failure::invalid("Say how it went: passed, failed or inconclusive.")),
        };
        Ok(Decision::Attest(verdict, form.reason.clone()))
    })
    .await
}

/// `POST /runs/{run}/break-glass`.
pub async fn start_without_approval(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::BreakGlass), |form| {
        let named = form.overridden.split([',', ' ', '\n', '\r']).filter(|code| !code.is_empty());
        Ok(Decision::BreakGlass {
            reason: form.reason.clone(),
            overridden: named.map(str::to_owned).collect(),
        })
    })
    .await
}

/// `POST /runs/{run}/review`.
pub async fn review(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Review), |form| {
        let verdict = Verdict::parse(&form.verdict)
            .ok_or_else(|| Failure::invalid("Say how you judge it: justified, or not justified."))?;
        Ok(Decision::Review(verdict, form.reason.clone()))
    })
    .await
}

/// Carries an act out and goes back to the run. `page` is the page before it, shown again when something is missing.
async fn act(
    (State(app), asking, Path(id), Form(form)): Acting,
    page: Option<ConfirmAct>,
    decision: fn(&ActForm) -> Answer<Decision>,
) -> Answer {
    let done = try_act(&app, &asking, id, &form, page, decision).await;
    match (done, page) {
        (Ok(()), _) => Ok(see(&format!("/runs/{id}"))),
        (Err(failure), Some(page)) if is_about_the_form(&failure) => {
            let field = match failure.problem.code.as_str() {
                "override-missing" => "overridden",
                "drill-not-proven" => "verdict",
                _ if failure.problem.detail.contains("typed") => "typed",
                _ => "reason",
            };
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &confirming(&app, &asking, id, page, &form, &errors).await?)
        }
        (Err(failure), _) => Err(failure),
    }
}

async fn try_act(
    app: &App,
    asking: &Asking,
    id: Uuid,
    form: &ActForm,
    page: Option<ConfirmAct>,
    decision: fn(&ActForm) -> Answer<Decision>,
) -> Answer<()> {
    let decision = decision(form)?;
    if let Some(page) = page
        && asks_for_target(page)
    {
        let run = runs::get(&mut *app.pool.acquire().await?, id).await?;
        if form.typed.trim() != run.pair.as_str() {
            return Err(Failure::invalid(format!(
                "The name typed must be `{}`, the pair this acts on.",
                run.pair
            )));
        }
    }
    runs::decide(&app.pool, id, decision, None, asking.actor()?).await.map(|_| ())
}

/// The severe ones, whose pages have the name of the pair typed again.
fn asks_for_target(act: ConfirmAct) -> bool {
    match act {
        ConfirmAct::Start | ConfirmAct::Skip | ConfirmAct::Close | ConfirmAct::BreakGlass => true,
        ConfirmAct::Abort | ConfirmAct::Attest | ConfirmAct::Review => false,
    }
}
