//! What is kept of a source that cannot be read, for a proof of its groups.

use chrono::{TimeDelta, Utc};
use muster_domain::{ids::PairName, pair::Direction, proof::translation::DeadSource};
use muster_operations::translation_proof::KeptSource;
use muster_store::{StoreError, recorder, rings};
use sqlx::PgPool;

/// What is kept of a source that cannot be read because of something; `None` when that is nothing. Positions are those of the
/// last look, not the newest the flight recorder has: rings were read for these.
///
/// # Errors
/// When the database refuses or what is kept does not read back.
pub(crate) async fn kept_source(
    pool: &PgPool,
    of: (&PairName, Direction),
    because: &str,
) -> Result<Option<KeptSource>, StoreError> {
    let mut conn = muster_store::acquire(pool).await?;
    let Some(look) = rings::look(&mut conn, of).await? else { return Ok(None) };
    let then = (look.positions_at, look.positions_at + TimeDelta::milliseconds(1));
    let Some((positions_at, positions)) = recorder::positions(&mut conn, of, then).await? else {
        return Ok(None);
    };
    let source = DeadSource {
        silent_since: look.silent_since.unwrap_or_else(Utc::now),
        because: because.to_owned(),
        positions_at,
    };
    let unread = rings::unread(&mut conn, of, rings::MOST_PARTITIONS).await?;
    let unread = unread.into_iter().map(|(at, unread)| (at, (unread.since, unread.because))).collect();
    Ok(Some(KeptSource { source, positions, rings: rings::rings(&mut conn, of).await?, unread }))
}
