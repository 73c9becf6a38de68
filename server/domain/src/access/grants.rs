//! What applications need on the other side.

use std::collections::BTreeSet;

use super::{TOPIC_BUT_WRITE, covers_any, is_allow, not_applications, reads};
use crate::acl::{AclBinding, AclOperation, PatternType, ResourceType};

/// Grants applications need on the other side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StandbyGrants {
    /// Everything but writing topics: may be created at any time.
    pub reading: Vec<AclBinding>,
    /// WRITE on topics: created at the unfence and not before.
    pub writing: Vec<AclBinding>,
}

/// What applications hold here for the scope, as bindings for the other side. `topics` are (name, replica). ALL is split
/// into what it means, so that the rest can come before writing. `except` are principals that are not applications.
/// MirrorMaker 2 copies literal topic grants but WRITE, and makes ALL a READ; nothing else (mm2-verified, result 2).
#[must_use]
pub fn grants_for_standby(
    here: &BTreeSet<AclBinding>,
    topics: &[(String, String)],
    groups: &[String],
    except: &BTreeSet<String>,
) -> StandbyGrants {
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    let others = not_applications(here, except);
    let mut grants = StandbyGrants::default();
    let mut principals = BTreeSet::new();
    for binding in here.iter().filter(|b| is_allow(b) && !others.contains(&b.principal)) {
        if covers_any(binding, ResourceType::Topic, &names) {
            principals.insert(binding.principal.clone());
            topic_grants(binding, topics, &mut grants);
        } else if covers_any(binding, ResourceType::Group, groups) {
            grants.reading.push(binding.clone());
        }
    }
    let producers =
        here.iter().filter(|b| is_allow(b) && principals.contains(&b.principal) && is_for_producers(b));
    grants.reading.extend(producers.cloned());
    dedupe(&mut grants.reading);
    dedupe(&mut grants.writing);
    grants
}

/// Transactional ids, and the right that idempotent producers needed before 2.8.
fn is_for_producers(binding: &AclBinding) -> bool {
    binding.resource == ResourceType::TransactionalId
        || (binding.resource == ResourceType::Cluster && binding.operation == AclOperation::IdempotentWrite)
}

/// One topic grant for the other side. Reading is also granted on replicas that have another name there.
fn topic_grants(binding: &AclBinding, topics: &[(String, String)], grants: &mut StandbyGrants) {
    let with = |operation| AclBinding { operation, ..binding.clone() };
    if binding.operation == AclOperation::Write {
        grants.writing.push(binding.clone());
    } else if binding.operation == AclOperation::All {
        grants.writing.push(with(AclOperation::Write));
        grants.reading.extend(TOPIC_BUT_WRITE.map(with));
    } else {
        grants.reading.push(binding.clone());
    }
    if !reads(binding) {
        return;
    }
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

fn dedupe(bindings: &mut Vec<AclBinding>) {
    let mut seen = BTreeSet::new();
    bindings.retain(|binding| seen.insert(binding.clone()));
}
