//! Who is affected, and who uses a topic: principals with a right on it, groups with a position in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::probes;
use crate::{
    access::{self, EVERYBODY},
    acl::{AclBinding, AclPermission, PatternType, ResourceType},
    cluster::Cluster,
    pair::BySide,
    survey::SideObservation,
};

/// Names that are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Names {
    /// How many.
    pub count: usize,
    /// The first of them, in order.
    pub names: Vec<String>,
}

impl Names {
    pub(super) fn all(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        Self { count: names.len(), names }
    }

    pub(super) fn mention(&self, text: &str) -> bool {
        self.names.iter().any(|name| name.contains(text))
    }
}

/// Whether principals or groups are affected besides those that are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// Nobody else, as far as grants and positions tell.
    #[default]
    None,
    /// There may be: what would name them was not read, or names nobody.
    Unknown,
    /// Whoever uses the cluster.
    Everybody,
}

impl Others {
    /// What was kept by a version that did not ask does not say that there is nobody else.
    fn not_kept() -> Self {
        Self::Unknown
    }
}

/// Who is affected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Affected {
    /// Topics by the name applications use.
    pub topics: Names,
    /// Groups.
    pub groups: Names,
    /// Principals of applications.
    pub principals: Names,
    /// Whether others are, who are not named.
    #[serde(default = "Others::not_kept")]
    pub others: Others,
}

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
    /// Whether grants and positions were read that name who uses a topic.
    told: bool,
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
        let told = here.groups.value().is_some() && here.acls.value().is_some_and(|acls| acls.authorizer);
        if let Some(acls) = here.acls.value() {
            open = !acls.authorizer;
            others.extend(access::tools(&acls.bindings));
            grants.extend(acls.bindings.iter().filter(|binding| {
                binding.permission == AclPermission::Allow
                    && binding.resource == ResourceType::Topic
                    && !others.contains(&binding.principal)
            }));
        }
        Self { grants, others, open, readers, told }
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
            others: if self.told { Others::None } else { Others::Unknown },
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
