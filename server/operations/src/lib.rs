//! The job engine and the runbooks.
//!
//! A run is a row with steps. The engine leases it, commits each intent before its effect and each outcome after it,
//! and looks at the world before acting again when a worker died in between. A runbook is a table of steps with their
//! undos; everything it decides is either a pure rule of `domain` or an answer read back from the clusters.

pub mod broker_settings;
pub mod canary;
pub mod clients;
pub mod content_proof;
pub mod decisions;
pub mod engine;
pub mod error;
pub mod leader_ends;
pub mod planning;
pub mod report;
pub mod rings;
pub mod step;
pub mod survey;
pub mod switchover;
pub mod tails;
mod telling;
pub mod translation_proof;
pub mod writers;

pub use clients::{ClientSource, PairClients};
pub use engine::Engine;
pub use error::OperationError;

use muster_domain::run::Operation;

/// Muster's runbooks. Operations that cannot be run yet have none and cannot be planned.
#[must_use]
pub fn runbook(operation: Operation) -> Option<engine::Runbook> {
    match operation {
        Operation::Switchover => Some(switchover::runbook()),
        Operation::ReadinessDrill => Some(switchover::readiness_drill::runbook()),
        Operation::Failover
        | Operation::Failback
        | Operation::Rehearsal
        | Operation::GameDay
        | Operation::Tabletop
        | Operation::Evacuation => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, runbook};

    #[test]
    fn operations_without_a_runbook_are_those_that_are_reserved() {
        for operation in Operation::ALL {
            assert_eq!(runbook(operation).is_none(), operation.reserved(), "{operation:?}");
        }
    }
}
