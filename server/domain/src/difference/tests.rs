use std::sync::Arc;

use super::*;
use crate::{
    acl::{AclBinding, AclOperation as Op, AclPermission, PatternType, ResourceType},
    group::GroupType,
    pair::Side,
    quota::ClientQuota,
    reading::Observed,
    samples::{self, allow, group, known, topics},
    survey::{ConnectState, SideObservation},
    topic::{ConfigEntry, ConfigSource},
};

/// A pair whose sides are alike, changed; what is told then.
fn after(change: impl FnOnce(&mut Pair, &mut Survey)) -> Differences {
    let (mut pair, mut survey) = (samples::pair(), samples::survey());
    change(&mut pair, &mut survey);
    differences(&pair, &samples::clusters(), &survey)
}

/// Kind, weight and sentence of each.
fn told(found: &Differences) -> Vec<(DifferenceKind, Weight, &str)> {
    found.differences.iter().map(|one| (one.kind, one.weight, one.says.as_str())).collect()
}

fn set(survey: &mut Survey, side: Side, topic: &str, key: &str, value: &str, source: ConfigSource) {
    let topic = topics(survey, side).get_mut(topic).expect("there");
    let entry = ConfigEntry { value: Some(value.to_owned()), source };
    Arc::make_mut(known(&mut topic.configs)).insert(key.to_owned(), entry);
}

fn more_topics(survey: &mut Survey, count: usize) {
    for side in Side::BOTH {
        for n in 0..count {
            topics(survey, side).insert(format!("orders.{n:03}"), samples::topic(100));
        }
    }
}

#[test]
fn sides_that_are_alike_have_no_differences() {
    let found = after(|_, _| {});
    assert_eq!(told(&found), []);
    assert_eq!(found.not_compared, []);
    assert_eq!(found.active.as_ref().map(ClusterName::as_str), Some("primary"));
}

#[test]
fn a_default_of_the_brokers_is_told_once_with_where_it_comes_from() {
    let found = after(|_, survey| {
        more_topics(survey, 36);
        let names: Vec<String> = topics(survey, Side::B).keys().cloned().collect();
        for name in &names {
            set(survey, Side::B, name, "retention.ms", "3600000", ConfigSource::StaticBroker);
        }
        set(survey, Side::B, "orders", "segment.ms", "1", ConfigSource::Topic);
        known(&mut survey.sides.a.acls).bindings.insert(allow(
            Op::Write,
            ResourceType::Topic,
            "orders",
            "User:shop",
        ));
        known(&mut survey.sides.a.groups).insert("billing".to_owned(), group(0, 7));
        known(&mut survey.sides.b.groups).insert("billing".to_owned(), group(0, 7));
    });
    let expected = [
        (
            DifferenceKind::Config,
            Weight::Costs,
            "`retention.ms` of 37 topics (`orders`, `orders.000`, `orders.001` and 34 more) is 1 h (from the brokers' \
             file) on dr and 7 d (Kafka's default) on primary",
        ),
        (
            DifferenceKind::Config,
            Weight::Differs,
            "`segment.ms` of topic `orders` is 1 ms (set on the topic) on dr and unset (no such setting) on primary",
        ),
    ];
    assert_eq!(told(&found), expected);
    let cause = &found.differences[0];
    assert!(cause.consequence.starts_with("Records are deleted earlier"), "{cause:?}");
    assert_eq!(cause.affected.topics.count, 37);
    assert_eq!(cause.affected.principals.names, ["User:shop"]);
    assert_eq!(cause.affected.groups.names, ["billing"]);
    assert_eq!(
        cause.commands[0],
        "kafka-configs.sh --bootstrap-server dr:9092 --command-config COMMAND_CONFIG --alter --entity-type topics \
         --entity-name 'orders' --add-config 'retention.ms=604800000'"
    );
    // A value that comes from elsewhere and is the same is no difference.
    let same = after(|_, survey| {
        set(survey, Side::B, "orders", "retention.ms", "604800000", ConfigSource::Topic);
    });
    assert_eq!(told(&same), []);
}

#[test]
fn topics_that_lack_something_are_told_worst_first() {
    let found = after(|_, survey| {
        more_topics(survey, 2);
        topics(survey, Side::B).remove("orders.000");
        let grown = topics(survey, Side::A).get_mut("orders.001").expect("there");
        let partition = grown.partitions[0].clone();
        grown.partitions.push(partition);
        topics(survey, Side::B).get_mut("orders").expect("there").partitions[0].replicas = 1;
        topics(survey, Side::B).insert("orders.old".to_owned(), samples::topic(5));
    });
    let expected = [
        (
            DifferenceKind::TopicMissing,
            Weight::Breaks,
            "topic `orders.000` is missing on dr and there on primary",
        ),
        (
            DifferenceKind::Partitions,
            Weight::Breaks,
            "topic `orders.001` has fewer partitions on dr than on primary",
        ),
        (DifferenceKind::Replicas, Weight::Costs, "topic `orders` has fewer copies on dr than on primary"),
        (DifferenceKind::TopicExtra, Weight::Differs, "topic `orders.old` is only on dr"),
    ];
    assert_eq!(told(&found), expected);
    assert!(found.differences[0].commands[0].ends_with("--create --topic 'orders.000' --partitions 1"));
}

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

