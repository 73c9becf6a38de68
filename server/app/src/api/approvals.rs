//! `/api/v1/approvals`: what waits for one's own decision.

use axum::extract::State;
use muster_domain::{
    people::{Actor, Role},
    record::Run,
};
use muster_store::{
    approvals,
    runs::{self, Decider},
};
use uuid::Uuid;

use super::{Items, PageQuery, cursor, page_size, runs::RunView};
use crate::{
    app::App,
    http::{Acting, Answer, Json, Query},
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
    let teams = approves_for(&actor);
    let who = Decider { person: actor.id, teams: teams.as_deref() };
    let found = runs::to_decide(&mut conn, who, before, limit).await?;
    let ids: Vec<Uuid> = found.iter().map(|run| run.id).collect();
    let mut votes = approvals::of_runs(&mut conn, &ids).await?;
    let view =
        |run: Run| RunView { approvals: votes.remove(&run.id).unwrap_or_default(), run, break_glass: None };
    let items = found.into_iter().map(view).collect();
    Ok(Json(Items::page(items, limit, |view: &RunView| cursor::write(APPROVAL, &[&view.run.number]))))
}

/// Teams somebody approves for; `None` for all. Being an admin alone is no say in a run.
#[must_use]
pub fn approves_for(actor: &Actor) -> Option<Vec<String>> {
    let approves = actor.grants.iter().filter(|grant| grant.role == Role::Approver);
    approves.map(|grant| grant.team.as_ref().map(ToString::to_string)).collect()
}
