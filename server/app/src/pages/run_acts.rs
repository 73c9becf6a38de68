//! Acts on a run: `GET` of an act shows the page before a dangerous one, `POST` does it and goes back to the run.

use axum::extract::State;
use muster_domain::break_glass::Verdict;
use muster_operations::decisions::Attestation;
use muster_web::{
    confirm::{ConfirmAct, ConfirmPage},
    forms::ActForm,
};
use serde::Deserialize;
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, refused_form, runs::everything, see};
use crate::{
    acts::runs::{self, Decision},
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// Which step an act is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct About {
    step: String,
}

type Confirming = (State<App>, Asking, Path<Uuid>, Query<About>);

/// `GET /runs/{run}/start`.
pub async fn confirm_start(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Start).await
}

/// `GET /runs/{run}/skip`.
pub async fn confirm_skip(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Skip).await
}

/// `GET /runs/{run}/abort`.
pub async fn confirm_abort(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Abort).await
}

/// `GET /runs/{run}/close`.
pub async fn confirm_close(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Close).await
}

/// `GET /runs/{run}/attest`.
pub async fn confirm_attest(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Attest).await
}

/// `GET /runs/{run}/break-glass`.
pub async fn confirm_break_glass(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::BreakGlass).await
}

/// `GET /runs/{run}/review`.
pub async fn confirm_review(of: Confirming) -> Answer {
    confirm_page(of, ConfirmAct::Review).await
}

async fn confirm_page((State(app), asking, Path(id), Query(about)): Confirming, act: ConfirmAct) -> Answer {
    let untouched = ActForm { step: about.step, ..ActForm::default() };
    html(&confirming(&app, &asking, id, act, &untouched, &[]).await?)
}

async fn confirming(
    app: &App,
    asking: &Asking,
    id: Uuid,
    act: ConfirmAct,
    form: &ActForm,
    errors: &[(String, String)],
) -> Answer<ConfirmPage> {
    let chrome = asking.chrome(app).await;
    let all = everything(&mut *app.pool.acquire().await?, id).await?;
    let step = all.steps.iter().find(|known| known.name == form.step);
    Ok(ConfirmPage::new(chrome, act, &all.record(), step, form, errors))
}

type Acting = (State<App>, Asking, Path<Uuid>, Form<ActForm>);

/// `POST /runs/{run}/start`.
pub async fn start(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Start), |_| Ok(Decision::Start)).await
}

/// `POST /runs/{run}/pause`.
pub async fn pause(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Pause)).await
}

/// `POST /runs/{run}/resume`.
pub async fn resume(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Resume)).await
}

/// `POST /runs/{run}/confirm`.
pub async fn confirm(of: Acting) -> Answer {
    act(of, None, |_| Ok(Decision::Confirm)).await
}

/// `POST /runs/{run}/retry`.
pub async fn retry(of: Acting) -> Answer {
    act(of, None, |form| Ok(Decision::Retry(form.reason.clone()))).await
}

/// `POST /runs/{run}/skip`.
pub async fn skip(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Skip), |form| {
        Ok(Decision::Skip { step: form.step.clone(), reason: form.reason.clone() })
    })
    .await
}

/// `POST /runs/{run}/abort`.
pub async fn abort(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Abort), |form| match form.reason.trim() {
        "" => Err(Failure::invalid("Say why everything is taken back.")),
        reason => Ok(Decision::Abort(reason.to_owned())),
    })
    .await
}

/// `POST /runs/{run}/close`.
pub async fn close(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Close), |form| Ok(Decision::Close(form.reason.clone()))).await
}

/// `POST /runs/{run}/attest`.
pub async fn attest(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Attest), |form| {
        let verdict = match form.verdict.as_str() {
            "passed" => Attestation::Passed,
            "failed" => Attestation::Failed,
            "inconclusive" => Attestation::Inconclusive,
            _ => return Err(Failure::invalid("Say how it went: passed, failed or inconclusive.")),
        };
        Ok(Decision::Attest(verdict, form.reason.clone()))
    })
    .await
}

/// `POST /runs/{run}/break-glass`.
pub async fn start_without_approval(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::BreakGlass), |form| {
        let named = form.overridden.split([',', ' ', '\n', '\r']).filter(|code| !code.is_empty());
        Ok(Decision::BreakGlass {
            reason: form.reason.clone(),
            overridden: named.map(str::to_owned).collect(),
        })
    })
    .await
}

/// `POST /runs/{run}/review`.
pub async fn review(of: Acting) -> Answer {
    act(of, Some(ConfirmAct::Review), |form| {
        let verdict = Verdict::parse(&form.verdict)
            .ok_or_else(|| Failure::invalid("Say how you judge it: justified, or not justified."))?;
        Ok(Decision::Review(verdict, form.reason.clone()))
    })
    .await
}

/// Carries an act out and goes back to the run. `page` is the page before it, shown again when something is missing.
async fn act(
    (State(app), asking, Path(id), Form(form)): Acting,
    page: Option<ConfirmAct>,
    decision: fn(&ActForm) -> Answer<Decision>,
) -> Answer {
    let done = try_act(&app, &asking, id, &form, page, decision).await;
    match (done, page) {
        (Ok(()), _) => Ok(see(&format!("/runs/{id}"))),
        (Err(failure), Some(page)) if is_about_the_form(&failure) => {
            let field = match failure.problem.code.as_str() {
                "override-missing" => "overridden",
                "drill-not-proven" => "verdict",
                _ if failure.problem.detail.contains("typed") => "typed",
                _ => "reason",
            };
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &confirming(&app, &asking, id, page, &form, &errors).await?)
        }
        (Err(failure), _) => Err(failure),
    }
}

async fn try_act(
    app: &App,
    asking: &Asking,
    id: Uuid,
    form: &ActForm,
    page: Option<ConfirmAct>,
    decision: fn(&ActForm) -> Answer<Decision>,
) -> Answer<()> {
    let decision = decision(form)?;
    if let Some(page) = page
        && asks_for_target(page)
    {
        let run = runs::get(&mut *app.pool.acquire().await?, id).await?;
        if form.typed.trim() != run.pair.as_str() {
            return Err(Failure::invalid(format!(
                "The name typed must be `{}`, the pair this acts on.",
                run.pair
            )));
        }
    }
    runs::decide(&app.pool, id, decision, None, asking.actor()?).await.map(|_| ())
}

/// The severe ones, whose pages have the name of the pair typed again.
fn asks_for_target(act: ConfirmAct) -> bool {
    match act {
        ConfirmAct::Start | ConfirmAct::Skip | ConfirmAct::Close | ConfirmAct::BreakGlass => true,
        ConfirmAct::Abort | ConfirmAct::Attest | ConfirmAct::Review => false,
    }
}
