//! What opens notification channels: addresses and keys, sealed like the credentials of clusters.

use muster_domain::notification::{ChannelSecrets, SecretField};
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Rotation, SecretsKey, envelope::Place, open, seal};
use crate::error::{StoreError, failed};

fn place<'a>(channel: &'a str, field: &'a str) -> Place<'a> {
    Place { table: "channel_secret", row: channel, column: field }
}

/// Seals and keeps the secrets that are given; those that are `None` stay as they are.
///
/// # Errors
/// `Sealed` when the database is sealed with another key; `Conflict` with `channel_secret_of_channel`.
pub async fn put(
    conn: &mut PgConnection,
    key: &SecretsKey,
    channel: Uuid,
    secrets: &ChannelSecrets,
) -> Result<(), StoreError> {
    for field in SecretField::ALL {
        if let Some(secret) = secrets.get(field) {
            put_one(conn, key, channel, field, secret).await?;
        }
    }
    Ok(())
}

async fn put_one(
    conn: &mut PgConnection,
    key: &SecretsKey,
    channel: Uuid,
    field: SecretField,
    secret: &SecretString,
) -> Result<(), StoreError> {
    const OP: &str = "keep secret of a channel";
    let sealed = seal(conn, key, OP, place(&channel.to_string(), field.as_str()), secret).await?;
    sqlx::query!(
        "insert into channel_secret (channel_id, field, kek_id, sealed)
        values ($1, $2, $3, $4)
        on conflict (channel_id, field) do update
        set kek_id = excluded.kek_id,
            sealed = excluded.sealed,
            updated_at = clock_timestamp()",
        channel,
        field.as_str(),
        key.id(),
        sealed
    )
    .execute(conn)
    .await
    .map_err(failed(OP))?;
    Ok(())
}

/// Opens the secrets of a channel, to send through it.
///
/// # Errors
/// `Sealed` when the key does not fit, or a secret was changed or moved.
pub async fn get(
    conn: &mut PgConnection,
    key: &SecretsKey,
    channel: Uuid,
) -> Result<ChannelSecrets, StoreError> {
    const OP: &str = "open secret of a channel";
    let rows = sqlx::query!(
        "select field, sealed
        from channel_secret
        where channel_id = $1",
        channel
    )
    .fetch_all(conn)
    .await
    .map_err(failed(OP))?;
    let mut secrets = ChannelSecrets::default();
    for row in rows {
        let secret = open(key, OP, place(&channel.to_string(), &row.field), &row.sealed)?;
        match SecretField::parse(&row.field) {
            Some(SecretField::Url) => secrets.url = Some(secret),
            Some(SecretField::RoutingKey) => secrets.routing_key = Some(secret),
            Some(SecretField::SigningKey) => secrets.signing_key = Some(secret),
            None => return Err(StoreError::unreadable("channel_secret", "field", channel.to_string())),
        }
    }
    Ok(secrets)
}

/// Which secrets a channel has, without opening them.
///
/// # Errors
/// When the database refuses.
pub async fn fields(conn: &mut PgConnection, channel: Uuid) -> Result<Vec<SecretField>, StoreError> {
    let words = sqlx::query_scalar!(
        "select field
        from channel_secret
        where channel_id = $1
        order by field",
        channel
    )
    .fetch_all(conn)
    .await
    .map_err(failed("list secrets of a channel"))?;
    Ok(words.iter().filter_map(|word| SecretField::parse(word)).collect())
}

/// The part of [`super::rotate`] that is about channels.
pub(super) async fn rotate(conn: &mut PgConnection, rotation: &mut Rotation<'_>) -> Result<(), StoreError> {
    const OP: &str = "rotate the secrets of channels";
    let rows = sqlx::query!(
        "select channel_id, field, kek_id, sealed
        from channel_secret
        order by channel_id, field
        for update"
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(failed(OP))?;
    for row in rows {
        let channel = row.channel_id.to_string();
        let place = place(&channel, &row.field);
        let Some(blob) = rotation.rewrap(OP, place, &row.kek_id, &row.sealed)? else { continue };
        let done = sqlx::query!(
            "update channel_secret
            set kek_id = $3,
                sealed = $4,
                updated_at = clock_timestamp()
            where channel_id = $1
                and field = $2",
            row.channel_id,
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
