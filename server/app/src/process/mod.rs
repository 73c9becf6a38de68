//! One process of Muster: what it is set up with, how it starts and stops, what it holds and what it tells of itself.
//!
//! What it does from then on is not here: by itself in `loops`, for people in `acts`.

pub mod client_source;
pub mod config;
pub mod doctor;
pub mod kept_offset_pairs;
pub mod logs;
pub mod postgres;
pub mod serve;
pub mod settings;
pub mod telemetry;
