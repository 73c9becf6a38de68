use muster_domain::{
    cluster::ClusterSecrets,
    connect_credentials::{ConnectCredentials, ConnectSignIn},
    pair::Side,
};
use muster_store::{
    StoreError, clusters, pairs,
    secrets::{self, EnvelopeError, Rotated, SecretField, SecretsKey},
    testing::TestDatabase,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, PgPool};

use crate::sample::{broken, cluster, cluster_name, keep_pair, pair_name};

fn key(byte: u8) -> SecretsKey {
    SecretsKey::from_bytes([byte; 32])
}

fn password(word: &str) -> ClusterSecrets {
    ClusterSecrets { password: Some(SecretString::from(word)), ..ClusterSecrets::default() }
}

async fn keep_clusters(conn: &mut PgConnection) {
    for name in ["eu-west", "eu-central"] {
        clusters::insert(conn, &cluster(name)).await.expect("a new cluster");
    }
}

fn envelope_error<T: std::fmt::Debug>(result: Result<T, StoreError>) -> EnvelopeError {
    match result {
        Err(StoreError::Sealed { source, .. }) => source,
        other => panic!("{other:?} is not about a seal"),
    }
}

#[tokio::test]
async fn secrets_read_back_and_the_database_never_sees_them() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    let west = cluster_name("eu-west");
    secrets::put(conn, &key(1), &west, &password("hunter2")).await.unwrap();
    let probe = ClusterSecrets { probe_password: Some("probe-pw".into()), ..ClusterSecrets::default() };
    secrets::put(conn, &key(1), &west, &probe).await.unwrap();

    let read = secrets::get(conn, &key(1), &west).await.unwrap();
    assert_eq!(read.password.unwrap().expose_secret(), "hunter2", "what is not given stays");
    assert_eq!(read.probe_password.unwrap().expose_secret(), "probe-pw");
    assert!(read.client_key_pem.is_none());
    let fields = secrets::fields(conn, &west).await.unwrap();
    assert_eq!(fields, [SecretField::Password, SecretField::ProbePassword]);

    let stored: Vec<String> =
        sqlx::query_scalar("select cluster_secret::text || encode(sealed, 'escape') from cluster_secret")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert!(stored.iter().all(|row| !row.contains("hunter2") && !row.contains("probe-pw")), "{stored:?}");

    assert!(secrets::delete(conn, &west, SecretField::Password).await.unwrap());
    assert!(!secrets::delete(conn, &west, SecretField::Password).await.unwrap());
    let nowhere = secrets::put(conn, &key(1), &cluster_name("nowhere"), &password("x")).await;
    assert_eq!(broken(nowhere), "cluster_secret_of_cluster");
    clusters::delete(conn, &west, 1).await.unwrap();
    assert!(secrets::fields(conn, &west).await.unwrap().is_empty(), "secrets go with their cluster");
}

#[tokio::test]
async fn another_key_is_refused_with_both_ids() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    let west = cluster_name("eu-west");
    secrets::check_key(conn, &key(1)).await.unwrap();
    secrets::put(conn, &key(1), &west, &password("hunter2")).await.unwrap();
    let wrong = EnvelopeError::WrongKey { needed: key(1).id().to_owned(), given: key(2).id().to_owned() };
    assert_eq!(envelope_error(secrets::check_key(conn, &key(2)).await), wrong);
    assert_eq!(envelope_error(secrets::put(conn, &key(2), &west, &password("x")).await), wrong);
    assert_eq!(envelope_error(secrets::get(conn, &key(2), &west).await), wrong);
    assert_eq!(
        wrong.to_string(),
        format!("it needs the secrets key `{}`, but the key given is `{}`", key(1).id(), key(2).id())
    );
}

#[tokio::test]
async fn a_secret_changed_or_moved_in_the_database_does_not_open() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    let (west, central) = (cluster_name("eu-west"), cluster_name("eu-central"));
    secrets::put(conn, &key(1), &west, &password("hunter2")).await.unwrap();
    sqlx::query("update cluster_secret set cluster = 'eu-central'").execute(&mut *conn).await.unwrap();
    let moved = envelope_error(secrets::get(conn, &key(1), &central).await);
    assert_eq!(moved, EnvelopeError::Tampered { place: "cluster_secret|eu-central|password".to_owned() });

    secrets::put(conn, &key(1), &central, &password("hunter2")).await.unwrap();
    sqlx::query("update cluster_secret set sealed = set_byte(sealed, length(sealed) - 1, 0)")
        .execute(&mut *conn)
        .await
        .unwrap();
    let changed = envelope_error(secrets::get(conn, &key(1), &central).await);
    assert!(matches!(changed, EnvelopeError::Tampered { .. }), "{changed:?}");
}

