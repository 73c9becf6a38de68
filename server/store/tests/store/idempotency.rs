use muster_store::{
    StoreError,
    idempotency::{self, Answer, Begun},
    testing::TestDatabase,
};
use serde_json::json;
use sqlx::Connection;
use uuid::Uuid;

use crate::sample::broken;

const MIRA: Uuid = Uuid::from_u128(7);

fn answer() -> Answer {
    Answer { status: 202, location: Some("/api/v1/runs/1".to_owned()), body: json!({"id": 1}) }
}

#[tokio::test]
async fn a_repeat_is_answered_and_a_different_request_refused() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    assert_eq!(idempotency::begin(conn, MIRA, "k", "hash-1").await.unwrap(), Begun::New);
    assert_eq!(idempotency::begin(conn, MIRA, "k", "hash-1").await.unwrap(), Begun::Unfinished);
    idempotency::finish(conn, MIRA, "k", &answer()).await.unwrap();
    assert_eq!(idempotency::begin(conn, MIRA, "k", "hash-1").await.unwrap(), Begun::Replay(answer()));
    assert_eq!(idempotency::begin(conn, MIRA, "k", "hash-2").await.unwrap(), Begun::Mismatch);
    assert_eq!(idempotency::begin(conn, Uuid::from_u128(8), "k", "hash-1").await.unwrap(), Begun::New);

    let twice = idempotency::finish(conn, MIRA, "k", &answer()).await;
    assert!(matches!(twice, Err(StoreError::Rows { got: 0, .. })), "{twice:?}");
    assert_eq!(broken(idempotency::begin(conn, MIRA, "", "h").await), "idempotency_key_fits");
    assert_eq!(broken(idempotency::begin(conn, MIRA, &"x".repeat(256), "h").await), "idempotency_key_fits");
    sqlx::query("update idempotency_key set created_at = now() - interval '25 hours'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(idempotency::delete_old(conn).await.unwrap(), 2);
}

#[tokio::test]
async fn a_failed_request_frees_its_key() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let mut tx = conn.begin().await.unwrap();
    assert_eq!(idempotency::begin(&mut tx, MIRA, "k", "hash-1").await.unwrap(), Begun::New);
    tx.rollback().await.unwrap();
    assert_eq!(idempotency::begin(conn, MIRA, "k", "hash-2").await.unwrap(), Begun::New);
}

#[tokio::test]
async fn a_double_click_does_the_work_once() {
    let database = TestDatabase::new().await;
    let click = || {
        let pool = database.pool().clone();
        tokio::spawn(async move {
            let mut tx = muster_store::begin(&pool).await.unwrap();
            let begun = idempotency::begin(&mut tx, MIRA, "k", "hash-1").await.unwrap();
            if begun == Begun::New {
                idempotency::finish(&mut tx, MIRA, "k", &answer()).await.unwrap();
            }
            tx.commit().await.unwrap();
            begun
        })
    };
    let (one, two) = (click(), click());
    let mut both = [one.await.unwrap(), two.await.unwrap()];
    both.sort_by_key(|begun| *begun != Begun::New);
    assert_eq!(both, [Begun::New, Begun::Replay(answer())]);
}
