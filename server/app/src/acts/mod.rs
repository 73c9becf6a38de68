//! What can be done: one function an act, called by the API's handlers and by the pages' forms alike.
//!
//! Each act is one transaction that holds the change and its audit entry, the entry last.

pub mod alarms;
pub mod approvers;
pub mod audit_trail;
pub mod brake_acts;
pub mod canaries;
pub mod channels;
pub mod checks;
pub mod clusters;
pub mod comparisons;
pub mod connect_credentials;
pub mod differences;
pub mod findings;
pub mod imports;
pub mod installation;
pub mod lag_explorer;
pub mod pairs;
pub mod payload;
pub mod people;
pub mod plans;
pub mod proofs;
pub mod recorded;
pub mod rings;
pub mod runs;
pub mod schedules;
pub mod sessions;
pub mod teams;
pub mod teams_of;
pub mod tokens;

use muster_domain::people::{Actor, Role};

use crate::http::{Answer, Failure};
use muster_domain::ids::TeamName;

/// Checks a role for a team that is only known once the request is read.
///
/// # Errors
/// `forbidden`.
pub fn needs_role(actor: &Actor, role: Role, team: &TeamName) -> Answer<()> {
    if actor.has(role, team) {
        return Ok(());
    }
    let word = format!("{role:?}").to_lowercase();
    Err(Failure::new(
        "forbidden",
        format!("You may not do this: it needs the role {word} for the team `{team}`."),
        "Ask an admin for the role, or somebody who has it to do this.",
    ))
}
