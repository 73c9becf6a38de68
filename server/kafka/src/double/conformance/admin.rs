//! Topics, configs, offsets, and the cluster id before every change.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::topic::{ConfigSource, TopicPartition};

use super::{eventually, fresh_topic, new_topic, records};
use crate::{
    admin::{ClusterAdmin, NewTopic, OffsetSpec},
    error::KafkaErrorKind,
    mover::RecordMover,
};

/// Creating, describing, deleting; a topic created again has another id.
pub async fn topics(admin: &dyn ClusterAdmin, prefix: &str) {
    let name = format!("{prefix}topics");
    fresh_topic(admin, &name, 3).await;
    let found = admin.topics(Some(&BTreeSet::from([name.clone(), format!("{prefix}absent")]))).await.unwrap();
    assert_eq!(found.len(), 1, "topics that do not exist are left out");
    let numbers: Vec<_> = found[0].partitions.iter().map(|p| p.partition).collect();
    assert_eq!((found[0].name.as_str(), found[0].internal, numbers), (name.as_str(), false, vec![0, 1, 2]));
    assert!(found[0].partitions.iter().all(|p| p.leader.is_some() && !p.isr.is_empty()));
    let asked = BTreeSet::from([name.clone(), format!("{prefix}absent")]);
    assert_eq!(admin.partition_counts(&asked).await.unwrap(), BTreeMap::from([(name.clone(), 3)]));
    assert!(admin.topics(None).await.unwrap().iter().any(|topic| topic.name == name));

    let code = |result: Result<(), crate::KafkaError>| result.unwrap_err().code();
    assert_eq!(code(admin.create_topic(&new_topic(&name, 3)).await), Some(36));
    assert_eq!(code(admin.create_topic(&new_topic(&format!("{prefix}none"), 0)).await), Some(37));
    let wide = NewTopic { replication: 9, ..new_topic(&format!("{prefix}wide"), 1) };
    assert_eq!(code(admin.create_topic(&wide).await), Some(38));

    admin.delete_topic(&name).await.unwrap();
    assert_eq!(admin.topics(Some(&BTreeSet::from([name.clone()]))).await.unwrap(), []);
    assert_eq!(admin.partition_counts(&asked).await.unwrap(), BTreeMap::new());
    assert_eq!(code(admin.delete_topic(&name).await), Some(3));
    admin.create_topic(&new_topic(&name, 1)).await.unwrap();
    let again = admin.topics(Some(&BTreeSet::from([name.clone()]))).await.unwrap();
    assert!(found[0].id.is_some() && again[0].id != found[0].id, "a topic created again has another id");
    admin.delete_topic(&name).await.unwrap();
}

/// Setting and resetting single configs.
pub async fn configs(admin: &dyn ClusterAdmin, prefix: &str) {
    let name = format!("{prefix}configs");
    fresh_topic(admin, &name, 1).await;
    let change =
        |value: Option<&str>| BTreeMap::from([("retention.ms".to_owned(), value.map(str::to_owned))]);
    admin.alter_topic_configs(&name, &change(Some("12345678"))).await.unwrap();
    let names = [name.clone(), format!("{prefix}absent")];
    eventually("retention.ms is set on the topic", async || {
        let found = admin.topic_configs(&names).await.unwrap();
        assert_eq!(found.len(), 1, "a topic that is gone is left out");
        let entry = &found[&name].as_ref().unwrap()["retention.ms"];
        (entry.value.as_deref(), entry.source) == (Some("12345678"), ConfigSource::Topic)
    })
    .await;
    admin.alter_topic_configs(&name, &change(None)).await.unwrap();
    eventually("retention.ms is the default again", async || {
        let found = admin.topic_configs(&names).await.unwrap();
        found[&name].as_ref().unwrap()["retention.ms"].source != ConfigSource::Topic
    })
    .await;
    let absent = admin.alter_topic_configs(&names[1], &change(Some("1"))).await.unwrap_err();
    assert_eq!(absent.code(), Some(3));
    let unknown = BTreeMap::from([("no.such.config".to_owned(), Some("1".to_owned()))]);
    assert_eq!(admin.alter_topic_configs(&name, &unknown).await.unwrap_err().code(), Some(40));
    let broker = admin.describe_cluster().await.unwrap().brokers[0].id;
    assert!(admin.broker_configs(broker).await.unwrap().contains_key("message.max.bytes"));
    admin.delete_topic(&name).await.unwrap();
}

