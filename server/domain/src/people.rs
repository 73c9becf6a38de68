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

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Approver, Self::Owner, Self::Admin];

    /// Its word, everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Owner => "owner",
            Self::Admin => "admin",
        }
    }

    /// The role a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
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

/// What an API token may use of its maker's rights.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads what its maker may read, and nothing else.
    Read,
    /// Also acts as operator where its maker may.
    Operator,
    /// Also acts as approver where its maker may.
    Approver,
    /// Also acts as owner where its maker may.
    Owner,
    /// Also acts as admin if its maker may.
    Admin,
    /// Reads the drill calendar, by its address alone, and nothing else.
    Calendar,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Operator, Self::Approver, Self::Owner, Self::Admin, Self::Calendar];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Calendar => "calendar",
        }
    }

    /// The scope of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    fn covers(self, role: Role) -> bool {
        match role {
            Role::Viewer => self != Self::Calendar,
            Role::Operator => self == Self::Operator,
            Role::Approver => self == Self::Approver,
            Role::Owner => self == Self::Owner,
            Role::Admin => self == Self::Admin,
        }
    }
}

/// Rights narrowed to some scopes: reading stays, wherever there was a right. No scopes at all leave everything (tokens made
/// before there were any).
#[must_use]
pub fn narrow(grants: Vec<Grant>, scopes: &[Scope]) -> Vec<Grant> {
    if scopes.is_empty() {
        return grants;
    }
    let mut narrowed: Vec<Grant> = grants
        .into_iter()
        .map(|grant| match scopes.iter().any(|scope| scope.covers(grant.role)) {
            true => grant,
            // An admin reads everything.
            false => Grant { role: Role::Viewer, team: grant.team },
        })
        .collect();
    narrowed.sort_by(|a, b| (a.role, &a.team).cmp(&(b.role, &b.team)));
    narrowed.dedup();
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(role: Role, team: Option<&str>) -> Grant {
        Grant { role, team: team.map(|name| TeamName::new(name).expect("good")) }
    }

    #[test]
    fn scopes_take_away_and_never_give() {
        let all = || {
            vec![
                grant(Role::Operator, Some("core")),
                grant(Role::Approver, Some("core")),
                grant(Role::Admin, None),
            ]
        };
        assert_eq!(narrow(all(), &[]), all());
        let reads = [grant(Role::Viewer, None), grant(Role::Viewer, Some("core"))];
        assert_eq!(narrow(all(), &[Scope::Read]), reads);
        assert_eq!(narrow(all(), &[Scope::Owner]), reads, "what the maker has not, the token has not");
        let drives = [
            grant(Role::Viewer, None),
            grant(Role::Viewer, Some("core")),
            grant(Role::Operator, Some("core")),
        ];
        assert_eq!(narrow(all(), &[Scope::Operator]), drives);
        assert_eq!(narrow(vec![grant(Role::Operator, None)], &[Scope::Read, Scope::Operator]).len(), 1);
    }
}
