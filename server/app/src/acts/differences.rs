//! What would be different for applications on the other side of a pair, from the newest survey; of what that cannot compare, as of
//! the last one that could.

use muster_domain::{
    difference::{DifferenceKind, Differences, differences},
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
}

/// The pair, and its differences with the survey they are from; `None` before the first one.
///
/// # Errors
/// `not-found`.
pub async fn of_pair(
    conn: &mut PgConnection,
    name: &PairName,
    wanted: &Wanted,
) -> Answer<(Pair, Option<(Survey, Differences)>)> {
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
    let found = found.filtered(&wanted.kinds, wanted.who.trim()).shortened();
    Ok((pair, Some((survey, found))))
}
