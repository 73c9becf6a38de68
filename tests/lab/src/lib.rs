//! Two real Kafka clusters, a Connect worker per direction, MirrorMaker 2 and a workload, without Docker.
//!
//! Tests start with [`Lab::start`] (or [`Lab::attach_or_start`], which shares the lab named by `MUSTER_LAB`), read what they
//! need from [`LabDescription`], break things with [`Lab::kill`], [`Lab::freeze`] and friends, and prove what
//! applications saw with [`Workload`]. Every process started here dies with the process that started it, even at
//! `kill -9`. The lab never speaks to anything but 127.0.0.1 (Maven, for the jars, excepted).

mod broker;
mod connect;
mod control;
mod description;
mod java;
mod lab;
mod ledger;
mod mirror;
mod ports;
mod principals;
mod process;
mod security;
mod signals;
mod startup;
mod wait;
mod wire;
mod workload;

pub mod jars;

pub use connect::{Connect, ConnectorStatus, Placed};
pub use control::serve_control;
pub use description::{
    ClusterDescription, Direction, FlowDescription, LabDescription, NamingPolicy, WorkerDescription,
};
pub use lab::{Lab, LabOptions};
pub use ledger::{GroupSummary, LedgerSummary, RedirectSummary, TopicSummary};
pub use principals::{Acl, AclResource, EU_CENTRAL, EU_WEST};
pub use process::ChildProcess;
pub use security::{SecurityDescription, SecurityLab};
pub use signals::wait_for_end_signal;
pub use wait::{WaitBound, now_ms, wait_until};
pub use wire::{LabAdmin, NewTopic};
pub use workload::{
    Address, AddressBook, FinalCheck, TopicCheck, Workload, WorkloadOptions, address_book_path,
};
