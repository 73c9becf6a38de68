//! Muster's one binary as a library: HTTP, sign-in, wiring, loops and the command line.
//!
//! This room decides nothing about clusters or runs; it asks `domain`, `operations` and `store`, and answers people and
//! machines. Tests use it through its router.

pub mod acts;
pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod following;
pub mod http;
pub mod loops;
pub mod pages;
pub mod process;
pub mod routes;
pub mod standing;
