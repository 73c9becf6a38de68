//! What ACL bindings add up to, and which ones fence a side, open one, or turn one kind of fence into the other.
//!
//! Decided as Kafka's StandardAuthorizer does: any DENY that covers wins, else one ALLOW is enough, else no. Super users
//! are not seen here; nothing can fence them.

use std::collections::BTreeSet;

use crate::acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType};

/// Everybody.
const EVERYBODY: &str = "User:*";

/// The active fence: nobody may write these topics. Literal, one per topic: a prefix would also hit `orders-v2`, which
/// nobody approved. MirrorMaker 2 would copy literal ones to the standby, so its ACL sync is frozen first.
#[must_use]
pub fn fence_bindings(topics: &[String]) -> Vec<AclBinding> {
    deny(AclOperation::Write, ResourceType::Topic, topics)
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
        .map(|name| AclBinding::new(AclPermission::Deny, operation, (resource, PatternType::Literal, name), EVERYBODY))
        .collect()
}

/// Whether a principal may do something, from any host.
#[must_use]
pub fn may(
    bindings: &BTreeSet<AclBinding>,
    principal: &str,
    operation: AclOperation,
    resource: ResourceType,
    name: &str,
) -> bool {
    let about = |binding: &&AclBinding| {
        binding.covers(resource, name)
            && (binding.principal == principal || binding.principal == EVERYBODY)
            && (binding.operation == operation || binding.operation == AclOperation::All)
    };
    let (denies, allows): (Vec<_>, Vec<_>) =
        bindings.iter().filter(about).partition(|binding| binding.permission == AclPermission::Deny);
    denies.is_empty() && !allows.is_empty()
}

/// A grant to everything of a kind is how flows and tools are given their rights; applications have narrower ones.
fn is_infrastructure(binding: &AclBinding) -> bool {
    binding.pattern == PatternType::Literal && binding.name == "*"
}

fn allows(binding: &AclBinding) -> bool {
    binding.permission == AclPermission::Allow && !is_infrastructure(binding)
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

/// Grants applications need on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandbyGrants {
    /// Everything but writing topics: may be created at any time.
    pub reading: Vec<AclBinding>,
    /// WRITE on topics: created at the unfence and not before.
    pub writing: Vec<AclBinding>,
}

/// What applications hold here for the scope, as bindings for the other side. `topics` are (name, replica). ALL is split
/// into what it means, so that reading can come before writing. `except` are principals that are not applications.
#[must_use]
pub fn grants_for_standby(
    here: &BTreeSet<AclBinding>,
    topics: &[(String, String)],
    groups: &[String],
    except: &BTreeSet<String>,
) -> StandbyGrants {
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    let mut grants = StandbyGrants::default();
    let of_applications = here.iter().filter(|b| allows(b) && !except.contains(&b.principal));
    let mut principals = BTreeSet::new();
    for binding in of_applications {
        if covers_any(binding, ResourceType::Topic, &names) {
            principals.insert(binding.principal.clone());
            topic_grants(binding, topics, &mut grants);
        } else if covers_any(binding, ResourceType::Group, groups) {
            grants.reading.push(binding.clone());
        }
    }
    let transactional = here.iter().filter(|b| {
        b.resource == ResourceType::TransactionalId
            && b.permission == AclPermission::Allow
            && principals.contains(&b.principal)
    });
    grants.reading.extend(transactional.cloned());
    dedupe(&mut grants.reading);
    dedupe(&mut grants.writing);
    grants
}

/// One topic grant for the other side. Reading is also granted on replicas that have another name there.
fn topic_grants(binding: &AclBinding, topics: &[(String, String)], grants: &mut StandbyGrants) {
    let with = |operation| AclBinding { operation, ..binding.clone() };
    match binding.operation {
        AclOperation::Write => grants.writing.push(binding.clone()),
        AclOperation::All => {
            grants.writing.push(with(AclOperation::Write));
            grants.reading.extend([with(AclOperation::Read), with(AclOperation::Describe)]);
        }
        _ => grants.reading.push(binding.clone()),
    }
    if reads(binding) {
        for (name, replica) in topics.iter().filter(|(name, replica)| name != replica) {
            if binding.covers(ResourceType::Topic, name) {
                grants.reading.push(AclBinding {
                    operation: AclOperation::Read,
                    pattern: PatternType::Literal,
                    name: replica.clone(),
                    ..binding.clone()
                });
            }
        }
    }
}

fn dedupe(bindings: &mut Vec<AclBinding>) {
    let mut seen = BTreeSet::new();
    bindings.retain(|binding| seen.insert(binding.clone()));
}

/// How the active fence of a side becomes its standby fence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Grants that keep what a removed one gave besides the scope's rights. Created first.
    pub create: Vec<AclBinding>,
    /// Grants of applications on the scope. Removed while the DENYs stand.
    pub remove_grants: Vec<AclBinding>,
    /// The DENYs. Removed last.
    pub remove_denies: Vec<AclBinding>,
}

