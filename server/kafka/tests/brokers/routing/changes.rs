//! What changes something goes to the cluster that was meant, and once.

use muster_kafka::{KafkaMover, RecordMover, mover::NewRecord};

use super::*;

/// Tries every verb that changes something and answers their errors.
async fn change_everything(brokers: &Brokers, expected: Option<&str>) -> Vec<KafkaErrorKind> {
    let mut cluster = brokers.cluster();
    cluster.expected_cluster_id = expected.map(str::to_owned);
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let mover = KafkaMover::new(&cluster, &ClusterSecrets::default(), ClientOptions::default());
    let record = NewRecord { key: None, value: None, timestamp: 0 };
    let topic = muster_kafka::admin::NewTopic {
        name: "new".to_owned(),
        partitions: 1,
        replication: 1,
        configs: BTreeMap::new(),
    };
    let results = [
        admin.create_topic(&topic).await,
        admin.delete_topic("t0").await,
        admin.alter_topic_configs("t0", &BTreeMap::from([("retention.ms".to_owned(), None)])).await,
        admin.alter_group_offsets("group-0", &positions()).await,
        admin.delete_group_offsets("group-0", &[tp(0)]).await,
        admin.remove_members("group-0", GroupType::Classic, &[member("m", None)]).await,
        admin.remove_members("group-0", GroupType::Consumer, &[member("m", None)]).await,
        admin.create_acls(&[deny()]).await,
        admin.delete_acls(&[deny()]).await,
        admin.abort_transaction("payments-1").await,
        mover.write(&tp(0), vec![record], 3_000).await.map(drop),
    ];
    results.into_iter().map(|result| result.unwrap_err().kind).collect()
}

#[tokio::test]
async fn nothing_is_sent_to_the_wrong_or_an_unknown_cluster() {
    let brokers = Brokers::start(2, World::default().with_topic("t0", &[0, 1])).await;
    let wrong =
        KafkaErrorKind::WrongCluster { expected: "another".to_owned(), found: "synthetic".to_owned() };
    assert!(change_everything(&brokers, Some("another")).await.iter().all(|kind| *kind == wrong));
    assert!(
        change_everything(&brokers, None).await.iter().all(|kind| *kind == KafkaErrorKind::UnknownCluster)
    );
    let changing = [
        ApiKey::CreateTopics,
        ApiKey::DeleteTopics,
        ApiKey::IncrementalAlterConfigs,
        ApiKey::OffsetCommit,
        ApiKey::OffsetDelete,
        ApiKey::LeaveGroup,
        ApiKey::ConsumerGroupHeartbeat,
        ApiKey::CreateAcls,
        ApiKey::DeleteAcls,
        ApiKey::InitProducerId,
        ApiKey::Produce,
    ];
    for key in changing {
        assert_eq!(brokers.seen(key), vec![], "{key:?} reached a broker");
    }
}

#[tokio::test]
async fn the_cluster_id_is_read_once_on_each_connection_that_changes_something() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::CreateAcls(_) => created(),
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let admin = brokers.admin();
    for _ in 0..3 {
        admin.create_acls(&[deny()]).await.unwrap();
    }
    assert_eq!(
        brokers.seen(ApiKey::Metadata).len(),
        1,
        "the look at the brokers came over the same connection"
    );
}

#[tokio::test]
async fn a_change_whose_connection_breaks_is_not_repeated() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::CreateAcls(_) => Reply::Close,
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let error = brokers.admin().create_acls(&[deny()]).await.unwrap_err();
    assert!(matches!(error.kind, KafkaErrorKind::Connection(_)), "{error}");
    assert!(error.may_pass());
    assert_eq!(brokers.seen(ApiKey::CreateAcls).len(), 1);
}
