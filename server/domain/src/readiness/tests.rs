//! The checks on surveys of a small pair in which all is well but for one thing: each trouble here, and what the files beside this one
//! share.

mod both;
mod flows;
mod standby;
mod unknown;

use std::{collections::BTreeMap, sync::Arc};

use super::{CheckCode as Code, CheckStatus as Status, *};
use crate::{
    pair::NamingPolicy,
    reading::Observed,
    samples::{self, at, group, known, topics},
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

fn beyond(names: &[&str]) -> Beyond {
    Beyond { count: names.len(), first: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// The only partition of `orders` on a side, to change.
fn of_orders(survey: &mut Survey, side: Side) -> &mut crate::survey::PartitionObservation {
    &mut topics(survey, side).get_mut("orders").expect("in the sample").partitions[0]
}

#[test]
fn all_is_well_where_all_is_well() {
    let results = World::with(|_| {});
    assert_eq!(not_ok(&results), []);
    let all: Vec<CheckResult> = results.into_values().collect();
    assert_eq!((overall(&all), overall(&[])), (Status::Ok, Status::Unknown));
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
