//! `/api/v1/audit`: entries, the check of the chain, the whole of it for keeping elsewhere.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::IntoResponse as _,
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};
use muster_domain::audit::AuditEntry;
use muster_store::audit::{self, AuditFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Items, cursor, page_size};
use crate::{
    app::App,
    http::{Answer, Json, Query},
};

/// What cursors of audit entries are known by.
const ENTRY: &str = "entry";

/// Filters of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct AuditQuery {
    /// Only of this actor.
    actor: Option<String>,
    /// Only this action; ending in a dot, all that begin with it: `run.`.
    action: Option<String>,
    /// Only about this object: `pair payments`.
    object: Option<String>,
    /// `done` or `refused`.
    outcome: Option<String>,
    /// At or after this time (RFC 3339).
    #[serde(deserialize_with = "crate::http::times::time")]
    since: Option<DateTime<Utc>>,
    /// Before this time (RFC 3339).
    #[serde(deserialize_with = "crate::http::times::time")]
    until: Option<DateTime<Utc>>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 200; 50.
    limit: Option<i64>,
}

/// What the check of the chain found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Verified {
    /// Whether every entry fits its hash and follows the one before it, without a gap, to the end.
    pub whole: bool,
    /// Number of the newest entry, when whole.
    pub entries: i64,
    /// Hash of the newest entry, when whole: kept elsewhere, it proves later that nothing was rewritten.
    pub hash: Option<String>,
    /// Where and how it breaks.
    pub broken: Option<String>,
}

/// `GET /api/v1/audit`.
pub async fn list(
    State(app): State<App>,
    Query(query): Query<AuditQuery>,
) -> Answer<Json<Items<AuditEntry>>> {
    let limit = page_size(query.limit);
    let filter = AuditFilter {
        actor: query.actor,
        action: query.action,
        object: query.object,
        outcome: query.outcome,
        from: query.since,
        to: query.until,
        before: cursor::read_number(ENTRY, query.after.as_deref())?,
    };
    let mut conn = app.pool.acquire().await?;
    let items = audit::list(&mut conn, &filter, limit).await?;
    Ok(Json(Items::page(items, limit, |entry| cursor::write(ENTRY, &[&entry.content.number]))))
}

/// `GET /api/v1/audit/verify`.
pub async fn verify(State(app): State<App>) -> Answer<Json<Verified>> {
    let mut conn = app.pool.acquire().await?;
    Ok(Json(match audit::verify(&mut conn).await? {
        Ok((entries, hash)) => Verified { whole: true, entries, hash: Some(hash), broken: None },
        Err(broken) => Verified { whole: false, entries: 0, hash: None, broken: Some(broken.to_string()) },
    }))
}

/// `GET /api/v1/audit/export`: one entry a line, oldest first, read in stretches so that no size is too large.
pub async fn export(State(app): State<App>) -> Answer {
    let lines = stream::unfold((app, 0_i64), |(app, number)| async move {
        let entries = async {
            let mut conn = app.pool.acquire().await.map_err(std::io::Error::other)?;
            audit::after(&mut conn, number).await.map_err(std::io::Error::other)
        };
        match entries.await {
            Ok(entries) => {
                let last = entries.last()?.content.number;
                Some((Ok(written(&entries)), (app, last)))
            }
            // The stream breaks off: a file without its end does not verify.
            Err(e) => Some((Err(e), (app, i64::MAX))),
        }
    });
    let heads = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"muster-audit.ndjson\""),
    ];
    // Compression asks once more after the end.
    Ok((heads, Body::from_stream(lines.fuse())).into_response())
}

fn written(entries: &[AuditEntry]) -> Bytes {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry).unwrap_or_default());
        text.push('\n');
    }
    text.into()
}
