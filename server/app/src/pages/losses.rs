//! `/pairs/{pair}/losses`: what was lost each time a source died, and the statement of one loss.

use axum::extract::State;
use muster_domain::{ids::PairName, loss::LossId};
use muster_store::losses;
use muster_web::{
    loss::{LossFilter, LossPage},
    losses::LossesPage,
};
use serde::Deserialize;

use super::{PAGE, asking::Asking, cut, ends, html};
use crate::{
    acts::pairs,
    app::App,
    http::{Answer, Failure, Path, Query},
};

/// Which page of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// The last loss of the page before.
    after: String,
}

/// `GET /pairs/{pair}/losses`.
pub async fn list(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(shown): Query<Shown>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let after = LossId::parse(&shown.after);
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let mut found = losses::of_pair(&mut conn, &name, after, PAGE + 1).await?;
    let next = cut(&mut found, |loss| loss.id().to_string());
    let ends = ends("losses", &format!("/pairs/{name}/losses"), after.is_some(), next);
    html(&LossesPage::new(chrome, &pair, &found).part(ends))
}

/// `GET /pairs/{pair}/losses/{loss}`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path((name, id)): Path<(PairName, String)>,
    Query(filter): Query<LossFilter>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let pair = pairs::get(&mut conn, &name).await?;
    let missing = || Failure::not_found("loss", &id);
    let known = LossId::parse(&id).ok_or_else(missing)?;
    let loss = losses::get(&mut conn, &name, known).await?.ok_or_else(missing)?;
    html(&LossPage::new(chrome, &pair, &loss, &filter))
}
