//! `POST /api/v1/runs/{run}/…`: what people decide. Each answers the run as it is now.

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use muster_domain::{break_glass::Verdict, record::Run};
use muster_operations::decisions::Attestation;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    acts::runs::{self, Decision},
    app::App,
    http::{Acting, Answer, Json, Path},
};

/// A vote.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"comment": "Read the plan; go"}))]
pub struct NewVote {
    /// Words kept in the evidence.
    pub comment: String,
    /// Hash of the plan that was read; another one is refused.
    pub plan_hash: Option<String>,
}

/// A reason.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"reason": "The broker is back"}))]
pub struct Because {
    /// Why; kept in the evidence.
    pub reason: String,
}

/// A step to leave out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"step": "watch_resume", "reason": "Seen on the dashboards"}))]
pub struct SkipStep {
    /// Name of the step.
    pub step: String,
    /// Why that is safe.
    pub reason: String,
}

/// What a drill proved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"verdict": "passed", "comment": "Orders went through within a minute"}))]
pub struct Attest {
    /// Whether it proved what it should: `passed`, `failed` or `inconclusive`.
    #[schema(value_type = String)]
    pub verdict: Attestation,
    /// In words.
    #[serde(default)]
    pub comment: String,
}

/// A start without approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakingGlass {
    /// Why nobody can be waited for.
    pub reason: String,
    /// Codes of the plan's blockers that the person answers for; all of them, if there are any.
    #[serde(default)]
    pub overridden: Vec<String>,
    /// Hash of the plan that was read; another one is refused.
    pub plan_hash: String,
}

/// What somebody else says of a start without approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reviewing {
    /// Whether it was right to.
    pub verdict: Verdict,
    /// In words.
    pub comment: String,
}

type Decided = (StatusCode, [(HeaderName, String); 1], Json<Run>);
type Of = (State<App>, Acting, Path<Uuid>);

/// What is begun goes on after the answer: 202, and where to look.
async fn decide(
    (State(app), Acting(actor), Path(id)): Of,
    what: Decision,
    hash: Option<String>,
) -> Answer<Decided> {
    let run = runs::decide(&app.pool, id, what, hash.as_deref(), &actor).await?;
    let location = format!("/api/v1/runs/{id}");
    let status = if run.state.wants_worker() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, [(header::LOCATION, location)], Json(run)))
}

/// `…/approve`.
pub async fn approve(of: Of, Json(vote): Json<NewVote>) -> Answer<Decided> {
    decide(of, Decision::Approve(vote.comment), vote.plan_hash).await
}

/// `…/reject`.
pub async fn reject(of: Of, Json(vote): Json<NewVote>) -> Answer<Decided> {
    decide(of, Decision::Reject(vote.comment), vote.plan_hash).await
}

/// `…/start`.
pub async fn start(of: Of) -> Answer<Decided> {
    decide(of, Decision::Start, None).await
}

/// `…/pause`.
pub async fn pause(of: Of) -> Answer<Decided> {
    decide(of, Decision::Pause, None).await
}

/// `…/resume`.
pub async fn resume(of: Of) -> Answer<Decided> {
    decide(of, Decision::Resume, None).await
}

/// `…/confirm`.
pub async fn confirm(of: Of) -> Answer<Decided> {
    decide(of, Decision::Confirm, None).await
}

/// `…/retry`.
pub async fn retry(of: Of, Json(because): Json<Because>) -> Answer<Decided> {
    decide(of, Decision::Retry(because.reason), None).await
}

/// `…/skip`.
pub async fn skip(of: Of, Json(SkipStep { step, reason }): Json<SkipStep>) -> Answer<Decided> {
    decide(of, Decision::Skip { step, reason }, None).await
}

/// `…/abort`.
pub async fn abort(of: Of, Json(because): Json<Because>) -> Answer<Decided> {
    decide(of, Decision::Abort(because.reason), None).await
}

/// `…/close`.
pub async fn close(of: Of, Json(because): Json<Because>) -> Answer<Decided> {
    decide(of, Decision::Close(because.reason), None).await
}

/// `…/attest`.
pub async fn attest(of: Of, Json(said): Json<Attest>) -> Answer<Decided> {
    decide(of, Decision::Attest(said.verdict, said.comment), None).await
}

/// `…/break_glass`.
pub async fn break_glass(of: Of, Json(asked): Json<BreakingGlass>) -> Answer<Decided> {
    let decision = Decision::BreakGlass { reason: asked.reason, overridden: asked.overridden };
    decide(of, decision, Some(asked.plan_hash)).await
}

/// `…/review`.
pub async fn review(of: Of, Json(said): Json<Reviewing>) -> Answer<Decided> {
    decide(of, Decision::Review(said.verdict, said.comment), None).await
}
