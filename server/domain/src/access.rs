//! What ACL bindings add up to, and which ones fence a side, open one, or turn one kind of fence into the other.
//!
//! Decided as Kafka's StandardAuthorizer does: any DENY that covers wins, else one ALLOW is enough, else no. Super users
//! are not seen here; nothing can fence them.

mod conversion;
mod grants;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use self::{
    conversion::{Conversion, Others, conversion, conversion_keeping},
    grants::{StandbyGrants, grants_for_standby},
};
use crate::acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType};

/// Everybody.
pub(crate) const EVERYBODY: &str = "User:*";

/// What ALL means on a topic, apart from WRITE.
const TOPIC_BUT_WRITE: [AclOperation; 7] = [
    AclOperation::Read,
    AclOperation::Create,
    AclOperation::Delete,
    AclOperation::Alter,
    AclOperation::Describe,
    AclOperation::DescribeConfigs,
    AclOperation::AlterConfigs,
];

/// What ALL means on a group, apart from READ.
const GROUP_BUT_READ: [AclOperation; 4] =
    [AclOperation::Delete, AclOperation::Describe, AclOperation::DescribeConfigs, AclOperation::AlterConfigs];

/// The active fence: nobody may write these topics. Literal, one per topic: a prefix would also hit `orders-v2`, which
/// nobody approved. MirrorMaker 2 would copy literal ones to the standby (it copies DENY, and never removes it there:
/// mm2-verified, result 2), so its ACL sync is frozen first.
#[must_use]
pub fn fence_bindings(topics: &[String]) -> Vec<AclBinding> {
    deny(AclOperation::Write, ResourceType::Topic, topics)
}

/// Whether a binding keeps everybody from anything at all.
pub(crate) fn denies_to_all(binding: &AclBinding) -> bool {
    binding.permission == AclPermission::Deny && binding.principal == EVERYBODY
}

/// Whether a binding alone keeps everybody from writing a topic, as [`fence_bindings`] do.
#[must_use]
pub fn denies_writes_to_all(binding: &AclBinding, topic: &str) -> bool {
    denies_to_all(binding) && writes(binding) && binding.covers(ResourceType::Topic, topic)
}

/// Whether a binding alone keeps everybody from reading a topic or for a group, as [`consumer_fence_bindings`] do.
#[must_use]
pub fn denies_reads_to_all(binding: &AclBinding, resource: ResourceType, name: &str) -> bool {
    denies_to_all(binding) && reads(binding) && binding.covers(resource, name)
}

/// Nobody may read these topics or commit for these groups. Topics first: a consumer kicked out of its group goes on
/// reading for as long as it can fetch (mm2-verified, correction 3).
#[must_use]
pub fn consumer_fence_bindings(topics: &[String], groups: &[String]) -> Vec<AclBinding> {
    let mut bindings = deny(AclOperation::Read, ResourceType::Topic, topics);
    bindings.extend(deny(AclOperation::Read, ResourceType::Group, groups));
    bindings
}

fn deny(operation: AclOperation, resource: ResourceType, names: &[String]) -> Vec<AclBinding> {
    names
        .iter()
        .map(|name| {
            AclBinding::new(AclPermission::Deny, operation, (resource, PatternType::Literal, name), EVERYBODY)
        })
        .collect()
}

/// Whether a principal may do something from some host. A DENY for one host leaves the others, so only those for every
/// host count.
#[must_use]
pub fn may(
    bindings: &BTreeSet<AclBinding>,
    principal: &str,
    operation: AclOperation,
    resource: ResourceType,
    name: &str,
) -> bool {
    let mut allowed = false;
    for binding in bindings {
        if !binding.covers(resource, name) || !speaks_of(binding, principal) {
            continue;
        }
        match binding.permission {
            AclPermission::Deny if covers_operation(binding.operation, operation) && binding.host == "*" => {
                return false;
            }
            AclPermission::Deny => {}
            AclPermission::Allow => allowed |= allows_operation(binding.operation, operation),
        }
    }
    allowed
}

fn speaks_of(binding: &AclBinding, principal: &str) -> bool {
    binding.principal == principal || binding.principal == EVERYBODY
}

fn covers_operation(bound: AclOperation, asked: AclOperation) -> bool {
    bound == asked || bound == AclOperation::All
}

