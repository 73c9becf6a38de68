//! Which groups would not know there where they are.

use super::*;
use crate::topic::TopicPartition;

/// Positions of the group `billing` on the active side.
const READ: [(&str, i32); 3] = [("orders", 0), ("orders.000", 0), ("orders.001", 0)];

/// Sides with three topics, and the group's positions: all on the active side, these on the standby.
fn positions(survey: &mut Survey, there: &[(&str, i32)]) {
    more_topics(survey, 2);
    for (side, held) in [(Side::A, &READ[..]), (Side::B, there)] {
        let offsets = held.iter().map(|(topic, partition)| (TopicPartition::new(*topic, *partition), 7));
        let billing = crate::survey::GroupObservation { offsets: offsets.collect(), ..group(0, 0) };
        known(&mut survey.sides.get_mut(side).groups).insert("billing".to_owned(), billing);
    }
}

#[test]
fn a_group_that_lacks_positions_of_some_topics_is_told_with_them() {
    let found = after(|_, survey| positions(survey, &[("orders", 0)]));
    let said = "group `billing` has positions of 2 topics (`orders.000`, `orders.001`) on primary that are not all on dr";
    assert_eq!(told(&found), [(DifferenceKind::GroupPositions, Weight::Costs, said)]);
    let cause = &found.differences[0];
    assert_eq!(cause.actual, "none in 2 partitions (`orders.000-0`, `orders.001-0`)");
    assert_eq!(cause.affected.topics.names, ["orders.000", "orders.001"]);
    assert_eq!(cause.affected.groups.names, ["billing"]);
    assert_eq!(told(&after(|_, survey| positions(survey, &READ))), []);
}

#[test]
fn of_many_partitions_those_that_are_lacking_count() {
    let found = after(|_, survey| {
        positions(survey, &READ);
        for side in Side::BOTH {
            let orders = topics(survey, side).get_mut("orders").expect("there");
            let partition = orders.partitions[0].clone();
            orders.partitions.extend([partition.clone(), partition]);
        }
        let billing = known(&mut survey.sides.a.groups).get_mut("billing").expect("there");
        billing.offsets.extend((1..3).map(|number| (TopicPartition::new("orders", number), 7)));
    });
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].actual, "none in 2 partitions (`orders-1`, `orders-2`)");
}

#[test]
fn positions_are_looked_for_under_the_name_of_the_copy() {
    let of = |topic: &'static str| {
        after(|pair, survey| {
            positions(survey, &[(topic, 0), ("primary.orders.000", 0), ("primary.orders.001", 0)]);
            prefixed(pair, survey);
        })
    };
    assert_eq!(told(&of("primary.orders")), []);
    // A position of its own topic there is not one of the copy.
    assert_eq!(of("orders").differences[0].affected.topics.names, ["orders"]);
}

#[test]
fn where_there_is_no_record_on_either_side_no_position_is_lacking() {
    let empty = |sides: &'static [Side]| {
        after(|_, survey| {
            positions(survey, &READ[..2]);
            for side in sides {
                let partitions = &mut topics(survey, *side).get_mut("orders.001").expect("there").partitions;
                partitions[0].end = Some(0);
            }
        })
    };
    assert_eq!(told(&empty(&Side::BOTH)), []);
    assert_eq!(empty(&[Side::B]).differences.len(), 1, "there are records to come");
    let unread = after(|_, survey| {
        positions(survey, &READ[..2]);
        for side in Side::BOTH {
            topics(survey, side).get_mut("orders.001").expect("there").partitions[0].end = None;
        }
    });
    assert_eq!(unread.differences.len(), 1, "not known to be empty");
}
