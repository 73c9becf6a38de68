//! Muster's hands on a Kafka cluster: the admin client (over `kafka-protocol`) and the record mover (over rdkafka).
//!
//! Two traits, each with a real implementation and an in-memory double that passes the same conformance tests.
//! Nothing here decides anything: callers bring the intent, this room makes the calls, checks the cluster id before
//! every mutation, bounds every wait and keeps the broker's exact error.

pub mod admin;
#[cfg(feature = "double")]
pub mod double;
pub mod error;
pub mod mover;
#[cfg(feature = "synthetic")]
pub mod synthetic;

mod asking;
mod broker_error;
mod client;
mod connecting;
mod options;
mod record_mover;
mod records;
mod share;
mod verbs;

pub use admin::{ClusterAdmin, FenceVerdict, OffsetSpec, ProducerState};
pub use client::KafkaAdmin;
pub use connecting::closings::Closings;
pub use error::{KafkaError, KafkaErrorKind};
pub use mover::{Isolation, Piece, ReadRange, Record, RecordMover, TailRecord, Tails, every_tail};
pub use options::ClientOptions;
pub use record_mover::KafkaMover;
pub use records::prints::{PrintRange, RecordPrint};
pub use share::{Dealt, WorkShare};
