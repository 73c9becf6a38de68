//! What earlier surveys found different, kept while the newest cannot compare: surveys themselves are not kept.

use muster_domain::{difference::LastCompared, ids::PairName, survey::Survey};
use muster_operations::PairClients;
use muster_store::{StoreError, readiness};
use serde::{Deserialize, Deserializer};
use sqlx::PgConnection;

use super::Judgement;

/// Of a judgement nothing else: the rest of one that another version kept is not to get in the way of looking.
#[derive(Deserialize)]
struct Remembered {
    #[serde(default, deserialize_with = "if_readable")]
    last_compared: Option<LastCompared>,
}

impl Judgement {
    /// With what is remembered of what its survey cannot compare; see [`read_last`].
    #[must_use]
    pub fn remembering(self, last_compared: Option<LastCompared>) -> Self {
        Self { last_compared, ..self }
    }
}

/// What is to be remembered with a survey of what it cannot compare, from the survey before and from what was kept with that one.
///
/// # Errors
/// When the database refuses.
pub async fn read_last(
    conn: &mut PgConnection,
    clients: &PairClients,
    survey: &Survey,
    previous: Option<&Survey>,
) -> Result<Option<LastCompared>, StoreError> {
    if !LastCompared::is_wanted(&clients.pair, survey) {
        return Ok(None);
    }
    let kept = readiness::latest::<Remembered>(conn, &survey.pair).await?;
    let kept = kept.and_then(|kept| kept.results.last_compared);
    Ok(LastCompared::after(&clients.pair, &clients.clusters, survey, previous, kept.as_ref()))
}

/// What is remembered of what the survey with this number cannot compare.
///
/// # Errors
/// When the database refuses.
pub async fn last_compared(
    conn: &mut PgConnection,
    pair: &PairName,
    survey: i64,
) -> Result<Option<LastCompared>, StoreError> {
    let kept = readiness::latest::<Remembered>(conn, pair).await?;
    Ok(kept.filter(|kept| kept.survey_number == survey).and_then(|kept| kept.results.last_compared))
}

/// As it was kept. Nothing where it does not read back: a process of the version after, which may observe the pair during an upgrade,
/// knows kinds of differences that this one does not, and nothing else of the judgement is to be lost for that.
pub(super) fn if_readable<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LastCompared>, D::Error> {
    let kept = Option::<serde_json::Value>::deserialize(from)?;
    Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
}
