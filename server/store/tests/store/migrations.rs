use std::time::Instant;

use muster_store::{StoreError, connect_with, database::pending_migrations, migrate, testing::TestDatabase};

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let database = TestDatabase::empty().await;
    let pending = pending_migrations(&mut *database.conn().await).await.unwrap();
    assert!(pending.contains(&1) && pending.contains(&9), "{pending:?}");
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let options = database.connect_options();
            tokio::spawn(async move {
                let pool = connect_with(options, 2).await.unwrap();
                migrate(&pool).await.unwrap();
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap();
    }
    assert!(pending_migrations(&mut *database.conn().await).await.unwrap().is_empty());
    migrate(database.pool()).await.unwrap();
}

#[tokio::test]
async fn a_schema_newer_than_this_build_is_accepted_and_a_changed_one_is_not() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'of a newer version', true, ''::bytea, 0)",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    migrate(database.pool()).await.unwrap();
    sqlx::query("update _sqlx_migrations set checksum = ''::bytea where version = 1")
        .execute(&mut *conn)
        .await
        .unwrap();
    let changed = migrate(database.pool()).await;
    assert!(matches!(changed, Err(StoreError::Migrate { .. })), "{changed:?}");
}

#[tokio::test]
async fn statements_are_bounded_on_the_server_and_not_compiled_there() {
    let database = TestDatabase::new().await;
    let pool = connect_with(database.connect_options(), 1).await.unwrap();
    for (setting, value) in [
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("jit", "off"),
    ] {
        let set: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
        assert_eq!(set, value, "{setting}");
    }
}

#[tokio::test]
async fn a_test_database_is_fast_and_ones_own() {
    let one = TestDatabase::new().await;
    let began = Instant::now();
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(TestDatabase::new().await);
    }
    println!("a test database takes {:?}", began.elapsed() / 5);
    sqlx::query("insert into team (name) values ('x')").execute(one.pool()).await.unwrap();
    let seen: i64 =
        sqlx::query_scalar("select count(*) from team").fetch_one(others[0].pool()).await.unwrap();
    assert_eq!(seen, 0);
}
