//! Names people give to things. One rule for all of them, so that a name is safe in a URL, a topic and a log line.

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a usable name: {reason}")]
pub struct BadName {
    /// What was given.
    pub name: String,
    /// The rule it breaks, as a sentence fragment.
    pub reason: &'static str,
}

/// Checks the one rule for names: 1 to 63 characters of `a-z`, `0-9`, `-`, `_` and `.`, starting with a letter or digit.
fn check(name: &str) -> Result<(), BadName> {
    let refuse = |reason| Err(BadName { name: name.to_owned(), reason });
    match name.chars().next() {
        None => return refuse("it is empty"),
        Some(first) if !first.is_ascii_lowercase() && !first.is_ascii_digit() => {
            return refuse("it must start with a lower-case letter or a digit");
        }
        Some(_) => {}
    }
    if name.len() > 63 {
        return refuse("it is longer than 63 characters");
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')) {
        return refuse("only lower-case letters, digits, `-`, `_` and `.` are allowed");
    }
    Ok(())
}

/// The rule as an API description says it.
fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    let rule = utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::String)
        .description(Some(
            "1 to 63 characters of `a-z`, `0-9`, `-`, `_` and `.`, starting with a letter or digit.",
        ))
        .pattern(Some("^[a-z0-9][a-z0-9._-]{0,62}$"));
    rule.build().into()
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps a name.
            pub fn new(name: impl Into<String>) -> Result<Self, BadName> {
                let name = name.into();
                check(&name)?;
                Ok(Self(name))
            }

            /// The name itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                schema()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The name of a cluster, for example `eu-west`.
    ClusterName
}
name_type! {
    /// The name of a pair, for example `payments`.
    PairName
}
name_type! {
    /// The name of a notification channel within its team, for example `on-call`.
    ChannelName
}
name_type! {
    /// The name of a team, for example `core-platform`.
    TeamName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_everywhere_they_are_printed() {
        for good in ["a", "eu-west", "payments.core_2", "9lives"] {
            assert_eq!(PairName::new(good).map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "EU", "a b", "a/b", "ü", &"x".repeat(64)] {
            assert!(PairName::new(bad).is_err(), "{bad}");
        }
    }
}
