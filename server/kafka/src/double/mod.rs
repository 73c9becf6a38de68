//! An in-memory world of Kafka clusters with applications, for tests of rules, runbooks and crashes.
//!
//! It is deterministic and has no real time: a logical clock moves by [`World::tick`], and every awaited trait call
//! moves it by one, so that code which polls makes progress. It claims to behave like Kafka only where the
//! conformance tests (`conformance`) passed on real brokers too; what it simplifies is listed below.
//!
//! Simplified: one group coordinator (the first broker), all replicas always in sync, no quotas, hosts in ACLs are
//! not compared, Muster itself is a super user, transactional-id ACLs are not checked, a rebalance takes no time.

mod actors;
mod admin;
mod answers;
mod authorizer;
mod caller;
mod changes;
mod cluster;
mod code;
pub mod conformance;
mod consumer;
mod faults;
mod log;
mod mover;
mod picture;
mod producer;
mod shares;
mod verdict;
mod world;

pub use actors::{Acked, Actor, Ledger, Processed};
pub use admin::MemoryAdmin;
pub use authorizer::Authorizer;
pub use cluster::{ClusterState, EPOCH_MS, Group, Health, TICK_MS, Topic, Txn};
pub use code::broker_error;
pub use consumer::ConsumerApp;
pub use faults::{Call, DIED, Fault, Faults, Hook, When};
pub use log::{Entry, EntryKind, Log, Payload, TxnStatus};
pub use mover::MemoryMover;
pub use producer::{Producer, Transactions};
pub use shares::Shares;
pub use verdict::{GroupVerdict, Verdict};
pub use world::{State, World};
