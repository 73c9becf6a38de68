//! The audit's hash chain: each entry's hash covers its content and the hash before it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::hash::hash_json;

/// The hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditContent {
    /// Position in the chain, from 1, without gaps.
    pub number: i64,
    /// When, by the database's clock, to the microsecond (Postgres keeps no more).
    pub at: DateTime<Utc>,
    /// Who: user name, `token:name` or `muster`.
    pub actor: String,
    /// What was done, a verb in dotted form: `run.approve`, `cluster.create`, `session.refuse`.
    pub action: String,
    /// To what: `run 0192…`, `pair payments`.
    pub object: String,
    /// `done`, or `refused` with the reason in `detail`.
    pub outcome: String,
    /// More, as JSON; never a secret.
    pub detail: serde_json::Value,
}

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// What it says.
    pub content: AuditContent,
    /// Hash of the entry before it, or [`GENESIS`].
    pub previous_hash: String,
    /// SHA-256 over the content and `previous_hash`.
    pub hash: String,
}

/// The hash an entry must have.
///
/// # Errors
/// When the content cannot be written as JSON, which no content built by Muster can cause.
pub fn entry_hash(previous_hash: &str, content: &AuditContent) -> Result<String, serde_json::Error> {
    hash_json(&serde_json::json!({
        "previous": previous_hash,
        "number": content.number,
        "at": content.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "actor": content.actor,
        "action": content.action,
        "object": content.object,
        "outcome": content.outcome,
        "detail": content.detail,
    }))
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, utoipa::ToSchema)]
pub enum BrokenChain {
    /// A number is missing or repeated.
    #[error("entry {expected} is missing: found {found} instead")]
    Gap {
        /// Number that should come.
        expected: i64,
        /// Number found.
        found: i64,
    },
    /// An entry does not name the hash of the one before it.
    #[error("entry {number} does not follow the entry before it")]
    Unlinked {
        /// Number of the entry.
        number: i64,
    },
    /// An entry's content does not fit its hash.
    #[error("entry {number} was changed after it was written")]
    Changed {
        /// Number of the entry.
        number: i64,
    },
}

/// Checks a whole chain, or a stretch of it that follows `previous` (number and hash of the entry before it).
///
/// # Errors
/// The first place where it breaks.
pub fn verify_chain<'a>(
    previous: (i64, &str),
    entries: impl IntoIterator<Item = &'a AuditEntry>,
) -> Result<(i64, String), BrokenChain> {
    let (mut number, mut hash) = (previous.0, previous.1.to_owned());
    for entry in entries {
        let found = entry.content.number;
        if found != number + 1 {
            return Err(BrokenChain::Gap { expected: number + 1, found });
        }
        if entry.previous_hash != hash {
            return Err(BrokenChain::Unlinked { number: found });
        }
        if entry_hash(&hash, &entry.content).ok().as_deref() != Some(entry.hash.as_str()) {
            return Err(BrokenChain::Changed { number: found });
        }
        number = found;
        hash.clone_from(&entry.hash);
    }
    Ok((number, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: i64) -> Vec<AuditEntry> {
        let mut previous = GENESIS.to_owned();
        (1..=n)
            .map(|number| {
                let content = AuditContent {
                    number,
                    at: DateTime::from_timestamp(1_700_000_000 + number, 0).unwrap(),
                    actor: "mira.holt".to_owned(),
                    action: "run.approve".to_owned(),
                    object: "run 1".to_owned(),
                    outcome: "done".to_owned(),
                    detail: serde_json::json!({"n": number}),
                };
                let hash = entry_hash(&previous, &content).unwrap();
                let entry = AuditEntry { content, previous_hash: previous.clone(), hash: hash.clone() };
                previous = hash;
                entry
            })
            .collect()
    }

    #[test]
    fn an_untouched_chain_verifies() {
        assert_eq!(verify_chain((0, GENESIS), &chain(5)).unwrap().0, 5);
    }

    #[test]
    fn every_kind_of_tampering_is_found() {
        let mut changed = chain(5);
        changed[2].content.actor = "somebody.else".to_owned();
        assert_eq!(verify_chain((0, GENESIS), &changed), Err(BrokenChain::Changed { number: 3 }));

        let mut removed = chain(5);
        removed.remove(2);
        assert_eq!(verify_chain((0, GENESIS), &removed), Err(BrokenChain::Gap { expected: 3, found: 4 }));

        let mut rewritten = chain(5);
        rewritten[2].content.actor = "somebody.else".to_owned();
        rewritten[2].hash = entry_hash(&rewritten[2].previous_hash, &rewritten[2].content).unwrap();
        assert_eq!(verify_chain((0, GENESIS), &rewritten), Err(BrokenChain::Unlinked { number: 4 }));
    }
}
