//! Who people are and what they may do.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::TeamName;

/// The five roles. Each includes reading; otherwise they are separate rights, not a ladder (design section 6).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Plans, requests, starts and drives runs.
    Operator,
    /// Approves, rejects and attests.
    Approver,
    /// Edits pairs, objectives, rules and schedules.
    Owner,
    /// People, clusters and secrets, everywhere; no team.
    Admin,
}

/// A right one role gives within one team, or everywhere when `team` is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Grant {
    /// Role.
    pub role: Role,
    /// Team it holds for; `None` for all teams.
    pub team: Option<TeamName>,
}

/// Somebody acting: the signed-in person, or Muster itself for scheduled work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// User id; the nil UUID is Muster itself.
    pub id: Uuid,
    /// Name for people and the audit (`mira.holt`).
    pub name: String,
    /// What they may do.
    pub grants: Vec<Grant>,
}

impl Actor {
    /// Muster acting by itself.
    #[must_use]
    pub fn muster() -> Self {
        Self { id: Uuid::nil(), name: "muster".to_owned(), grants: Vec::new() }
    }

    /// Whether this person has a role for a team. Admins manage people, clusters and secrets; they get no say in a
    /// run from that alone.
    #[must_use]
    pub fn has(&self, role: Role, team: &TeamName) -> bool {
        self.grants.iter().any(|g| g.role == role && g.team.as_ref().is_none_or(|t| t == team))
    }

    /// Whether this person has a role for any team at all.
    #[must_use]
    pub fn has_anywhere(&self, role: Role) -> bool {
        self.grants.iter().any(|g| g.role == role)
    }

    /// Whether this person may read what belongs to a team: any role for it, or admin.
    #[must_use]
    pub fn may_read(&self, team: &TeamName) -> bool {
        self.grants.iter().any(|g| g.role == Role::Admin || g.team.as_ref().is_none_or(|t| t == team))
    }
}
