//! How the active fence of a side becomes its standby fence.

use std::collections::BTreeSet;

use super::{
    GROUP_BUT_READ, TOPIC_BUT_WRITE, consumer_fence_bindings, covers_any, fence_bindings, is_allow,
    is_on_everything, not_applications, reads, writes,
};
use crate::acl::{AclBinding, AclOperation, PatternType, ResourceType};

/// How the active fence of a side becomes its standby fence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Grants that keep what a removed one gave besides the scope's rights. Created first.
    pub create: Vec<AclBinding>,
    /// Grants of applications on the scope. Removed while the DENYs stand.
    pub remove_grants: Vec<AclBinding>,
    /// The DENYs. Removed last.
    pub remove_denies: Vec<AclBinding>,
    /// Those of `remove_grants` that reach beyond the scope: their holders keep it only for the names they were given
    /// in [`Others`]. To be shown to people.
    pub narrowed: Vec<AclBinding>,
    /// Grants on everything, which no part can be taken from. They stay, and so must the DENYs.
    pub too_wide: Vec<AclBinding>,
}

/// What there is on the cluster besides the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Topics that are not in scope.
    pub topics: Vec<String>,
    /// Groups that are not in scope.
    pub groups: Vec<String>,
}

/// Turns DENY for everybody into the absence of ALLOW: needed before replication, whose principal must write there,
/// comes back (mm2.md 5, common rules). Group READ is treated alike, because the reverse checkpoint connector must read
/// groups there (mm2-verified, correction 4). Nothing besides the scope is known, so a prefixed grant is lost for it
/// and listed as narrowed.
#[must_use]
pub fn conversion(
    present: &BTreeSet<AclBinding>,
    topics: &[String],
    groups: &[String],
    except: &BTreeSet<String>,
) -> Conversion {
    conversion_keeping(present, topics, groups, except, &Others::default())
}

/// [`conversion`], with a literal grant in place of a prefixed one for each of the other topics and groups it covers.
#[must_use]
pub fn conversion_keeping(
    present: &BTreeSet<AclBinding>,
    topics: &[String],
    groups: &[String],
    except: &BTreeSet<String>,
    others: &Others,
) -> Conversion {
    let no_applications = not_applications(present, except);
    let mut conversion = Conversion::default();
    for binding in present.iter().filter(|b| is_allow(b) && !no_applications.contains(&b.principal)) {
        let (taken, rest, kept_names): (_, &[AclOperation], _) =
            if covers_any(binding, ResourceType::Topic, topics) && writes(binding) {
                (AclOperation::Write, &TOPIC_BUT_WRITE, &others.topics)
            } else if covers_any(binding, ResourceType::Group, groups) && reads(binding) {
                (AclOperation::Read, &GROUP_BUT_READ, &others.groups)
            } else {
                continue;
            };
        if is_on_everything(binding) {
            conversion.too_wide.push(binding.clone());
            continue;
        }
        let mut keep = Vec::new();
        if binding.operation == AclOperation::All {
            keep.extend(rest.iter().map(|operation| AclBinding { operation: *operation, ..binding.clone() }));
        }
        if binding.pattern == PatternType::Prefixed {
            conversion.narrowed.push(binding.clone());
            keep.extend(kept_names.iter().filter(|name| binding.covers(binding.resource, name)).map(
                |name| AclBinding {
                    operation: taken,
                    pattern: PatternType::Literal,
                    name: name.clone(),
                    ..binding.clone()
                },
            ));
        }
        conversion.create.extend(keep.into_iter().filter(|b| !present.contains(b)));
        conversion.remove_grants.push(binding.clone());
    }
    let denies = fence_bindings(topics).into_iter().chain(consumer_fence_bindings(topics, groups));
    conversion.remove_denies = denies.filter(|b| present.contains(b)).collect();
    conversion
}
