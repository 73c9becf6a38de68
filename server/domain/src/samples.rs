//! A pair, clusters and surveys for the tests of the rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{prop_oneof, strategy::Strategy};
use uuid::Uuid;

use crate::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    cluster::{Broker, Cluster, ClusterDescription, ProbePrincipal, Security},
    group::{GroupMember, GroupState, GroupType},
    ids::{ClusterName, PairName, TeamName},
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode, Side,
    },
    reading::Observed,
    record::{Person, Run, RunStep},
    run::{Operation, Phase, RunState, StepState},
    selection::Beyond,
    survey::{
        AclObservation, BrokerSettings, CommittedSourceOffsets, ConnectState, ConnectorObservation,
        ConnectorRole, FlowObservation, GroupObservation, NewestPairs, OffsetPair, PartitionObservation,
        RightHeld, RightObservation, SideObservation, Survey, TaskObservation, TopicObservation,
        UnreadableSyncs, WorkerObservation, WritersObservation,
    },
    topic::{ConfigEntry, ConfigSource, TopicPartition},
};

pub(crate) const FORWARD: Direction = Direction { from: Side::A };

/// A fixed time, and so many seconds after it.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000, 0).expect("in range") + TimeDelta::seconds(seconds)
}

/// How many random cases the properties of translation are tried on: a few seconds' worth, other ones each time. After a change
/// of the rules run many more, optimised: `PROPTEST_CASES=2000000 cargo test --release -p muster-domain translation`.
pub(crate) fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.map_or(20_000, |cases| cases.parse().expect("PROPTEST_CASES is a number"))
}

/// Offsets that others may write: small ones, the highest there are, and what lies around the limits of decoders.
pub(crate) fn extreme() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0_i64..50,
        1 => (0_i64..3).prop_map(|below| i64::MAX - below),
        1 => (-2_i64..3).prop_map(|around| i64::MAX / 2 + around),
        1 => 0..=i64::MAX,
    ]
}

pub(crate) fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `primary` and `dr`, identity names, MirrorMaker 2 on Connect both ways.
pub(crate) fn pair() -> Pair {
    let flow = |from: Side, source: &str, target: &str| Flow {
        direction: Direction { from },
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: "http://connect:8083".to_owned(),
            source_connector: "source".to_owned(),
            checkpoint_connector: Some("checkpoint".to_owned()),
            heartbeat_connector: None,
        },
        source_alias: source.to_owned(),
        target_alias: target.to_owned(),
        naming: NamingPolicy::Identity,
        enabled: from == Side::A,
    };
    Pair {
        name: PairName::new("payments").expect("good"),
        team: TeamName::new("core").expect("good"),
        clusters: BySide { a: cluster_name("primary"), b: cluster_name("dr") },
        mode: PairMode::ActivePassive,
        topics: strings(&["orders.*", "payments.*"]),
        topics_exclude: Vec::new(),
        groups: strings(&[".*"]),
        groups_exclude: Vec::new(),
        flows: vec![flow(Side::A, "primary", "dr"), flow(Side::B, "dr", "primary")],
        objectives: Objectives { rpo_seconds: 30, rto_seconds: 300, verify_within_days: 90 },
        approval: ApprovalRule::new(1, 60, 60),
        routing: Vec::new(),
        canary_topic: None,
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::new(),
        version: 1,
        updated_at: at(0),
    }
}

fn cluster_name(name: &str) -> ClusterName {
    ClusterName::new(name).expect("good")
}

pub(crate) fn clusters() -> BySide<Cluster> {
    let cluster = |name: &str| Cluster {
        name: cluster_name(name),
        bootstrap: vec![format!("{name}:9092")],
        security: Security::PLAINTEXT,
        probe: Some(ProbePrincipal { username: "probe".to_owned() }),
        expected_cluster_id: Some(format!("id-{name}")),
        region: String::new(),
        version: 1,
        updated_at: at(0),
    };
    BySide { a: cluster("primary"), b: cluster("dr") }
}

pub(crate) fn allow(operation: AclOperation, resource: ResourceType, name: &str, who: &str) -> AclBinding {
    AclBinding::new(AclPermission::Allow, operation, (resource, PatternType::Literal, name), who)
}

