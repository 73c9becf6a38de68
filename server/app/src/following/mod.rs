//! Who follows a run as it goes on, on a page or a stream: told that it changed, handed what happened, in turns where they are many.
//!
//! What happens is only read here; the engine of `operations` writes it.

pub mod run_feed;
pub mod run_watch;
pub mod turns;
