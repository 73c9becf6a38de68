//! Secrets at rest: sealed before they come to the database, opened only to connect to a cluster, to ask Connect or to send
//! through a channel, never listed.
//!
//! Each kind has a table and a file of its own, and is sealed, opened and rotated by what is here.

pub mod channels;
mod clusters;
pub mod connect;
mod envelope;
pub mod id_tokens;
mod key;

use secrecy::SecretString;
use sqlx::PgConnection;

pub use self::{
    clusters::{SecretField, delete, fields, get, put},
    envelope::EnvelopeError,
    key::{KeyError, SecretsKey},
};
use crate::error::{StoreError, failed};
use envelope::Place;

/// Seals a secret for its place, with the key the database is sealed with.
async fn seal(
    conn: &mut PgConnection,
    key: &SecretsKey,
    op: &'static str,
    place: Place<'_>,
    secret: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    check_key(conn, key).await?;
    envelope::seal(key, place, secret).map_err(|source| StoreError::Sealed { op, source })
}

/// Opens the secret of a place.
fn open(
    key: &SecretsKey,
    op: &'static str,
    place: Place<'_>,
    blob: &[u8],
) -> Result<SecretString, StoreError> {
    envelope::open(key, place, blob).map_err(|source| StoreError::Sealed { op, source })
}

/// Checks that this is the key the database is sealed with; the first key to come is. Until the caller's transaction
/// ends no rotation can pass. Run it at start: a wrong key is better found then than during a failover.
///
/// # Errors
/// `Sealed` with the ids of both keys when it is another one.
pub async fn check_key(conn: &mut PgConnection, key: &SecretsKey) -> Result<(), StoreError> {
    const OP: &str = "check the secrets key";
    sqlx::query!(
        "insert into secrets_key (kek_id)
        values ($1)
        on conflict (one) do nothing",
        key.id()
    )
    .execute(&mut *conn)
    .await
    .map_err(failed(OP))?;
    let needed = sqlx::query_scalar!(
        "select kek_id
        from secrets_key
        for share"
    )
    .fetch_one(conn)
    .await
    .map_err(failed(OP))?;
    if needed == key.id() {
        return Ok(());
    }
    Err(StoreError::Sealed { op: OP, source: EnvelopeError::WrongKey { needed, given: key.id().to_owned() } })
}

/// Id of the key this database is sealed with; `None` before the first start.
///
/// # Errors
/// When the database refuses.
pub async fn key_in_use(conn: &mut PgConnection) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!("select kek_id from secrets_key")
        .fetch_optional(conn)
        .await
        .map_err(failed("look at the secrets key"))
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Secrets that need the new key now.
    pub rewrapped: u64,
    /// Secrets that needed the new key already.
    pub already: u64,
}

/// Secrets on their way from one key to another.
struct Rotation<'k> {
    old: &'k SecretsKey,
    new: &'k SecretsKey,
    done: Rotated,
}

impl Rotation<'_> {
    /// The secret of a place as it has to be kept now, and counts it; `None` when it needs the new key already.
    fn rewrap(
        &mut self,
        op: &'static str,
        place: Place<'_>,
        kek_id: &str,
        blob: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if kek_id == self.new.id() {
            self.done.already += 1;
            return Ok(None);
        }
        let blob = envelope::rewrap(self.old, self.new, place, blob)
            .map_err(|source| StoreError::Sealed { op, source })?;
        self.done.rewrapped += 1;
        Ok(Some(blob))
    }
}

/// Makes every secret need the new key instead of the old one. In the caller's transaction, with its audit entry: a
/// rotation that dies has done nothing, one that is run again finds nothing to do. Processes that still have the old key are refused from then on.
///
/// # Errors
/// `Sealed` when a secret needs neither key, or was changed; then nothing is rotated.
pub async fn rotate(
    tx: &mut PgConnection,
    old: &SecretsKey,
    new: &SecretsKey,
) -> Result<Rotated, StoreError> {
    lock_key(&mut *tx, old, new).await?;
    let mut rotation = Rotation { old, new, done: Rotated { rewrapped: 0, already: 0 } };
    clusters::rotate(&mut *tx, &mut rotation).await?;
    channels::rotate(&mut *tx, &mut rotation).await?;
    connect::rotate(&mut *tx, &mut rotation).await?;
    id_tokens::delete_all(tx).await?;
    Ok(rotation.done)
}

/// Makes the new key the one in use; waits for whoever is sealing something with the old one.
async fn lock_key(conn: &mut PgConnection, old: &SecretsKey, new: &SecretsKey) -> Result<(), StoreError> {
    const OP: &str = "rotate the secrets key";
    let used = sqlx::query_scalar!(
        "insert into secrets_key as used (kek_id)
        values ($1)
        on conflict (one) do update
        set kek_id = used.kek_id
        returning kek_id",
        old.id()
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(failed(OP))?;
    if used != old.id() && used != new.id() {
        let source = EnvelopeError::WrongKey { needed: used, given: old.id().to_owned() };
        return Err(StoreError::Sealed { op: OP, source });
    }
    sqlx::query!(
        "update secrets_key
        set kek_id = $1,
            since = case when kek_id = $1 then since else clock_timestamp() end",
        new.id()
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    Ok(())
}
