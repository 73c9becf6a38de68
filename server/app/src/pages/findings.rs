//! `/findings`: what went wrong or surprised.

use axum::extract::State;
use chrono::{NaiveDate, Utc};
use muster_domain::{finding::Severity, ids::PairName};
use muster_store::{findings as stored, runs};
use muster_web::{
    findings::{FindingPage, FindingsPage, empty_form},
    forms::{FindingFilter, FindingForm},
    words,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        findings::{self, Close, FindingEdit, NewFinding, may_write},
        pairs,
    },
    api::runs::teams,
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// Findings on one page.
const PAGE: i64 = 50;

/// `GET /findings`.
pub async fn list(State(app): State<App>, asking: Asking, Query(filter): Query<FindingFilter>) -> Answer {
    html(&list_page(&app, &asking, &filter, None, &[]).await?)
}

async fn list_page(
    app: &App,
    asking: &Asking,
    filter: &FindingFilter,
    form: Option<&FindingForm>,
    errors: &[(String, String)],
) -> Answer<FindingsPage> {
    let chrome = asking.chrome(app).await;
    let actor = asking.actor()?;
    let mut conn = app.pool.acquire().await?;
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let wanted = stored::FindingFilter {
        pair: given(&filter.pair),
        severity: given(&filter.severity),
        open: match filter.state.as_str() {
            "open" => Some(true),
            "closed" => Some(false),
            _ => None,
        },
        text: given(&filter.text),
        teams: teams(actor),
        ..stored::FindingFilter::default()
    };
    let mut found = stored::list(&mut conn, &wanted, filter.after.parse().ok(), PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let pairs = pairs::list(&mut conn, actor).await?;
    let pairs: Vec<_> =
        pairs.iter().map(|pair| (pair.name.to_string(), may_write(actor, &pair.team))).collect();
    let empty = empty_form(actor, &filter.pair, &filter.run);
    Ok(FindingsPage::new(chrome, filter, &pairs, &found, more, form.unwrap_or(&empty), errors))
}

/// `POST /findings`.
pub async fn raise(State(app): State<App>, asking: Asking, Form(form): Form<FindingForm>) -> Answer {
    match try_raise(&app, &asking, &form).await {
        Ok(()) => Ok(see("/findings?done=raised")),
        Err((field, failure)) if is_about_the_form(&failure) => {
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            let filter = FindingFilter::default();
            refused_form(&failure, &list_page(&app, &asking, &filter, Some(&form), &errors).await?)
        }
        Err((_, failure)) => Err(failure),
    }
}

type Field = (&'static str, Failure);

async fn try_raise(app: &App, asking: &Asking, form: &FindingForm) -> Result<(), Field> {
    let of_text = |failure: Failure| (about(&failure), failure);
    let new = NewFinding {
        pair: PairName::new(&form.pair).map_err(|e| ("pair", Failure::invalid(e.to_string())))?,
        run: match form.run.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| ("text", Failure::invalid("That is no run.")))?),
        },
        text: form.text.clone(),
        severity: severity(form).map_err(of_text)?,
        owner: form.owner.clone(),
        due: due(form).map_err(of_text)?,
        link: form.link.clone(),
    };
    let actor = asking.actor().map_err(of_text)?;
    let mut tx = muster_store::begin(&app.pool).await.map_err(|e| of_text(e.into()))?;
    findings::raise(&mut tx, new, actor).await.map_err(of_text)?;
    tx.commit().await.map_err(|e| of_text(e.into()))
}

/// The field a failure of an act is about.
fn about(failure: &Failure) -> &'static str {
    let detail = &failure.problem.detail;
    match () {
        () if detail.contains("link") => "link",
        () if detail.contains("due day") => "due",
        () if detail.starts_with("Severity") => "severity",
        () if detail.contains("mended") => "retest",
        () if detail.contains("done about it") => "resolution",
        () => "text",
    }
}

fn severity(form: &FindingForm) -> Answer<Severity> {
    Severity::parse(&form.severity).ok_or_else(|| Failure::invalid("Severity is low, medium or high."))
}

fn due(form: &FindingForm) -> Answer<Option<NaiveDate>> {
    match form.due.trim() {
        "" => Ok(None),
        day => day.parse().map(Some).map_err(|_| Failure::invalid("That is no due day.")),
    }
}

/// `GET /findings/{finding}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Query(filter): Query<FindingFilter>,
) -> Answer {
    html(&one_page(&app, &asking, id, None, &[], &filter.done).await?)
}

async fn one_page(
    app: &App,
    asking: &Asking,
    id: Uuid,
    form: Option<&FindingForm>,
    errors: &[(String, String)],
    done: &str,
) -> Answer<FindingPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let finding = findings::get(&mut conn, id).await?;
    let retest = finding.closed.as_ref().and_then(|closed| closed.retest);
    let mut names = Vec::new();
    for run in [finding.run, retest].into_iter().flatten() {
        if let Some(run) = runs::get(&mut conn, run).await? {
            names.push((run.id, words::run_name(&run)));
        }
    }
    Ok(FindingPage::new(chrome, &finding, &names, form, errors, done))
}

/// `POST /findings/{finding}`.
pub async fn change(
    State(app): State<App>,
    asking: Asking,
    Path(id): Path<Uuid>,
    Form(form): Form<FindingForm>,
) -> Answer {
    match try_change(&app, &asking, id, &form).await {
        Ok(done) => Ok(see(&format!("/findings/{id}?done={done}"))),
        Err((field, failure)) if is_about_the_form(&failure) => {
            let errors = [(field.to_owned(), failure.problem.detail.clone())];
            refused_form(&failure, &one_page(&app, &asking, id, Some(&form), &errors, "").await?)
        }
        Err((_, failure)) => Err(failure),
    }
}

async fn try_change(app: &App, asking: &Asking, id: Uuid, form: &FindingForm) -> Result<&'static str, Field> {
    let of_act = |failure: Failure| (about(&failure), failure);
    let actor = asking.actor().map_err(of_act)?;
    let mut tx = muster_store::begin(&app.pool).await.map_err(|e| of_act(e.into()))?;
    let (edit, done) = match form.act.as_str() {
        "open" => (FindingEdit { closed: Some(None), ..FindingEdit::default() }, "opened"),
        "close" => {
            let retest = retest(&mut tx, form).await?;
            let close = Close { resolution: form.resolution.clone(), retest };
            (FindingEdit { closed: Some(Some(close)), ..FindingEdit::default() }, "closed")
        }
        _ => {
            let edit = FindingEdit {
                severity: Some(severity(form).map_err(of_act)?),
                owner: Some(form.owner.clone()),
                due: Some(due(form).map_err(of_act)?),
                link: Some(form.link.clone()),
                closed: None,
            };
            (edit, "changed")
        }
    };
    let version = form.version.parse().ok();
    findings::change(&mut tx, id, version, edit, actor, Utc::now()).await.map_err(of_act)?;
    tx.commit().await.map_err(|e| of_act(e.into()))?;
    Ok(done)
}

/// People know runs by their numbers.
async fn retest(conn: &mut PgConnection, form: &FindingForm) -> Result<Option<Uuid>, Field> {
    let typed = form.retest.trim().trim_start_matches('#');
    if typed.is_empty() {
        return Ok(None);
    }
    let missing = || ("retest", Failure::invalid(format!("There is no run {typed}.")));
    let number = typed.parse().map_err(|_| missing())?;
    let found = runs::by_number(conn, number).await.map_err(|e| ("retest", e.into()))?;
    found.map(Some).ok_or_else(missing)
}
