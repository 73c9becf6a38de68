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
    /// Kafka's operation code: 2 ALL, 3 READ, 4 WRITE, 8 DESCRIBE.
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
/// Kafka's code of the operation DESCRIBE.
pub(crate) const DESCRIBE: i8 = 8;

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
    let mut rules = replication_rules();
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

fn replication_rules() -> Vec<Acl> {
    let mut rules = Vec::new();
    for user in Direction::BOTH.map(Direction::principal) {
        rules.push(Acl::allow(&user, ALL, AclResource::Topic, "*"));
        rules.push(Acl::allow(&user, ALL, AclResource::Group, "*"));
        rules.push(Acl::allow(&user, ALL, AclResource::Cluster, "kafka-cluster"));
        rules.push(Acl::allow(&user, ALL, AclResource::TransactionalId, "*"));
    }
    rules.push(Acl::allow(CONNECT, ALL, AclResource::Topic, "connect-").prefixed());
    rules.push(Acl::allow(CONNECT, ALL, AclResource::Group, "connect-").prefixed());
    rules.push(Acl::allow(CONNECT, ALL, AclResource::Cluster, "kafka-cluster"));
    rules.push(Acl::allow(CONNECT, ALL, AclResource::TransactionalId, "connect-").prefixed());
    rules
}
