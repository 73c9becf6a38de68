use muster_store::{
    StoreError,
    leases::{self, survey_lease},
    testing::TestDatabase,
};
use sqlx::Connection;

use crate::sample::pair_name;

#[tokio::test]
async fn a_lease_is_one_owners_until_it_runs_out() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let name = survey_lease(&pair_name("payments"));
    let first = leases::claim(conn, &name, "one", 30.0).await.unwrap().unwrap();
    assert_eq!((first.name.as_str(), first.epoch), ("survey:payments", 1));
    assert_eq!(leases::claim(conn, &name, "two", 30.0).await.unwrap(), None);
    assert!(leases::renew(conn, &name, first.epoch, 30.0).await.unwrap());

    sqlx::query("update lease set until = until - interval '1 minute'").execute(&mut *conn).await.unwrap();
    assert_eq!(leases::get(conn, &name).await.unwrap(), None, "it ran out");
    leases::hold(conn, &name, first.epoch).await.unwrap();
    assert!(
        leases::renew(conn, &name, first.epoch, -1.0).await.unwrap(),
        "and is still the owner's: nobody took it"
    );

    let second = leases::claim(conn, &name, "two", 30.0).await.unwrap().unwrap();
    assert_eq!(second.epoch, 2);
    assert!(!leases::renew(conn, &name, first.epoch, 30.0).await.unwrap());
    let lost = leases::hold(conn, &name, first.epoch).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost { epoch: 1, .. })), "{lost:?}");
    assert_eq!(leases::release_all(conn, "one").await.unwrap(), Vec::<String>::new());
    assert_eq!(
        leases::get(conn, &name).await.unwrap().unwrap().owner,
        "two",
        "a release that comes late does nothing"
    );
}

#[tokio::test]
async fn epochs_never_go_back() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let one = leases::claim(conn, "x", "one", 30.0).await.unwrap().unwrap();
    let again = leases::claim(conn, "x", "one", 30.0).await.unwrap().unwrap();
    assert_eq!(again.epoch, one.epoch + 1, "a restarted task fences what is left of the old one");
    leases::claim(conn, "w", "one", 30.0).await.unwrap().unwrap();
    leases::claim(conn, "y", "two", 30.0).await.unwrap().unwrap();
    assert_eq!(leases::release_all(conn, "one").await.unwrap(), ["w", "x"]);
    assert!(leases::get(conn, "y").await.unwrap().is_some(), "what is others' stays theirs");
    assert!(leases::hold(conn, "x", again.epoch).await.is_err(), "released is released");
    assert!(!leases::renew(conn, "x", again.epoch, 30.0).await.unwrap());
    let two = leases::claim(conn, "x", "two", 30.0).await.unwrap().unwrap();
    assert_eq!(two.epoch, 3);
}

#[tokio::test]
async fn of_many_claims_at_once_one_wins() {
    let database = TestDatabase::new().await;
    let claims: Vec<_> = (0..8)
        .map(|n| {
            let pool = database.pool().clone();
            tokio::spawn(async move {
                let mut conn = pool.acquire().await.unwrap();
                leases::claim(&mut conn, "x", &format!("owner-{n}"), 30.0).await.unwrap()
            })
        })
        .collect();
    let mut won = 0;
    for claim in claims {
        won += usize::from(claim.await.unwrap().is_some());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_claim_waits_for_a_write_under_the_lease() {
    let database = TestDatabase::new().await;
    let mut writer = database.conn().await;
    leases::claim(&mut writer, "x", "one", -1.0).await.unwrap().unwrap();
    let mut tx = writer.begin().await.unwrap();
    leases::hold(&mut tx, "x", 1).await.unwrap();
    let pool = database.pool().clone();
    let claim = tokio::spawn(async move {
        let mut conn = pool.acquire().await.unwrap();
        leases::claim(&mut conn, "x", "two", 30.0).await.unwrap()
    });
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), async {
        while !claim.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    early.await.expect_err("the claim should wait");
    tx.commit().await.unwrap();
    assert_eq!(claim.await.unwrap().unwrap().epoch, 2);
}
