//! What would be different for applications on the standby, beyond the records: what breaks if they move there now.
//!
//! Differences with one cause are one: thirty topics that take a limit from the standby's brokers are told once, with
//! all their names. What cannot be compared is said beside them and never counts as equal.

mod affected;
mod brokers;
mod by_who;
mod clients;
mod configs;
mod earlier;
mod grants;
mod groups;
mod part;
mod positions;
mod sides;
#[cfg(test)]
mod tests;
mod topics;

use serde::{Deserialize, Serialize};

use crate::{
    cluster::Cluster,
    direction::{self, ActiveSide},
    ids::ClusterName,
    pair::{BySide, Direction, Pair, Side},
    survey::Survey,
};
pub use affected::{Affected, Names, Others};
pub use brokers::BROKER_SETTINGS;
pub use by_who::{ByWho, Concerned, Place, WhoKind};
pub(crate) use configs::{DECISIVE, config_gaps};
pub use earlier::{Earlier, LastCompared};
pub(crate) use grants::arguments as acl_arguments;
pub(crate) use groups::{active_groups, groups_in_the_way, out_of_the_way};
use part::Part;
use sides::Sides;
pub(crate) use sides::{application_topics, probes};
pub(crate) use topics::{TopicGap, topic_gaps};

/// Names of one kind that are shown; all are counted.
pub const SHOWN: usize = 50;
/// Commands that are shown for one cause.
pub const COMMANDS: usize = 20;

/// What a difference does when applications move. Ordered from least to worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Nothing stops working.
    Differs,
    /// It costs something, or a switchover by Muster makes it good and a failover by hand does not.
    Costs,
    /// Applications fail.
    Breaks,
}

impl Weight {
    /// All of them, from least to worst.
    pub const ALL: [Self; 3] = [Self::Differs, Self::Costs, Self::Breaks];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Costs => "costs",
            Self::Breaks => "breaks",
        }
    }
}

/// What is different.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// A topic is not there.
    TopicMissing,
    /// A topic has another number of partitions.
    Partitions,
    /// A topic has fewer copies.
    Replicas,
    /// A topic is on the standby only.
    TopicExtra,
    /// An effective config.
    Config,
    /// A setting of the brokers.
    Broker,
    /// A grant is not there.
    Grant,
    /// A DENY is on the standby only.
    Deny,
    /// A user cannot sign in.
    ScramUser,
    /// A client quota.
    Quota,
    /// A group has members on the standby.
    GroupActive,
    /// A group lacks positions on the standby, all or some.
    GroupPositions,
    /// A group speaks another protocol on the standby.
    GroupType,
}

impl DifferenceKind {
    /// All of them, in the order they are listed.
    pub const ALL: [Self; 13] = [
        Self::TopicMissing,
        Self::Partitions,
        Self::Replicas,
        Self::TopicExtra,
        Self::Config,
        Self::Broker,
        Self::Grant,
        Self::Deny,
        Self::ScramUser,
        Self::Quota,
        Self::GroupActive,
        Self::GroupPositions,
        Self::GroupType,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopicMissing => "topic_missing",
            Self::Partitions => "partitions",
            Self::Replicas => "replicas",
            Self::TopicExtra => "topic_extra",
            Self::Config => "config",
            Self::Broker => "broker",
            Self::Grant => "grant",
            Self::Deny => "deny",
            Self::ScramUser => "scram_user",
            Self::Quota => "quota",
            Self::GroupActive => "group_active",
            Self::GroupPositions => "group_positions",
            Self::GroupType => "group_type",
        }
    }
}

/// What is different for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Difference {
    /// What.
    pub kind: DifferenceKind,
    /// What it does.
    pub weight: Weight,
    /// A sentence with names between backticks.
    pub says: String,
    /// Where it would be put right.
    pub cluster: ClusterName,
    /// How the active side has it.
    pub expected: String,
    /// How the standby has it.
    pub actual: String,
    /// What happens when applications move, in plain words.
    pub consequence: String,
    /// Who is affected.
    pub affected: Affected,
    /// What to do.
    pub next_step: String,
    /// Commands that do it, ready to be pasted; `COMMAND_CONFIG` stands for the file with the credentials.
    pub commands: Vec<String>,
}

