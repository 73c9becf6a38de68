//! What was compared last of a pair: one row, in the place of the one before.

use muster_store::{StoreError, last_compared, pairs, testing::TestDatabase};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::sample::{keep_pair, pair, pair_name};

async fn kept(conn: &mut PgConnection, pair: &str) -> Option<Value> {
    last_compared::get(conn, &pair_name(pair)).await.expect("the database answers")
}

async fn keep(conn: &mut PgConnection, pair: &str, body: &Value) -> Result<(), StoreError> {
    last_compared::keep(conn, &pair_name(pair), chrono::Utc::now(), body).await
}

#[tokio::test]
async fn there_is_one_of_each_pair_and_it_goes_with_its_pair() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    pairs::insert(conn, &pair("orders")).await.unwrap();
    assert_eq!((kept(conn, "payments").await, kept(conn, "orders").await), (None, None));
    for (pair, body) in
        [("payments", json!({"of": 1})), ("payments", json!({"of": 2})), ("orders", json!([]))]
    {
        keep(conn, pair, &body).await.unwrap();
        assert_eq!(kept(conn, pair).await, Some(body));
    }
    last_compared::remove(conn, &pair_name("orders")).await.unwrap();
    last_compared::remove(conn, &pair_name("orders")).await.unwrap();
    assert_eq!(kept(conn, "orders").await, None);
    assert_eq!(kept(conn, "payments").await, Some(json!({"of": 2})), "the other pair's stays");
    pairs::delete(conn, &pair_name("payments"), 1).await.unwrap();
    assert_eq!(kept(conn, "payments").await, None);
    let gone = keep(conn, "payments", &json!({})).await.unwrap_err();
    assert_eq!(gone.constraint(), Some("differences_of_pair"));
}