/// One topic `orders` with one partition from 0 to `end`.
pub(crate) fn topic(end: i64) -> TopicObservation {
    let partition = PartitionObservation {
        start: Some(0),
        end: Some(end),
        stable: Some(end),
        replicas: 3,
        in_sync: 3,
        ..PartitionObservation::default()
    };
    let config = |value: &str| ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::Default };
    let configs = BTreeMap::from([
        ("retention.ms".to_owned(), config("604800000")),
        ("min.insync.replicas".to_owned(), config("2")),
        ("cleanup.policy".to_owned(), config("delete")),
    ]);
    TopicObservation {
        id: None,
        partitions: vec![partition],
        configs: Observed::known(Arc::new(configs), at(0)),
    }
}

fn side(name: &str, end: i64) -> SideObservation {
    let now = at(0);
    let broker = Broker { id: 1, host: name.to_owned(), port: 9092, rack: None };
    let cluster =
        ClusterDescription { cluster_id: format!("id-{name}"), controller: Some(1), brokers: vec![broker] };
    let rights = vec![RightObservation {
        right: "DESCRIBE on topics".to_owned(),
        needed_for: "everything".to_owned(),
        held: RightHeld::Yes,
    }];
    SideObservation {
        cluster: Observed::known(cluster, now),
        topics: Observed::known(BTreeMap::from([("orders".to_owned(), topic(end))]), now),
        groups: Observed::known(BTreeMap::new(), now),
        acls: Observed::known(
            AclObservation { authorizer: true, bindings: BTreeSet::new(), disputed: BTreeSet::new() },
            now,
        ),
        transactions: Observed::known(Vec::new(), now),
        rights: Observed::known(rights, now),
        quotas: Observed::known(Vec::new(), now),
        users: Observed::known(BTreeMap::new(), now),
        brokers: Observed::known(brokers(), now),
    }
}

/// As Kafka is set when nobody sets it.
fn brokers() -> BrokerSettings {
    let settings = [
        ("auto.create.topics.enable", "true"),
        ("group.max.session.timeout.ms", "1800000"),
        ("group.min.session.timeout.ms", "6000"),
        ("message.max.bytes", "1048588"),
        ("offsets.retention.minutes", "10080"),
        ("transaction.max.timeout.ms", "900000"),
    ];
    let entry = |value: &str| ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::Default };
    let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), entry(value))).collect();
    BrokerSettings { broker: 1, settings, unanswered: None }
}

