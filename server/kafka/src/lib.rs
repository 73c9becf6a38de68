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

mod acls;
mod batches;
mod broker_error;
mod client;
mod client_limits;
mod closings;
mod configs;
mod connection;
mod coordinators;
mod dial;
mod epochs;
mod fetch;
mod frames;
mod group_members;
mod group_offsets;
mod group_share;
mod groups;
mod guarded;
mod leaders;
mod librdkafka;
mod offsets;
mod options;
mod patience;
mod pool;
mod prints;
mod probe;
mod producers;
mod record_mover;
mod rights;
mod routing;
mod sasl;
mod share;
mod tails;
mod tls;
mod token;
mod topics;
mod transactions;
mod transport;
mod unpack;
mod versions;

pub use admin::{ClusterAdmin, FenceVerdict, OffsetSpec, ProducerState};
pub use client::KafkaAdmin;
pub use closings::Closings;
pub use error::{KafkaError, KafkaErrorKind};
pub use mover::{Isolation, Piece, ReadRange, Record, RecordMover, TailRecord, Tails, every_tail};
pub use options::ClientOptions;
pub use prints::{PrintRange, RecordPrint};
pub use record_mover::KafkaMover;
pub use share::{Dealt, WorkShare};
