//! Tests through the front: the real router and a real database; clusters and flows are the in-memory doubles.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod accounts;
mod addresses;
mod alarms;
mod api_document;
mod approvers;
mod audit_coverage;
mod auth_coverage;
mod bad_input;
mod both_flows;
mod break_glass;
mod broken_off;
mod brought_forward;
mod browser;
mod canaries;
mod cli;
mod clusters;
#[cfg(feature = "otlp")]
#[path = "../binary/collector.rs"]
mod collector;
mod confirming;
mod connect_credentials;
mod content;
mod deaths;
mod decisions;
mod differences;
mod doctor;
mod documents;
mod entering_secrets;
mod fake_provider;
mod findings;
mod frame;
mod idle;
mod imports;
mod kept_lines;
mod kept_pairs;
mod lag_explorer;
mod lag_hours;
mod limits;
mod list_pages;
mod lists;
mod log_lines;
mod losses;
mod made_anew;
mod mail;
mod mail_sink;
mod metrics;
#[path = "../binary/muster.rs"]
#[expect(dead_code, reason = "shared with the tests of the binary")]
mod muster;
mod notifications;
mod notifications_sent;
mod observability;
mod oidc;
mod oidc_refusals;
mod open_api;
mod overlaps;
mod packaging;
mod pages;
mod payload;
mod people;
mod people_pages;
mod plan_differences;
mod problems;
mod processes;
mod programme;
mod proofs;
mod proxies;
mod receiver;
mod recorded_pages;
mod recorder;
mod removed_pairs;
mod restore;
mod rings;
mod route_list;
mod runs;
mod schedules;
mod session;
mod surveys;
mod takeovers;
mod teams;
mod test_app;
#[cfg(feature = "otlp")]
mod traces;
mod watching;
