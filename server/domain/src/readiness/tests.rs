use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{CheckCode as Code, CheckStatus as Status, *};
use crate::{
    access,
    acl::{AclOperation as Op, ResourceType},
    pair::{Mechanism, NamingPolicy, PairMode},
    reading::Observed,
    samples::{self, FORWARD, allow, at, group, known, strings, topics},
    selection::Beyond,
    survey::{ConnectState, ConnectorObservation, ConnectorRole, OpenTransaction, RightHeld, Survey},
};

/// Everything the checks see; all is well in it.
struct World {
    pair: Pair,
    clusters: BySide<Cluster>,
    survey: Survey,
    previous: Option<Survey>,
    age: i64,
}

impl World {
    fn well() -> Self {
        let mut pair = samples::pair();
        pair.canary_topic = Some("orders.canary".to_owned());
        let mut previous = samples::survey();
        topics(&mut previous, Side::A).insert("orders".to_owned(), samples::topic(90));
        topics(&mut previous, Side::B).insert("orders".to_owned(), samples::topic(90));
        Self {
            pair,
            clusters: samples::clusters(),
            survey: samples::survey(),
            previous: Some(previous),
            age: 5,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> BTreeMap<Code, CheckResult> {
        let mut world = Self::well();
        change(&mut world);
        let now = at(world.age);
        let results = evaluate(&world.pair, &world.clusters, &world.survey, world.previous.as_ref(), now);
        let count = results.len();
        let by_code: BTreeMap<Code, CheckResult> = results.into_iter().map(|r| (r.code, r)).collect();
        assert_eq!((count, by_code.len()), (24, 24), "every check is answered once");
        by_code
    }

    fn connector(&mut self, flow: usize, role: ConnectorRole) -> &mut ConnectorObservation {
        known(self.survey.flows[flow].connectors.get_mut(&role).expect("in the sample"))
    }

    fn side(&mut self, side: Side) -> &mut crate::survey::SideObservation {
        self.survey.sides.get_mut(side)
    }
}

/// Checks that are neither ok nor without concern, with how they came out.
fn not_ok(results: &BTreeMap<Code, CheckResult>) -> Vec<(Code, Status)> {
    let bad = results.values().filter(|r| !matches!(r.status, Status::Ok | Status::NotApplicable));
    bad.map(|r| (r.code, r.status)).collect()
}

#[test]
fn all_is_well_where_all_is_well() {
    let results = World::with(|_| {});
    assert_eq!(not_ok(&results), []);
    let all: Vec<CheckResult> = results.into_values().collect();
    assert_eq!((overall(&all), overall(&[])), (Status::Ok, Status::Unknown));
}

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
fn a_group_that_reads_nothing_of_the_pair_on_the_active_side_blocks_no_sync() {
    let results = World::with(|w| {
        known(&mut w.side(Side::B).groups).insert("elsewhere".to_owned(), group(2, 5));
    });
    assert_eq!(results[&Code::StandbyGroupsActive].status, Status::Ok);
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

fn beyond(names: &[&str]) -> Beyond {
    Beyond { count: names.len(), first: names.iter().map(|name| (*name).to_owned()).collect() }
}

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
fn each_trouble_shows_in_its_own_check() {
    type Case = (fn(&mut World), Code, Status, &'static str);
    let cases: [Case; 20] = [
        (|w| w.age = 61, Code::SurveyFresh, Status::Unknown, "the last survey is 61 s old"),
        (
            |w| known(&mut w.side(Side::B).rights)[0].held = RightHeld::No { error: "no".to_owned() },
            Code::Rights,
            Status::Critical,
            "DESCRIBE on topics on `dr` is refused (no): without it no everything",
        ),
        (|w| w.clusters.b.probe = None, Code::ProbePrincipal, Status::Warning, "`dr` has no probe principal"),
        (
            |w| known(&mut w.survey.flows[0].worker).kafka_cluster_id = "id-primary".to_owned(),
            Code::ConnectWorker,
            Status::Critical,
            "the worker of primary → dr is attached to cluster id-primary, not to `dr`",
        ),
        (
            |w| w.connector(0, ConnectorRole::Source).tasks.clear(),
            Code::FlowConnectors,
            Status::Critical,
            "`source` says RUNNING but has no task",
        ),
        (
            |w| w.connector(0, ConnectorRole::Source).given_tasks = Some(3),
            Code::FlowConnectors,
            Status::Critical,
            "task 1 of `source` is not there: it has a status of 1 of 3 tasks",
        ),
        (
            |w| drop(topics(&mut w.survey, Side::B).insert("orders".to_owned(), samples::topic(90))),
            Code::FlowMoving,
            Status::Critical,
            "10 records were written to `primary` since the last survey and none arrived",
        ),
        (
            |w| known(&mut w.survey.flows[1].beyond).clone_from(&beyond(&["legacy"])),
            Code::FlowScope,
            Status::Critical,
            "dr → primary also carries `legacy`",
        ),
        (
            |w| drop(w.connector(0, ConnectorRole::Source).config.remove("value.converter")),
            Code::Converters,
            Status::Warning,
            "value.converter of `source` is the worker's own, which cannot be seen",
        ),
        (
            |w| {
                let json = "org.apache.kafka.connect.json.JsonConverter".to_owned();
                w.connector(0, ConnectorRole::Source).config.insert("value.converter".to_owned(), json);
            },
            Code::Converters,
            Status::Critical,
            "value.converter of `source` is org.apache.kafka.connect.json.JsonConverter",
        ),
        (
            |w| drop(w.connector(0, ConnectorRole::Checkpoint).config.remove("sync.group.offsets.enabled")),
            Code::OffsetSyncSettings,
            Status::Warning,
            "sync.group.offsets.enabled of `checkpoint` is not true",
        ),
        (|w| w.pair.canary_topic = None, Code::Canary, Status::Warning, "the pair has no canary topic"),
        (
            |w| drop(topics(&mut w.survey, Side::A).insert("orders.late".to_owned(), samples::topic(1))),
            Code::StandbyTopics,
            Status::Critical,
            "`orders.late` is missing on `dr`",
        ),
        (
            |w| {
                let topic = topics(&mut w.survey, Side::B).get_mut("orders").expect("in the sample");
                Arc::make_mut(known(&mut topic.configs)).remove("retention.ms");
            },
            Code::StandbyConfigs,
            Status::Warning,
            "retention.ms of `orders` is 604800000 here and unset there",
        ),
        (
            |w| {
                let topic = topics(&mut w.survey, Side::B).get_mut("orders").expect("in the sample");
                topic.partitions[0].in_sync = 1;
            },
            Code::StandbyDurability,
            Status::Warning,
            "`orders`-0 has too few replicas in sync",
        ),
        (
            |w| {
                known(&mut w.side(Side::A).groups).insert("billing".to_owned(), group(1, 5));
                known(&mut w.side(Side::B).groups).insert("billing".to_owned(), group(2, 5));
            },
            Code::StandbyGroupsActive,
            Status::Critical,
            "`billing` has 2 members there, so MirrorMaker 2 silently skips its offsets",
        ),
        (
            |w| drop(known(&mut w.side(Side::B).groups).insert("billing".to_owned(), group(0, 101))),
            Code::StandbyOffsetsStale,
            Status::Critical,
            "`billing` stands at 101 of orders-0, which ends at 100",
        ),
        (
            |w| {
                let fence = crate::access::fence_bindings(&["orders".to_owned()]);
                known(&mut w.side(Side::A).acls).bindings.extend(fence);
            },
            Code::WritesOpen,
            Status::Critical,
            "`orders` on `primary` denies WRITE to everybody",
        ),
        (
            |w| {
                known(&mut w.side(Side::A).groups).insert("billing".to_owned(), group(1, 5));
                let fence = crate::access::consumer_fence_bindings(&[], &["billing".to_owned()]);
                known(&mut w.side(Side::A).acls).bindings.extend(fence);
            },
            Code::WritesOpen,
            Status::Critical,
            "group `billing` on `primary` denies READ to everybody",
        ),
        (
            |w| {
                known(&mut w.side(Side::A).transactions).push(OpenTransaction {
                    transactional_id: "tx".to_owned(),
                    producer_id: 1,
                    state: "Ongoing".to_owned(),
                    began_at: Some(at(-600)),
                    partitions: Vec::new(),
                });
            },
            Code::HungTransactions,
            Status::Warning,
            "`tx` is open for 10 min on `primary`",
        ),
    ];
    for (change, code, status, reason) in cases {
        let results = World::with(change);
        let result = &results[&code];
        assert_eq!((result.status, result.reason.as_str()), (status, reason), "{code:?}");
        assert_eq!(not_ok(&results), [(code, status)], "{code:?}");
    }
}

/// The only partition of `orders` on a side, to change.
fn of_orders(survey: &mut Survey, side: Side) -> &mut crate::survey::PartitionObservation {
    &mut topics(survey, side).get_mut("orders").expect("in the sample").partitions[0]
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
fn a_copy_with_a_replica_behind_is_worse_than_its_source_though_enough_are_in_sync() {
    let with = |in_sync, configs_known: bool| {
        World::with(|w| {
            of_orders(&mut w.survey, Side::B).in_sync = in_sync;
            if !configs_known {
                let topic = topics(&mut w.survey, Side::B).get_mut("orders").expect("in the sample");
                topic.configs = Observed::unknown("refused", at(0));
            }
        })
        .remove(&Code::StandbyDurability)
        .expect("answered")
    };
    let behind = with(2, true);
    let said = "`orders`-0 has 2 of 3 replicas in sync there";
    assert_eq!((behind.status, behind.reason.as_str()), (Status::Warning, said));
    let also_unread = with(2, false);
    let both = "`orders`-0 has 2 of 3 replicas in sync there; configs of `orders`: refused";
    assert_eq!((also_unread.status, also_unread.reason.as_str()), (Status::Warning, both));
}

#[test]
fn brokers_that_do_not_tell_how_many_have_to_be_in_sync_block_no_plan() {
    let with = |in_sync| {
        let results = World::with(|w| {
            for side in Side::BOTH {
                let topic = topics(&mut w.survey, side).get_mut("orders").expect("in the sample");
                Arc::make_mut(known(&mut topic.configs)).remove("min.insync.replicas");
            }
            of_orders(&mut w.survey, Side::B).in_sync = in_sync;
        });
        assert_eq!(not_ok(&results), [(Code::StandbyDurability, Status::Warning)]);
        results[&Code::StandbyDurability].clone()
    };
    let untold = "min.insync.replicas of `orders` was not told";
    let well = with(3);
    assert_eq!(well.reason, untold);
    assert!(well.next_step.contains("do not tell"), "{}", well.next_step);
    let behind = with(1);
    assert_eq!(behind.reason, format!("`orders`-0 has 1 of 3 replicas in sync there; {untold}"));
    assert!(behind.next_step.contains("out of sync"), "{}", behind.next_step);
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

#[test]
fn who_may_write_to_the_standby_is_named_unless_everybody_is_denied() {
    let write = |who: &str| allow(Op::Write, ResourceType::Topic, "orders", who);
    let here = |w: &mut World| {
        known(&mut w.side(FORWARD.from).acls).bindings.insert(allow(
            Op::Write,
            ResourceType::Topic,
            "orders",
            "User:shop",
        ));
    };
    let open = World::with(|w| {
        here(w);
        known(&mut w.side(FORWARD.to()).acls).bindings.insert(write("User:shop"));
    });
    let fenced = &open[&Code::StandbyFenced];
    assert_eq!((fenced.status, fenced.reason.as_str()), (Status::Warning, "User:shop may write to `dr` now"));
    let denied = World::with(|w| {
        here(w);
        let bindings = &mut known(&mut w.side(FORWARD.to()).acls).bindings;
        bindings.insert(write("User:shop"));
        bindings.extend(access::fence_bindings(&strings(&["orders"])));
    });
    assert_eq!(denied[&Code::StandbyFenced].status, Status::Ok);
}

#[test]
fn a_grant_for_reading_that_the_standby_lacks_is_named() {
    let read = allow(Op::Read, ResourceType::Topic, "orders", "User:billing");
    let results = World::with(|w| {
        known(&mut w.side(FORWARD.from).acls).bindings.insert(read.clone());
    });
    let grants = &results[&Code::StandbyGrants];
    assert_eq!((grants.status, grants.reason.as_str()), (Status::Warning, read.to_string().as_str()));
}

/// Bindings that are not there say nothing where nobody can ask for any.
#[test]
fn where_a_side_has_no_authorizer_no_check_of_who_may_do_what_is_ok() {
    let without = |side: Side| World::with(|w| known(&mut w.side(side).acls).authorizer = false);
    let told = |results: &BTreeMap<Code, CheckResult>, code: Code| {
        let result = &results[&code];
        (result.status, result.reason.clone())
    };
    let standby = without(FORWARD.to());
    assert_eq!(
        told(&standby, Code::Authorizer),
        (Status::Critical, "`dr` has no authorizer, so nothing can be fenced there".to_owned())
    );
    assert_eq!(
        told(&standby, Code::StandbyFenced),
        (Status::Warning, "whoever asks may write to `dr` now: it has no authorizer".to_owned())
    );
    let (status, reason) = told(&standby, Code::StandbyGrants);
    assert_eq!(status, Status::NotApplicable, "{reason}");
    let active = without(FORWARD.from);
    assert_eq!(
        told(&active, Code::Authorizer),
        (Status::Critical, "`primary` has no authorizer, so nothing can be fenced there".to_owned())
    );
    assert_eq!(
        told(&active, Code::StandbyGrants),
        (
            Status::Unknown,
            "`primary` has no authorizer, so nobody holds a grant there that could be compared with those on `dr`"
                .to_owned()
        )
    );
    assert_eq!(active[&Code::StandbyFenced].status, Status::Ok, "the standby has one");
}

/// Both flows copy under distinct names, each side has `orders` and the copy of the other's.
fn both_active(w: &mut World) {
    for flow in &mut w.pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint] {
        *w.connector(1, role) = samples::connector(role, ConnectState::Running);
    }
    let previous = w.previous.as_mut().expect("there is one");
    for (survey, end) in [(&mut w.survey, 100), (previous, 90)] {
        for (side, copy) in [(Side::A, "dr.orders"), (Side::B, "primary.orders")] {
            topics(survey, side).insert(copy.to_owned(), samples::topic(end));
        }
    }
}

#[test]
fn where_both_sides_are_active_each_direction_is_checked() {
    let results = World::with(|w| {
        both_active(w);
        w.pair.mode = PairMode::ActiveActive;
    });
    for code in [
        Code::ActiveSideKnown,
        Code::WritesOpen,
        Code::FlowConnectors,
        Code::FlowMoving,
        Code::OffsetSyncSettings,
        Code::StandbyTopics,
        Code::StandbyConfigs,
        Code::StandbyDurability,
        Code::StandbyGrants,
        Code::StandbyGroupsActive,
        Code::StandbyOffsetsStale,
    ] {
        assert_eq!(results[&code].status, Status::Ok, "{:?}", results[&code]);
    }
    assert_eq!(results[&Code::StandbyFenced].status, Status::NotApplicable);
}

#[test]
fn what_is_wrong_with_one_of_two_directions_is_told_with_it() {
    let results = World::with(|w| {
        both_active(w);
        // The way back writes on, and nothing of it arrives; what arrives on the other side hides it not.
        topics(&mut w.survey, Side::B).insert("orders".to_owned(), samples::topic(150));
        topics(&mut w.survey, Side::A).insert("dr.orders".to_owned(), samples::topic(90));
        w.connector(1, ConnectorRole::Checkpoint).tasks.clear();
    });
    let moving = &results[&Code::FlowMoving];
    let said = "dr → primary: 60 records were written to `dr` since the last survey and none arrived";
    assert_eq!((moving.status, moving.reason.as_str()), (Status::Critical, said));
    let connectors = &results[&Code::FlowConnectors];
    assert_eq!(connectors.status, Status::Critical);
    assert!(connectors.reason.starts_with("dr → primary: "), "{connectors:?}");
    assert_eq!(results[&Code::ActiveSideKnown].status, Status::Warning, "the pair is active_passive");
}

#[test]
fn a_group_at_work_on_both_sides_is_told_what_would_let_it_stay() {
    let at_work = |w: &mut World| {
        for side in Side::BOTH {
            known(&mut w.side(side).groups).insert("billing".to_owned(), group(1, 80));
        }
    };
    let next_step = |change: &dyn Fn(&mut World)| {
        let told = World::with(change).remove(&Code::StandbyGroupsActive).expect("answered");
        assert_eq!(told.status, Status::Critical, "{told:?}");
        told.next_step
    };
    let both = next_step(&|w: &mut World| {
        both_active(w);
        at_work(w);
    });
    let sides = ["dr", "primary"];
    let stay = sides.map(|side| format!("Let them read the copies on {side}, too, or stop them there."));
    assert_eq!(both, stay.join(" "), "as the differences say");
    assert_eq!(next_step(&at_work), "Stop these consumers on dr.");
}

#[test]
fn under_one_name_on_both_sides_two_flows_tell_no_active_side() {
    let results = World::with(|w| {
        both_active(w);
        w.pair.flows[1].naming = NamingPolicy::Identity;
    });
    assert_eq!(results[&Code::ActiveSideKnown].status, Status::Unknown);
    assert_eq!(results[&Code::StandbyTopics].status, Status::Unknown);
}
