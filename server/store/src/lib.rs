//! All SQL of Muster, and nothing else: what is kept, and the rules the database itself holds.
//!
//! Functions take a `&mut PgConnection`; the caller owns the transaction, so that a change and its audit entry commit
//! together. Nothing here talks to Kafka, hashes a password or decides who may do something. Times of leases and of
//! the audit are the database's clock, never a host's.

pub mod alarms;
pub mod approvals;
pub mod audit;
pub mod brake;
pub mod break_glass;
pub mod canaries;
pub mod channels;
pub mod clock;
pub mod clusters;
pub mod database;
pub mod error;
pub mod figures;
pub mod findings;
pub mod grants;
pub mod happenings;
pub mod idempotency;
pub mod identities;
pub mod lag;
pub mod last_compared;
pub mod leases;
pub mod login_failures;
pub mod losses;
pub mod marks;
pub mod occurrences;
pub mod offset_pairs;
pub mod outbox;
pub mod pairs;
pub mod people;
pub mod plans;
pub mod private_postgres;
pub mod programme;
pub mod proof_stretches;
pub mod proofs;
pub mod readiness;
pub mod recorder;
pub mod rings;
pub mod rpo_hours;
pub mod run_events;
pub mod run_leases;
pub mod run_steps;
pub mod runs;
pub mod schedules;
pub mod secrets;
pub mod server;
pub mod sessions;
pub mod surveys;
pub mod teams;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tokens;
pub mod untold;
pub mod waiting;

pub use database::{acquire, begin, connect, connect_with, migrate};
pub use error::StoreError;
