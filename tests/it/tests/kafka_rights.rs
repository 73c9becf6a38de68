//! What a principal may do is found out without changing anything: a super user, and an ordinary consumer.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result};
use chrono::Utc;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    cluster::Sasl,
    group::CommittedOffset,
    survey::{RightHeld, RightObservation},
    topic::TopicPartition,
};
use muster_it::{WEST, cluster};
use muster_kafka::{
    ClientOptions, ClusterAdmin, Isolation, KafkaAdmin, KafkaMover, OffsetSpec, PrintRange, ReadRange,
    RecordMover, admin::NewTopic, mover::NewRecord,
};
use muster_lab::{Lab, LabOptions, WaitBound, wait_until};

const SOON: WaitBound = WaitBound { within: Duration::from_secs(120), every: Duration::from_millis(100) };
const WITHIN_MS: u64 = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_told_one_by_one() -> Result<()> {
    let lab = Lab::attach_or_start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    let (cluster, secrets) = cluster(lab.describe(), WEST)?;
    let muster = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default());
    // So that there is a group to ask about, which the application may read.
    let at = BTreeMap::from([(
        TopicPartition::new("orders.placed", 0),
        CommittedOffset { offset: 0, metadata: String::new(), leader_epoch: None },
    )]);
    muster.alter_group_offsets("billing", &at).await?;

    let rights = muster.rights().await?;
    let missing: Vec<_> = rights.iter().filter(|right| matches!(right.held, RightHeld::No { .. })).collect();
    assert!(missing.is_empty(), "a super user lacks nothing: {missing:#?}");
    for name in
        ["ALTER on the cluster", "READ on topics", "READ on groups", "signing in as the probe principal"]
    {
        assert_eq!(*held(&rights, name), RightHeld::Yes, "{name}");
    }

    let (mut ordinary, mut secrets) = (cluster, secrets);
    ordinary.security.sasl = Some(Sasl::ScramSha512 { username: "app-billing".to_owned() });
    secrets.password = Some(lab.describe().password("app-billing")?.into());
    secrets.probe_password = Some("wrong".to_owned().into());
    let rights = KafkaAdmin::new(&ordinary, &secrets, ClientOptions::default()).rights().await?;
    for name in [
        "DESCRIBE on the cluster",
        "DESCRIBE_CONFIGS on topics",
        "DELETE on groups",
        "reading ACLs",
        "DESCRIBE_CONFIGS on the cluster",
        "signing in as the probe principal",
    ] {
        let RightHeld::No { error } = held(&rights, name) else {
            panic!("{name}: {:?}", held(&rights, name))
        };
        assert!(!error.is_empty(), "{name}");
    }
    // The broker says nothing about other rights on the cluster to those without DESCRIBE: that is unknown, not held.
    assert!(matches!(held(&rights, "ALTER on the cluster"), RightHeld::Unknown { .. }));
    for name in ["READ on topics", "READ on groups"] {
        assert_eq!(*held(&rights, name), RightHeld::Yes, "{name}");
    }
    assert!(rights.iter().all(|right| !right.needed_for.is_empty()));
    Ok(())
}

/// Who may describe a topic and not read it is told where it ends and refused its records, and with them those of whatever is read at
/// the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_may_be_described_and_not_read_is_refused_with_all_that_is_read_beside_it() -> Result<()>
{
    let lab = Lab::attach_or_start(LabOptions { connect: false, ..LabOptions::default() }).await?;
    let (cluster, secrets) = cluster(lab.describe(), WEST)?;
    let options = ClientOptions::default();
    let muster = KafkaAdmin::new(&cluster, &secrets, options);
    let writer = KafkaMover::new(&cluster, &secrets, options);
    let now = Utc::now().timestamp_millis();
    let [open, closed] = [("open", AclOperation::Read), ("closed", AclOperation::Describe)]
        .map(|(name, may)| (TopicPartition::new(format!("{name}-{now}"), 0), may));
    for (at, may) in [&open, &closed] {
        let (name, configs) = (at.topic.clone(), BTreeMap::new());
        muster.create_topic(&NewTopic { name, partitions: 1, replication: 1, configs }).await?;
        let record = NewRecord { key: None, value: Some("a value".into()), timestamp: now };
        writer.write(at, vec![record], WITHIN_MS).await?;
        let topic = (ResourceType::Topic, PatternType::Literal, at.topic.as_str());
        let binding = AclBinding::new(AclPermission::Allow, *may, topic, "User:app-billing");
        muster.create_acls(&[binding]).await?;
    }
    let (mut ordinary, mut secrets) = (cluster, secrets);
    ordinary.security.sasl = Some(Sasl::ScramSha512 { username: "app-billing".to_owned() });
    secrets.password = Some(lab.describe().password("app-billing")?.into());
    let admin = KafkaAdmin::new(&ordinary, &secrets, options);
    let reader = KafkaMover::new(&ordinary, &secrets, options);
    let (open, closed) = (open.0, closed.0);
    let both = [open.clone(), closed.clone()];
    let ends = wait_until("both to be described", SOON, || async {
        let ends = admin.offsets(&both, OffsetSpec::End).await?;
        Ok(ends.values().all(Result::is_ok).then_some(ends))
    });
    assert!(ends.await?.values().all(|end| matches!(end, Ok(1))));
    let range = |at: &TopicPartition| PrintRange::new(ReadRange { partition: at.clone(), from: 0, until: 1 });
    let alone = wait_until("one of them to be read", SOON, || async {
        let mut one = range(&open);
        let read = reader.read_on(&mut [&mut one], Isolation::ReadCommitted, WITHIN_MS).await;
        Ok(read.ok().map(|()| one.prints.len()))
    });
    assert_eq!(alone.await?, 1);
    let (mut first, mut second) = (range(&open), range(&closed));
    let together = reader.read_on(&mut [&mut first, &mut second], Isolation::ReadCommitted, WITHIN_MS).await;
    let error = together.err().context("one of them may not be read")?;
    assert!(error.is_answer(), "{error}");
    assert!(error.to_string().contains("TOPIC_AUTHORIZATION_FAILED"), "{error}");
    assert!(first.prints.is_empty() && !first.done, "both are as they were");
    Ok(())
}

fn held<'a>(rights: &'a [RightObservation], name: &str) -> &'a RightHeld {
    &rights.iter().find(|right| right.right == name).unwrap_or_else(|| panic!("no right `{name}`")).held
}
