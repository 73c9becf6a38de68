//! `/runs/{run}/approval`: deciding on a request, bound to the plan that was shown.

use axum::extract::State;
use muster_domain::{people::Role, plan::Plan, record::Run};
use muster_store::people;
use muster_web::{approval::ApprovalPage, forms::VoteForm};
use uuid::Uuid;

use super::{
    asking::Asking,
    html, is_about_the_form, refused_form,
    runs::{Everything, everything},
    see,
};
use crate::{
    acts::{
        plans,
        runs::{self, Decision},
    },
    app::App,
    http::{Answer, Failure, Form, Path},
    standing::judgement,
};

/// `GET /runs/{run}/approval`.
pub async fn show(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&page(&app, &asking, id, &[]).await?)
}

async fn page(app: &App, asking: &Asking, id: Uuid, errors: &[(String, String)]) -> Answer<ApprovalPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let all = everything(&mut conn, id).await?;
    let everybody = people::list(&mut conn).await?;
    let approvers: Vec<_> = everybody
        .into_iter()
        .filter(|user| user.disabled_at.is_none())
        .map(|user| user.actor())
        .filter(|actor| actor.has(Role::Approver, &all.run.team))
        .collect();
    let behind =
        judgement::latest(&mut conn, &all.run.pair).await?.map(|kept| kept.results.behind(all.run.direction));
    let difference = plans::difference(&mut conn, &all.plan).await?;
    Ok(ApprovalPage::new(chrome, &all.record(), &difference, &approvers, behind.as_ref(), errors))
}

/// `POST /runs/{run}/approve`.
pub async fn approve(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<VoteForm>,
) -> Answer {
    let voted = match accepted(&app, id, &form).await {
        Ok(()) => vote(&app, &asking, id, Decision::Approve(form.comment.clone()), &form).await,
        Err(failure) => Err(failure),
    };
    answer(&app, &asking, id, voted).await
}

/// `POST /runs/{run}/reject`.
pub async fn reject(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<VoteForm>,
) -> Answer {
    let voted = if form.comment.trim().is_empty() {
        Err(Failure::invalid("Say why, so that the requester knows what to change."))
    } else {
        vote(&app, &asking, id, Decision::Reject(form.comment.clone()), &form).await
    };
    answer(&app, &asking, id, voted).await
}

/// Warnings are accepted in so many words.
async fn accepted(app: &App, id: Uuid, form: &VoteForm) -> Answer<()> {
    let mut conn = app.pool.acquire().await?;
    let Everything { plan: Plan { warnings, .. }, .. } = everything(&mut conn, id).await?;
    if warnings.is_empty() || form.accept == "on" {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "The plan has {} warnings; tick that you accept them, or reject it.",
        warnings.len()
    )))
}

async fn vote(app: &App, asking: &Asking, id: Uuid, decision: Decision, form: &VoteForm) -> Answer<Run> {
    runs::decide(&app.pool, id, decision, Some(&form.plan_hash), asking.actor()?).await
}

async fn answer(app: &App, asking: &Asking, id: Uuid, voted: Answer<Run>) -> Answer {
    match voted {
        Ok(_) => Ok(see(&format!("/runs/{id}"))),
        Err(failure) if is_about_the_form(&failure) => {
            let errors = [("comment".to_owned(), failure.problem.detail.clone())];
            let asking = asking.clone().at(format!("/runs/{id}/approval"));
            refused_form(&failure, &page(app, &asking, id, &errors).await?)
        }
        Err(failure) => Err(failure),
    }
}
