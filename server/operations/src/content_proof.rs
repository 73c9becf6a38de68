//! Whether both sides of a pair hold the same records, found by reading only: planned by one process, compared by all that
//! have a hand free.
//!
//! Partitions are dealt out by a consumer group of the source that reads nothing. Who compares a stretch keeps where it
//! could go on, so whoever is dealt it next loses seconds; two that compare the same stretch find the same, and the first
//! answer counts.

mod again;
mod beyond;
mod bounds;
mod heard;
mod look_after;
mod plan;
mod record;
mod standstill;
#[cfg(test)]
mod tests;
mod turns;
mod work;

pub use plan::{PlannedContent, plan_content};
pub use record::look_for;
pub use work::{OpenStretch, Share, StretchBook, compare_stretches};
