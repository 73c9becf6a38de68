//! `/api/v1/pairs/{pair}/proofs`: what comparing the records of both sides shows.

use axum::{extract::State, http::StatusCode};
use muster_domain::{
    ids::PairName,
    proof::{Proof, ProofEvidence, ProofKind},
};
use muster_store::proofs as stored;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Items, cursor, page_size};
use crate::{
    acts::{
        pairs,
        payload::{self, RecordAsk, RecordTold},
        proofs::{self, NewProof},
    },
    app::App,
    http::{Acting, Answer, Creating, Json, Path, Query, Start},
};

/// What cursors of proofs are known by.
const PROOF: &str = "proof";

/// Which of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ProofQuery {
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
    /// Only proofs of this kind.
    kind: Option<ProofKind>,
}

/// `GET /api/v1/pairs/{pair}/proofs`.
pub async fn list(
    State(app): State<App>,
    Path(pair): Path<PairName>,
    Query(query): Query<ProofQuery>,
) -> Answer<Json<Items<Proof>>> {
    let limit = page_size(query.limit);
    let before = cursor::read_number(PROOF, query.after.as_deref())?;
    let mut conn = app.pool.acquire().await?;
    pairs::get(&mut conn, &pair).await?;
    let items = stored::list(&mut conn, &pair, query.kind, before, limit).await?;
    Ok(Json(Items::page(items, limit, |proof| cursor::write(PROOF, &[&proof.number]))))
}

/// `POST /api/v1/pairs/{pair}/proofs`.
pub async fn ask(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(pair): Path<PairName>,
    asked: Creating<NewProof>,
) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let proof = proofs::ask(once.conn(), &pair, &new, &actor).await?;
    once.answer(StatusCode::ACCEPTED, &format!("/api/v1/proofs/{}", proof.id), &proof).await
}

/// `GET /api/v1/proofs/{proof}`.
pub async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<ProofEvidence>> {
    Ok(Json(proofs::evidence(&mut *app.pool.acquire().await?, id).await?))
}

/// `POST /api/v1/proofs/{proof}/cancel`.
pub async fn cancel(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
) -> Answer<Json<Proof>> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let proof = proofs::cancel(&mut tx, id, &actor).await?;
    tx.commit().await?;
    Ok(Json(proof))
}

/// `POST /api/v1/pairs/{pair}/proofs/{proof}/record`.
pub async fn record(
    State(app): State<App>,
    Acting(actor): Acting,
    Path((pair, id)): Path<(PairName, Uuid)>,
    Json(ask): Json<RecordAsk>,
) -> Answer<Json<RecordTold>> {
    Ok(Json(payload::show(&app, &pair, id, &ask, &actor).await?.told()?))
}
