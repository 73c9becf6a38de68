//! One survey of payments.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    group::{GroupMember, GroupState, GroupType},
    lag::Rpo,
    pair::{BySide, Direction, Side},
    quota::{ClientQuota, ScramUsers},
    reading::{Observed, Reading, ReadingClass},
    selection::Beyond,
    survey::{
        AclObservation, BrokerSettings, CommittedSourceOffsets, ConnectState, ConnectorObservation,
        ConnectorRole, FlowObservation, GroupObservation, NewestPairs, PartitionObservation, SideObservation,
        Survey, TaskObservation, TopicObservation, UnreadableSyncs, WorkerObservation,
    },
    topic::{ConfigEntry, ConfigSource, TopicPartition},
};
use uuid::Uuid;

use super::{
    ago,
    night::{description, pair_name, rights},
};
use crate::pair::TopicLag;

const TOPICS: [(&str, usize, i64, i64, ReadingClass); 8] = [
    ("payments.authorisations", 48, 3410, 4200, ReadingClass::Tight),
    ("payments.captures", 24, 1624, 4000, ReadingClass::Tight),
    ("payments.ledger-entries", 24, 1240, 3200, ReadingClass::Exact),
    ("payments.settlement.v2", 12, 140, 3200, ReadingClass::Tight),
    ("payments.risk-scores", 24, 1516, 4100, ReadingClass::LowerBound),
    ("payments.refunds", 12, 30, 1400, ReadingClass::Tight),
    ("payments.chargebacks", 6, 0, 0, ReadingClass::Exact),
    ("payments.card-tokens", 12, 60, 2000, ReadingClass::LowerBound),
];

/// Lag by topic.
pub(super) fn lag() -> BTreeMap<String, TopicLag> {
    TOPICS
        .into_iter()
        .map(|(name, _, records, ms, class)| {
            let rpo = |records| Rpo {
                records_at_least: Some(if class == ReadingClass::Exact { records } else { 0 }),
                records_at_most: Some(records + 45),
                ms_at_most: Some(ms + 5_000),
                reason: String::new(),
                unseen: None,
            };
            let reading = |value| Reading::new(value, class, ago(2), "");
            (name.to_owned(), TopicLag { records: reading(records), ms: reading(ms), lost: rpo(records) })
        })
        .collect()
}

fn topic(partitions: usize, end: i64, retention: &str) -> TopicObservation {
    let partition = PartitionObservation {
        start: Some(0),
        end: Some(end),
        stable: Some(end),
        replicas: 3,
        in_sync: 3,
        ..PartitionObservation::default()
    };
    let retention = ConfigEntry { value: Some(retention.to_owned()), source: ConfigSource::Topic };
    TopicObservation {
        id: Some(Uuid::from_u128(partitions as u128)),
        partitions: vec![partition; partitions],
        configs: Observed::known(Arc::new(BTreeMap::from([("retention.ms".to_owned(), retention)])), ago(40)),
    }
}

fn group(members: usize, topic: &str, partitions: i32, offset: i64) -> GroupObservation {
    let member = |n: usize| GroupMember {
        member_id: format!("m-{n}"),
        group_instance_id: None,
        client_id: format!("consumer-{n}"),
        client_host: format!("/10.42.3.{n}"),
        assignment: Vec::new(),
    };
    GroupObservation {
        kind: GroupType::Classic,
        state: if members == 0 { GroupState::Empty } else { GroupState::Stable },
        members: (0..members).map(member).collect(),
        offsets: (0..partitions).map(|p| (TopicPartition::new(topic, p), offset)).collect(),
    }
}

fn side(name: &str, id: &str, here: bool) -> SideObservation {
    let end = if here { 41_882_306 } else { 41_880_000 };
    let topics = TOPICS.into_iter().map(|(name, partitions, ..)| {
        let retention = if name == "payments.settlement.v2" && !here { "259200000" } else { "604800000" };
        (name.to_owned(), topic(partitions, end, retention))
    });
    let members = |n: usize| if here { n } else { 0 };
    let mut groups = BTreeMap::from([
        ("auth-router".to_owned(), group(members(18), "payments.authorisations", 48, end - 4)),
        ("capture-writer".to_owned(), group(members(12), "payments.captures", 24, end - 3)),
        ("ledger-sink".to_owned(), group(members(12), "payments.ledger-entries", 24, end - 1)),
        ("settlement-engine".to_owned(), group(members(6), "payments.settlement.v2", 12, end)),
        ("receipt-mailer".to_owned(), group(members(4), "payments.refunds", 12, end)),
        ("fraud-scorer".to_owned(), group(if here { 24 } else { 1 }, "payments.risk-scores", 24, end - 2004)),
    ]);
    if here {
        groups.insert("chargeback-archive".to_owned(), group(0, "payments.chargebacks", 0, 0));
    }
    let resource = (ResourceType::Topic, PatternType::Prefixed, "payments.");
    let acl =
        |n| AclBinding::new(AclPermission::Allow, AclOperation::Write, resource, &format!("User:app-{n}"));
    SideObservation {
        cluster: Observed::known(description(name, id, 9), ago(2)),
        topics: Observed::known(topics.collect(), ago(2)),
        groups: Observed::known(groups, ago(2)),
        acls: Observed::known(
            AclObservation {
                authorizer: true,
                bindings: (0..61).map(acl).collect(),
                disputed: BTreeSet::new(),
            },
            ago(5),
        ),
        transactions: Observed::known(Vec::new(), ago(5)),
        rights: Observed::known(rights(), ago(5)),
        quotas: Observed::known(quotas(here), ago(5)),
        users: Observed::known(users(here), ago(5)),
        brokers: Observed::known(brokers(here), ago(40)),
    }
}

