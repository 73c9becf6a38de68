//! The store against a real PostgreSQL: every rule the database holds, and every race that matters.

mod alarms;
mod audit;
mod brake;
mod canaries;
mod clusters;
mod explorer;
mod idempotency;
mod identities;
mod leases;
mod lists;
mod login;
mod losses;
mod marks;
mod migrations;
mod offset_pairs;
mod pairs;
mod people;
mod recorded;
mod recorder;
mod rings;
mod rpo_hours;
mod sample;
mod secrets;
mod surveys;
mod transactions;
mod upgrade;