/// Something that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotCompared {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// What would be different for applications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// The cluster applications are on; `None` when that is not known, and then nothing was compared.
    pub active: Option<ClusterName>,
    /// The cluster they would move to.
    pub standby: Option<ClusterName>,
    /// Causes, worst first.
    pub differences: Vec<Difference>,
    /// What nobody can say anything about.
    pub not_compared: Vec<NotCompared>,
    /// Of that, what was found when it could be compared last; see [`Self::with_earlier`].
    pub earlier: Vec<Earlier>,
    /// Where both sides are active, the same for those that would move the other way.
    pub back: Option<Box<Self>>,
}

impl Differences {
    /// This direction, and the other where both sides are active.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.back.as_deref())
    }

    /// Only those of some kinds that concern whoever's name contains a text, or everybody. Empty lets all through.
    #[must_use]
    pub fn filtered(mut self, kinds: &[DifferenceKind], who: &str) -> Self {
        let asked = |found: &Difference| {
            let Affected { topics, groups, principals, .. } = &found.affected;
            (kinds.is_empty() || kinds.contains(&found.kind))
                && (who.is_empty()
                    || found.affected.are_everybody()
                    || [topics, groups, principals].iter().any(|names| names.mention(who)))
        };
        self.differences.retain(asked);
        for part in &mut self.earlier {
            part.differences.retain(asked);
        }
        self.back = self.back.map(|back| Box::new(back.filtered(kinds, who)));
        self
    }

    /// At most so many names and commands of each cause. The counts stay.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let earlier = self.earlier.iter_mut().flat_map(|part| &mut part.differences);
        for found in self.differences.iter_mut().chain(earlier) {
            let Affected { topics, groups, principals, .. } = &mut found.affected;
            for names in [topics, groups, principals] {
                names.names.truncate(SHOWN);
            }
            found.commands.truncate(COMMANDS);
        }
        self.back = self.back.map(|back| Box::new(back.shortened()));
        self
    }
}

/// Compares both sides of a pair as last observed. Where both are active each is compared as the one that applications of the other
/// would move to.
#[must_use]
pub fn differences(pair: &Pair, clusters: &BySide<Cluster>, survey: &Survey) -> Differences {
    match direction::active_side(pair, survey) {
        ActiveSide::Active(active) => compare(&Sides::new(pair, clusters, survey, active, false)),
        ActiveSide::Both { .. } => {
            let [there, back] =
                Side::BOTH.map(|from| compare(&Sides::new(pair, clusters, survey, Direction { from }, true)));
            Differences { back: Some(Box::new(back)), ..there }
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => {
            let all = NotCompared { what: "both sides".to_owned(), reason };
            Differences { not_compared: vec![all], ..Differences::default() }
        }
    }
}

fn compare(sides: &Sides<'_>) -> Differences {
    let (mut found, mut not_compared) = (Vec::new(), Vec::new());
    for part in Part::ALL {
        match part.compare(sides, &mut not_compared) {
            Ok(differences) => found.extend(differences),
            Err(reason) => {
                let (what, reason) = (part.as_str().to_owned(), reason.to_owned());
                not_compared.push(NotCompared { what, reason });
            }
        }
    }
    sort(&mut found);
    Differences {
        active: Some(sides.active().clone()),
        standby: Some(sides.standby().clone()),
        differences: found,
        not_compared,
        ..Differences::default()
    }
}

/// Worst first.
fn sort(found: &mut [Difference]) {
    found.sort_by_key(|difference| {
        (
            std::cmp::Reverse(difference.weight),
            difference.kind,
            std::cmp::Reverse(difference.affected.topics.count),
        )
    });
}