/// Transactions may take longer on eu-west.
fn brokers(here: bool) -> BrokerSettings {
    let settings = [
        ("auto.create.topics.enable", "false"),
        ("group.max.session.timeout.ms", "1800000"),
        ("group.min.session.timeout.ms", "6000"),
        ("message.max.bytes", "1048588"),
        ("offsets.retention.minutes", "10080"),
        ("transaction.max.timeout.ms", if here { "900000" } else { "300000" }),
    ];
    let entry =
        |value: &str| ConfigEntry { value: Some(value.to_owned()), source: ConfigSource::StaticBroker };
    let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), entry(value))).collect();
    BrokerSettings { broker: 1, settings, unanswered: None }
}

/// The batch loader is slowed down on eu-west only.
fn quotas(here: bool) -> Vec<ClientQuota> {
    let quota = ClientQuota {
        entity: BTreeMap::from([("user".to_owned(), Some("app-7".to_owned()))]),
        limits: BTreeMap::from([("producer_byte_rate".to_owned(), 10_485_760.0)]),
    };
    if here { vec![quota] } else { Vec::new() }
}

/// Two new applications have no password on eu-central yet.
fn users(here: bool) -> ScramUsers {
    let scram = BTreeSet::from(["SCRAM-SHA-512".to_owned()]);
    (0..if here { 61 } else { 59 }).map(|n| (format!("app-{n}"), scram.clone())).collect()
}

fn flow(from: Side, running: bool) -> FlowObservation {
    let state = if running { ConnectState::Running } else { ConnectState::Stopped };
    let connector = |what: &str, tasks: i32| {
        let task = |id| TaskObservation { id, state, trace: None };
        let given_tasks = Some(if running { tasks } else { 0 });
        let tasks = if running { (0..tasks).map(task).collect() } else { Vec::new() };
        let name = format!("payments-{}-{what}", if from == Side::A { "eu-west" } else { "eu-central" });
        let config = BTreeMap::new();
        Observed::known(
            ConnectorObservation { name, state, tasks, given_tasks, assigned: Vec::new(), config },
            ago(2),
        )
    };
    let worker = WorkerObservation { version: "4.1.0".to_owned(), kafka_cluster_id: "ec-core-1".to_owned() };
    FlowObservation {
        direction: Direction { from },
        worker: Observed::known(worker, ago(2)),
        shut_out: false,
        connectors: BTreeMap::from([
            (ConnectorRole::Source, connector("source", 12)),
            (ConnectorRole::Checkpoint, connector("checkpoint", 2)),
            (ConnectorRole::Heartbeat, connector("heartbeat", 1)),
        ]),
        committed: Observed::known(CommittedSourceOffsets::default(), ago(2)),
        newest_pairs: Observed::known(NewestPairs::default(), ago(2)),
        last_pairs: None,
        rewinds: BTreeMap::new(),
        unproven: BTreeMap::new(),
        of_another_log: BTreeMap::new(),
        beyond: Observed::known(Beyond::default(), ago(2)),
        unreadable_syncs: UnreadableSyncs::default(),
        writers: Observed::unknown("not looked at", ago(2)),
    }
}

/// The survey; without an answer from eu-west when `dark`.
pub(super) fn payments(dark: bool) -> Survey {
    let reason = "eu-west does not answer at any of 3 addresses within 2 s (connection refused)";
    Survey {
        pair: pair_name("payments"),
        number: 88_121,
        began_at: ago(2),
        took_ms: 412,
        brought_forward: false,
        sides: BySide {
            a: if dark {
                SideObservation::unreachable(reason, ago(2))
            } else {
                side("eu-west", "ew-core-1", true)
            },
            b: side("eu-central", "ec-core-1", false),
        },
        flows: vec![flow(Side::A, true), flow(Side::B, false)],
    }
}

/// Both flows of payments copy, under prefixed names: each side has topics of its own, and the copies of the other's.
pub(super) fn both_active() -> Survey {
    let mut survey = payments(false);
    survey.sides.b = side("eu-central", "ec-core-1", true);
    for (seen, alias) in [(&mut survey.sides.a, "eu-central"), (&mut survey.sides.b, "eu-west")] {
        if let Observed::Known { value, .. } = &mut seen.topics {
            let copy =
                |(name, topic): (&String, &TopicObservation)| (format!("{alias}.{name}"), topic.clone());
            let copies: Vec<(String, TopicObservation)> = value.iter().map(copy).collect();
            value.extend(copies);
        }
    }
    survey.flows = vec![flow(Side::A, true), flow(Side::B, true)];
    survey
}
