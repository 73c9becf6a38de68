//! Who uses a topic: principals with a right on it, groups with a position in it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Affected, Names, probes};
use crate::{
    access::{self, EVERYBODY},
    acl::{AclBinding, AclPermission, PatternType, ResourceType},
    cluster::Cluster,
    pair::BySide,
    survey::SideObservation,
};

/// Who uses the active side.
pub(super) struct Users<'a> {
    /// Grants of applications on topics.
    grants: Vec<&'a AclBinding>,
    /// Who is no application: tools and probes.
    others: BTreeSet<String>,
    /// There is no authorizer: whoever asks may do everything.
    open: bool,
    /// Groups by the topics they have positions in.
    readers: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Users<'a> {
    pub(super) fn new(here: &'a SideObservation, clusters: &BySide<Cluster>) -> Self {
        let mut readers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, group) in here.groups.value().into_iter().flatten() {
            for at in group.offsets.keys() {
                readers.entry(&at.topic).or_default().insert(name);
            }
        }
        let (mut grants, mut others, mut open) = (Vec::new(), probes(clusters), false);
        if let Some(acls) = here.acls.value() {
            open = !acls.authorizer;
            others.extend(access::tools(&acls.bindings));
            grants.extend(acls.bindings.iter().filter(|binding| {
                binding.permission == AclPermission::Allow
                    && binding.resource == ResourceType::Topic
                    && !others.contains(&binding.principal)
            }));
        }
        Self { grants, others, open, readers }
    }

    /// Who is affected by what happens to these topics.
    pub(super) fn of(&self, topics: impl IntoIterator<Item = String>) -> Affected {
        let topics: BTreeSet<String> = topics.into_iter().collect();
        let groups: BTreeSet<&str> =
            topics.iter().filter_map(|topic| self.readers.get(topic.as_str())).flatten().copied().collect();
        let principals: BTreeSet<&str> = self
            .grants
            .iter()
            .filter(|grant| covers_some(grant, &topics))
            .map(|grant| grant.principal.as_str())
            .collect();
        Affected {
            groups: Names::all(groups.into_iter().map(str::to_owned)),
            principals: Names::all(principals.into_iter().map(str::to_owned)),
            topics: Names::all(topics),
        }
    }

    /// Whether an application may go by that name: it holds a grant of its own, or what everybody holds.
    pub(super) fn know(&self, principal: &str) -> bool {
        let holds = |grant: &&AclBinding| grant.principal == principal || grant.principal == EVERYBODY;
        !self.others.contains(principal) && (self.open || self.grants.iter().any(holds))
    }
}

/// Whether a binding speaks of any of these, looked up in their order: there may be many thousand of both.
pub(super) fn covers_some(binding: &AclBinding, names: &BTreeSet<String>) -> bool {
    match binding.pattern {
        PatternType::Literal if binding.name == "*" => !names.is_empty(),
        PatternType::Literal => names.contains(&binding.name),
        PatternType::Prefixed => {
            names.range(binding.name.clone()..).next().is_some_and(|name| name.starts_with(&binding.name))
        }
    }
}
