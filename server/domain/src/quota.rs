//! Client quotas and SCRAM users: what a cluster says about its clients besides their ACLs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A limit of some clients (DescribeClientQuotas).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientQuota {
    /// Whose: `user`, `client-id` or `ip` with the name; `None` is whoever has no quota of their own.
    pub entity: BTreeMap<String, Option<String>>,
    /// Limits by Kafka's name: `producer_byte_rate` in bytes per second and broker, `request_percentage`, ….
    pub limits: BTreeMap<String, f64>,
}

impl ClientQuota {
    /// Whose it is, for people: `user shop, any client-id`.
    #[must_use]
    pub fn whose(&self) -> String {
        let part = |(kind, name): (&String, &Option<String>)| match name {
            Some(name) => format!("{kind} {name}"),
            None => format!("any {kind}"),
        };
        self.entity.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// Users that can sign in by SCRAM, with the mechanisms each has a password for (`SCRAM-SHA-512`). Salts and hashes are
/// never asked for.
pub type ScramUsers = BTreeMap<String, BTreeSet<String>>;
