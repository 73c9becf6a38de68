//! Which topics of the target a flow's offset pairs are about.

use std::collections::BTreeMap;

use muster_domain::ids::PairName;
use sqlx::PgConnection;
use uuid::Uuid;

use super::failed;
use crate::error::StoreError;

/// By source topic, the id of its copy.
pub(super) async fn read(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
) -> Result<BTreeMap<String, Uuid>, StoreError> {
    let rows = sqlx::query!(
        "select topic, copy_id
        from offset_syncs_copy
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        side
    )
    .fetch_all(conn)
    .await
    .map_err(failed("read which copies offset pairs are of"))?;
    Ok(rows.into_iter().map(|row| (row.topic, row.copy_id)).collect())
}

/// Keeps these; those of other topics stay.
pub(super) async fn keep(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
    copies: &BTreeMap<String, Uuid>,
) -> Result<(), StoreError> {
    if copies.is_empty() {
        return Ok(());
    }
    let topics: Vec<String> = copies.keys().cloned().collect();
    let ids: Vec<Uuid> = copies.values().copied().collect();
    sqlx::query!(
        "insert into offset_syncs_copy (pair, from_side, topic, copy_id)
        select $1, $2, topic, copy_id
        from unnest($3::text[], $4::uuid[]) as new (topic, copy_id)
        on conflict (pair, from_side, topic) do update
        set copy_id = excluded.copy_id",
        pair.as_str(),
        side,
        &topics,
        &ids
    )
    .execute(conn)
    .await
    .map_err(failed("keep which copies offset pairs are of"))?;
    Ok(())
}

/// Forgets them all: other pairs are kept now.
pub(super) async fn forget(
    conn: &mut PgConnection,
    (pair, side): (&PairName, &str),
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from offset_syncs_copy
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        side
    )
    .execute(conn)
    .await
    .map_err(failed("forget which copies offset pairs were of"))?;
    Ok(())
}
