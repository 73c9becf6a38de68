//! Secrets at rest: sealed before they come to the database, opened only to connect to a cluster, to ask Connect or to send
//! through a channel, never listed.

pub mod channels;
pub mod connect;
mod envelope;
pub mod id_tokens;
mod key;

use muster_domain::{cluster::ClusterSecrets, ids::ClusterName};
use secrecy::SecretString;
use sqlx::PgConnection;

pub use self::{
    envelope::EnvelopeError,
    key::{KeyError, SecretsKey},
};
use crate::error::{StoreError, failed};
use envelope::Place;

/// A secret a cluster may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretField {
    /// [`ClusterSecrets::password`].
    Password,
    /// [`ClusterSecrets::client_key_pem`].
    ClientKeyPem,
    /// [`ClusterSecrets::probe_password`].
    ProbePassword,
}

impl SecretField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Password, Self::ClientKeyPem, Self::ProbePassword];

    /// Its stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ClientKeyPem => "client_key_pem",
            Self::ProbePassword => "probe_password",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

fn cluster_place<'a>(cluster: &'a str, field: &'a str) -> Place<'a> {
    Place { table: "cluster_secret", row: cluster, column: field }
}

/// Seals and keeps the secrets that are given; those that are `None` stay as they are (see [`delete`]).
///
/// # Errors
/// `Sealed` when the database is sealed with another key; `Conflict` with `cluster_secret_of_cluster`.
pub async fn put(
    conn: &mut PgConnection,
    key: &SecretsKey,
    cluster: &ClusterName,
    secrets: &ClusterSecrets,
) -> Result<(), StoreError> {
    let given = [
        (SecretField::Password, &secrets.password),
        (SecretField::ClientKeyPem, &secrets.client_key_pem),
        (SecretField::ProbePassword, &secrets.probe_password),
    ];
    for (field, secret) in given {
        if let Some(secret) = secret {
            put_one(conn, key, cluster, field, secret).await?;
        }
    }
    Ok(())
}

async fn put_one(
    conn: &mut PgConnection,
    key: &SecretsKey,
    cluster: &ClusterName,
    field: SecretField,
    secret: &SecretString,
) -> Result<(), StoreError> {
    const OP: &str = "keep secret";
    check_key(conn, key).await?;
    let sealed = envelope::seal(key, cluster_place(cluster.as_str(), field.as_str()), secret)
        .map_err(|source| StoreError::Sealed { op: OP, source })?;
    sqlx::query!(
        "insert into cluster_secret (cluster, field, kek_id, sealed)
        values ($1, $2, $3, $4)
        on conflict (cluster, field) do update
        set kek_id = excluded.kek_id,
            sealed = excluded.sealed,
            updated_at = clock_timestamp()",
        cluster.as_str(),
        field.as_str(),
        key.id(),
        sealed
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    Ok(())
}

/// Opens the secrets of a cluster, to connect to it. Reading them is for the caller to audit.
///
/// # Errors
/// `Sealed` when the key does not fit, or a secret was changed or moved.
pub async fn get(
    conn: &mut PgConnection,
    key: &SecretsKey,
    cluster: &ClusterName,
) -> Result<ClusterSecrets, StoreError> {
    const OP: &str = "open secret";
    let rows = sqlx::query!(
        "select field, sealed
        from cluster_secret
        where cluster = $1",
        cluster.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed(OP))?;
    let mut secrets = ClusterSecrets::default();
    for row in rows {
        let secret = envelope::open(key, cluster_place(cluster.as_str(), &row.field), &row.sealed)
            .map_err(|source| StoreError::Sealed { op: OP, source })?;
        match SecretField::parse(&row.field) {
            Some(SecretField::Password) => secrets.password = Some(secret),
            Some(SecretField::ClientKeyPem) => secrets.client_key_pem = Some(secret),
            Some(SecretField::ProbePassword) => secrets.probe_password = Some(secret),
            None => return Err(StoreError::unreadable("cluster_secret", "field", cluster.to_string())),
        }
    }
    Ok(secrets)
}

/// Which secrets a cluster has, without opening them: all a page may show.
///
/// # Errors
/// When the database refuses.
pub async fn fields(conn: &mut PgConnection, cluster: &ClusterName) -> Result<Vec<SecretField>, StoreError> {
    let words = sqlx::query_scalar!(
        "select field
        from cluster_secret
        where cluster = $1
        order by field",
        cluster.as_str()
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list secrets"))?;
    Ok(words.iter().filter_map(|word| SecretField::parse(word)).collect())
}

/// Removes a secret; false when there was none.
///
/// # Errors
/// When the database refuses.
pub async fn delete(
    conn: &mut PgConnection,
    cluster: &ClusterName,
    field: SecretField,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from cluster_secret
        where cluster = $1
            and field = $2",
        cluster.as_str(),
        field.as_str()
    )
    .execute(conn)
    .await
    .map_err(failed("remove secret"))?;
    Ok(done.rows_affected() == 1)
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
    const OP: &str = "rotate the secrets key";
    let sealed = |source| StoreError::Sealed { op: OP, source };
    lock_key(&mut *tx, old, new).await?;
    let rows = sqlx::query!(
        "select cluster, field, kek_id, sealed
        from cluster_secret
        order by cluster, field
        for update"
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(failed(OP))?;
    let mut rotated = Rotated { rewrapped: 0, already: 0 };
    for row in rows {
        if row.kek_id == new.id() {
            rotated.already += 1;
            continue;
        }
        let blob = envelope::rewrap(old, new, cluster_place(&row.cluster, &row.field), &row.sealed)
            .map_err(sealed)?;
        let done = sqlx::query!(
            "update cluster_secret
            set kek_id = $3,
                sealed = $4,
                updated_at = clock_timestamp()
            where cluster = $1
                and field = $2",
            row.cluster,
            row.field,
            new.id(),
            blob
        )
        .execute(&mut *tx)
        .await
        .map_err(failed(OP))?;
        StoreError::expect_rows(OP, done.rows_affected(), 1)?;
        rotated.rewrapped += 1;
    }
    channels::rotate(tx, old, new, &mut rotated).await?;
    connect::rotate(tx, old, new, &mut rotated).await?;
    id_tokens::delete_all(tx).await?;
    Ok(rotated)
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
