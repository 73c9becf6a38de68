//! Whether replication carries what it should, and only that.

use super::*;

#[test]
fn with_prefixed_names_topics_beyond_the_pair_are_no_reason_to_stay() {
    let results = World::with(|w| {
        for flow in &mut w.pair.flows {
            flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
        }
        known(&mut w.survey.flows[0].beyond).clone_from(&beyond(&["legacy"]));
    });
    assert_eq!(results[&Code::FlowScope].status, Status::Warning);
}

#[test]
fn records_move_by_partitions_that_both_surveys_read() {
    let results = World::with(|w| {
        // New on both sides: nothing says that what it has was written since.
        topics(&mut w.survey, Side::A).insert("orders.new".to_owned(), samples::topic(7_000));
        topics(&mut w.survey, Side::B).insert("orders.new".to_owned(), samples::topic(7_000));
    });
    let moving = &results[&Code::FlowMoving];
    let said = "10 offsets were written and 10 arrived since the last survey";
    assert_eq!((moving.status, moving.reason.as_str()), (Status::Ok, said));
    let results = World::with(|w| {
        of_orders(w.previous.as_mut().expect("there"), Side::B).end = Some(100);
        topics(&mut w.survey, Side::B).insert("orders.new".to_owned(), samples::topic(7_000));
        topics(&mut w.survey, Side::A).insert("orders.new".to_owned(), samples::topic(7_000));
    });
    assert_eq!(results[&Code::FlowMoving].status, Status::Critical, "it stands, whatever is new");
}

#[test]
fn that_nothing_arrived_in_the_moment_before_a_survey_that_was_brought_forward_proves_nothing() {
    let early = |arrived: i64| {
        World::with(|w| {
            w.survey.brought_forward = true;
            of_orders(w.previous.as_mut().expect("there"), Side::B).end = Some(100 - arrived);
        })
    };
    assert_eq!(early(0)[&Code::FlowMoving].status, Status::Unknown);
    assert_eq!(early(1)[&Code::FlowMoving].status, Status::Ok);
}

#[test]
fn another_cluster_than_the_registered_one_is_critical_wherever_it_is_used() {
    let results = World::with(|w| w.clusters.a.expected_cluster_id = Some("another".to_owned()));
    assert_eq!(results[&Code::ClusterIdentity].reason, "`primary` has id id-primary instead of another");
    let both = [(Code::ClusterIdentity, Status::Critical), (Code::ConnectWorker, Status::Critical)];
    let sorted: BTreeMap<Code, Status> = not_ok(&results).into_iter().collect();
    assert_eq!(sorted, both.into_iter().collect());
}

#[test]
fn identity_names_in_both_directions_are_critical() {
    let results = World::with(|w| w.connector(1, ConnectorRole::Source).state = ConnectState::Running);
    assert_eq!(results[&Code::DirectionInterlock].status, Status::Critical);
    assert_eq!(results[&Code::ActiveSideKnown].status, Status::Unknown);
}
