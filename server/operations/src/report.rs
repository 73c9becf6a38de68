//! The evidence of a run, put together from what was kept, with a hash over all of it.

use muster_domain::{finding::Finding, hash::hash_json, record::Report};
use muster_store::{
    approvals, break_glass,
    findings::{self, FindingFilter},
    plans, run_events, run_steps, runs,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::OperationError;

/// More than anybody raises about one run.
const MOST_FINDINGS: i64 = 1000;

/// The report of a run; `None` when there is no such run. Reports of runs that have not ended say so by their state.
///
/// # Errors
/// The store's, or when something stored does not read back.
pub async fn report(conn: &mut PgConnection, run: Uuid) -> Result<Option<Report>, OperationError> {
    let Some(found) = runs::get(conn, run).await? else { return Ok(None) };
    let plan = plans::get(conn, found.plan).await?.ok_or_else(|| OperationError::Stored {
        what: "plan",
        reason: format!("run {run} names plan {}, which is gone", found.plan),
    })?;
    let mut report = Report {
        format: 1,
        approvals: approvals::list(conn, run).await?,
        break_glass: break_glass::get(conn, run).await?,
        steps: run_steps::list(conn, run).await?,
        events: all_events(conn, run).await?,
        findings: of_run(conn, run).await?,
        run: found,
        plan,
        hash: String::new(),
    };
    report.hash = hash_of(&report)?;
    Ok(Some(report))
}

/// The hash a report must have: over everything but the hash itself.
///
/// # Errors
/// When the report cannot be written as JSON.
pub fn hash_of(report: &Report) -> Result<String, OperationError> {
    let bare = Report { hash: String::new(), ..report.clone() };
    hash_json(&bare).map_err(|e| OperationError::Stored { what: "report", reason: e.to_string() })
}

/// Findings of a run, oldest first.
async fn of_run(conn: &mut PgConnection, run: Uuid) -> Result<Vec<Finding>, OperationError> {
    let filter = FindingFilter { run: Some(run), ..FindingFilter::default() };
    let mut found = findings::list(conn, &filter, None, MOST_FINDINGS).await?;
    found.reverse();
    Ok(found)
}

async fn all_events(
    conn: &mut PgConnection,
    run: Uuid,
) -> Result<Vec<muster_domain::run::RunEvent>, OperationError> {
    let mut events = Vec::new();
    loop {
        let last = events.last().map_or(0, |event: &muster_domain::run::RunEvent| event.number);
        let page = run_events::after(conn, run, last).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}
