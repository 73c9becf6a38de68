//! What opens the Connect REST of flows: a password or a token each, sealed like the credentials of clusters, for the one address it
//! was entered for.

use std::collections::BTreeMap;

use muster_domain::{
    connect_credentials::{ConnectCredentials, ConnectSignIn, KeptCredentials},
    ids::PairName,
    pair::Side,
};
use sqlx::PgConnection;

use super::{Rotation, SecretsKey, envelope::Place, open, seal};
use crate::error::{StoreError, failed};

fn side(word: &str, pair: &PairName) -> Result<Side, StoreError> {
    Side::parse(word).ok_or_else(|| StoreError::unreadable("connect_secret", "from_side", pair.to_string()))
}

/// The row of a secret. With its address: put with another one it does not open, so nobody can have it sent elsewhere.
fn row(pair: &str, from: &str, address: &str) -> String {
    format!("{pair}/{from} {address}")
}

fn place<'a>(row: &'a str, username: Option<&str>) -> Place<'a> {
    let column = if username.is_some() { "password" } else { "token" };
    Place { table: "connect_secret", row, column }
}

/// Seals and keeps what opens the Connect of a flow, in the place of what was kept.
///
/// # Errors
/// `Sealed` when the database is sealed with another key; `Conflict` with `connect_secret_of_pair`.
pub async fn put(
    conn: &mut PgConnection,
    key: &SecretsKey,
    pair: &PairName,
    from: Side,
    credentials: &ConnectCredentials,
) -> Result<(), StoreError> {
    const OP: &str = "keep secret of Connect";
    let (address, username) = (credentials.address.as_str(), credentials.sign_in.username());
    let row = row(pair.as_str(), from.as_str(), address);
    let sealed = seal(conn, key, OP, place(&row, username), credentials.sign_in.secret()).await?;
    sqlx::query!(
        "insert into connect_secret (pair, from_side, address, username, kek_id, sealed)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (pair, from_side) do update
        set address = excluded.address,
            username = excluded.username,
            kek_id = excluded.kek_id,
            sealed = excluded.sealed,
            entered_at = clock_timestamp()",
        pair.as_str(),
        from.as_str(),
        address,
        username,
        key.id(),
        sealed
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    Ok(())
}

/// Opens what a pair's flows sign in with, by the side their records come from, to ask Connect.
///
/// # Errors
/// `Sealed` when the key does not fit, or a secret was changed or moved.
pub async fn get(
    conn: &mut PgConnection,
    key: &SecretsKey,
    pair: &PairName,
) -> Result<BTreeMap<Side, ConnectCredentials>, StoreError> {
    const OP: &str = "open secret of Connect";
    let rows = sqlx::query!(
        "select from_side, address, username, sealed
        from connect_secret
        where pair = $1",
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed(OP))?;
    let mut all = BTreeMap::new();
    for found in rows {
        let at = row(pair.as_str(), &found.from_side, &found.address);
        let secret = open(key, OP, place(&at, found.username.as_deref()), &found.sealed)?;
        let sign_in = match found.username {
            Some(username) => ConnectSignIn::Basic { username, password: secret },
            None => ConnectSignIn::Bearer { token: secret },
        };
        all.insert(side(&found.from_side, pair)?, ConnectCredentials { address: found.address, sign_in });
    }
    Ok(all)
}

/// What a pair's flows sign in with, without opening it, in order of sides.
///
/// # Errors
/// When the database refuses or a row does not read back.
pub async fn kept(conn: &mut PgConnection, pair: &PairName) -> Result<Vec<KeptCredentials>, StoreError> {
    let rows = sqlx::query!(
        "select from_side, address, username, entered_at
        from connect_secret
        where pair = $1
        order by from_side",
        pair.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list secrets of Connect"))?;
    let kept = rows.into_iter().map(|row| {
        Ok(KeptCredentials {
            from: side(&row.from_side, pair)?,
            address: row.address,
            username: row.username,
            entered_at: row.entered_at,
        })
    });
    kept.collect()
}

/// Removes what a flow signs in with; false when there was nothing.
///
/// # Errors
/// When the database refuses.
pub async fn delete(conn: &mut PgConnection, pair: &PairName, from: Side) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from connect_secret
        where pair = $1
            and from_side = $2",
        pair.as_str(),
        from.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("remove secret of Connect"))?;
    Ok(done.rows_affected() == 1)
}

/// The part of [`super::rotate`] that is about Connect.
pub(super) async fn rotate(conn: &mut PgConnection, rotation: &mut Rotation<'_>) -> Result<(), StoreError> {
    const OP: &str = "rotate the secrets of Connect";
    let rows = sqlx::query!(
        "select pair, from_side, address, username, kek_id, sealed
        from connect_secret
        order by pair, from_side
        for update"
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed(OP))?;
    for found in rows {
        let at = row(&found.pair, &found.from_side, &found.address);
        let place = place(&at, found.username.as_deref());
        let Some(blob) = rotation.rewrap(OP, place, &found.kek_id, &found.sealed)? else { continue };
        let done = sqlx::query!(
            "update connect_secret
            set kek_id = $3,
                sealed = $4
            where pair = $1
                and from_side = $2",
            found.pair,
            found.from_side,
            rotation.new.id(),
            blob
        )
        .execute(&mut *conn)
        .await
        .map_err(failed(OP))?;
        StoreError::expect_rows(OP, done.rows_affected(), 1)?;
    }
    Ok(())
}
