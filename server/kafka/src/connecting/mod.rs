//! Connections to brokers: from an address to one that may be used, frames over it, and the pool that keeps them.
//!
//! Which broker is asked for what is in `asking`. What is asked is in `verbs` and `records`, but for versions and signing in.

pub(crate) mod closings;
pub(crate) mod connection;
pub(crate) mod dial;
mod frames;
mod guarded;
pub(crate) mod pool;
pub(crate) mod sasl;
mod tls;
pub(crate) mod token;
pub(crate) mod transport;
mod versions;
