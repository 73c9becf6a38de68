//! The switchover on an in-memory pair of clusters with a real Postgres: repeated, failed and killed at every step.
//!
//! What these tests promise about Kafka and MirrorMaker 2 is proven on real ones in tests/it; here every step
//! boundary is reached, which no real lab could be made to do in minutes.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod bad_days;
mod bringing_writes;
mod decisions;
mod late_go;
mod outage;
mod properties;
mod readiness_drill;
mod sim;
mod stopping;
mod switchover;
mod way_back;
mod world_moves;
