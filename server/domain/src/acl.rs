//! ACL bindings and what they add up to for a principal, as Kafka's StandardAuthorizer decides it.

use serde::{Deserialize, Serialize};

/// What a binding is about (`ResourceType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// The cluster itself (`kafka-cluster`).
    Cluster,
    /// A transactional id.
    TransactionalId,
    /// A delegation token.
    DelegationToken,
    /// A user principal.
    User,
}

/// How the resource name is read (`PatternType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternType {
    /// This very name, or every name when it is `*`.
    Literal,
    /// Every name that starts with it.
    Prefixed,
}

/// The operation allowed or denied (`AclOperation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Kafka's own words, one to one")]
pub enum AclOperation {
    All,
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
    CreateTokens,
    DescribeTokens,
    TwoPhaseCommit,
}

/// Allow or deny (`AclPermissionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclPermission {
    /// Grants, unless something denies.
    Allow,
    /// Wins over every grant.
    Deny,
}

/// One ACL binding, exact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AclBinding {
    /// What it is about.
    pub resource: ResourceType,
    /// Name or prefix of the resource.
    pub name: String,
    /// How `name` is read.
    pub pattern: PatternType,
    /// `User:shop`, or `User:*` for everybody.
    pub principal: String,
    /// Client host, `*` for any.
    pub host: String,
    /// Operation.
    pub operation: AclOperation,
    /// Allow or deny.
    pub permission: AclPermission,
}

impl AclBinding {
    /// A binding for any host.
    pub fn new(
        permission: AclPermission,
        operation: AclOperation,
        (resource, pattern, name): (ResourceType, PatternType, &str),
        principal: &str,
    ) -> Self {
        Self {
            resource,
            name: name.to_owned(),
            pattern,
            principal: principal.to_owned(),
            host: "*".to_owned(),
            operation,
            permission,
        }
    }

    /// Whether this binding speaks about the resource of that type and name.
    #[must_use]
    pub fn covers(&self, resource: ResourceType, name: &str) -> bool {
        self.resource == resource
            && match self.pattern {
                PatternType::Literal => self.name == "*" || self.name == name,
                PatternType::Prefixed => name.starts_with(&self.name),
            }
    }
}

impl std::fmt::Display for AclBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let permission = match self.permission {
            AclPermission::Allow => "ALLOW",
            AclPermission::Deny => "DENY",
        };
        let pattern = match self.pattern {
            PatternType::Literal => "",
            PatternType::Prefixed => "prefix ",
        };
        write!(
            f,
            "{permission} {:?} on {:?} {pattern}`{}` to {} from {}",
            self.operation, self.resource, self.name, self.principal, self.host
        )
    }
}

/// Which bindings to describe or delete; every `None` matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclFilter {
    /// Resource type.
    pub resource: Option<ResourceType>,
    /// Exact resource name.
    pub name: Option<String>,
    /// Exact pattern type.
    pub pattern: Option<PatternType>,
    /// Exact principal.
    pub principal: Option<String>,
    /// Operation.
    pub operation: Option<AclOperation>,
    /// Allow or deny.
    pub permission: Option<AclPermission>,
}
