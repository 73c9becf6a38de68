//! The same causes by who is affected: an application finds in one place all that the move does to it.
//!
//! A cause is under each principal and group it affects. What affects whoever uses the cluster is under everybody; what affects
//! somebody whom nobody can name is not known of whom. So each cause is somewhere.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Affected, Difference, Differences, Others, Weight};
use crate::access::EVERYBODY;

/// Causes that are told under one name; all are counted.
const CAUSES: usize = 10;

/// What somebody is who is affected.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WhoKind {
    /// A principal of an application.
    Principal,
    /// A consumer group.
    Group,
}

impl WhoKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Principal, Self::Group];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Group => "group",
        }
    }
}

/// Somebody by name, with what affects them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    /// What they are.
    pub kind: WhoKind,
    /// Their name.
    pub name: String,
    /// What the worst of the causes does.
    pub worst: Weight,
    /// Places of the causes in [`Differences::causes`], worst first; never none.
    pub causes: Vec<usize>,
}

/// Where somebody stands among those who are affected: worst first, then who has more causes, then by name.
pub type Place = (Reverse<Weight>, Reverse<usize>, String, WhoKind);

impl Concerned {
    /// Where they stand.
    #[must_use]
    pub fn place(&self) -> Place {
        (Reverse(self.worst), Reverse(self.causes.len()), self.name.clone(), self.kind)
    }

    /// The first ten of the causes: those that are told under the name.
    #[must_use]
    pub fn shown(&self) -> &[usize] {
        self.causes.get(..CAUSES).unwrap_or(&self.causes)
    }
}

/// Causes by who is affected, each at its place in [`Differences::causes`], worst first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ByWho {
    /// Those that affect whoever uses the cluster.
    pub everybody: Vec<usize>,
    /// Those that affect, or may affect, somebody whom nobody can name.
    pub not_known: Vec<usize>,
    /// Principals and groups, worst first.
    pub named: Vec<Concerned>,
    /// How many these are, on all pages.
    pub count: usize,
}

impl ByWho {
    /// Of those who are named at most so many behind a place, and whether there are more. All else stays.
    #[must_use]
    pub fn page(mut self, after: Option<&Place>, most: usize) -> (Self, bool) {
        if let Some(after) = after {
            self.named.retain(|one| one.place() > *after);
        }
        let more = self.named.len() > most;
        self.named.truncate(most);
        (self, more)
    }
}

impl Affected {
    pub(super) fn are_everybody(&self) -> bool {
        self.others == Others::Everybody || self.principals.names.iter().any(|name| name == EVERYBODY)
    }

    fn are_not_known(&self) -> bool {
        let nobody = self.principals.names.is_empty() && self.groups.names.is_empty();
        self.others == Others::Unknown || (nobody && !self.are_everybody())
    }

    /// Those who are named, but for the name of everybody. Where a text is asked for and no topic has it, those who have it.
    fn named<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (&'a str, WhoKind)> {
        let all = text.is_empty() || self.topics.mention(text);
        let of = [(&self.principals, WhoKind::Principal), (&self.groups, WhoKind::Group)];
        let named =
            of.into_iter().flat_map(|(of, kind)| of.names.iter().map(move |name| (name.as_str(), kind)));
        named
            .filter(|(name, kind)| *kind == WhoKind::Group || *name != EVERYBODY)
            .filter(move |(name, _)| all || name.contains(text))
    }
}

impl Differences {
    /// Every cause there is, in the order they are numbered: those of the newest survey, this direction's first, then those from when it
    /// could be compared last, with when that was.
    pub fn causes(&self) -> impl Iterator<Item = (Option<DateTime<Utc>>, &Difference)> {
        let now = self.each().flat_map(|found| &found.differences).map(|one| (None, one));
        let then = self.each().flat_map(|found| &found.earlier).flat_map(|part| {
            let at = Some(part.at);
            part.differences.iter().map(move |one| (at, one))
        });
        now.chain(then)
    }

    /// Them by who is affected. It is asked of what [`Self::filtered`] left with the same text, and before [`Self::shortened`] takes
    /// names away.
    #[must_use]
    pub fn by_who(&self, text: &str) -> ByWho {
        let mut causes: Vec<(usize, &Difference)> = self.causes().map(|(_, one)| one).enumerate().collect();
        causes.sort_by_key(|(_, one)| Reverse(one.weight));
        let mut found = ByWho::default();
        let mut named: BTreeMap<(&str, WhoKind), Concerned> = BTreeMap::new();
        for (place, one) in causes {
            if one.affected.are_everybody() {
                found.everybody.push(place);
            }
            if one.affected.are_not_known() {
                found.not_known.push(place);
            }
            for (name, kind) in one.affected.named(text) {
                // The first is the worst.
                let first =
                    || Concerned { kind, name: name.to_owned(), worst: one.weight, causes: Vec::new() };
                named.entry((name, kind)).or_insert_with(first).causes.push(place);
            }
        }
        found.named = named.into_values().collect();
        found.named.sort_by_cached_key(Concerned::place);
        found.count = found.named.len();
        found
    }
}
