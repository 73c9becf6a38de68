//! Who is asked, and how long: one call finds its broker, keeps its deadline and asks again where the answer was "not now".
//!
//! Every verb goes through here, and so does the check of the cluster id before a change. What a verb asks is in `verbs`.

pub(crate) mod coordinators;
mod leaders;
pub(crate) mod patience;
pub(crate) mod routing;
