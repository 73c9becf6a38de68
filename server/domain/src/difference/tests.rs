mod access;
mod both;
mod brokers;
mod by_who;
mod own_topics;
mod positions;

use std::sync::Arc;

use super::*;
use crate::{
    acl::{AclOperation as Op, ResourceType},
    group::GroupType,
    pair::{NamingPolicy, Side},
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

/// The default policy: the standby holds `primary.orders`, and an `orders` that applications write after the move.
fn prefixed(pair: &mut Pair, survey: &mut Survey) {
    for flow in &mut pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    let there = topics(survey, Side::B);
    let copies: Vec<_> =
        there.iter().map(|(name, topic)| (format!("primary.{name}"), topic.clone())).collect();
    there.extend(copies);
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
fn what_is_refused_there_breaks_and_what_is_kept_otherwise_costs() {
    let weight = |key: &str, here: &str, there: &str| {
        let found = after(|_, survey| {
            set(survey, Side::A, "orders", key, here, ConfigSource::Topic);
            set(survey, Side::B, "orders", key, there, ConfigSource::Topic);
        });
        assert_eq!(found.differences.len(), 1, "{found:?}");
        found.differences[0].weight
    };
    assert_eq!(weight("max.message.bytes", "2000000", "1048588"), Weight::Breaks);
    assert_eq!(weight("max.message.bytes", "1048588", "2000000"), Weight::Costs);
    assert_eq!(weight("cleanup.policy", "delete", "compact"), Weight::Breaks);
    assert_eq!(weight("cleanup.policy", "delete", "compact,delete"), Weight::Breaks);
    assert_eq!(weight("cleanup.policy", "compact", "delete"), Weight::Costs);
    assert_eq!(weight("cleanup.policy", "compact", "compact,delete"), Weight::Costs);
    assert_eq!(weight("min.insync.replicas", "1", "2"), Weight::Costs);
    assert_eq!(weight("segment.ms", "1", "2"), Weight::Differs);
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
    assert_eq!(what(&dead).len(), 9, "members on the standby are looked at: {dead:?}");
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
        side.remove("brokers");
    }
    let survey: Survey = serde_json::from_value(stored).expect("read");
    assert!(survey.sides.a.users.value().is_none());
    let found = differences(&samples::pair(), &samples::clusters(), &survey);
    let reasons: Vec<&str> = found.not_compared.iter().map(|part| part.reason.as_str()).collect();
    assert_eq!(reasons, ["not read by the version of Muster that took this survey"; 3]);
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
