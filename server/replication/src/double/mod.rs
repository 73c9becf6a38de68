//! A simulated MirrorMaker 2 flow between two clusters of `muster_kafka::double::World`, and a ready scenario.
//!
//! It does what matters to a switchover: copies committed records in batches, with or without exactly-once; stores
//! committed offsets (inclusive) at its flushes; emits offset syncs sparsely; syncs group offsets approximately;
//! takes its time to stop; believes any offsets it is given. Flows act on the world's ticks.
//!
//! Simplified: one task per connector, one Connect cluster per flow that lives as long as the target cluster, no
//! rebalances unless injected, no heartbeat records, internal topics are kept in the flow and not in the world.

mod checkpoint;
pub mod conformance;
mod copy;
mod flow;
mod memory;
mod offset_pair_memory;
mod small_world;
mod spec;

pub use flow::{Connector, Flow};
pub use memory::MemoryReplication;
pub use offset_pair_memory::KeptInMemory;
pub use small_world::{PRINCIPALS, SmallWorld, small_world};
pub use spec::FlowSpec;
