//! Muster's one binary as a library: HTTP, sign-in, wiring, loops and the command line.
//!
//! This room decides nothing about clusters or runs; it asks `domain`, `operations` and `store`, and answers people and
//! machines. Tests use it through its router.

pub mod acts;
pub mod alarm_watch;
pub mod api;
pub mod app;
pub mod auth;
pub mod canary_loop;
pub mod canary_standing;
pub mod cli;
pub mod client_source;
pub mod config;
mod content_loop;
pub mod courier;
mod dead_source;
pub mod doctor;
pub mod drill_loop;
mod each_pair;
pub mod housekeeping;
pub mod http;
pub mod judgement;
pub mod kept_offset_pairs;
pub mod lag_history;
pub mod lag_hours;
pub mod logs;
pub mod memory;
pub mod pages;
pub mod postgres;
pub mod proof_loop;
pub mod ring_loop;
pub mod routes;
pub mod run_feed;
pub mod run_watch;
pub mod serve;
pub mod settings;
pub mod standing;
pub mod survey_loop;
pub mod telemetry;
pub mod turns;
