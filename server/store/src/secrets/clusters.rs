//! What opens clusters: passwords and a key each.

use muster_domain::{cluster::ClusterSecrets, ids::ClusterName};
use secrecy::SecretString;
use sqlx::PgConnection;

use super::{Rotation, SecretsKey, envelope::Place, open, seal};
use crate::error::{StoreError, failed};

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

fn place<'a>(cluster: &'a str, field: &'a str) -> Place<'a> {
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
    let sealed = seal(conn, key, OP, place(cluster.as_str(), field.as_str()), secret).await?;
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
        let secret = open(key, OP, place(cluster.as_str(), &row.field), &row.sealed)?;
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

/// The part of [`super::rotate`] that is about clusters.
pub(super) async fn rotate(conn: &mut PgConnection, rotation: &mut Rotation<'_>) -> Result<(), StoreError> {
    const OP: &str = "rotate the secrets key";
    let rows = sqlx::query!(
        "select cluster, field, kek_id, sealed
        from cluster_secret
        order by cluster, field
        for update"
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed(OP))?;
    for row in rows {
        let place = place(&row.cluster, &row.field);
        let Some(blob) = rotation.rewrap(OP, place, &row.kek_id, &row.sealed)? else { continue };
        let done = sqlx::query!(
            "update cluster_secret
            set kek_id = $3,
                sealed = $4,
                updated_at = clock_timestamp()
            where cluster = $1
                and field = $2",
            row.cluster,
            row.field,
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
