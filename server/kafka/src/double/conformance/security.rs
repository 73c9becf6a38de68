//! ACLs and the fence probe.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    acl::{AclBinding, AclFilter, AclOperation, AclPermission, PatternType, ResourceType},
    quota::ClientQuota,
};

use super::{eventually, fresh_topic};
use crate::admin::{ClusterAdmin, FenceVerdict};

/// Creating and deleting exact bindings, twice each.
pub async fn acls(admin: &dyn ClusterAdmin, prefix: &str) {
    let principal = format!("User:{prefix}somebody");
    let resource = (ResourceType::Topic, PatternType::Prefixed, prefix);
    let binding = |permission| AclBinding::new(permission, AclOperation::Write, resource, &principal);
    let bindings = [binding(AclPermission::Allow), binding(AclPermission::Deny)];
    let filter = AclFilter { principal: Some(principal.clone()), ..AclFilter::default() };
    let known = async |count: usize| {
        let found = admin.acls(&filter).await.unwrap();
        assert!(found.authorizer);
        found.bindings.len() == count && found.disputed.is_empty()
    };
    for _ in 0..2 {
        admin.create_acls(&bindings).await.unwrap();
        eventually("every broker knows both", async || known(2).await).await;
    }
    let denied = AclFilter { permission: Some(AclPermission::Deny), ..filter.clone() };
    assert_eq!(admin.acls(&denied).await.unwrap().bindings.into_iter().collect::<Vec<_>>(), bindings[1..]);
    let named = AclFilter { name: Some(format!("{prefix}x")), ..filter.clone() };
    assert!(admin.acls(&named).await.unwrap().bindings.is_empty(), "names are compared exactly");
    for _ in 0..2 {
        admin.delete_acls(&bindings).await.unwrap();
        eventually("no broker knows any", async || known(0).await).await;
    }
}

/// The probe sees a DENY for everybody on every broker, and its end. `probe` is the probe's principal.
pub async fn fence_probe(admin: &dyn ClusterAdmin, probe: &str, prefix: &str) {
    let topic = format!("{prefix}probe");
    fresh_topic(admin, &topic, 1).await;
    let topics = [topic.clone(), format!("{prefix}probe-absent")];
    let brokers = admin.describe_cluster().await.unwrap().brokers.len();
    let all = async |expected: FenceVerdict| {
        let verdicts = admin.probe_write_fence(&topics).await.unwrap();
        assert_eq!(verdicts.len(), brokers * topics.len(), "every broker, every topic");
        verdicts.values().all(|verdict| *verdict == expected)
    };
    assert!(all(FenceVerdict::Fenced).await, "without any ALLOW the probe is refused: it must be calibrated");
    let resource = (ResourceType::Topic, PatternType::Prefixed, topic.as_str());
    let allow = [AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, probe)];
    let fence = [AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:*")];
    admin.create_acls(&allow).await.unwrap();
    eventually("open, also where no topic is", async || all(FenceVerdict::Open).await).await;
    admin.create_acls(&fence).await.unwrap();
    eventually("fenced", async || all(FenceVerdict::Fenced).await).await;
    admin.delete_acls(&fence).await.unwrap();
    eventually("open again", async || all(FenceVerdict::Open).await).await;
    admin.delete_acls(&allow).await.unwrap();
    admin.delete_topic(&topic).await.unwrap();
}

/// Quotas and SCRAM users are seen as they were set: `user` may produce 1,000,000 bytes a second and signs in by
/// SCRAM-SHA-512, and every user without a quota may take 150.5 percent of a thread. Muster sets neither, so whoever calls has.
pub async fn client_limits(admin: &dyn ClusterAdmin, user: &str) {
    let quota = |name: Option<&str>, key: &str, value: f64| ClientQuota {
        entity: BTreeMap::from([("user".to_owned(), name.map(str::to_owned))]),
        limits: BTreeMap::from([(key.to_owned(), value)]),
    };
    let expected =
        [quota(None, "request_percentage", 150.5), quota(Some(user), "producer_byte_rate", 1_000_000.0)];
    eventually("both quotas are seen, and no other of theirs", async || {
        let found = admin.client_quotas().await.unwrap();
        let theirs = |quota: &ClientQuota| {
            quota.entity.keys().eq(["user"]) && [None, Some(user)].contains(&quota.entity["user"].as_deref())
        };
        found.into_iter().filter(theirs).eq(expected.clone())
    })
    .await;
    eventually("the user is seen", async || {
        admin.scram_users().await.unwrap().get(user) == Some(&BTreeSet::from(["SCRAM-SHA-512".to_owned()]))
    })
    .await;
}
