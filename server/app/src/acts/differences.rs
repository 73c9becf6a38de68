//! What would be different for applications on the other side of a pair, from the newest survey; of what that cannot compare, as of
//! the last one that could.

use muster_domain::{
    difference::{ByWho, DifferenceKind, Differences, Place, differences},
    ids::PairName,
    pair::{BySide, Pair},
    survey::Survey,
};
use muster_store::surveys;
use sqlx::PgConnection;

use super::{clusters, pairs};
use crate::{http::Answer, standing::judgement};

/// Which differences are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of these kinds; none for all.
    pub kinds: Vec<DifferenceKind>,
    /// Part of the name of a topic, group or principal; empty for everybody.
    pub who: String,
    /// By who is affected as well, and then which of them.
    pub by_who: Option<Part>,
}

/// Which of those who are affected.
#[derive(Debug, Clone)]
pub struct Part {
    /// Those behind this place; from the first on without one.
    pub after: Option<Place>,
    /// At most so many.
    pub most: usize,
}

/// What a survey tells of a pair.
#[derive(Debug)]
pub struct Found {
    /// The survey.
    pub survey: Survey,
    /// The differences, shortened.
    pub differences: Differences,
    /// Them by who is affected where that is wanted, and whether more are affected behind those.
    pub by_who: Option<(ByWho, bool)>,
}

/// The pair, and its differences with the survey they are from; `None` before the first one.
///
/// # Errors
/// `not-found`.
pub async fn of_pair(
    conn: &mut PgConnection,
    name: &PairName,
    wanted: &Wanted,
) -> Answer<(Pair, Option<Found>)> {
    let pair = pairs::get(conn, name).await?;
    let Some(survey) = surveys::latest(conn, name).await? else { return Ok((pair, None)) };
    let a = clusters::get(conn, &pair.clusters.a).await?;
    let b = clusters::get(conn, &pair.clusters.b).await?;
    let mut found = differences(&pair, &BySide { a, b }, &survey);
    if found.each().any(|found| !found.not_compared.is_empty())
        && let Some(last) = judgement::last_compared(conn, name).await?
    {
        found = found.with_earlier(&pair, &last);
    }
    let who = wanted.who.trim();
    let found = found.filtered(&wanted.kinds, who);
    // Before names are left out.
    let by_who = wanted.by_who.as_ref().map(|part| found.by_who(who).page(part.after.as_ref(), part.most));
    Ok((pair, Some(Found { survey, differences: found.shortened(), by_who })))
}
