//! Who may do what in the lab: users, topics and access rules of both clusters.

use std::collections::BTreeMap;

use crate::description::Direction;

/// The side that is active when the lab starts.
pub const EU_WEST: &str = "eu-west";
/// The side that is standby when the lab starts.
pub const EU_CENTRAL: &str = "eu-central";

/// Super user that brokers use among themselves.
pub(crate) const ADMIN: &str = "admin";
/// Super user of Muster's control plane.
pub(crate) const MUSTER: &str = "muster";
/// Principal of the workers' internal topics; never the one that writes replicated data.
pub(crate) const CONNECT: &str = "connect";
/// The producing application.
pub(crate) const APP_ORDERS: &str = "app-orders";
/// The consuming application.
pub(crate) const APP_BILLING: &str = "app-billing";
/// Ordinary principal of the zero-write fence probe.
const MUSTER_PROBE: &str = "muster-probe";

/// Consumer groups of the workload.
pub(crate) const GROUPS: [&str; 4] = ["billing", "shipping", "fraud", "audit-log"];

/// Name and partitions of every application and canary topic, the same on both clusters.
pub(crate) const TOPICS: [(&str, i32); 6] = [
    ("orders.placed", 3),
    ("orders.shipped", 2),
    ("payments.captured", 2),
    ("clicks.page", 3),
    ("muster.canary.orders", 1),
    ("muster.canary.clicks", 1),
];

/// Kind of resource that an access rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclResource {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// The cluster itself; its name is `kafka-cluster`.
    Cluster,
    /// A transactional id.
    TransactionalId,
}

/// One access rule for host `*`.
#[derive(Debug, Clone)]
pub struct Acl {
    /// `User:name` or `User:*`.
    pub principal: String,
    /// Kind of resource.
    pub resource: AclResource,
    /// Name of the resource, or the beginning of it when `prefixed`.
    pub name: String,
    /// Whether `name` is a prefix (PREFIXED) or the whole name (LITERAL; `*` matches all).
    pub prefixed: bool,
    /// Kafka's operation code, one of those below.
    pub operation: i8,
    /// ALLOW, else DENY.
    pub allow: bool,
}

/// Kafka's code of the operation ALL.
pub(crate) const ALL: i8 = 2;
/// Kafka's code of the operation READ.
pub(crate) const READ: i8 = 3;
/// Kafka's code of the operation WRITE.
pub(crate) const WRITE: i8 = 4;
/// Kafka's code of the operation CREATE.
const CREATE: i8 = 5;
/// Kafka's code of the operation ALTER.
const ALTER: i8 = 7;
/// Kafka's code of the operation DESCRIBE.
pub(crate) const DESCRIBE: i8 = 8;
/// Kafka's code of the operation DESCRIBE_CONFIGS.
const DESCRIBE_CONFIGS: i8 = 10;
/// Kafka's code of the operation ALTER_CONFIGS.
const ALTER_CONFIGS: i8 = 11;

impl Acl {
    fn allow(user: &str, operation: i8, resource: AclResource, name: &str) -> Self {
        Self {
            principal: format!("User:{user}"),
            resource,
            name: name.to_owned(),
            prefixed: false,
            operation,
            allow: true,
        }
    }

    fn prefixed(self) -> Self {
        Self { prefixed: true, ..self }
    }
}

/// Every user with a fresh password (32 hexadecimal digits).
pub(crate) fn make_users() -> BTreeMap<String, String> {
    [ADMIN, MUSTER, MUSTER_PROBE, CONNECT, APP_ORDERS, APP_BILLING]
        .into_iter()
        .map(str::to_owned)
        .chain(Direction::BOTH.map(Direction::principal))
        .map(|user| (user, uuid::Uuid::new_v4().simple().to_string()))
        .collect()
}

/// The access rules of `cluster`. Applications may write on the active side only.
pub(crate) fn access_rules(cluster: &str) -> Vec<Acl> {
    let mut rules = replication_rules(cluster);
    for prefix in ["orders.", "payments.", "clicks."] {
        let topic = |user, operation| Acl::allow(user, operation, AclResource::Topic, prefix).prefixed();
        rules.extend([topic(MUSTER_PROBE, WRITE), topic(MUSTER_PROBE, DESCRIBE), topic(APP_BILLING, READ)]);
        // DESCRIBE on both sides: a client that is redirected early is refused by the write itself, not by metadata.
        rules.push(topic(APP_ORDERS, DESCRIBE));
        if cluster == EU_WEST {
            rules.push(topic(APP_ORDERS, WRITE));
        }
    }
    for prefix in ["eu-west.clicks.", "eu-central.clicks."] {
        rules.push(Acl::allow(APP_BILLING, READ, AclResource::Topic, prefix).prefixed());
    }
    rules.push(Acl::allow(MUSTER_PROBE, WRITE, AclResource::Topic, "muster.canary.").prefixed());
    rules.extend(GROUPS.map(|group| Acl::allow(APP_BILLING, READ, AclResource::Group, group)));
    rules.push(Acl::allow(APP_ORDERS, WRITE, AclResource::TransactionalId, "payments-").prefixed());
    rules
}

/// What docs/OPERATING.md gives MirrorMaker 2 on a flow's source and on its target, and a Connect worker on the cluster
/// it is attached to: the lab proves that it is enough.
fn replication_rules(cluster: &str) -> Vec<Acl> {
    use AclResource::{Cluster, Group, Topic, TransactionalId};
    let mut rules = Vec::new();
    for direction in Direction::BOTH {
        let user = direction.principal();
        let mut allow = |resource, name: &str, operations: &[i8]| {
            rules.extend(operations.iter().map(|operation| Acl::allow(&user, *operation, resource, name)));
        };
        if cluster == direction.source() {
            allow(Topic, "*", &[READ, DESCRIBE, DESCRIBE_CONFIGS]);
            allow(Group, "*", &[DESCRIBE]);
            allow(Cluster, "kafka-cluster", &[DESCRIBE]);
        } else {
            allow(Topic, "*", &[READ, WRITE, CREATE, DESCRIBE, ALTER, ALTER_CONFIGS, DESCRIBE_CONFIGS]);
            allow(Group, "*", &[READ, DESCRIBE]);
            allow(Cluster, "kafka-cluster", &[DESCRIBE, ALTER]);
            let ids =
                [WRITE, DESCRIBE].map(|op| Acl::allow(&user, op, TransactionalId, "connect-").prefixed());
            rules.extend(ids);
        }
    }
    for resource in [Topic, Group, TransactionalId] {
        rules.push(Acl::allow(CONNECT, ALL, resource, "connect-").prefixed());
    }
    rules
}
