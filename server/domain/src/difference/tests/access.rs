//! Who may do what on the standby, and who may sign in there.

use super::*;
use crate::{
    acl::{AclBinding, AclPermission, PatternType},
    quota::ClientQuota,
};

#[test]
fn grants_are_told_by_principal_and_writing_is_the_fence_not_a_difference() {
    let found = after(|_, survey| {
        let here = &mut known(&mut survey.sides.a.acls).bindings;
        here.insert(allow(Op::Write, ResourceType::Topic, "orders", "User:shop"));
        here.insert(allow(Op::Read, ResourceType::Topic, "orders", "User:billing's"));
        here.insert(allow(Op::Describe, ResourceType::Topic, "orders", "User:billing's"));
    });
    let expected = [(
        DifferenceKind::Grant,
        Weight::Costs,
        "`User:billing's` lacks 2 grants on dr: Read on Topic `orders`, Describe on Topic `orders`",
    )];
    assert_eq!(told(&found), expected);
    assert_eq!(
        found.differences[0].commands[0],
        r"kafka-acls.sh --bootstrap-server dr:9092 --command-config COMMAND_CONFIG --add --allow-principal 'User:billing'\''s' --operation Read --topic 'orders'"
    );
}

#[test]
fn a_standby_that_asks_for_grants_is_told_where_the_active_side_has_none_to_compare() {
    let without = |side| {
        after(|_, survey| {
            let acls = known(&mut survey.sides.get_mut(side).acls);
            acls.authorizer = false;
        })
    };
    let found = without(Side::A);
    let said = "dr asks for grants and primary has none to compare: it has no authorizer";
    assert_eq!(told(&found), [(DifferenceKind::Grant, Weight::Breaks, said)]);
    assert_eq!(found.differences[0].affected.topics.names, ["orders"]);
    // The other way round whoever asks may do everything there.
    assert_eq!(told(&without(Side::B)), []);
}

#[test]
fn a_deny_that_was_copied_and_stayed_is_told_with_those_it_hits() {
    let found = after(|_, survey| {
        known(&mut survey.sides.a.acls).bindings.insert(allow(
            Op::Write,
            ResourceType::Topic,
            "orders",
            "User:shop",
        ));
        let resource = (ResourceType::Topic, PatternType::Prefixed, "ord");
        let deny = AclBinding::new(AclPermission::Deny, Op::Write, resource, "User:*");
        let elsewhere = AclBinding::new(
            AclPermission::Deny,
            Op::Write,
            (ResourceType::Topic, PatternType::Literal, "other"),
            "User:*",
        );
        known(&mut survey.sides.b.acls).bindings.extend([deny, elsewhere]);
    });
    let expected = [(
        DifferenceKind::Deny,
        Weight::Breaks,
        "1 DENY for `User:*` only on dr: Write on Topic prefix `ord`",
    )];
    assert_eq!(told(&found), expected);
    assert_eq!(found.differences[0].affected.principals.names, ["User:shop"]);
    assert!(found.differences[0].commands[0].ends_with(
        "--remove --force --deny-principal 'User:*' --operation Write --topic 'ord' --resource-pattern-type prefixed"
    ));
}

/// One DENY on the standby only, and grants on the active side; who is hit, or `None` where nothing is told.
fn hit_by(
    deny: (Op, ResourceType, PatternType, &str, &str),
    grants: &[(Op, ResourceType, &str, &str)],
) -> Option<Vec<String>> {
    let found = after(|_, survey| {
        let here = &mut known(&mut survey.sides.a.acls).bindings;
        here.extend(
            grants.iter().map(|(operation, resource, name, who)| allow(*operation, *resource, name, who)),
        );
        let (operation, resource, pattern, name, who) = deny;
        let deny = AclBinding::new(AclPermission::Deny, operation, (resource, pattern, name), who);
        known(&mut survey.sides.b.acls).bindings.insert(deny);
    });
    let denies: Vec<&Difference> =
        found.differences.iter().filter(|one| one.kind == DifferenceKind::Deny).collect();
    assert!(denies.len() < 2, "{denies:?}");
    denies.first().map(|one| one.affected.principals.names.clone())
}