/// Turns DENY for everybody into the absence of ALLOW: needed before replication, whose principal must write there,
/// comes back (mm2.md 5, common rules). Group READ is treated alike, because the reverse checkpoint connector must read
/// groups there (mm2-verified, correction 4).
#[must_use]
pub fn conversion(
    present: &BTreeSet<AclBinding>,
    topics: &[String],
    groups: &[String],
    except: &BTreeSet<String>,
) -> Conversion {
    let mut conversion = Conversion::default();
    for binding in present.iter().filter(|b| allows(b) && !except.contains(&b.principal)) {
        let topic = covers_any(binding, ResourceType::Topic, topics) && writes(binding);
        let group = covers_any(binding, ResourceType::Group, groups) && reads(binding);
        if !topic && !group {
            continue;
        }
        if binding.operation == AclOperation::All {
            let rest: &[AclOperation] = if topic {
                &[AclOperation::Read, AclOperation::Describe, AclOperation::DescribeConfigs]
            } else {
                &[AclOperation::Describe]
            };
            let keep = rest.iter().map(|operation| AclBinding { operation: *operation, ..binding.clone() });
            conversion.create.extend(keep.filter(|b| !present.contains(b)));
        }
        conversion.remove_grants.push(binding.clone());
    }
    let denies = fence_bindings(topics).into_iter().chain(consumer_fence_bindings(topics, groups));
    conversion.remove_denies = denies.filter(|b| present.contains(b)).collect();
    conversion
}

/// Principals of applications that could write one of these topics if no DENY for everybody stood there: the proof of a
/// standby fence. Flows and tools (granted on `*`) and `except` are not applications.
#[must_use]
pub fn unfenced_by(bindings: &BTreeSet<AclBinding>, topics: &[String], except: &BTreeSet<String>) -> Vec<String> {
    let holders: BTreeSet<&String> = bindings
        .iter()
        .filter(|b| allows(b) && writes(b) && covers_any(b, ResourceType::Topic, topics))
        .map(|b| &b.principal)
        .collect();
    holders.into_iter().filter(|principal| !except.contains(*principal)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(operation: AclOperation, resource: ResourceType, pattern: PatternType, name: &str, who: &str) -> AclBinding {
        AclBinding::new(AclPermission::Allow, operation, (resource, pattern, name), who)
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn scene() -> BTreeSet<AclBinding> {
        BTreeSet::from([
            allow(AclOperation::Write, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:shop"),
            allow(AclOperation::All, ResourceType::Topic, PatternType::Literal, "orders.placed", "User:old"),
            allow(AclOperation::Read, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:billing"),
            allow(AclOperation::Read, ResourceType::Group, PatternType::Literal, "billing", "User:billing"),
            allow(AclOperation::All, ResourceType::Topic, PatternType::Literal, "*", "User:mm2"),
            allow(AclOperation::Write, ResourceType::Topic, PatternType::Prefixed, "orders.", "User:probe"),
        ])
    }

    #[test]
    fn a_deny_for_everybody_beats_every_allow() {
        let mut acls = scene();
        assert!(may(&acls, "User:shop", AclOperation::Write, ResourceType::Topic, "orders.placed"));
        acls.extend(fence_bindings(&names(&["orders.placed"])));
        for who in ["User:shop", "User:old", "User:mm2"] {
            assert!(!may(&acls, who, AclOperation::Write, ResourceType::Topic, "orders.placed"), "{who}");
        }
        assert!(may(&acls, "User:shop", AclOperation::Write, ResourceType::Topic, "orders.shipped"));
        assert!(!may(&acls, "User:nobody", AclOperation::Read, ResourceType::Topic, "orders.placed"));
    }

    #[test]
    fn writing_is_granted_on_the_other_side_apart_from_the_rest() {
        let except = BTreeSet::from(["User:probe".to_owned()]);
        let topics = [("orders.placed".to_owned(), "west.orders.placed".to_owned())];
        let grants = grants_for_standby(&scene(), &topics, &names(&["billing"]), &except);
        assert!(grants.writing.iter().all(|b| b.operation == AclOperation::Write));
        let writers: BTreeSet<&str> = grants.writing.iter().map(|b| b.principal.as_str()).collect();
        assert_eq!(writers, BTreeSet::from(["User:shop", "User:old"]));
        assert!(grants.reading.iter().all(|b| b.operation != AclOperation::Write && b.operation != AclOperation::All));
        assert!(grants.reading.iter().any(|b| b.name == "west.orders.placed" && b.principal == "User:billing"));
        assert!(grants.reading.iter().any(|b| b.resource == ResourceType::Group));
    }

    #[test]
    fn conversion_never_leaves_an_application_that_can_write() {
        let except = BTreeSet::from(["User:probe".to_owned()]);
        let (topics, groups) = (names(&["orders.placed"]), names(&["billing"]));
        let mut acls = scene();
        acls.extend(fence_bindings(&topics));
        acls.extend(consumer_fence_bindings(&topics, &groups));
        let conversion = conversion(&acls, &topics, &groups, &except);
        acls.extend(conversion.create);
        for binding in conversion.remove_grants.iter().chain(&conversion.remove_denies) {
            assert!(acls.remove(binding), "{binding} was not there");
        }
        assert_eq!(unfenced_by(&acls, &topics, &except), Vec::<String>::new());
        assert!(may(&acls, "User:mm2", AclOperation::Write, ResourceType::Topic, "orders.placed"));
        assert!(may(&acls, "User:old", AclOperation::Read, ResourceType::Topic, "orders.placed"));
        assert!(!may(&acls, "User:billing", AclOperation::Read, ResourceType::Group, "billing"));
        assert!(!acls.iter().any(|b| b.permission == AclPermission::Deny));
    }
}
