//! A pair whose both sides are active: each is compared as the one that applications of the other would move to.

use super::*;
use crate::topic::TopicPartition;

fn both_active(pair: &mut Pair, survey: &mut Survey) {
    prefixed(pair, survey);
    let orders = samples::topic(100);
    topics(survey, Side::A).insert("dr.orders".to_owned(), orders);
    for connector in survey.flows[1].connectors.values_mut() {
        known(connector).state = ConnectState::Running;
    }
}

fn both(change: impl FnOnce(&mut Survey)) -> Differences {
    after(|pair, survey| {
        both_active(pair, survey);
        change(survey);
    })
}

/// From where to where, and the kinds of what is told.
fn each(found: &Differences) -> Vec<(&str, &str, Vec<DifferenceKind>)> {
    found.each().map(|one| (cluster(&one.active), cluster(&one.standby), kinds(one))).collect()
}

fn cluster(name: &Option<ClusterName>) -> &str {
    name.as_ref().map_or("", ClusterName::as_str)
}

fn kinds(found: &Differences) -> Vec<DifferenceKind> {
    found.differences.iter().map(|one| one.kind).collect()
}

#[test]
fn two_active_sides_that_are_alike_have_no_differences_either_way() {
    let found = both(|_| {});
    assert_eq!(each(&found), [("primary", "dr", vec![]), ("dr", "primary", vec![])]);
    assert!(found.each().all(|one| one.not_compared.is_empty()));
}

#[test]
fn under_one_name_on_both_sides_two_flows_leave_nothing_to_compare() {
    let found = after(|pair, survey| {
        both_active(pair, survey);
        pair.flows[0].naming = NamingPolicy::Identity;
    });
    assert_eq!((found.active, found.back), (None, None));
}

#[test]
fn what_one_side_has_alone_is_missed_on_the_other_and_no_leftover() {
    use DifferenceKind::TopicMissing;
    let found = both(|survey| {
        topics(survey, Side::B).insert("orders.new".to_owned(), samples::topic(5));
    });
    let missing = vec![TopicMissing, TopicMissing];
    assert_eq!(each(&found), [("primary", "dr", vec![]), ("dr", "primary", missing)]);
    let back = found.back.as_deref().expect("both are active");
    assert!(back.differences.iter().all(|one| one.cluster.as_str() == "primary"), "{back:#?}");
    let nobody = both(|survey| {
        topics(survey, Side::B).insert("orders.new".to_owned(), samples::topic(5));
    });
    let nobody = nobody.filtered(&[], "nobody-has-this-name");
    assert_eq!(each(&nobody), [("primary", "dr", vec![]), ("dr", "primary", vec![])]);
}

#[test]
fn a_group_at_work_on_both_sides_is_in_the_way_unless_it_reads_the_copies() {
    let at_work = |survey: &mut Survey, reads: bool| {
        for (side, copy) in [(Side::A, "dr.orders"), (Side::B, "primary.orders")] {
            let mut billing = group(1, 80);
            if reads {
                billing.offsets.insert(TopicPartition::new(copy, 0), 80);
            }
            known(&mut survey.sides.get_mut(side).groups).insert("billing".to_owned(), billing);
        }
    };
    let found = both(|survey| at_work(survey, true));
    assert_eq!(each(&found), [("primary", "dr", vec![]), ("dr", "primary", vec![])]);
    let found = both(|survey| at_work(survey, false));
    for one in found.each() {
        let busy = one.differences.iter().find(|one| one.kind == DifferenceKind::GroupActive);
        let busy = busy.expect("its offsets are not synced");
        assert_eq!(
            busy.next_step,
            format!("Let them read the copies on {}, too, or stop them there.", busy.cluster)
        );
    }
}

#[test]
fn of_a_side_that_died_is_told_what_was_different_either_way_when_both_were_read_last() {
    let (mut pair, mut survey) = (samples::pair(), samples::survey());
    both_active(&mut pair, &mut survey);
    topics(&mut survey, Side::B).insert("orders.new".to_owned(), samples::topic(5));
    let clusters = samples::clusters();
    let mut dead = survey.clone();
    dead.sides.b = SideObservation::unreachable("dr does not answer", samples::at(5));
    let last = LastCompared::after(&pair, &clusters, &dead, Some(&survey), None).expect("remembered");
    let missing = |survey: &Survey| -> Vec<usize> {
        let found = differences(&pair, &clusters, survey).with_earlier(&pair, &last);
        let count = |one: &Differences| {
            let earlier = one.earlier.iter().flat_map(|part| &part.differences);
            earlier.filter(|one| one.kind == DifferenceKind::TopicMissing).count()
        };
        found.each().map(count).collect()
    };
    assert_eq!(missing(&dead), [0, 2]);
    // Connect went with it: nobody can say where applications are.
    for connector in dead.flows.iter_mut().flat_map(|flow| flow.connectors.values_mut()) {
        *connector = Observed::unknown("connection refused", samples::at(5));
    }
    assert_eq!(missing(&dead), [0, 2]);
    let later =
        LastCompared::after(&pair, &clusters, &dead, Some(&dead), Some(&last)).expect("still remembered");
    assert_eq!(later, last);
}