#[test]
fn denies_that_hit_producers_beside_topics_are_told() {
    use PatternType::{Literal, Prefixed};
    use ResourceType::{Cluster, Topic, TransactionalId};
    let shop = |held: (Op, ResourceType, &'static str)| {
        [(Op::Write, Topic, "orders", "User:shop"), (held.0, held.1, held.2, "User:shop")]
    };
    let (ids, create) =
        (shop((Op::Write, TransactionalId, "shop-1")), shop((Op::Create, Cluster, "kafka-cluster")));
    let hit = Some(vec!["User:shop".to_owned()]);
    assert_eq!(hit_by((Op::All, TransactionalId, Prefixed, "shop", "User:*"), &ids), hit);
    assert_eq!(hit_by((Op::Describe, TransactionalId, Literal, "*", "User:*"), &ids), hit);
    assert_eq!(hit_by((Op::Write, TransactionalId, Literal, "shop-1", "User:shop"), &ids), hit);
    assert_eq!(hit_by((Op::Create, Cluster, Literal, "kafka-cluster", "User:*"), &create), hit);
    // Nobody's grant is taken.
    assert_eq!(hit_by((Op::All, TransactionalId, Prefixed, "other", "User:*"), &ids), None);
    assert_eq!(hit_by((Op::Create, Cluster, Literal, "kafka-cluster", "User:*"), &ids), None);
    assert_eq!(hit_by((Op::Write, TransactionalId, Literal, "shop-1", "User:billing"), &ids), None);
}

#[test]
fn a_deny_hits_whoever_works_by_a_grant_to_everybody() {
    let everybody = [(Op::All, ResourceType::Topic, "orders", "User:*")];
    let deny = |who| (Op::Write, ResourceType::Topic, PatternType::Literal, "orders", who);
    assert_eq!(hit_by(deny("User:shop"), &everybody), Some(vec!["User:shop".to_owned()]));
    assert_eq!(hit_by(deny("User:shop"), &[]), None);
    // A probe is no application, whoever may write.
    assert_eq!(hit_by(deny("User:probe"), &everybody), None);
}

#[test]
fn a_deny_on_a_copy_that_has_another_name_is_told() {
    let found = after(|pair, survey| {
        prefixed(pair, survey);
        let resource = (ResourceType::Topic, PatternType::Prefixed, "primary.");
        let deny = AclBinding::new(AclPermission::Deny, Op::Read, resource, "User:*");
        known(&mut survey.sides.b.acls).bindings.insert(deny);
    });
    assert_eq!(
        told(&found),
        [(
            DifferenceKind::Deny,
            Weight::Breaks,
            "1 DENY for `User:*` only on dr: Read on Topic prefix `primary.`"
        )]
    );
    assert_eq!(found.differences[0].affected.topics.names, ["orders"]);
}

#[test]
fn users_and_quotas_are_compared_by_name_and_limit() {
    let scram = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), ["SCRAM-SHA-512".to_owned()].into())).collect()
    };
    let quota = |user: &str, rate: f64| ClientQuota {
        entity: [("user".to_owned(), Some(user.to_owned()))].into(),
        limits: [("producer_byte_rate".to_owned(), rate)].into(),
    };
    let found = after(|_, survey| {
        known(&mut survey.sides.a.acls).bindings.insert(allow(
            Op::Write,
            ResourceType::Topic,
            "orders",
            "User:shop",
        ));
        *known(&mut survey.sides.a.users) = scram(&["shop", "intern", "both"]);
        *known(&mut survey.sides.b.users) = scram(&["both"]);
        *known(&mut survey.sides.a.quotas) =
            vec![quota("shop", 100.0), quota("same", 5.0), quota("free", 7.0)];
        *known(&mut survey.sides.b.quotas) = vec![quota("shop", 50.0), quota("same", 5.0)];
    });
    let expected = [
        (DifferenceKind::ScramUser, Weight::Breaks, "user `shop` has no SCRAM-SHA-512 password on dr"),
        (DifferenceKind::Quota, Weight::Costs, "`producer_byte_rate` is lower on dr for quota `user shop`"),
        (DifferenceKind::ScramUser, Weight::Differs, "user `intern` has no SCRAM-SHA-512 password on dr"),
        (
            DifferenceKind::Quota,
            Weight::Differs,
            "`producer_byte_rate` is higher, or missing, on dr for quota `user free`",
        ),
    ];
    assert_eq!(told(&found), expected);
    let quota = &found.differences[3];
    assert_eq!(
        (quota.expected.as_str(), quota.actual.as_str()),
        ("7 for user free", "no limit for user free")
    );
}
