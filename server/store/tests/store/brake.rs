use muster_domain::record::Person;
use muster_store::{brake, testing::TestDatabase};
use sqlx::Connection;
use uuid::Uuid;

use crate::sample::broken;

fn mira() -> Person {
    Person { id: Uuid::from_u128(7), name: "mira.holt".to_owned() }
}

#[tokio::test]
async fn the_brake_says_who_and_why_until_released() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    assert_eq!(brake::get(conn).await.unwrap(), None);
    assert_eq!(broken(brake::put(conn, &mira(), "").await), "brake_says_who_and_why");
    assert!(brake::put(conn, &mira(), "data centre on fire").await.unwrap());
    let joe = Person { id: Uuid::from_u128(8), name: "joe.park".to_owned() };
    assert!(!brake::put(conn, &joe, "me too").await.unwrap());
    let on = brake::get_to_start(conn).await.unwrap().unwrap();
    assert_eq!((on.by, on.reason.as_str()), (mira(), "data centre on fire"));
    assert!(brake::release(conn).await.unwrap());
    assert!(!brake::release(conn).await.unwrap());
    assert_eq!(brake::get(conn).await.unwrap(), None);
}

#[tokio::test]
async fn a_brake_that_cannot_be_read_is_an_error_not_a_go() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    for attack in ["delete from brake", "truncate brake"] {
        let refused = sqlx::query(attack).execute(&mut *conn).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().constraint(), Some("brake_stays"));
    }
    sqlx::query("alter table brake disable trigger user").execute(&mut *conn).await.unwrap();
    sqlx::query("delete from brake").execute(&mut *conn).await.unwrap();
    assert!(brake::get(conn).await.is_err());
    assert!(brake::get_to_start(conn).await.is_err());
    assert!(!brake::put(conn, &mira(), "x").await.unwrap());
}

#[tokio::test]
async fn the_brake_waits_for_a_start_that_has_looked_at_it() {
    let database = TestDatabase::new().await;
    let mut starter = database.conn().await;
    let mut tx = starter.begin().await.unwrap();
    assert_eq!(brake::get_to_start(&mut tx).await.unwrap(), None);
    let pool = database.pool().clone();
    let put = tokio::spawn(async move {
        let mut conn = pool.acquire().await.unwrap();
        brake::put(&mut conn, &mira(), "stop").await.unwrap()
    });
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), async {
        while !put.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    early.await.expect_err("the brake should wait");
    tx.commit().await.unwrap();
    assert!(put.await.unwrap());
}