/// ALLOW implies some operations that DENY does not.
pub(crate) fn allows_operation(bound: AclOperation, asked: AclOperation) -> bool {
    covers_operation(bound, asked)
        || match asked {
            AclOperation::Describe => matches!(
                bound,
                AclOperation::Read | AclOperation::Write | AclOperation::Delete | AclOperation::Alter
            ),
            AclOperation::DescribeConfigs => bound == AclOperation::AlterConfigs,
            AclOperation::All
            | AclOperation::Read
            | AclOperation::Write
            | AclOperation::Create
            | AclOperation::Delete
            | AclOperation::Alter
            | AclOperation::ClusterAction
            | AclOperation::AlterConfigs
            | AclOperation::IdempotentWrite
            | AclOperation::CreateTokens
            | AclOperation::DescribeTokens
            | AclOperation::TwoPhaseCommit => false,
        }
}

/// Flows and tools: principals that may create or change every topic, or that hold any grant on every topic and rights on
/// the cluster as well. Replication needs one or the other (the latter where it copies ACLs) and applications neither: those
/// that create their topics do so by name or prefix. A grant on `*` of another kind says nothing: Kafka Streams may hold
/// one on groups or transactional ids and CREATE on the cluster.
#[must_use]
pub fn tools(bindings: &BTreeSet<AclBinding>) -> BTreeSet<String> {
    let on_every_topic = |b: &&AclBinding| {
        b.resource == ResourceType::Topic && b.pattern == PatternType::Literal && b.name == "*" && is_allow(b)
    };
    let manages = |b: &AclBinding| {
        matches!(b.operation, AclOperation::Create | AclOperation::Alter | AclOperation::AlterConfigs)
    };
    let on_the_cluster = |principal: &str| {
        bindings.iter().any(|b| {
            b.resource == ResourceType::Cluster
                && is_allow(b)
                && b.principal == principal
                && !matches!(b.operation, AclOperation::IdempotentWrite | AclOperation::Describe)
        })
    };
    let held = bindings.iter().filter(on_every_topic).filter(|b| b.principal != EVERYBODY);
    held.filter(|b| manages(b) || on_the_cluster(&b.principal)).map(|b| b.principal.clone()).collect()
}

/// Who is no application: those named and the tools.
fn not_applications(bindings: &BTreeSet<AclBinding>, except: &BTreeSet<String>) -> BTreeSet<String> {
    tools(bindings).into_iter().chain(except.iter().cloned()).collect()
}

fn is_allow(binding: &AclBinding) -> bool {
    binding.permission == AclPermission::Allow
}

fn writes(binding: &AclBinding) -> bool {
    matches!(binding.operation, AclOperation::Write | AclOperation::All)
}

fn reads(binding: &AclBinding) -> bool {
    matches!(binding.operation, AclOperation::Read | AclOperation::All)
}

fn covers_any(binding: &AclBinding, resource: ResourceType, names: &[String]) -> bool {
    names.iter().any(|name| binding.covers(resource, name))
}

/// Whether a grant goes to every resource of its kind, so that no part of it can be taken away.
fn is_on_everything(binding: &AclBinding) -> bool {
    match binding.pattern {
        PatternType::Literal => binding.name == "*",
        PatternType::Prefixed => binding.name.is_empty(),
    }
}

/// Grants by which applications may write these topics. Flows, tools and `except` are not applications.
#[must_use]
pub fn writers(
    bindings: &BTreeSet<AclBinding>,
    topics: &[String],
    except: &BTreeSet<String>,
) -> Vec<AclBinding> {
    holders(bindings, (ResourceType::Topic, topics), writes, except)
}

/// Grants by which applications may read for these groups.
#[must_use]
pub fn group_readers(
    bindings: &BTreeSet<AclBinding>,
    groups: &[String],
    except: &BTreeSet<String>,
) -> Vec<AclBinding> {
    holders(bindings, (ResourceType::Group, groups), reads, except)
}

fn holders(
    bindings: &BTreeSet<AclBinding>,
    (resource, names): (ResourceType, &[String]),
    grants: fn(&AclBinding) -> bool,
    except: &BTreeSet<String>,
) -> Vec<AclBinding> {
    let others = not_applications(bindings, except);
    let held = bindings.iter().filter(|b| is_allow(b) && grants(b) && covers_any(b, resource, names));
    held.filter(|b| !others.contains(&b.principal)).cloned().collect()
}

/// Principals of applications that could write one of these topics if no DENY for everybody stood there: the proof of a
/// standby fence, which a probe cannot give (mm2-verified, correction 12).
#[must_use]
pub fn unfenced_by(
    bindings: &BTreeSet<AclBinding>,
    topics: &[String],
    except: &BTreeSet<String>,
) -> Vec<String> {
    principals(writers(bindings, topics, except))
}

fn principals(bindings: Vec<AclBinding>) -> Vec<String> {
    bindings.into_iter().map(|b| b.principal).collect::<BTreeSet<_>>().into_iter().collect()
}
