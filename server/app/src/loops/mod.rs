//! What a process does by itself, whatever people ask for: observing pairs, proofs, drills, messages, housekeeping.
//!
//! A file is a loop, or what one works with; `process::serve` starts them. Each may run in any number of processes: who does a
//! thing is decided by a lease or a row's lock. What people ask for is in `acts`, rules are in `domain`, effects in `operations`.

pub mod alarm_watch;
pub mod canary;
mod content;
pub mod courier;
mod dead_source;
pub mod drill;
mod each_pair;
pub mod housekeeping;
pub mod memory;
pub mod proof;
pub mod ring;
pub mod survey;
