//! How looks at a source go: whether rings are kept of it for the day it is dead, and what is in the way. Told while the source lives and
//! something can be done about it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::ClusterName;

/// Looks at one source of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Looks {
    /// The source.
    pub from: ClusterName,
    /// Where its records are copied to.
    pub to: ClusterName,
    /// When it was looked at last, by Muster's clock; null when it never was.
    pub looked_at: Option<DateTime<Utc>>,
    /// As of when groups' positions were then; null when it never was.
    pub positions_at: Option<DateTime<Utc>>,
    /// The source does not answer; null while it does.
    pub silent: Option<Trouble>,
    /// Looks fail although the source answers; null while they do not.
    pub failing: Option<Trouble>,
    /// Partitions with groups that cannot be read.
    pub unread: i64,
    /// Of these some, those that cannot be for longest.
    pub partitions: Vec<UnreadPartition>,
    /// Partitions with groups beyond those that rings are kept of.
    pub beyond: i64,
}

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trouble {
    /// The first time.
    pub since: DateTime<Utc>,
    /// What came back the last time.
    pub because: String,
}

/// A partition that could not be read the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadPartition {
    /// Topic, as the source names it.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The first time.
    pub since: DateTime<Utc>,
    /// The last time.
    pub tried_at: DateTime<Utc>,
    /// What came back then.
    pub because: String,
}
