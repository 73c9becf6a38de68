//! The key that seals credentials: there, the right one, and opening every credential.

use muster_store::{
    StoreError, channels, clusters, pairs,
    secrets::{self, SecretsKey},
};
use sqlx::{PgConnection, PgPool};

use super::{Line, fail, ok, warn};
use crate::{
    http::failure::chain,
    process::{config::Config, serve},
};

/// The key, when it can be used, and what there is to say of it.
pub(super) async fn check(config: &Config, pool: &PgPool) -> (Option<SecretsKey>, Vec<Line>) {
    let dir = config.data.dir();
    let key = match serve::find_key(&config.secrets, &dir) {
        Ok(Some(key)) => key,
        Ok(None) => return (None, vec![missing(config, pool).await]),
        Err(e) => {
            let line = fail("secrets key", format!("{e:#}. No cluster with credentials can be reached."));
            return (None, vec![line]);
        }
    };
    match opened(pool, &key).await {
        Ok(lines) => (Some(key), lines),
        Err(e) => {
            let what = format!("{}. Muster refuses to start, and no cluster can be reached.", chain(&e));
            (None, vec![fail("secrets key", what)])
        }
    }
}

async fn missing(config: &Config, pool: &PgPool) -> Line {
    let file = config.secrets.key_file(&config.data.dir());
    match sealed(pool).await {
        Ok((0, 0)) => {
            warn("secrets key", format!("there is none yet: `muster serve` makes {}.", file.display()))
        }
        Ok((clusters, connects)) => {
            let connects =
                if connects == 0 { String::new() } else { format!(" and {connects} Connect addresses") };
            fail(
                "secrets key",
                format!(
                    "{} does not exist and MUSTER_SECRETS_KEY is not set, but credentials of {clusters} clusters{connects} are \
                     sealed: none of them can be reached. Bring the key back, or enter the credentials again.",
                    file.display()
                ),
            )
        }
        Err(e) => fail("secrets key", chain(&e)),
    }
}

async fn connection(pool: &PgPool) -> Result<sqlx::PgTransaction<'static>, StoreError> {
    // Never committed: the check of a key keeps the first one it sees.
    muster_store::begin(pool)
        .await
        .map_err(|source| StoreError::Database { op: "look at the secrets", source })
}

/// How many clusters have credentials, and how many Connect addresses.
async fn sealed(pool: &PgPool) -> Result<(usize, usize), StoreError> {
    let mut tx = connection(pool).await?;
    let (mut of_clusters, mut of_connects) = (0, 0);
    for cluster in clusters::list(&mut tx).await? {
        of_clusters += usize::from(!secrets::fields(&mut tx, &cluster.name).await?.is_empty());
    }
    for pair in pairs::list(&mut tx, None, None).await? {
        of_connects += secrets::connect::kept(&mut tx, &pair.name).await?.len();
    }
    Ok((of_clusters, of_connects))
}

/// Tries the key, then every credential. Dropping the transaction takes back that an unused key was noted as the key.
async fn opened(pool: &PgPool, key: &SecretsKey) -> Result<Vec<Line>, StoreError> {
    let mut tx = connection(pool).await?;
    secrets::check_key(&mut tx, key).await?;
    let mut lines = closed(&mut tx, key).await?;
    if lines.is_empty() {
        let count = clusters::list(&mut tx).await?.len();
        lines.push(ok("secrets key", format!("{} opens the credentials of all {count} clusters", key.id())));
    }
    Ok(lines)
}

async fn closed(conn: &mut PgConnection, key: &SecretsKey) -> Result<Vec<Line>, StoreError> {
    let mut lines = Vec::new();
    for cluster in clusters::list(conn).await? {
        match secrets::get(conn, key, &cluster.name).await {
            Ok(_) => {}
            Err(e @ StoreError::Sealed { .. }) => lines.push(fail(
                format!("credentials of {}", cluster.name),
                format!("{}. Muster cannot sign in there: enter the credentials again.", chain(&e)),
            )),
            Err(e) => return Err(e),
        }
    }
    for pair in pairs::list(conn, None, None).await? {
        match secrets::connect::get(conn, key, &pair.name).await {
            Ok(_) => {}
            Err(e @ StoreError::Sealed { .. }) => lines.push(fail(
                format!("what opens Connect for {}", pair.name),
                format!(
                    "{}. Pair {} can be neither observed nor switched over: enter it again, or remove it.",
                    chain(&e),
                    pair.name
                ),
            )),
            Err(e) => return Err(e),
        }
    }
    for channel in channels::list(conn, None).await? {
        match secrets::channels::get(conn, key, channel.id).await {
            Ok(_) => {}
            Err(e @ StoreError::Sealed { .. }) => lines.push(fail(
                format!("address of channel {}", channel.name),
                format!("{}. Team {} is not told through it: enter it again.", chain(&e), channel.team),
            )),
            Err(e) => return Err(e),
        }
    }
    Ok(lines)
}
