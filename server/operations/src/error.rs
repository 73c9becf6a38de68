//! What can go wrong with a request to the engine, each with what a person is told.

use muster_domain::{problem::Problem, run::RefusedAct};
use muster_store::StoreError;

/// An error of an operation.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The request is understood and refused by a rule; this is what the person is told.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// The database could not be asked or told.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Clients for a pair could not be built (sealed secrets, bad PEM, unknown pair).
    #[error("clients of pair `{pair}`: {reason}")]
    Clients {
        /// Pair.
        pair: String,
        /// Why.
        reason: String,
    },
    /// Stored data does not read back.
    #[error("stored {what} does not read back: {reason}")]
    Stored {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl From<RefusedAct> for OperationError {
    fn from(refused: RefusedAct) -> Self {
        Self::Refused(Problem::new(
            "act-does-not-fit-state",
            format!(
                "The run is {} and does not take this act now.",
                refused.state.as_str().replace('_', " ")
            ),
            "Reload the run and see which acts it takes.",
        ))
    }
}
