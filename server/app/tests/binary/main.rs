//! The binary as people start it: it brings its own PostgreSQL or uses theirs, stops cleanly, and comes back after the
//! worst.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[cfg(feature = "otlp")]
mod collector;
mod doctor;
mod monitoring;
mod muster;
mod secrets;
mod serving;
mod sharing;
#[cfg(feature = "otlp")]
mod traces;
