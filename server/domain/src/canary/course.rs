//! Where canaries may be written. Never into a side that stands by: under identity names its canary topic is the copy of
//! the other side's, and a record of ours there would be a foreign writer's.

use serde::{Deserialize, Serialize};

use crate::pair::{BySide, Flow, NamingPolicy, Pair, Side};

/// What the newest survey says of where applications are and which flows copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Side applications are on; `None` when it cannot be told.
    pub active: Option<Side>,
    /// Why it cannot be told.
    pub active_unknown: Option<String>,
    /// Whether the flow from a side copies records; `None` where that was not observed. No flow copies nothing.
    pub copying: BySide<Option<bool>>,
}

/// What is to be done on a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// Write on its source and look on its target.
    Write,
    /// Nothing is to be written, and nothing is wrong with that.
    Rest {
        /// Why.
        reason: String,
    },
    /// It cannot be told, so nothing is written.
    Unclear {
        /// Why.
        reason: String,
    },
}

/// What is to be done on a flow. `chosen` is whether it was written when that was last known: while nothing copies at all
/// (a connector was stopped) no side shows as active, and a canary that stopped with the connector would not show that
/// nothing arrives. It goes on as long as nothing is copied the other way.
#[must_use]
pub fn course(pair: &Pair, flow: &Flow, now: &Whereabouts, chosen: bool) -> Course {
    let (from, to) = (flow.direction.from, flow.direction.to());
    let (here, there) = (pair.cluster(from), pair.cluster(to));
    let identity = flow.naming == NamingPolicy::Identity;
    let (copies, copies_back) = (*now.copying.get(from), *now.copying.get(to));
    match now.active {
        Some(active) if active == from => Course::Write,
        Some(_) if identity => Course::Rest {
            reason: format!(
                "`{here}` stands by: its canary topic is the copy of the one on `{there}`, and Muster writes into no copy"
            ),
        },
        Some(_) => Course::Rest {
            reason: format!("`{here}` stands by and nothing is copied from there as things are"),
        },
        // Distinct names: each direction has a canary topic of its own, as applications have their topics.
        None if copies == Some(true) && copies_back == Some(true) && !identity => Course::Write,
        None if copies == Some(true) && copies_back == Some(true) => Course::Unclear {
            reason: "both directions are live with identity names: a record would go in circles".to_owned(),
        },
        None if chosen && copies_back == Some(false) => Course::Write,
        None => {
            let why = now.active_unknown.as_deref().unwrap_or("no survey has told");
            Course::Unclear { reason: format!("it cannot be told which side is active: {why}") }
        }
    }
}
