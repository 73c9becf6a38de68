//! What a principal may do is found out without changing anything: a super user, and an ordinary consumer.

use std::collections::BTreeMap;

use anyhow::Result;
use muster_domain::{
    cluster::Sasl,
    group::CommittedOffset,
    survey::{RightHeld, RightObservation},
    topic::TopicPartition,
};
use muster_it::{WEST, cluster};
use muster_kafka::{ClientOptions, ClusterAdmin, KafkaAdmin};
use muster_lab::{Lab, LabOptions};

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
        "ALTER_CONFIGS on topics",
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

fn held<'a>(rights: &'a [RightObservation], name: &str) -> &'a RightHeld {
    &rights.iter().find(|right| right.right == name).unwrap_or_else(|| panic!("no right `{name}`")).held
}
