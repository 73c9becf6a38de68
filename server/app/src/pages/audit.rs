//! `/audit`: who did what, and whether the chain is whole.

use axum::extract::State;
use muster_store::audit;
use muster_web::{audit::AuditPage, forms::AuditFilter};

use super::{asking::Asking, html};
use crate::{
    app::App,
    http::{Answer, Query, times::midnight},
};

/// Entries on one page.
const PAGE: i64 = 100;

/// `GET /audit`.
pub async fn list(State(app): State<App>, asking: Asking, Query(filter): Query<AuditFilter>) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let wanted = audit::AuditFilter {
        actor: given(&filter.actor),
        action: given(&filter.action),
        object: given(&filter.object),
        outcome: given(&filter.outcome),
        from: midnight(&filter.since),
        to: None,
        before: filter.after.parse().ok(),
    };
    let mut entries = audit::list(&mut conn, &wanted, PAGE + 1).await?;
    let more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let verified = match filter.verify.as_str() {
        "on" => Some(audit::verify(&mut conn).await?),
        _ => None,
    };
    html(&AuditPage::new(chrome, &filter, &entries, verified, more))
}
