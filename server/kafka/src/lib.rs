//! Muster's hands on a Kafka cluster: the admin client (over `kafka-protocol`) and the record mover (over rdkafka).
//!
//! Two traits, each with a real implementation and an in-memory double that passes the same conformance tests.
//! Nothing here decides anything: callers bring the intent, this room makes the calls, checks the cluster id before
//! every mutation, bounds every wait and keeps the broker's exact error.

pub mod admin;
pub mod error;
pub mod mover;

pub use admin::{ClusterAdmin, FenceVerdict, OffsetSpec, ProducerState};
pub use error::{KafkaError, KafkaErrorKind};
pub use mover::{Isolation, ReadRange, Record, RecordMover, TailRecord};
