//! `/pairs/{pair}/differences`: what applications would find different on the other side.

use axum::extract::State;
use muster_domain::ids::PairName;
use muster_web::{
    differences::{DifferencesPage, Shown, kinds},
    forms::DifferenceFilter,
};

use super::{PAGE, asking::Asking, html};
use crate::{
    acts::differences::{self, Part, Wanted},
    api::differences::{next, read_place},
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
    // What is no cursor leads to the beginning.
    let part = || Part { after: read_place(&filter.after).ok(), most: PAGE as usize };
    let by_who = filter.is_by_who().then(part);
    let wanted = Wanted { kinds: kinds(&filter), who: filter.who.clone(), by_who };
    let (pair, found) = differences::of_pair(&mut conn, &name, &wanted).await?;
    let more = found.as_ref().and_then(|found| next(found.by_who.as_ref()?));
    let shown = found.as_ref().map(|found| Shown {
        differences: &found.differences,
        at: found.survey.began_at,
        by_who: found.by_who.as_ref().map(|(by, _)| (by, more.as_deref())),
    });
    html(&DifferencesPage::new(chrome, &pair, &filter, shown))
}
