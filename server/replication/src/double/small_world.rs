//! A ready scenario: `eu-west` is active, `eu-central` stands by, three groups read, two applications write.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    cluster::{Cluster, ProbePrincipal, Sasl, Security},
    group::GroupType,
    ids::{ClusterName, PairName, TeamName},
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode,
        RoutingTarget, Side,
    },
    survey::ConnectState,
};
use muster_kafka::double::{ConsumerApp, EPOCH_MS, Producer, World};

use super::{memory::MemoryReplication, spec::FlowSpec};

/// Side A, active at the start.
const WEST: &str = "eu-west";
/// Side B.
const CENTRAL: &str = "eu-central";
/// Principals of the scenario beside the super user `User:muster`: applications, probe, flows.
pub const PRINCIPALS: [&str; 6] = [
    "User:app-orders",
    "User:app-clicks",
    "User:app-billing",
    "User:muster-probe",
    "User:mm2-west-to-central",
    "User:mm2-central-to-west",
];

/// The scenario.
#[derive(Debug, Clone)]
pub struct SmallWorld {
    /// The world.
    pub world: World,
    /// The pair `orders`: topics of orders and payments, identity naming; A = `eu-west`, B = `eu-central`.
    pub pair: Pair,
    /// The pair `clicks`: `clicks.page` with prefixed naming, A→B RUNNING, B→A STOPPED.
    pub prefixed_pair: Pair,
    /// The two clusters.
    pub clusters: BySide<Cluster>,
    /// Flow A→B of `orders`, RUNNING.
    pub west_to_central: MemoryReplication,
    /// Flow B→A of `orders`, STOPPED.
    pub central_to_west: MemoryReplication,
    /// Flows of `clicks` from A and from B.
    pub clicks: BySide<MemoryReplication>,
}

impl SmallWorld {
    /// The flow of `orders` that copies from a side.
    #[must_use]
    pub fn flow(&self, direction: Direction) -> &MemoryReplication {
        match direction.from {
            Side::A => &self.west_to_central,
            Side::B => &self.central_to_west,
        }
    }

    /// The simulated clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        at(self.world.lock().cluster(WEST).now_ms())
    }
}

/// Builds it and lets it run for 60 ticks, so that there are records, pairs, group offsets on both sides.
#[must_use]
pub fn small_world() -> SmallWorld {
    let world = World::new(&[WEST, CENTRAL]);
    make_topics(&world);
    make_acls(&world);
    world.point_producers(WEST);
    world.point_consumers(WEST);
    world.ticks(5);
    world.add_actor(
        Producer::new("orders", "User:app-orders", &["orders.placed", "orders.shipped"]).paced(2, u64::MAX),
    );
    world.add_actor(Producer::new("payments", "User:app-orders", &["payments.captured"]).paced(3, u64::MAX));
    world.add_actor(
        Producer::new("clicks", "User:app-clicks", &["clicks.page"]).paced(4, u64::MAX).pinned(WEST),
    );
    let shop = ["orders.placed", "orders.shipped", "payments.captured"];
    let reader = "User:app-billing";
    world.add_actor(ConsumerApp::new("billing", GroupType::Classic, reader, &shop));
    world.add_actor(ConsumerApp::new("shipping", GroupType::Consumer, reader, &shop[..2]));
    world.add_actor(ConsumerApp::new("fraud", GroupType::Classic, reader, &shop[2..]).paced(10, 1));

    let identity = NamingPolicy::Identity;
    let prefixed = NamingPolicy::Prefixed { separator: ".".to_owned() };
    let (from_west, from_central) = (Direction { from: Side::A }, Direction { from: Side::B });
    let flow = |direction, name: &str, naming: &NamingPolicy, topics: &str, state| {
        MemoryReplication::new(&world, direction, spec(direction, name, naming, topics), state)
    };
    let (running, stopped) = (ConnectState::Running, ConnectState::Stopped);
    let shop_topics = r"orders\..*,payments\..*";
    let west_to_central = flow(from_west, "orders-west-to-central", &identity, shop_topics, running);
    let central_to_west = flow(from_central, "orders-central-to-west", &identity, shop_topics, stopped);
    let clicks = BySide {
        a: flow(from_west, "clicks-west-to-central", &prefixed, r"clicks\..*", running),
        b: flow(from_central, "clicks-central-to-west", &prefixed, r"clicks\..*", stopped),
    };
    world.ticks(60);
    SmallWorld {
        pair: pair("orders", PairMode::ActivePassive, &[r"orders\..*", r"payments\..*"], &identity),
        prefixed_pair: pair("clicks", PairMode::ActiveActive, &[r"clicks\..*"], &prefixed),
        clusters: BySide { a: cluster(WEST), b: cluster(CENTRAL) },
        world,
        west_to_central,
        central_to_west,
        clicks,
    }
}