#[test]
fn groups_are_told_that_are_busy_there_or_have_nothing_there() {
    let found = after(|_, survey| {
        let here = known(&mut survey.sides.a.groups);
        here.insert("billing".to_owned(), group(1, 7));
        here.insert("fraud".to_owned(), group(1, 7));
        here.insert("new".to_owned(), group(1, 7));
        here.get_mut("fraud").expect("there").kind = GroupType::Consumer;
        let there = known(&mut survey.sides.b.groups);
        there.insert("fraud".to_owned(), group(1, 7));
        there.insert("billing".to_owned(), group(0, 7));
    });
    let expected = [
        (DifferenceKind::GroupActive, Weight::Breaks, "group `fraud` has members on dr now"),
        (DifferenceKind::GroupType, Weight::Breaks, "group `fraud` speaks another protocol on dr"),
        (
            DifferenceKind::GroupPositions,
            Weight::Costs,
            "group `new` has positions on primary and none on dr",
        ),
    ];
    assert_eq!(told(&found), expected);
}

#[test]
fn what_was_not_read_is_not_compared_and_not_alike() {
    fn unknown<T>() -> Observed<T> {
        Observed::unknown("refused", samples::at(0))
    }
    let found = after(|_, survey| {
        survey.sides.b.quotas = unknown();
        survey.sides.b.users = unknown();
        survey.sides.b.acls = unknown();
        topics(survey, Side::B).get_mut("orders").expect("there").configs = unknown();
    });
    let what = |found: &Differences| -> Vec<String> {
        found.not_compared.iter().map(|part| part.what.clone()).collect()
    };
    assert_eq!(what(&found), ["configs", "grants", "DENYs", "SCRAM users", "client quotas"]);
    let one = after(|_, survey| {
        more_topics(survey, 1);
        topics(survey, Side::B).get_mut("orders").expect("there").configs = unknown();
    });
    assert_eq!(what(&one), ["configs of topic `orders`"]);
    let dead = after(|_, survey| survey.sides.a = SideObservation::unreachable("away", samples::at(0)));
    assert_eq!(what(&dead).len(), 8, "members on the standby are looked at: {dead:?}");
    assert!(what(&dead).contains(&"positions of groups".to_owned()), "{dead:?}");
    let contested = after(|_, survey| {
        for flow in &mut survey.flows {
            for connector in flow.connectors.values_mut() {
                known(connector).state = ConnectState::Stopped;
            }
        }
    });
    assert_eq!((contested.active, contested.differences.len(), contested.not_compared.len()), (None, 0, 1));
}

#[test]
fn a_survey_of_an_earlier_version_reads_back_with_less_in_it() {
    let mut stored = serde_json::to_value(samples::survey()).expect("written");
    for side in ["a", "b"] {
        let side = stored["sides"][side].as_object_mut().expect("an object");
        side.remove("quotas");
        side.remove("users");
    }
    let survey: Survey = serde_json::from_value(stored).expect("read");
    assert!(survey.sides.a.users.value().is_none());
    let found = differences(&samples::pair(), &samples::clusters(), &survey);
    let reasons: Vec<&str> = found.not_compared.iter().map(|part| part.reason.as_str()).collect();
    assert_eq!(reasons, ["not read by the version of Muster that took this survey"; 2]);
}

#[test]
fn it_is_filtered_by_kind_and_by_whose_name_is_typed_and_shortened_afterwards() {
    let found = after(|_, survey| {
        more_topics(survey, 90);
        topics(survey, Side::B).remove("orders");
        for n in 0..90 {
            let name = format!("orders.{n:03}");
            set(survey, Side::B, &name, "retention.ms", "1000", ConfigSource::Topic);
        }
    });
    assert_eq!(found.differences.len(), 2);
    let by_kind = found.clone().filtered(&[DifferenceKind::TopicMissing], "");
    assert_eq!(told(&by_kind).len(), 1);
    // The name stands behind those that are shown.
    let by_name = found.filtered(&[], "orders.089").shortened();
    assert_eq!(by_name.differences.len(), 1);
    let cause = &by_name.differences[0];
    assert_eq!(
        (cause.affected.topics.count, cause.affected.topics.names.len(), cause.commands.len()),
        (90, SHOWN, COMMANDS)
    );
}
