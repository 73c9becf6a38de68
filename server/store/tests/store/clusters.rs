use muster_store::{StoreError, clusters, testing::TestDatabase};

use crate::sample::{broken, cluster, cluster_name, keep_pair};

#[tokio::test]
async fn a_cluster_reads_back_and_edits_need_its_version() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let kept = clusters::insert(conn, &cluster("eu-west")).await.unwrap();
    assert_eq!(kept.version, 1);
    assert_eq!(clusters::get(conn, &kept.name).await.unwrap().unwrap(), kept);

    let mut edited = kept.clone();
    edited.bootstrap = vec!["elsewhere:9092".to_owned()];
    edited.probe = None;
    let edited = clusters::update(conn, &edited).await.unwrap();
    assert_eq!((edited.version, edited.probe.as_ref()), (2, None));
    assert!(edited.updated_at > kept.updated_at);
    let stale = clusters::update(conn, &kept).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    assert_eq!(clusters::list(conn).await.unwrap(), [edited]);

    let stale = clusters::delete(conn, &kept.name, 1).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    clusters::delete(conn, &kept.name, 2).await.unwrap();
    assert_eq!(clusters::get(conn, &kept.name).await.unwrap(), None);
}

#[tokio::test]
async fn the_database_holds_the_rules_of_clusters() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    clusters::insert(conn, &cluster("eu-west")).await.unwrap();
    assert_eq!(broken(clusters::insert(conn, &cluster("eu-west")).await), "cluster_pkey");
    let mut unreachable = cluster("us-east");
    unreachable.bootstrap.clear();
    assert_eq!(broken(clusters::insert(conn, &unreachable).await), "cluster_bootstrap_given");
}

#[tokio::test]
async fn the_cluster_id_is_set_once() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    let west = cluster_name("eu-west");
    for name in ["eu-west", "eu-west-again"] {
        clusters::insert(conn, &cluster(name)).await.unwrap();
    }
    assert!(clusters::set_expected_cluster_id(conn, &west, "id-1").await.unwrap());
    assert!(!clusters::set_expected_cluster_id(conn, &west, "id-1").await.unwrap(), "known already");
    let other = clusters::set_expected_cluster_id(conn, &west, "id-2").await;
    assert_eq!(broken(other), "cluster_id_set_once");
    let twice = clusters::set_expected_cluster_id(conn, &cluster_name("eu-west-again"), "id-1").await;
    assert_eq!(broken(twice), "cluster_id_unique");

    // An edit neither changes nor loses it.
    let mut edited = clusters::get(conn, &west).await.unwrap().unwrap();
    edited.expected_cluster_id = Some("id-2".to_owned());
    let edited = clusters::update(conn, &edited).await.unwrap();
    assert_eq!(edited.expected_cluster_id.as_deref(), Some("id-1"));

    clusters::forget_cluster_id(conn, &west).await.unwrap();
    assert!(clusters::set_expected_cluster_id(conn, &west, "id-2").await.unwrap());
    let nowhere = clusters::set_expected_cluster_id(conn, &cluster_name("nowhere"), "id-3").await;
    assert!(matches!(nowhere, Err(StoreError::Rows { got: 0, .. })), "{nowhere:?}");
}

#[tokio::test]
async fn a_cluster_of_a_pair_cannot_be_removed() {
    let database = TestDatabase::new().await;
    let conn = &mut *database.conn().await;
    keep_pair(conn, "payments").await.unwrap();
    let refused = clusters::delete(conn, &cluster_name("eu-west"), 1).await;
    assert_eq!(broken(refused), "pair_cluster_a_exists");
    let refused = clusters::delete(conn, &cluster_name("eu-central"), 1).await;
    assert_eq!(broken(refused), "pair_cluster_b_exists");
}