/// In a transaction of its own.
async fn rotate(pool: &PgPool, old: &SecretsKey, new: &SecretsKey) -> Result<Rotated, StoreError> {
    let mut tx = muster_store::begin(pool).await.expect("the database answers");
    let rotated = secrets::rotate(&mut tx, old, new).await?;
    tx.commit().await.expect("the database answers");
    Ok(rotated)
}

#[tokio::test]
async fn rotation_moves_every_secret_and_can_be_run_again() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    for name in ["eu-west", "eu-central"] {
        secrets::put(conn, &key(1), &cluster_name(name), &password(name)).await.unwrap();
    }
    let strangers = rotate(database.pool(), &key(3), &key(2)).await;
    assert!(matches!(envelope_error(strangers), EnvelopeError::WrongKey { .. }));
    let rotated = rotate(database.pool(), &key(1), &key(2)).await.unwrap();
    assert_eq!(rotated, Rotated { rewrapped: 2, already: 0 });
    let again = rotate(database.pool(), &key(1), &key(2)).await.unwrap();
    assert_eq!(again, Rotated { rewrapped: 0, already: 2 });
    for name in ["eu-west", "eu-central"] {
        let read = secrets::get(conn, &key(2), &cluster_name(name)).await.unwrap();
        assert_eq!(read.password.unwrap().expose_secret(), name);
    }
    // A process that was started with the old key cannot write any more.
    let late = secrets::put(conn, &key(1), &cluster_name("eu-west"), &password("x")).await;
    assert!(matches!(envelope_error(late), EnvelopeError::WrongKey { .. }));
}

#[tokio::test]
async fn a_rotation_that_meets_a_broken_secret_rotates_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    for name in ["eu-west", "eu-central"] {
        secrets::put(conn, &key(1), &cluster_name(name), &password(name)).await.unwrap();
    }
    // The kek id and wrapped key of the second one, in the order of rotation.
    sqlx::query("update cluster_secret set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) where cluster = 'eu-west'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let failed = envelope_error(rotate(database.pool(), &key(1), &key(2)).await);
    assert!(matches!(failed, EnvelopeError::Tampered { .. }), "{failed:?}");
    secrets::check_key(conn, &key(1)).await.unwrap();
    let kept = secrets::get(conn, &key(1), &cluster_name("eu-central")).await.unwrap();
    assert_eq!(kept.password.unwrap().expose_secret(), "eu-central");
}

#[tokio::test]
async fn a_rotation_waits_for_a_secret_that_is_being_kept() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_clusters(conn).await;
    let mut tx = conn.begin().await.unwrap();
    secrets::put(&mut tx, &key(1), &cluster_name("eu-west"), &password("hunter2")).await.unwrap();
    let pool = database.pool().clone();
    let rotation = tokio::spawn(async move { rotate(&pool, &key(1), &key(2)).await });
    tokio::time::timeout(std::time::Duration::from_millis(100), async {
        while !rotation.is_finished() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect_err("the rotation should wait");
    tx.commit().await.unwrap();
    let rotated = rotation.await.unwrap().unwrap();
    assert_eq!(rotated, Rotated { rewrapped: 1, already: 0 }, "and then sees it");
}

const CONNECT: &str = "http://connect:8083";

fn user(word: &str) -> ConnectCredentials {
    let sign_in = ConnectSignIn::Basic { username: "muster".to_owned(), password: word.into() };
    ConnectCredentials { address: CONNECT.to_owned(), sign_in }
}

fn token(word: &str) -> ConnectCredentials {
    let sign_in = ConnectSignIn::Bearer { token: word.into() };
    ConnectCredentials { address: "https://proxy.example".to_owned(), sign_in }
}

/// What the Connect of a flow is opened with: address, user, secret.
async fn opened(
    conn: &mut PgConnection,
    key: &SecretsKey,
    pair: &str,
    from: Side,
) -> Option<(String, Option<String>, String)> {
    let mut all = secrets::connect::get(conn, key, &pair_name(pair)).await.expect("they open");
    let found = all.remove(&from)?;
    let secret = found.sign_in.secret().expose_secret().to_owned();
    Some((found.address, found.sign_in.username().map(str::to_owned), secret))
}

#[tokio::test]
async fn what_opens_connect_reads_back_and_the_database_never_sees_it() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let orders = keep_pair(conn, "orders").await.unwrap();
    secrets::connect::put(conn, &key(1), &orders.name, Side::A, &user("hunter2")).await.unwrap();
    secrets::connect::put(conn, &key(1), &orders.name, Side::B, &token("eyJhunter3")).await.unwrap();
    let by_user = (CONNECT.to_owned(), Some("muster".to_owned()), "hunter2".to_owned());
    assert_eq!(opened(conn, &key(1), "orders", Side::A).await, Some(by_user));
    let by_token = ("https://proxy.example".to_owned(), None, "eyJhunter3".to_owned());
    assert_eq!(opened(conn, &key(1), "orders", Side::B).await, Some(by_token));

    let kept = secrets::connect::kept(conn, &orders.name).await.unwrap();
    let shown: Vec<_> = kept.iter().map(|k| (k.from, k.address.as_str(), k.username.as_deref())).collect();
    assert_eq!(shown, [(Side::A, CONNECT, Some("muster")), (Side::B, "https://proxy.example", None)]);
    let stored: Vec<String> =
        sqlx::query_scalar("select connect_secret::text || encode(sealed, 'escape') from connect_secret")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    assert!(stored.len() == 2 && stored.iter().all(|row| !row.contains("hunter")), "{stored:?}");

    // Entered anew: that it was can be seen, by whoever keeps a client made of it.
    secrets::connect::put(conn, &key(1), &orders.name, Side::A, &token("another")).await.unwrap();
    let anew = secrets::connect::kept(conn, &orders.name).await.unwrap();
    assert!(anew[0] != kept[0] && anew[1] == kept[1], "{anew:?}");
    assert!(secrets::connect::delete(conn, &orders.name, Side::A).await.unwrap());
    assert!(!secrets::connect::delete(conn, &orders.name, Side::A).await.unwrap());
    assert_eq!(opened(conn, &key(1), "orders", Side::A).await, None);
    let nowhere = secrets::connect::put(conn, &key(1), &pair_name("nowhere"), Side::A, &user("x")).await;
    assert_eq!(broken(nowhere), "connect_secret_of_pair");
    pairs::delete(conn, &orders.name, orders.version).await.unwrap();
    assert_eq!(secrets::connect::kept(conn, &orders.name).await.unwrap(), [], "they go with their pair");
}

