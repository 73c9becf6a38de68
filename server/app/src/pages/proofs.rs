//! `/pairs/{pair}/translation`: where groups would go on, and how that is proven.

use axum::extract::State;
use muster_domain::{
    direction::ActiveSides,
    ids::{ClusterName, PairName},
    pair::Pair,
    proof::{Proof, ProofKind, ProofState, translation::TranslationProof},
};
use muster_store::proofs as stored;
use muster_web::{
    forms::{TranslationFilter, TranslationForm},
    parts::Course,
    translation::{ProvenTranslation, TranslationPage},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{asking::Asking, html, is_about_the_form, refused_form, see};
use crate::{
    acts::{
        pairs,
        proofs::{self, NewProof},
        rings,
    },
    app::App,
    http::{Answer, Failure, Form, Path, Query},
    standing::judgement,
};

/// Proofs in the history.
const HISTORY: i64 = 20;

/// `GET /pairs/{pair}/translation`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(filter): Query<TranslationFilter>,
) -> Answer {
    html(&page(&app, &asking, &name, &filter).await?)
}

async fn page(
    app: &App,
    asking: &Asking,
    name: &PairName,
    filter: &TranslationFilter,
) -> Answer<TranslationPage> {
    let chrome = asking.chrome(app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let history = history(&mut conn, name, ProofKind::Translation, &filter.proof).await?;
    let shown = match wanted(&filter.proof, &history)? {
        Some(id) => Some(proven(&mut conn, &pair, id).await?),
        None => None,
    };
    let active = active(&mut conn, &pair).await?;
    let course = Course::of_pair(&pair, active);
    let looks = rings::of_pair(&mut conn, &pair).await?;
    let filter = TranslationFilter { from: proposed(&pair, &filter.from, active), ..filter.clone() };
    Ok(TranslationPage::new(chrome, &pair, course, &history, shown.as_ref(), &filter, &looks))
}

/// The last proofs of one kind, newest first, and the one that is asked for, however old it is.
pub(super) async fn history(
    conn: &mut PgConnection,
    name: &PairName,
    kind: ProofKind,
    asked: &str,
) -> Answer<Vec<Proof>> {
    let mut history = stored::list(conn, name, Some(kind), None, HISTORY).await?;
    let older = asked.parse::<Uuid>().ok().filter(|id| history.iter().all(|proof| proof.id != *id));
    if let Some(id) = older {
        let found = stored::get(conn, id).await?;
        history.extend(found.filter(|proof| proof.pair == *name && proof.kind == kind));
    }
    Ok(history)
}

/// The proof that is asked for, or the newest that is done.
pub(super) fn wanted(asked: &str, history: &[Proof]) -> Answer<Option<Uuid>> {
    let is_done = |proof: &&Proof| proof.state == ProofState::Done;
    match asked {
        "" => Ok(history.iter().find(is_done).map(|proof| proof.id)),
        id => {
            let id = id.parse().map_err(|_| Failure::not_found("proof", id))?;
            let known = history.iter().find(|proof| proof.id == id);
            Ok(known.is_none_or(|proof| proof.state == ProofState::Done).then_some(id))
        }
    }
}

async fn proven(conn: &mut PgConnection, pair: &Pair, id: Uuid) -> Answer<ProvenTranslation> {
    let missing = || Failure::not_found("proof", &id.to_string());
    let evidence = stored::evidence(conn, id).await?.ok_or_else(missing)?;
    if evidence.proof.pair != pair.name || evidence.proof.kind != ProofKind::Translation {
        return Err(missing());
    }
    let result = evidence.result.unwrap_or_default();
    let result: TranslationProof =
        serde_json::from_value(result).map_err(|e| Failure::internal("read the result of a proof", e))?;
    Ok(ProvenTranslation { proof: evidence.proof, result, hash: evidence.hash })
}

/// Which sides are active, as last judged.
pub(super) async fn active(conn: &mut PgConnection, pair: &Pair) -> Answer<ActiveSides> {
    let judged = judgement::latest(conn, &pair.name).await?;
    Ok(judged.map_or(ActiveSides::NotKnown, |kept| kept.results.active_sides()))
}

/// The cluster a form proposes to prove from: the one that was named, or the active side; none while that cannot be told,
/// or both are.
pub(super) fn proposed(pair: &Pair, named: &str, active: ActiveSides) -> String {
    match (named.trim(), active.one()) {
        ("", Some(side)) => pair.cluster(side).to_string(),
        ("", None) => String::new(),
        (named, _) => named.to_owned(),
    }
}

/// The cluster a form asks from; refused beside its field when it says none and none can be told ([`says_no_cluster`]).
pub(super) async fn asked_from(app: &App, name: &PairName, named: &str) -> Answer<ClusterName> {
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, name).await?;
    let named = match named.trim() {
        "" => None,
        named => Some(ClusterName::new(named).map_err(|_| {
            Failure::invalid(format!("`{named}` is no cluster of the pair `{}`.", pair.name))
        })?),
    };
    let direction = proofs::direction(&mut conn, &pair, named.as_ref()).await?;
    Ok(pair.cluster(direction.from).clone())
}

/// Whether [`asked_from`] failed for what the form says, or does not.
pub(super) fn says_no_cluster(failure: &Failure) -> bool {
    is_about_the_form(failure) || failure.problem.code == "not-surveyed-yet"
}

/// `POST /pairs/{pair}/translation`.
pub async fn ask(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Form(form): Form<TranslationForm>,
) -> Answer {
    let from = match asked_from(&app, &name, &form.from).await {
        Err(failure) if says_no_cluster(&failure) => {
            let page = page(&app, &asking, &name, &TranslationFilter::default()).await?;
            return refused_form(&failure, &page.refused_from(&failure.problem.detail));
        }
        from => from?,
    };
    let new = NewProof { kind: ProofKind::Translation, from: Some(from), content: None };
    let mut tx = muster_store::begin(&app.pool).await?;
    proofs::ask(&mut tx, &name, &new, asking.actor()?).await?;
    tx.commit().await?;
    Ok(see(&format!("/pairs/{name}/translation")))
}

/// `POST /proofs/{proof}/cancel`.
pub async fn cancel(State(app): State<App>, asking: Asking, Path(id): Path<Uuid>) -> Answer {
    let mut tx = muster_store::begin(&app.pool).await?;
    let proof = proofs::cancel(&mut tx, id, asking.actor()?).await?;
    tx.commit().await?;
    Ok(see(&format!("/pairs/{}/{}", proof.pair, proof.kind.as_str())))
}
