//! Transactions whose caller goes away.

use std::time::Duration;

use muster_store::testing::TestDatabase;
use sqlx::{PgPool, postgres::PgPoolOptions};

/// Outside of a transaction each statement is its own.
async fn outside_of_a_transaction(pool: &PgPool) -> bool {
    let own = "select pg_current_xact_id()::text";
    let first: String = sqlx::query_scalar(own).fetch_one(pool).await.expect("the database answers");
    let second: String = sqlx::query_scalar(own).fetch_one(pool).await.expect("the database answers");
    first != second
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_transaction_open() {
    let database = TestDatabase::empty().await;
    // One connection, so that what is left on it is met by whoever comes next.
    let pool =
        PgPoolOptions::new().max_connections(1).connect_with(database.connect_options()).await.unwrap();
    for micros in (0..1_000).step_by(5) {
        let begun = tokio::time::timeout(Duration::from_micros(micros), muster_store::begin(&pool)).await;
        drop(begun);
        assert!(outside_of_a_transaction(&pool).await, "left open after {micros} µs");
    }
}
