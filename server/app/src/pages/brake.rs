//! `/brake`: the global stop.

use axum::extract::State;
use muster_domain::{people::Role, run::RunState};
use muster_web::{
    brake::{BrakePage, BrakedRuns},
    forms::BrakeForm,
};

use super::{
    asking::{Asking, OpenRuns},
    html, is_about_the_form, refused_form, see,
};
use crate::{
    acts::brake_acts::{self, PutBrake},
    app::App,
    http::{Answer, Failure, Form, guard::forbidden, route::Access},
};

/// `GET /brake`.
pub async fn show(State(app): State<App>, asking: Asking) -> Answer {
    html(&page(&app, &asking, &[]).await?)
}

async fn page(app: &App, asking: &Asking, errors: &[(String, String)]) -> Answer<BrakePage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let open = OpenRuns::read(&mut conn, asking.actor()?).await?;
    let runs = BrakedRuns {
        running: open.count(RunState::wants_worker),
        approved: open.count(|state| state == RunState::Approved),
        paused: open.count(|state| matches!(state, RunState::PausedByOperator | RunState::PausedByFailure)),
    };
    Ok(BrakePage::new(chrome, runs, errors))
}

/// `POST /brake`.
pub async fn act(State(app): State<App>, asking: Asking, Form(form): Form<BrakeForm>) -> Answer {
    match try_act(&app, &asking, &form).await {
        Ok(()) => Ok(see("/brake")),
        Err(failure) if is_about_the_form(&failure) => {
            let errors = [("reason".to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &page(&app, &asking, &errors).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_act(app: &App, asking: &Asking, form: &BrakeForm) -> Answer<()> {
    let actor = asking.actor()?;
    let mut tx = muster_store::begin(&app.pool).await?;
    match form.act.as_str() {
        "set" => brake_acts::put(&mut tx, &PutBrake { reason: form.reason.clone() }, actor).await?,
        // Putting it on is for everybody who may act; letting go is for fewer, as in the API.
        "release" if actor.has_anywhere(Role::Owner) || actor.has_anywhere(Role::Admin) => {
            brake_acts::release(&mut tx, actor).await?
        }
        "release" => {
            return Err(forbidden(Access::Anywhere(&[Role::Owner, Role::Admin])).of("brake.release"));
        }
        other => return Err(Failure::invalid(format!("The brake is set or released, not `{other}`."))),
    };
    Ok(tx.commit().await?)
}
