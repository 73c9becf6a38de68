//! `/pairs/{pair}/content`: whether both sides hold the same records.

use axum::extract::State;
use chrono::{TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    proof::{
        ProofKind,
        content::{ContentAsk, ProofSide, SampleAsk},
    },
};
use muster_web::{
    content::{ContentPage, ProvenContent},
    content_record::RecordPage,
    forms::{ContentFilter, ContentForm, RecordForm},
    parts::Course,
};

use super::{
    asking::Asking,
    html, is_about_the_form,
    proofs::{self as proof_pages, history, wanted},
    refused_form, see,
};
use crate::{
    acts::{
        pairs,
        payload::{self, RecordAsk},
        proofs::{self, NewProof},
    },
    app::App,
    http::{Answer, Failure, Form, Path, Query},
};

/// How sure samples of the page's form are.
const CONFIDENCE: f64 = 0.95;

/// `GET /pairs/{pair}/content`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(filter): Query<ContentFilter>,
) -> Answer {
    let form =
        ContentForm { from: filter.from.clone(), topics: filter.topics.clone(), ..ContentForm::default() };
    html(&page(&app, &asking, &name, &filter, &form).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    filter: &ContentFilter,
    form: &ContentForm,
) -> Answer<ContentPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let history = history(&mut conn, name, ProofKind::Content, &filter.proof).await?;
    let shown = match wanted(&filter.proof, &history)? {
        Some(id) => {
            let (proof, result, hash) = payload::of_pair(&mut conn, name, id).await?;
            Some(ProvenContent { proof, result, hash })
        }
        None => None,
    };
    let active = proof_pages::active(&mut conn, &pair).await?;
    let course = Course::of_pair(&pair, active);
    let form = ContentForm { from: proof_pages::proposed(&pair, &form.from, active), ..form.clone() };
    let page = ContentPage::new(chrome, &pair, course, &history, shown.as_ref(), filter, &form);
    Ok(page.of_somebody(asking.since_shown.opens()))
}

/// `POST /pairs/{pair}/content/record`: what is in a record the proof cites. An act: it leaves an entry, and its answer is the
/// page itself, which nobody keeps.
pub async fn record(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<RecordForm>,
) -> Answer {
    let unreadable = || Failure::invalid("Which record is meant cannot be told from the form.");
    let id = form.proof.parse().map_err(|_| Failure::not_found("proof", &form.proof))?;
    let ask = RecordAsk {
        topic: form.topic,
        partition: form.partition.parse().map_err(|_| unreadable())?,
        offset: form.offset.parse().map_err(|_| unreadable())?,
        side: ProofSide::parse(&form.side).ok_or_else(unreadable)?,
    };
    let looked = payload::show(&app, &name, id, &ask, asking.actor()?).await?;
    // Whoever looks again goes back to what cites it: the record itself is kept nowhere.
    let chrome = asking.at(format!("/pairs/{name}/content?proof={id}")).chrome(&app).await;
    html(&RecordPage::new(chrome, &looked.pair, &looked.proof, &looked.cited, &looked.places))
}

/// `POST /pairs/{pair}/content`.
pub async fn ask(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<ContentForm>,
) -> Answer {
    let from = match proof_pages::asked_from(&app, &name, &form.from).await {
        Err(failure) if proof_pages::says_no_cluster(&failure) => {
            let page = page(&app, &asking, &name, &ContentFilter::default(), &form).await?;
            return refused_form(&failure, &page.refused_from(&failure.problem.detail));
        }
        from => from?,
    };
    let asked = async {
        let new = NewProof { kind: ProofKind::Content, from: Some(from), content: Some(read(&form)?) };
        let mut tx = muster_store::begin(&app.pool).await?;
        proofs::ask(&mut tx, &name, &new, asking.actor()?).await?;
        tx.commit().await?;
        Ok(see(&format!("/pairs/{name}/content")))
    };
    match asked.await {
        Err(failure) if is_about_the_form(&failure) => {
            let page = page(&app, &asking, &name, &ContentFilter::default(), &form).await?;
            refused_form(&failure, &page.refused(&failure.problem.detail))
        }
        answer => answer,
    }
}

/// What a form asks for.
fn read(form: &ContentForm) -> Answer<ContentAsk> {
    let (hours, percent) = (form.hours.trim(), form.sample.trim());
    let bound = form.mb_per_second.trim();
    let since = match hours {
        "" => None,
        hours => {
            let hours =
                hours.parse().ok().and_then(TimeDelta::try_hours).filter(|hours| *hours > TimeDelta::zero());
            let hours = hours.ok_or_else(|| Failure::invalid("How far back is a number of hours."))?;
            Utc::now().checked_sub_signed(hours)
        }
    };
    let sample = match percent {
        "" => None,
        percent => {
            let percent: f64 = percent
                .parse()
                .map_err(|_| Failure::invalid("The share to be found is a number of percent."))?;
            Some(SampleAsk { differing: percent / 100.0, confidence: CONFIDENCE })
        }
    };
    let mb_per_second = match bound {
        "" => None,
        bound => Some(
            bound
                .parse()
                .map_err(|_| Failure::invalid("Megabytes a second are a whole number, at least 1."))?,
        ),
    };
    let apart = |c: char| c.is_whitespace() || c == ',';
    let topics = form.topics.split(apart).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(ContentAsk { topics, since, until: None, sample, mb_per_second })
}
