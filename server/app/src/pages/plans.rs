//! Making a plan on a pair's page; the plan; asking for it to be carried out.

use axum::extract::State;
use chrono::Utc;
use muster_domain::{
    ids::{ClusterName, PairName},
    pair::Side,
    run::Operation,
};
use muster_web::{
    forms::{PlanForm, RequestForm},
    plan::PlanPage,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, pairs::Besides, refused_form, see};
use crate::{
    acts::{
        pairs,
        plans::{self, NewPlan, NewRequest},
    },
    app::App,
    http::{Answer, Failure, Form, Path},
};

/// `POST /pairs/{pair}/plan`.
pub async fn make(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<PlanForm>,
) -> Answer {
    match try_make(&app, &asking, &name, &form).await {
        Ok(plan) => Ok(see(&format!("/plans/{plan}"))),
        Err(failure) if is_about_the_form(&failure) || failure.problem.code == "not-surveyed-yet" => {
            let besides = Besides { refused: Some((&form, &failure)), ..Besides::default() };
            let mut response = super::pairs::page(&app, &asking, &name, 1, besides).await?;
            response.extensions_mut().insert(failure);
            response.extensions_mut().insert(super::Shown);
            Ok(response)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_make(app: &App, asking: &Asking, name: &PairName, form: &PlanForm) -> Answer<Uuid> {
    let mut tx = muster_store::begin(&app.pool).await?;
    let pair = pairs::get(&mut tx, name).await?;
    let from = Side::parse(&form.from)
        .ok_or_else(|| Failure::invalid(format!("There is no side `{}`.", form.from)))?;
    let asked = asked(form, pair.cluster(from.other()).clone())?;
    let plan = plans::make(&mut tx, name, &asked, asking.actor()?, Utc::now()).await?;
    tx.commit().await?;
    Ok(plan.id)
}

fn asked(form: &PlanForm, to: ClusterName) -> Answer<NewPlan> {
    let operation = match form.operation.as_str() {
        "" => Operation::Switchover,
        word => serde_json::from_value(json!(word))
            .map_err(|_| Failure::invalid(format!("There is no operation `{word}`.")))?,
    };
    let mut rules = Map::new();
    rules.insert("confirm_before_fence".to_owned(), json!(form.confirm_before_fence == "on"));
    for (rule, word) in [("if_unproven", &form.if_unproven), ("consumers", &form.consumers)] {
        if !word.is_empty() {
            rules.insert(rule.to_owned(), json!(word));
        }
    }
    if !form.max_write_outage_seconds.trim().is_empty() {
        let seconds: i64 =
            form.max_write_outage_seconds.trim().parse().map_err(|_| {
                Failure::invalid("The longest time without writes is a whole number of seconds.")
            })?;
        rules.insert("max_write_outage_seconds".to_owned(), Value::from(seconds));
    }
    Ok(NewPlan { operation, to, drill: form.drill == "on", rules })
}

/// `GET /plans/{plan}`.
pub async fn show(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    html(&page(&app, &asking, id, "", &[]).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    id: Uuid,
    reason: &str,
    errors: &[(String, String)],
) -> Answer<PlanPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let plan = plans::get(&mut conn, id).await?;
    let pair = plans::pair_of(&mut conn, &plan).await?;
    let clusters = plans::cluster_names(&mut conn, &plan, pair.as_ref()).await?;
    let difference = plans::difference(&mut conn, &plan).await?;
    Ok(PlanPage::new(chrome, &plan, pair.as_ref(), &clusters, &difference, reason, errors))
}

/// `POST /plans/{plan}/request`.
pub async fn request(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<RequestForm>,
) -> Answer {
    match try_request(&app, &asking, id, &form).await {
        Ok(run) => Ok(see(&format!("/runs/{run}"))),
        Err(failure) if is_about_the_form(&failure) => {
            let errors = [("reason".to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &page(&app, &asking, id, &form.reason, &errors).await?)
        }
        Err(failure) => Err(failure),
    }
}

async fn try_request(app: &App, asking: &Asking, id: Uuid, form: &RequestForm) -> Answer<Uuid> {
    let mut tx = muster_store::begin(&app.pool).await?;
    if plans::get(&mut tx, id).await?.hash != form.plan_hash {
        return Err(Failure::new(
            "plan-changed",
            "The plan you saw is not this plan; nothing was asked for.",
            "Open the plan again, read it, and ask for that.",
        ));
    }
    let asked = NewRequest { plan: id, reason: form.reason.clone() };
    let run = plans::request_run(&mut tx, &asked, asking.actor()?).await?;
    tx.commit().await?;
    Ok(run.id)
}
