//! `/pairs/{pair}/differences`: what applications would find different on the other side.

use axum::extract::State;
use muster_domain::ids::PairName;
use muster_web::{
    differences::{DifferencesPage, kinds},
    forms::DifferenceFilter,
};

use super::{asking::Asking, html};
use crate::{
    acts::differences::{self, Wanted},
    app::App,
    http::{Answer, Path, Query},
};

/// `GET /pairs/{pair}/differences`.
pub async fn show(
    State(app): State<App>,
    asking: Asking,
    Path(name): Path<PairName>,
    Query(filter): Query<DifferenceFilter>,
) -> Answer {
    let chrome = asking.chrome(&app).await;
    let mut conn = app.pool.acquire().await?;
    let wanted = Wanted { kinds: kinds(&filter), who: filter.who.clone() };
    let (pair, found) = differences::of_pair(&mut conn, &name, &wanted).await?;
    let found = found.as_ref().map(|(survey, found)| (found, survey.began_at));
    html(&DifferencesPage::new(chrome, &pair, &filter, found))
}