/// Start, end, stable and by time, each partition with its own answer.
pub async fn offsets(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, prefix: &str) {
    let name = format!("{prefix}offsets");
    fresh_topic(admin, &name, 1).await;
    let at = TopicPartition::new(&name, 0);
    let ask = async |spec| {
        let answers = admin.offsets(std::slice::from_ref(&at), spec).await.unwrap();
        *answers[&at].as_ref().unwrap()
    };
    let times = 1_700_000_000_000;
    let specs = [
        OffsetSpec::Start,
        OffsetSpec::End,
        OffsetSpec::LogEnd,
        OffsetSpec::Stable,
        OffsetSpec::AtTime(times),
    ];
    for (spec, expected) in specs.into_iter().zip([0, 0, 0, 0, -1]) {
        assert_eq!(ask(spec).await, expected, "{spec:?} of an empty partition");
    }
    assert_eq!(mover.write(&at, records(times, 3), 10_000).await.unwrap(), [0, 1, 2]);
    let specs = [OffsetSpec::Start, OffsetSpec::End, OffsetSpec::LogEnd, OffsetSpec::Stable];
    for (spec, expected) in specs.into_iter().zip([0, 3, 3, 3]) {
        assert_eq!(ask(spec).await, expected, "{spec:?} of three records");
    }
    assert_eq!(ask(OffsetSpec::AtTime(times + 1)).await, 1);
    assert_eq!(ask(OffsetSpec::AtTime(times + 100)).await, -1);

    let absent = [TopicPartition::new(format!("{prefix}absent"), 0), TopicPartition::new(&name, 7)];
    let answers = admin.offsets(&absent, OffsetSpec::End).await.unwrap();
    for partition in absent {
        assert_eq!(answers[&partition].as_ref().unwrap_err().code(), Some(3), "{partition}");
    }
    admin.delete_topic(&name).await.unwrap();
}

/// Where the records of a leader end: at the end of the log while it leads; of an epoch that never was nothing is known.
pub async fn epochs(admin: &dyn ClusterAdmin, mover: &dyn RecordMover, prefix: &str) {
    let name = format!("{prefix}epochs");
    fresh_topic(admin, &name, 1).await;
    let at = TopicPartition::new(&name, 0);
    mover.write(&at, records(1_700_000_000_000, 3), 10_000).await.unwrap();
    let described = admin.topics(Some(&BTreeSet::from([name.clone()]))).await.unwrap();
    let now = described[0].partitions[0].leader_epoch.unwrap();
    for (epoch, expected) in [(now, Some(3)), (now + 10, None)] {
        let answers = admin.end_of_epoch(&BTreeMap::from([(at.clone(), epoch)])).await.unwrap();
        assert_eq!(*answers[&at].as_ref().unwrap(), expected, "epoch {epoch}, {now} leads");
    }
    let absent = TopicPartition::new(format!("{prefix}absent"), 0);
    let answers = admin.end_of_epoch(&BTreeMap::from([(absent.clone(), 0)])).await.unwrap();
    assert_eq!(answers[&absent].as_ref().unwrap_err().code(), Some(3));
    admin.delete_topic(&name).await.unwrap();
}

/// A client that expects another cluster id looks, and changes nothing. `found` is the cluster's real id.
pub async fn identity(expecting_wrong: &dyn ClusterAdmin, expecting_none: &dyn ClusterAdmin, found: &str) {
    assert_eq!(expecting_wrong.describe_cluster().await.unwrap().cluster_id, found);
    let topic = new_topic("never-created-by-muster", 1);
    let refused = expecting_wrong.create_topic(&topic).await.unwrap_err().kind;
    assert!(matches!(&refused, KafkaErrorKind::WrongCluster { found: id, .. } if id == found), "{refused}");
    assert_eq!(expecting_none.create_topic(&topic).await.unwrap_err().kind, KafkaErrorKind::UnknownCluster);
    assert_eq!(expecting_none.topics(Some(&BTreeSet::from([topic.name]))).await.unwrap(), []);
}