fn make_topics(world: &World) {
    let mut state = world.lock();
    for name in [WEST, CENTRAL] {
        let cluster = state.cluster_mut(name);
        for (topic, partitions) in
            [("orders.placed", 3), ("orders.shipped", 2), ("payments.captured", 2), ("clicks.page", 3)]
        {
            cluster.create_topic(topic, partitions).expect("a new cluster has no topics");
        }
        cluster.authorizer.add_super_user("User:muster");
    }
    state.ledger.separate.insert("clicks.page".to_owned());
}

fn make_acls(world: &World) {
    let mut state = world.lock();
    let now = state.tick;
    let allow = |operation, resource, principal: &str| {
        AclBinding::new(AclPermission::Allow, operation, resource, principal)
    };
    let topics = |prefix| (ResourceType::Topic, PatternType::Prefixed, prefix);
    let everything = |resource| (resource, PatternType::Literal, "*");
    for side in [WEST, CENTRAL] {
        let acls = &mut state.cluster_mut(side).authorizer;
        for prefix in ["orders.", "payments."] {
            // Only the active side lets the application write. The probe may on both: a DENY for everybody is proven
            // by its refusal only where it was let in before (mm2-verified, correction 12).
            if side == WEST {
                acls.create(allow(AclOperation::Write, topics(prefix), "User:app-orders"), now);
            }
            acls.create(allow(AclOperation::Write, topics(prefix), "User:muster-probe"), now);
            acls.create(allow(AclOperation::Read, topics(prefix), "User:app-billing"), now);
        }
        acls.create(allow(AclOperation::Write, topics("clicks."), "User:app-clicks"), now);
        for group in ["billing", "shipping", "fraud"] {
            let group = (ResourceType::Group, PatternType::Literal, group);
            acls.create(allow(AclOperation::Read, group, "User:app-billing"), now);
        }
        for principal in ["User:mm2-west-to-central", "User:mm2-central-to-west"] {
            for resource in [ResourceType::Topic, ResourceType::Group, ResourceType::Cluster] {
                acls.create(allow(AclOperation::All, everything(resource), principal), now);
            }
        }
    }
}

fn spec(direction: Direction, name: &str, naming: &NamingPolicy, topics: &str) -> FlowSpec {
    let (source, target, principal) = match direction.from {
        Side::A => (WEST, CENTRAL, "User:mm2-west-to-central"),
        Side::B => (CENTRAL, WEST, "User:mm2-central-to-west"),
    };
    FlowSpec {
        name: name.to_owned(),
        source: source.to_owned(),
        target: target.to_owned(),
        source_alias: source.to_owned(),
        target_alias: target.to_owned(),
        naming: naming.clone(),
        principal: principal.to_owned(),
        topics: topics.to_owned(),
        groups: ".*".to_owned(),
        exactly_once: true,
    }
}

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).expect("the simulated clock stays in range")
}

fn cluster(name: &str) -> Cluster {
    Cluster {
        name: ClusterName::new(name).expect("a usable name"),
        bootstrap: vec![format!("{name}-1.example:9092"), format!("{name}-2.example:9092")],
        security: Security { tls: None, sasl: Some(Sasl::ScramSha512 { username: "muster".to_owned() }) },
        probe: Some(ProbePrincipal { username: "muster-probe".to_owned() }),
        expected_cluster_id: Some(format!("id-of-{name}")),
        region: name.to_owned(),
        version: 1,
        updated_at: at(EPOCH_MS),
    }
}

fn pair(name: &str, mode: PairMode, topics: &[&str], naming: &NamingPolicy) -> Pair {
    let flow = |from: Side| {
        let direction = Direction { from };
        let (source, target, base) = match from {
            Side::A => (WEST, CENTRAL, "west-to-central"),
            Side::B => (CENTRAL, WEST, "central-to-west"),
        };
        Flow {
            direction,
            mechanism: Mechanism::Mm2OnConnect {
                connect_url: format!("http://connect.{target}.example:8083"),
                source_connector: format!("{name}-{base}-source"),
                checkpoint_connector: Some(format!("{name}-{base}-checkpoint")),
                heartbeat_connector: Some(format!("{name}-{base}-heartbeat")),
            },
            source_alias: source.to_owned(),
            target_alias: target.to_owned(),
            naming: naming.clone(),
            enabled: true,
        }
    };
    let cluster = |name| ClusterName::new(name).expect("a usable name");
    Pair {
        name: PairName::new(name).expect("a usable name"),
        team: TeamName::new("core-platform").expect("a usable name"),
        clusters: BySide { a: cluster(WEST), b: cluster(CENTRAL) },
        mode,
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        topics_exclude: Vec::new(),
        groups: vec![".*".to_owned()],
        groups_exclude: Vec::new(),
        flows: vec![flow(Side::A), flow(Side::B)],
        objectives: Objectives { rpo_seconds: 60, rto_seconds: 600, verify_within_days: 90 },
        approval: ApprovalRule::new(1, 60, 60),
        routing: vec![RoutingTarget::AddressBook { path: "/var/lib/muster/routing/orders.json".to_owned() }],
        canary_topic: None,
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::new(),
        version: 1,
        updated_at: at(EPOCH_MS),
    }
}
