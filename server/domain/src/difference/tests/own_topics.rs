//! Under prefixed names: the topics that applications write after the move, beside the copies that they read.

use super::*;

/// Names differ, and so much more does.
fn told_of(change: impl FnOnce(&mut Survey)) -> Vec<(DifferenceKind, Weight, String)> {
    let found = after(|pair, survey| {
        prefixed(pair, survey);
        change(survey);
    });
    found.differences.into_iter().map(|one| (one.kind, one.weight, one.says)).collect()
}

fn grow(survey: &mut Survey, side: Side, topic: &str) {
    let topic = topics(survey, side).get_mut(topic).expect("there");
    topic.partitions.push(topic.partitions[0].clone());
}

#[test]
fn they_are_compared_like_the_copies() {
    assert_eq!(told_of(|_| {}), []);
    let differ = told_of(|survey| {
        grow(survey, Side::A, "orders");
        grow(survey, Side::B, "primary.orders");
        let own = topics(survey, Side::B).get_mut("orders").expect("there");
        own.partitions[0].replicas = 1;
        set(survey, Side::B, "orders", "min.insync.replicas", "1", ConfigSource::Topic);
    });
    let own = "topic `orders` that applications write on dr";
    let expected = [
        (
            DifferenceKind::Partitions,
            Weight::Breaks,
            format!("{own} has fewer partitions on dr than on primary"),
        ),
        (DifferenceKind::Replicas, Weight::Costs, format!("{own} has fewer copies on dr than on primary")),
        (
            DifferenceKind::Config,
            Weight::Costs,
            format!(
                "`min.insync.replicas` of {own} is 1 (set on the topic) on dr and 2 (Kafka's default) on primary"
            ),
        ),
    ];
    assert_eq!(differ, expected);
}

#[test]
fn of_copies_it_is_told_as_before_and_commands_name_the_topic_that_is_meant() {
    let found = after(|pair, survey| {
        prefixed(pair, survey);
        for topic in ["orders", "primary.orders"] {
            set(survey, Side::B, topic, "max.message.bytes", "1000", ConfigSource::Topic);
        }
        set(survey, Side::A, "orders", "max.message.bytes", "2000", ConfigSource::Topic);
    });
    let of = |copy: bool| {
        let cause = found.differences.iter().find(|one| one.says.contains("that applications write") != copy);
        let cause = cause.expect("told");
        (cause.consequence.as_str(), cause.commands[0].contains("--entity-name 'primary.orders'"))
    };
    assert_eq!(of(true), ("Larger records cannot be copied even before the move.", true));
    assert_eq!(of(false), ("Larger records are refused to producers.", false));
    assert_eq!(found.differences.len(), 2);
}
