//! `/api/v1/approvals`: what waits for one's own decision.

use axum::extract::State;
use muster_domain::{
    people::Actor,
    record::{Approval, Run},
    run::RunState,
};
use muster_store::runs::{self, RunFilter};
use sqlx::PgConnection;

use super::{
    Items, PageQuery, cursor, page_size,
    runs::{RunView, teams},
};
use crate::{
    app::App,
    http::{Acting, Answer, Json, Query},
    pages::asking::waiting_for,
};

/// What cursors of approvals are known by.
const APPROVAL: &str = "approval";

/// `GET /api/v1/approvals`: runs this person may approve or reject and has not, newest first.
pub async fn list(
    State(app): State<App>,
    Acting(actor): Acting,
    Query(page): Query<PageQuery>,
) -> Answer<Json<Items<RunView>>> {
    let limit = page_size(page.limit);
    let before = cursor::read_name(APPROVAL, page.after.as_deref())?;
    let before = before.map(cursor::part).transpose()?;
    let mut conn = app.pool.acquire().await?;
    let found = waiting(&mut conn, &actor, before, limit).await?;
    let view = |(run, approvals)| RunView { run, approvals, break_glass: None };
    let items = found.into_iter().map(view).collect();
    Ok(Json(Items::page(items, limit, |view: &RunView| cursor::write(APPROVAL, &[&view.run.number]))))
}

/// Of the runs with a number below `before` the newest that wait for this person, at most `limit`, with the votes there are.
/// Who may decide is a rule and no query, so runs are read on until enough of them may be.
async fn waiting(
    conn: &mut PgConnection,
    person: &Actor,
    mut before: Option<i64>,
    limit: i64,
) -> Answer<Vec<(Run, Vec<Approval>)>> {
    let state = Some(RunState::AwaitingApproval.as_str().to_owned());
    let asked = RunFilter { state, teams: teams(person), ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let open = runs::list(conn, &asked, before, limit).await?;
        found.extend(waiting_for(conn, person, &open).await?);
        if found.len() >= limit as usize || open.len() < limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
        before = open.last().map(|run| run.number);
    }
}
