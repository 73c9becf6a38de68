//! What an identity provider says of somebody, and which roles that gives them here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    ids::TeamName,
    people::{Grant, Role},
};

/// Which roles the provider's groups give: `kafka-admins=admin;payments-oncall=operator@payments,approver@payments`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleMap(Vec<(String, Grant)>);

/// Why a map is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not `group=role` or `group=role@team`: {reason}")]
pub struct BadRoleMap {
    /// The part that is wrong.
    pub part: String,
    /// The rule it breaks, as a sentence fragment.
    pub reason: String,
}

impl RoleMap {
    /// Reads a map: rules separated by `;`, each a group, `=`, and roles separated by `,`. The last `=` counts, so that
    /// groups may be distinguished names. A role without a team holds for all teams.
    ///
    /// # Errors
    /// The first rule that is wrong.
    pub fn parse(text: &str) -> Result<Self, BadRoleMap> {
        let mut map = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let bad = |reason: String| BadRoleMap { part: part.to_owned(), reason };
            let (group, roles) = part.rsplit_once('=').ok_or_else(|| bad("it has no `=`".to_owned()))?;
            let group = group.trim();
            if group.is_empty() {
                return Err(bad("the group is empty".to_owned()));
            }
            for role in roles.split(',') {
                map.push((group.to_owned(), parse_grant(role.trim()).map_err(bad)?));
            }
        }
        Ok(Self(map))
    }

    /// Whether it gives nobody anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What these groups give, each once. Groups are compared letter by letter.
    #[must_use]
    pub fn grants(&self, groups: &[String]) -> Vec<Grant> {
        let given: BTreeSet<&Grant> =
            self.0.iter().filter(|(group, _)| groups.contains(group)).map(|(_, grant)| grant).collect();
        given.into_iter().cloned().collect()
    }

    /// Every team it names.
    #[must_use]
    pub fn teams(&self) -> BTreeSet<&TeamName> {
        self.0.iter().filter_map(|(_, grant)| grant.team.as_ref()).collect()
    }
}

fn parse_grant(text: &str) -> Result<Grant, String> {
    let (word, team) = match text.split_once('@') {
        Some((word, team)) => (word, Some(TeamName::new(team).map_err(|e| e.to_string())?)),
        None => (text, None),
    };
    match Role::parse(word) {
        None => Err(format!("`{word}` is none of {}", Role::ALL.map(Role::as_str).join(", "))),
        Some(Role::Admin) if team.is_some() => {
            Err("the role admin holds everywhere and takes no team".to_owned())
        }
        Some(role) => Ok(Grant { role, team }),
    }
}

/// The groups of a claim: a list of texts, or a single text. Anything else is no group.
#[must_use]
pub fn groups_of(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

/// A user name made of what the provider calls somebody: `Mira.Holt@example.com` → `mira.holt`. None when nothing
/// usable is left.
#[must_use]
pub fn user_name(preferred: &str) -> Option<String> {
    let local = preferred.split('@').next().unwrap_or_default().to_lowercase();
    let name: String = local
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.') { c } else { '-' }
        })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(63)
        .collect();
    let name = name.trim_end_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(role: Role, team: Option<&str>) -> Grant {
        Grant { role, team: team.map(|name| TeamName::new(name).expect("good")) }
    }

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn groups_give_the_roles_of_their_rules_and_nothing_else() {
        let map = RoleMap::parse(
            "kafka-admins=admin; payments-oncall=operator@payments,approver@payments;\
             cn=dr,ou=groups=viewer; everyone=viewer;",
        )
        .expect("good");
        assert_eq!(map.grants(&groups(&["kafka-admins"])), [grant(Role::Admin, None)]);
        assert_eq!(
            map.grants(&groups(&["payments-oncall", "nobody-knows"])),
            [grant(Role::Operator, Some("payments")), grant(Role::Approver, Some("payments"))]
        );
        assert_eq!(map.grants(&groups(&["cn=dr,ou=groups", "everyone"])), [grant(Role::Viewer, None)]);
        assert_eq!(map.grants(&groups(&["Kafka-Admins", "kafka", ""])), []);
        assert_eq!(map.teams().into_iter().map(TeamName::as_str).collect::<Vec<_>>(), ["payments"]);
        assert!(RoleMap::parse(" ; ").expect("good").is_empty());
    }

    #[test]
    fn a_rule_that_is_wrong_is_named_with_the_reason() {
        let said = |text: &str| RoleMap::parse(text).expect_err("bad").to_string();
        assert_eq!(said("admins"), "`admins` is not `group=role` or `group=role@team`: it has no `=`");
        assert!(said("a=viewer;=admin").contains("the group is empty"));
        assert!(said("a=boss").contains("`boss` is none of viewer"));
        assert!(said("a=viewer,").contains("`` is none of viewer"));
        assert!(said("a=admin@core").contains("takes no team"));
        assert!(said("a=viewer@No Team").contains("not a usable name"));
    }

    #[test]
    fn groups_are_read_from_a_list_or_a_text() {
        assert_eq!(groups_of(Some(&json!(["a", 1, "b", null]))), ["a", "b"]);
        assert_eq!(groups_of(Some(&json!("a"))), ["a"]);
        for none in [json!({"a": "b"}), json!(null), json!(true), json!(7)] {
            assert_eq!(groups_of(Some(&none)), Vec::<String>::new());
        }
        assert_eq!(groups_of(None), Vec::<String>::new());
    }

    #[test]
    fn names_of_the_provider_become_names_of_ours() {
        assert_eq!(user_name("Mira.Holt@example.com").as_deref(), Some("mira.holt"));
        assert_eq!(user_name("mira holt").as_deref(), Some("mira-holt"));
        assert_eq!(user_name("_svc$").as_deref(), Some("svc"));
        assert_eq!(user_name("Zoë").as_deref(), Some("zo"));
        assert_eq!(user_name(&"x".repeat(99)).map(|name| name.len()), Some(63));
        for none in ["", "@example.com", "???", "…"] {
            assert_eq!(user_name(none), None, "{none}");
        }
    }
}
