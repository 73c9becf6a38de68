//! The private PostgreSQL of `muster serve`. It lives in the store, whose tests need it too.

pub use muster_store::private_postgres::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions};
