//! What is compared on its own: it can be compared or not, whatever is with the rest.

use super::{Difference, NotCompared, Sides, clients, configs, grants, groups, positions, topics};
use crate::survey::SideObservation;

/// A part of what two sides are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Topics,
    Configs,
    Grants,
    Denies,
    Users,
    Quotas,
    Members,
    Positions,
    Protocols,
}

impl Part {
    /// All of them, in the order they are compared.
    pub(super) const ALL: [Self; 9] = [
        Self::Topics,
        Self::Configs,
        Self::Grants,
        Self::Denies,
        Self::Users,
        Self::Quotas,
        Self::Members,
        Self::Positions,
        Self::Protocols,
    ];

    /// As people read it. What was found of it earlier is kept by this name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Topics => "topics and partitions",
            Self::Configs => "configs",
            Self::Grants => "grants",
            Self::Denies => "DENYs",
            Self::Users => "SCRAM users",
            Self::Quotas => "client quotas",
            Self::Members => "members of groups",
            Self::Positions => "positions of groups",
            Self::Protocols => "protocols of groups",
        }
    }

    /// Whether all that it is compared by was read on the active side and on the standby, or why something was not. Cheap: it is
    /// asked of every survey.
    pub(super) fn was_read<'a>(
        self,
        here: &'a SideObservation,
        there: &'a SideObservation,
    ) -> Result<(), &'a str> {
        match self {
            Self::Topics => both([here, there], |side| side.topics.as_result().and(Ok(()))),
            Self::Configs => both([here, there], configs::were_read),
            Self::Grants | Self::Denies => {
                // They are compared for the topics and groups that applications use.
                here.topics.as_result()?;
                here.groups.as_result()?;
                both([here, there], |side| side.acls.as_result().and(Ok(())))
            }
            Self::Users => both([here, there], |side| side.users.as_result().and(Ok(()))),
            Self::Quotas => both([here, there], |side| side.quotas.as_result().and(Ok(()))),
            Self::Members => there.groups.as_result().and(Ok(())),
            Self::Positions => {
                both([here, there], |side| side.topics.as_result().and(Ok(())))?;
                both([here, there], |side| side.groups.as_result().and(Ok(())))
            }
            Self::Protocols => both([here, there], |side| side.groups.as_result().and(Ok(()))),
        }
    }

    /// Compares it, or says why it cannot be. What of it alone could not be is added to `not_compared`.
    pub(super) fn compare<'a>(
        self,
        sides: &Sides<'a>,
        not_compared: &mut Vec<NotCompared>,
    ) -> Result<Vec<Difference>, &'a str> {
        self.was_read(sides.here, sides.there)?;
        match self {
            Self::Topics => topics::differences(sides),
            Self::Configs => configs::differences(sides, not_compared),
            Self::Grants => grants::missing(sides),
            Self::Denies => grants::denied(sides),
            Self::Users => clients::users(sides),
            Self::Quotas => clients::quotas(sides),
            Self::Members => groups::busy(sides),
            Self::Positions => positions::differences(sides),
            Self::Protocols => groups::types(sides),
        }
    }
}

fn both<'a>(
    sides: [&'a SideObservation; 2],
    was_read: fn(&'a SideObservation) -> Result<(), &'a str>,
) -> Result<(), &'a str> {
    sides.into_iter().try_for_each(was_read)
}