pub(crate) fn connector(role: ConnectorRole, state: ConnectState) -> ConnectorObservation {
    let running = state == ConnectState::Running;
    let task = TaskObservation { id: 0, state, trace: None };
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let config: &[(&str, &str)] = match role {
        ConnectorRole::Source => &[
            ("key.converter", bytes),
            ("value.converter", bytes),
            ("header.converter", bytes),
            ("topics", "orders.*,payments.*"),
            ("offset-syncs.topic.location", "target"),
            ("replication.policy.class", "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"),
        ],
        ConnectorRole::Checkpoint => &[
            ("topics", "orders.*,payments.*"),
            ("groups", ".*"),
            ("offset-syncs.topic.location", "target"),
            ("sync.group.offsets.enabled", "true"),
            ("sync.group.offsets.interval.seconds", "5"),
            ("emit.checkpoints.interval.seconds", "5"),
            ("refresh.groups.interval.seconds", "10"),
            ("replication.policy.class", "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"),
        ],
        ConnectorRole::Heartbeat => &[],
    };
    ConnectorObservation {
        name: role.to_string(),
        state,
        tasks: if running { vec![task] } else { Vec::new() },
        given_tasks: Some(i32::from(running)),
        assigned: Vec::new(),
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn flow(from: Side, target: &str, state: ConnectState, copied: i64) -> FlowObservation {
    let now = at(0);
    let orders = TopicPartition::new("orders", 0);
    let connectors = [ConnectorRole::Source, ConnectorRole::Checkpoint]
        .map(|role| (role, Observed::known(connector(role, state), now)));
    let worker = WorkerObservation { version: "4.3.1".to_owned(), kafka_cluster_id: format!("id-{target}") };
    let committed = CommittedSourceOffsets {
        offsets: BTreeMap::from([(orders.clone(), copied - 1)]),
        foreign: Vec::new(),
    };
    let newest = OffsetPair { upstream: copied - 1, downstream: copied - 1 };
    FlowObservation {
        direction: Direction { from },
        worker: Observed::known(worker, now),
        shut_out: false,
        connectors: BTreeMap::from(connectors),
        committed: Observed::known(committed, now),
        newest_pairs: Observed::known(NewestPairs(BTreeMap::from([(orders, newest)])), now),
        last_pairs: None,
        rewinds: BTreeMap::new(),
        of_another_log: BTreeMap::new(),
        unproven: BTreeMap::new(),
        beyond: Observed::known(Beyond::default(), now),
        unreadable_syncs: UnreadableSyncs::default(),
        // Looked at, and nobody has a producer id there: tasks that write without transactions have none.
        writers: Observed::known(
            WritersObservation {
                partitions: BTreeMap::from([(TopicPartition::new("orders", 0), Vec::new())]),
                ..WritersObservation::default()
            },
            now,
        ),
    }
}

/// All well: `orders` has 100 records, all of them on both sides; records flow from A.
pub(crate) fn survey() -> Survey {
    Survey {
        pair: PairName::new("payments").expect("good"),
        number: 2,
        began_at: at(0),
        took_ms: 100,
        brought_forward: false,
        sides: BySide { a: side("primary", 100), b: side("dr", 100) },
        flows: vec![
            flow(Side::A, "dr", ConnectState::Running, 100),
            flow(Side::B, "primary", ConnectState::Stopped, 0),
        ],
    }
}

/// The topics of a side, to change.
pub(crate) fn topics(survey: &mut Survey, side: Side) -> &mut BTreeMap<String, TopicObservation> {
    known(&mut survey.sides.get_mut(side).topics)
}

/// A known value, to change.
pub(crate) fn known<T>(observed: &mut Observed<T>) -> &mut T {
    match observed {
        Observed::Known { value, .. } => value,
        Observed::Unknown { reason, .. } => panic!("unknown: {reason}"),
    }
}

pub(crate) fn group(members: usize, offset: i64) -> GroupObservation {
    let member = |n: usize| GroupMember {
        member_id: n.to_string(),
        group_instance_id: None,
        client_id: "app".to_owned(),
        client_host: "/10.0.0.7".to_owned(),
        assignment: Vec::new(),
    };
    GroupObservation {
        kind: GroupType::Classic,
        state: if members == 0 { GroupState::Empty } else { GroupState::Stable },
        members: (0..members).map(member).collect(),
        offsets: BTreeMap::from([(TopicPartition::new("orders", 0), offset)]),
    }
}

/// A switchover that has been asked for.
pub(crate) fn run() -> Run {
    let otto = Person { id: Uuid::from_u128(1), name: "otto".to_owned() };
    Run {
        id: Uuid::from_u128(214),
        number: 214,
        plan: Uuid::from_u128(9),
        plan_hash: "hash".to_owned(),
        pair: pair().name,
        team: pair().team,
        operation: Operation::Switchover,
        direction: FORWARD,
        course: "primary → dr".to_owned(),
        drill: false,
        state: RunState::AwaitingApproval,
        state_reason: String::new(),
        requested_by: otto,
        reason: "brokers are slow".to_owned(),
        created_at: at(0),
        decide_by: at(600),
        use_by: None,
        approvals_needed: 1,
        approved_at: None,
        driver: None,
        started_at: None,
        no_return_at: None,
        ended_at: None,
        epoch: 0,
        outcome: None,
    }
}

/// A step that succeeded.
pub(crate) fn run_step(name: &str) -> RunStep {
    RunStep {
        position: 1,
        name: name.to_owned(),
        title: format!("Do {name}"),
        phase: Phase::Drain,
        after: Vec::new(),
        undoable: false,
        point_of_no_return: false,
        state: StepState::Succeeded,
        attempt: 1,
        started_at: None,
        ended_at: None,
        expected_ms: None,
        sentence: "so it was".to_owned(),
        evidence: serde_json::Value::Null,
        question: None,
    }
}
