//! The HTTP side without its handlers: the row of a route, the guard in front of it, what goes in and what comes out.

pub mod codes;
pub(crate) mod csv;
pub mod extract;
pub mod failure;
pub mod guard;
pub mod idempotency;
pub mod layers;
mod limits;
pub(crate) mod network;
pub mod openapi;
pub mod proxies;
pub mod route;
mod strict;
pub(crate) mod times;

pub use extract::{Acting, Form, IfMatch, Json, Path, Query, SinceShown, Text, check_version, etag};
pub use failure::{Answer, Failure};
pub use idempotency::{Creating, Start};
