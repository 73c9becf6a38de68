use muster_domain::pair::PairMode;
use muster_store::{StoreError, pairs, teams, testing::TestDatabase};

use crate::sample::{broken, cluster_name, keep_pair, pair, pair_name, team};

#[tokio::test]
async fn a_pair_reads_back_and_edits_need_its_version() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep_pair(conn, "payments").await.unwrap();
    assert_eq!(kept.version, 1);
    assert_eq!(pairs::get(conn, &kept.name).await.unwrap().unwrap(), kept);
    assert_eq!(pairs::lock(conn, &kept.name).await.unwrap().unwrap(), kept);
    assert_eq!(pairs::hold(conn, &kept.name).await.unwrap().unwrap(), kept);
    assert!(!pairs::has_history(conn, &kept.name).await.unwrap());
    let mut expected = pair("payments");
    (expected.version, expected.updated_at) = (1, kept.updated_at);
    assert_eq!(kept, expected);

    let mut edited = kept.clone();
    edited.mode = PairMode::ActiveActive;
    edited.objectives.rpo_seconds = 1;
    let edited = pairs::update(conn, &edited).await.unwrap();
    assert_eq!((edited.version, edited.objectives.rpo_seconds), (2, 1));
    let stale = pairs::update(conn, &kept).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");

    let stale = pairs::delete(conn, &kept.name, 1).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    pairs::delete(conn, &kept.name, 2).await.unwrap();
    assert_eq!(pairs::get(conn, &kept.name).await.unwrap(), None);
}

#[tokio::test]
async fn payload_is_shown_only_where_it_was_allowed() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = keep_pair(conn, "payments").await.unwrap();
    // As a version that does not know of it keeps a pair, and one that edits it leaves it.
    let forget = "update pair set body = body - 'show_payload'";
    sqlx::query(forget).execute(&mut *conn).await.unwrap();
    let mut pair = pairs::get(conn, &kept.name).await.unwrap().unwrap();
    assert!(!pair.show_payload);
    pair.show_payload = true;
    pairs::update(conn, &pair).await.unwrap();
    let allowed = pairs::get(conn, &kept.name).await.unwrap().unwrap();
    assert_eq!((allowed.show_payload, allowed.version), (true, 2));
    sqlx::query(forget).execute(&mut *conn).await.unwrap();
    assert!(!pairs::get(conn, &kept.name).await.unwrap().unwrap().show_payload);
}

#[tokio::test]
async fn pairs_are_listed_by_team_and_cluster() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    pairs::insert(conn, &pair("ledger")).await.unwrap();
    let names = |list: Vec<muster_domain::pair::Pair>| -> Vec<String> {
        list.into_iter().map(|pair| pair.name.to_string()).collect()
    };
    assert_eq!(names(pairs::list(conn, None, None).await.unwrap()), ["ledger", "payments"]);
    assert_eq!(names(pairs::list(conn, Some(&team("payments")), None).await.unwrap()).len(), 2);
    assert!(pairs::list(conn, Some(&team("search")), None).await.unwrap().is_empty());
    assert_eq!(names(pairs::list(conn, None, Some(&cluster_name("eu-central"))).await.unwrap()).len(), 2);
    assert!(pairs::list(conn, None, Some(&cluster_name("us-east"))).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_database_holds_the_rules_of_pairs() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    assert_eq!(broken(pairs::insert(conn, &pair("payments")).await), "pair_pkey");

    let mut of_one = pair("one");
    of_one.clusters.b = of_one.clusters.a.clone();
    assert_eq!(broken(pairs::insert(conn, &of_one).await), "pair_has_two_clusters");
    let mut nowhere = pair("nowhere");
    nowhere.clusters.b = cluster_name("nowhere");
    assert_eq!(broken(pairs::insert(conn, &nowhere).await), "pair_cluster_b_exists");
    let mut nobody = pair("nobody");
    nobody.team = team("nobody");
    assert_eq!(broken(pairs::insert(conn, &nobody).await), "pair_team_exists");
    assert_eq!(broken(teams::delete(conn, &team("payments")).await), "pair_team_exists");

    let lies = sqlx::query("update pair set name = 'other'").execute(&mut *conn).await;
    assert_eq!(lies.unwrap_err().as_database_error().unwrap().constraint(), Some("pair_columns_fit_body"));
    assert!(pairs::get(conn, &pair_name("payments")).await.unwrap().is_some());
}
