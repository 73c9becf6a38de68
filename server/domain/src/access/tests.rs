use proptest::prelude::*;

use super::*;
use crate::samples::strings as names;

fn allow(
    operation: AclOperation,
    resource: ResourceType,
    pattern: PatternType,
    name: &str,
    who: &str,
) -> AclBinding {
    AclBinding::new(AclPermission::Allow, operation, (resource, pattern, name), who)
}

fn scene() -> BTreeSet<AclBinding> {
    BTreeSet::from([
        allow(AclOperation::Write, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:shop"),
        allow(AclOperation::All, ResourceType::Topic, PatternType::Literal, "orders.placed", "User:old"),
        allow(AclOperation::Read, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:billing"),
        allow(AclOperation::Read, ResourceType::Group, PatternType::Literal, "billing", "User:billing"),
        allow(AclOperation::All, ResourceType::Topic, PatternType::Literal, "*", "User:mm2"),
        allow(AclOperation::All, ResourceType::Cluster, PatternType::Literal, "kafka-cluster", "User:mm2"),
        allow(AclOperation::Write, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:probe"),
        allow(
            AclOperation::Write,
            ResourceType::TransactionalId,
            PatternType::Prefixed,
            "shop-",
            "User:shop",
        ),
        allow(AclOperation::Write, ResourceType::TransactionalId, PatternType::Literal, "x", "User:other"),
    ])
}

fn probe() -> BTreeSet<String> {
    BTreeSet::from(["User:probe".to_owned()])
}

fn may_write(acls: &BTreeSet<AclBinding>, who: &str, topic: &str) -> bool {
    may(acls, who, AclOperation::Write, ResourceType::Topic, topic)
}

#[test]
fn a_deny_for_everybody_beats_every_allow() {
    let mut acls = scene();
    assert!(may_write(&acls, "User:shop", "orders.placed"));
    acls.extend(fence_bindings(&names(&["orders.placed"])));
    for who in ["User:shop", "User:old", "User:mm2"] {
        assert!(!may_write(&acls, who, "orders.placed"), "{who}");
    }
    assert!(may_write(&acls, "User:shop", "orders.shipped"));
    assert!(!may(&acls, "User:nobody", AclOperation::Read, ResourceType::Topic, "orders.placed"));
}

#[test]
fn allow_implies_describe_and_deny_does_not() {
    let topic = |operation, permission| {
        AclBinding::new(permission, operation, (ResourceType::Topic, PatternType::Literal, "t"), "User:a")
    };
    let may = |acls: &[AclBinding], operation| {
        super::may(&acls.iter().cloned().collect(), "User:a", operation, ResourceType::Topic, "t")
    };
    let (read, write) = (AclOperation::Read, AclOperation::Write);
    assert!(may(&[topic(write, AclPermission::Allow)], AclOperation::Describe));
    assert!(may(&[topic(AclOperation::AlterConfigs, AclPermission::Allow)], AclOperation::DescribeConfigs));
    assert!(!may(&[topic(read, AclPermission::Allow)], AclOperation::DescribeConfigs));
    let denied = [topic(write, AclPermission::Allow), topic(read, AclPermission::Deny)];
    assert!(may(&denied, AclOperation::Describe) && may(&denied, write) && !may(&denied, read));
    assert!(!may(
        &[topic(write, AclPermission::Allow), topic(AclOperation::All, AclPermission::Deny)],
        write
    ));
}

#[test]
fn a_deny_for_one_host_is_no_fence() {
    let mut acls = scene();
    let [mut deny] = <[AclBinding; 1]>::try_from(fence_bindings(&names(&["orders.placed"]))).expect("one");
    deny.host = "10.0.0.7".to_owned();
    acls.insert(deny);
    assert!(may_write(&acls, "User:shop", "orders.placed"));
}

#[test]
fn a_grant_on_everything_alone_makes_nobody_a_tool() {
    let mut acls = scene();
    assert_eq!(tools(&acls), BTreeSet::from(["User:mm2".to_owned()]));
    acls.insert(allow(AclOperation::All, ResourceType::Topic, PatternType::Literal, "*", "User:legacy"));
    acls.insert(allow(AclOperation::Write, ResourceType::Topic, PatternType::Literal, "*", EVERYBODY));
    let (topics, groups) = (names(&["orders.placed"]), names(&[]));
    let open = unfenced_by(&acls, &topics, &probe());
    assert_eq!(open, ["User:*", "User:legacy", "User:old", "User:shop"]);
    let converted = conversion(&acls, &topics, &groups, &probe());
    let wide: Vec<&str> = converted.too_wide.iter().map(|b| b.principal.as_str()).collect();
    assert_eq!(wide, ["User:*", "User:legacy"]);
    assert!(converted.remove_grants.iter().all(|b| b.name != "*"));
}

#[test]
fn writing_is_granted_on_the_other_side_apart_from_the_rest() {
    let topics = [("orders.placed".to_owned(), "west.orders.placed".to_owned())];
    let grants = grants_for_standby(&scene(), &topics, &names(&["billing"]), &probe());
    assert!(grants.writing.iter().all(|b| b.operation == AclOperation::Write));
    let writers: BTreeSet<&str> = grants.writing.iter().map(|b| b.principal.as_str()).collect();
    assert_eq!(writers, BTreeSet::from(["User:shop", "User:old"]));
    let on_topics = grants.reading.iter().filter(|b| b.resource == ResourceType::Topic);
    assert!(
        on_topics.clone().all(|b| b.operation != AclOperation::Write && b.operation != AclOperation::All)
    );
    assert!(on_topics.clone().any(|b| b.name == "west.orders.placed" && b.principal == "User:billing"));
    assert!(grants.reading.iter().any(|b| b.resource == ResourceType::Group));
    let transactional = grants.reading.iter().filter(|b| b.resource == ResourceType::TransactionalId);
    assert_eq!(transactional.map(|b| b.name.as_str()).collect::<Vec<_>>(), ["shop-"]);
}

fn convert(acls: &mut BTreeSet<AclBinding>, conversion: Conversion) {
    acls.extend(conversion.create);
    for binding in conversion.remove_grants.iter().chain(&conversion.remove_denies) {
        assert!(acls.remove(binding), "{binding} was not there");
    }
}

#[test]
fn conversion_never_leaves_an_application_that_can_write() {
    let (topics, groups) = (names(&["orders.placed"]), names(&["billing"]));
    let mut acls = scene();
    acls.extend(fence_bindings(&topics));
    acls.extend(consumer_fence_bindings(&topics, &groups));
    let converted = conversion(&acls, &topics, &groups, &probe());
    convert(&mut acls, converted);
    assert_eq!(unfenced_by(&acls, &topics, &probe()), Vec::<String>::new());
    assert_eq!(group_readers(&acls, &groups, &probe()), Vec::<AclBinding>::new());
    assert!(may_write(&acls, "User:mm2", "orders.placed"));
    assert!(may(&acls, "User:old", AclOperation::Read, ResourceType::Topic, "orders.placed"));
    assert!(!may(&acls, "User:billing", AclOperation::Read, ResourceType::Group, "billing"));
    assert!(!acls.iter().any(|b| b.permission == AclPermission::Deny));
}

#[test]
fn what_a_prefixed_grant_covers_besides_the_scope_is_kept_and_reported() {
    let topics = names(&["orders.placed"]);
    let others = Others { topics: names(&["orders.archive", "invoices"]), groups: Vec::new() };
    let mut acls = scene();
    let converted = conversion_keeping(&acls, &topics, &[], &probe(), &others);
    assert_eq!(converted.narrowed.iter().map(|b| b.principal.as_str()).collect::<Vec<_>>(), ["User:shop"]);
    convert(&mut acls, converted);
    assert!(
        may_write(&acls, "User:shop", "orders.archive") && !may_write(&acls, "User:shop", "orders.placed")
    );
    assert!(!may_write(&acls, "User:shop", "invoices"));
}

fn bindings() -> impl Strategy<Value = BTreeSet<AclBinding>> {
    let operation = prop::sample::select(vec![
        AclOperation::All,
        AclOperation::Read,
        AclOperation::Write,
        AclOperation::Describe,
    ]);
    let resource =
        prop::sample::select(vec![ResourceType::Topic, ResourceType::Group, ResourceType::Cluster]);
    let pattern = prop::sample::select(vec![PatternType::Literal, PatternType::Prefixed]);
    let name = prop::sample::select(vec!["*", "a", "a.", "a.b", "a.c", "b", ""]);
    let who = prop::sample::select(vec!["User:x", "User:y", "User:z", EVERYBODY]);
    let binding = (any::<bool>(), operation, resource, pattern, name, who).prop_map(
        |(allow, operation, resource, pattern, name, who)| {
            let permission = if allow { AclPermission::Allow } else { AclPermission::Deny };
            AclBinding::new(permission, operation, (resource, pattern, name), who)
        },
    );
    prop::collection::btree_set(binding, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over any ACLs: nobody but tools and those on everything can write the scope afterwards, rights outside writing
    /// the scope are as before, and nobody gains any.
    #[test]
    fn conversion_takes_what_it_must_and_no_more(present in bindings()) {
        let (scope, others) = (names(&["a.b"]), Others { topics: names(&["a", "a.c", "b"]), groups: Vec::new() });
        let mut after: BTreeSet<AclBinding> = present.clone();
        after.extend(fence_bindings(&scope));
        let converted = conversion_keeping(&after, &scope, &[], &BTreeSet::new(), &others);
        let stay: BTreeSet<String> = tools(&present).into_iter()
            .chain(converted.too_wide.iter().map(|b| b.principal.clone())).collect();
        convert(&mut after, converted);
        for who in unfenced_by(&after, &scope, &BTreeSet::new()) {
            prop_assert!(stay.contains(&who), "{who} can write: {after:?}");
        }
        for who in ["User:x", "User:y", "User:z"] {
            for topic in ["a", "a.b", "a.c", "b"] {
                for operation in [AclOperation::Read, AclOperation::Describe, AclOperation::Write] {
                    let was = may(&present, who, operation, ResourceType::Topic, topic);
                    let is = may(&after, who, operation, ResourceType::Topic, topic);
                    let fenced = topic == "a.b" && operation != AclOperation::Read;
                    // A DENY that stood before the run is not the run's; it may be the fence itself.
                    let of_a_run = [fence_bindings(&scope), consumer_fence_bindings(&scope, &[])].concat();
                    let deny_was_there = of_a_run.iter().any(|deny| present.contains(deny));
                    prop_assert!(is == was || fenced || deny_was_there, "{who} {operation:?} {topic}: {was} -> {is}");
                }
            }
        }
    }
}
