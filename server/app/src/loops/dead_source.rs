//! What is kept of a source that cannot be read, for a proof of its groups. All of it is in the database, so a process that has just
//! started knows as much as the one that saw the source alive.

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{
    ids::PairName,
    offset_pairs::{Kept, Seen},
    pair::Direction,
    proof::translation::DeadSource,
};
use muster_operations::translation_proof::{KeptSource, KeptSyncs};
use muster_store::{StoreError, offset_pairs, recorder, rings};
use sqlx::{PgConnection, PgPool};

/// Surveys that began so long after positions were read tell where the source ended: a group may have read on before its ends were.
/// Later ones do not, for a log that was cut may grow past what groups had read of it before.
const READ_BEHIND: TimeDelta = TimeDelta::seconds(15);

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
    let syncs = kept_syncs(&mut conn, of, positions_at).await?;
    let source = DeadSource {
        silent_since: look.silent_since.unwrap_or_else(Utc::now),
        because: because.to_owned(),
        positions_at,
        syncs_at: syncs.as_ref().map(|syncs| syncs.read_at),
    };
    let unread = rings::unread(&mut conn, of, rings::MOST_PARTITIONS).await?;
    let unread = unread.into_iter().map(|(at, unread)| (at, (unread.since, unread.because))).collect();
    let rings = rings::rings(&mut conn, of).await?;
    Ok(Some(KeptSource { source, positions, rings, syncs, unread }))
}

/// The flow's offset syncs, with where its source ended when positions were read. Those of which it is not kept as of when they are
/// (a version before kept them) are none.
async fn kept_syncs(
    conn: &mut PgConnection,
    of: (&PairName, Direction),
    positions_at: DateTime<Utc>,
) -> Result<Option<KeptSyncs>, StoreError> {
    let Some(Kept { pairs: Some((_, read)), seen, .. }) = offset_pairs::recall(conn, of).await? else {
        return Ok(None);
    };
    let Seen { read_at: Some(read_at), copies } = seen else { return Ok(None) };
    let ends = recorder::source_ends(conn, of, (positions_at, positions_at + READ_BEHIND)).await?;
    let offset_pairs = read.partitions.into_iter().map(|(at, known)| (at, known.pairs)).collect();
    Ok(Some(KeptSyncs { read_at, offset_pairs, copies, ends }))
}