#[tokio::test]
async fn what_opens_connect_does_not_open_for_another_address_flow_or_use() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let orders = keep_pair(conn, "orders").await.unwrap();
    for (change, place) in [
        ("address = 'http://evil:80'", "connect_secret|orders/a http://evil:80|password"),
        ("from_side = 'b'", "connect_secret|orders/b http://connect:8083|password"),
        ("username = null", "connect_secret|orders/a http://connect:8083|token"),
    ] {
        secrets::connect::put(conn, &key(1), &orders.name, Side::A, &user("hunter2")).await.unwrap();
        let sql = format!("update connect_secret set {change}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *conn).await.unwrap();
        let moved = envelope_error(secrets::connect::get(conn, &key(1), &orders.name).await);
        assert_eq!(moved, EnvelopeError::Tampered { place: place.to_owned() });
        sqlx::query("delete from connect_secret").execute(&mut *conn).await.unwrap();
    }
}

#[tokio::test]
async fn rotation_moves_what_opens_connect_too_and_all_or_nothing() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let orders = keep_pair(conn, "orders").await.unwrap();
    secrets::put(conn, &key(1), &cluster_name("eu-west"), &password("of-west")).await.unwrap();
    secrets::connect::put(conn, &key(1), &orders.name, Side::A, &user("hunter2")).await.unwrap();
    secrets::connect::put(conn, &key(1), &orders.name, Side::B, &token("eyJhunter3")).await.unwrap();
    let before = secrets::connect::kept(conn, &orders.name).await.unwrap();
    let rotated = rotate(database.pool(), &key(1), &key(2)).await.unwrap();
    assert_eq!(rotated, Rotated { rewrapped: 3, already: 0 });
    assert_eq!(
        rotate(database.pool(), &key(1), &key(2)).await.unwrap(),
        Rotated { rewrapped: 0, already: 3 }
    );
    assert_eq!(opened(conn, &key(2), "orders", Side::A).await.unwrap().2, "hunter2");
    assert_eq!(opened(conn, &key(2), "orders", Side::B).await.unwrap().2, "eyJhunter3");
    assert_eq!(secrets::connect::kept(conn, &orders.name).await.unwrap(), before, "nobody entered anything");
    let old = envelope_error(secrets::connect::get(conn, &key(1), &orders.name).await);
    assert!(matches!(old, EnvelopeError::WrongKey { .. }), "{old:?}");
    let late = secrets::connect::put(conn, &key(1), &orders.name, Side::A, &user("x")).await;
    assert!(matches!(envelope_error(late), EnvelopeError::WrongKey { .. }));

    // The kek id and wrapped key of the last one, in the order of rotation: the first ones stay with their key, too.
    sqlx::query(
        "update connect_secret
        set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)
        where from_side = 'b'",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let failed = envelope_error(rotate(database.pool(), &key(2), &key(3)).await);
    assert!(matches!(failed, EnvelopeError::Tampered { .. }), "{failed:?}");
    secrets::check_key(conn, &key(2)).await.unwrap();
    let kept = secrets::get(conn, &key(2), &cluster_name("eu-west")).await.unwrap();
    assert_eq!(kept.password.unwrap().expose_secret(), "of-west");
}
