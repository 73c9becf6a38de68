//! What is not known, and what follows from it: no check that needs it is ok.

use std::collections::BTreeSet;

use super::*;
use crate::pair::Mechanism;

#[test]
fn what_could_not_be_read_of_the_offset_syncs_is_told_with_its_count_and_reason() {
    let results = World::with(|w| {
        w.survey.flows[0].unreadable_syncs.add(6, "the record at offset 7 is 1048576 bytes long".to_owned());
    });
    assert_eq!(not_ok(&results), [(Code::OffsetSyncSettings, Status::Warning)]);
    let told = &results[&Code::OffsetSyncSettings];
    assert_eq!(
        told.reason,
        "6 records of the offset-syncs topic could not be read: the record at offset 7 is 1048576 bytes long"
    );
    assert!(told.next_step.contains("who else may write"), "{}", told.next_step);
}

#[test]
fn whatever_follows_from_a_flow_that_is_not_attached_says_who_attaches_it() {
    let results = World::with(|w| {
        w.pair.flows[0].mechanism = Mechanism::Unattached;
        w.survey.flows.remove(0);
    });
    let reason =
        "the flow primary → dr is not attached: which Connect address and connectors carry it was not said";
    let told: Vec<Code> = results.values().filter(|r| r.reason == reason).map(|r| r.code).collect();
    for code in [Code::ActiveSideKnown, Code::ConnectWorker, Code::FlowConnectors, Code::StandbyTopics] {
        assert!(told.contains(&code), "{code:?}: {told:?}");
    }
    for code in told {
        let result = &results[&code];
        assert_eq!((result.status, result.next_step.as_str()), (Status::Unknown, super::ATTACH), "{code:?}");
    }
}

#[test]
fn a_cluster_that_does_not_answer_says_where_to_read_on_when_it_is_dead() {
    let results = World::with(|w| w.side(Side::A).cluster = Observed::unknown("no answer in time", at(0)));
    let told = &results[&Code::ClustersReachable];
    assert_eq!((told.status, told.reason.as_str()), (Status::Critical, "no answer in time"));
    assert_eq!(
        told.next_step,
        "Check the cluster: bootstrap addresses, credentials, network. A planned switchover needs both. If the active side is \
         dead and does not come back in time, /runbooks has what is done by hand (The active side is dead)."
    );
}

#[test]
fn an_input_that_is_unknown_makes_no_check_ok_that_needs_it() {
    fn unknown<T>() -> Observed<T> {
        Observed::unknown("not readable", at(0))
    }
    type Case = (&'static str, fn(&mut World), &'static [Code]);
    let standby = [
        Code::StandbyTopics,
        Code::StandbyConfigs,
        Code::StandbyDurability,
        Code::StandbyGrants,
        Code::StandbyFenced,
        Code::StandbyGroupsActive,
        Code::StandbyOffsetsStale,
    ];
    let flow_and_standby = [
        &[Code::ActiveSideKnown, Code::WritesOpen, Code::FlowConnectors, Code::FlowMoving][..],
        &[Code::DirectionInterlock],
        &[Code::Converters, Code::OffsetSyncSettings, Code::Canary],
        &standby,
    ]
    .concat();
    let topics_and_standby = [&[Code::FlowMoving][..], &standby].concat();
    let cases: [Case; 9] = [
        ("identity", |w| w.side(Side::A).cluster = unknown(), &[Code::ClusterIdentity]),
        ("rights", |w| w.side(Side::B).rights = unknown(), &[Code::Rights]),
        (
            "ACLs",
            |w| w.side(Side::B).acls = unknown(),
            &[Code::Authorizer, Code::StandbyGrants, Code::StandbyFenced],
        ),
        (
            "ACLs of the active side",
            |w| w.side(Side::A).acls = unknown(),
            &[Code::WritesOpen, Code::Authorizer, Code::StandbyGrants, Code::StandbyFenced],
        ),
        ("transactions", |w| w.side(Side::A).transactions = unknown(), &[Code::HungTransactions]),
        (
            "groups there",
            |w| w.side(Side::B).groups = unknown(),
            &[Code::StandbyGroupsActive, Code::StandbyOffsetsStale],
        ),
        ("groups here", |w| w.side(Side::A).groups = unknown(), &[Code::WritesOpen, Code::StandbyGrants]),
        ("worker", |w| w.survey.flows[0].worker = unknown(), &[Code::ConnectWorker]),
        ("what flows carry", |w| w.survey.flows[1].beyond = unknown(), &[Code::FlowScope]),
    ];
    let unknowns = |change: fn(&mut World)| -> BTreeSet<Code> {
        let results = World::with(change);
        results.values().filter(|r| r.status == Status::Unknown).map(|r| r.code).collect()
    };
    for (what, change, expected) in cases {
        assert_eq!(unknowns(change), expected.iter().copied().collect(), "{what}");
    }
    assert_eq!(
        unknowns(|w| w.side(Side::B).topics = unknown()),
        topics_and_standby.into_iter().collect(),
        "topics"
    );
    let source = |w: &mut World| drop(w.survey.flows[0].connectors.insert(ConnectorRole::Source, unknown()));
    assert_eq!(unknowns(source), flow_and_standby.into_iter().collect(), "source connector");
}

#[test]
fn what_was_not_read_of_a_partition_makes_the_checks_that_need_it_unknown() {
    type Case = (&'static str, fn(&mut World), &'static [Code], &'static str);
    let cases: [Case; 5] = [
        (
            "configs of a copy",
            |w| {
                let topic = topics(&mut w.survey, Side::B).get_mut("orders").expect("in the sample");
                topic.configs = Observed::unknown("TOPIC_AUTHORIZATION_FAILED", at(0));
            },
            &[Code::StandbyConfigs, Code::StandbyDurability],
            "configs of `orders`: TOPIC_AUTHORIZATION_FAILED",
        ),
        (
            "the end a group stands on",
            |w| {
                known(&mut w.side(Side::B).groups).insert("billing".to_owned(), group(0, 101));
                of_orders(&mut w.survey, Side::B).end = None;
            },
            &[Code::StandbyOffsetsStale, Code::FlowMoving],
            "the end of orders-0 on `dr`, on which `billing` stands, was not read",
        ),
        (
            "the end of the source now",
            |w| of_orders(&mut w.survey, Side::A).end = None,
            &[Code::FlowMoving],
            "the end of `orders`-0 on `primary` was not read in each of the last two surveys",
        ),
        (
            "the end of the copy before: all it has would seem to have arrived",
            |w| of_orders(w.previous.as_mut().expect("there"), Side::B).end = None,
            &[Code::FlowMoving],
            "the end of `orders`-0 on `dr` was not read in each of the last two surveys",
        ),
        (
            "a copy that was cut: less than nothing is not what was written",
            |w| of_orders(&mut w.survey, Side::A).end = Some(80),
            &[Code::FlowMoving],
            "the end of `orders`-0 on `primary` went back from 90 to 80: its log was cut or made anew",
        ),
    ];
    for (what, change, codes, reason) in cases {
        let results = World::with(change);
        let wanted: BTreeMap<Code, Status> = codes.iter().map(|code| (*code, Status::Unknown)).collect();
        assert_eq!(not_ok(&results).into_iter().collect::<BTreeMap<_, _>>(), wanted, "{what}");
        assert_eq!(results[&codes[0]].reason, reason, "{what}");
    }
}
