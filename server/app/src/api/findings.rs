//! `/api/v1/findings`: what went wrong or surprised.

use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use chrono::Utc;
use muster_domain::finding::{Finding, Severity};
use muster_store::findings::{self as stored, FindingFilter};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Items, cursor, page_size, runs::teams};
use crate::{
    acts::findings::{self, FindingEdit, NewFinding},
    app::App,
    http::{Acting, Answer, Creating, IfMatch, Json, Path, Query, Start, etag},
};

/// What cursors of findings are known by.
const FINDING: &str = "finding";

/// Filters of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct FindingQuery {
    /// Only about this pair.
    pair: Option<String>,
    /// Only what came up in this run, by its id.
    run: Option<Uuid>,
    /// Only of this severity.
    #[param(inline)]
    severity: Option<Severity>,
    /// true for open ones only, false for closed ones only.
    open: Option<bool>,
    /// Only of this owner.
    owner: Option<String>,
    /// Only with this in the text or the resolution.
    text: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// `GET /api/v1/findings`.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(query): Query<FindingQuery>,
) -> Answer<Json<Items<Finding>>> {
    let limit = page_size(query.limit);
    let before = cursor::read_number(FINDING, query.after.as_deref())?;
    let filter = FindingFilter {
        pair: query.pair,
        run: query.run,
        severity: query.severity.map(|severity| severity.as_str().to_owned()),
        open: query.open,
        owner: query.owner,
        text: query.text,
        teams: teams(&actor),
    };
    let mut conn = app.pool.acquire().await?;
    let items = stored::list(&mut conn, &filter, before, limit).await?;
    Ok(Json(Items::page(items, limit, |finding| cursor::write(FINDING, &[&finding.number]))))
}

/// `POST /api/v1/findings`.
pub async fn raise(State(app): State<App>, Acting(actor): Acting, asked: Creating<NewFinding>) -> Answer {
    let (new, start) = asked.begin(&app.pool, &actor).await?;
    let mut once = match start {
        Start::Do(once) => once,
        Start::Replay(response) => return Ok(response),
    };
    let raised = findings::raise(once.conn(), new, &actor).await?;
    once.answer(StatusCode::CREATED, &format!("/api/v1/findings/{}", raised.id), &raised).await
}

/// `GET /api/v1/findings/{finding}`.
pub async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer {
    let finding = findings::get(&mut *app.pool.acquire().await?, id).await?;
    Ok((etag(finding.version), Json(finding)).into_response())
}

/// `PATCH /api/v1/findings/{finding}`.
pub async fn change(
    State(app): State<App>,
    Acting(actor): Acting,
    Path(id): Path<Uuid>,
    IfMatch(version): IfMatch,
    Json(edit): Json<FindingEdit>,
) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let finding = findings::change(&mut tx, id, version, edit, &actor, Utc::now()).await?;
    tx.commit().await?;
    Ok((etag(finding.version), Json(finding)).into_response())
}
