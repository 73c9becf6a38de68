//! The pages. Each is a typed struct built by its constructor from domain values, the signed-in person and `now`; all
//! wording and all permissions are decided here, in Rust. Templates loop, match and print.
//!
//! Nothing here reads a clock, a database or a cluster, and no stored text is ever marked safe. Pages work without
//! scripts; with some, fleet, pair, run and proofs under way are kept up to date in place and say when they cannot be
//! (`static/live.js`), and the page of lag over time draws its charts anew.

pub mod account;
pub mod alarms;
pub mod api;
mod api_schema;
pub mod approval;
pub mod assets;
pub mod audit;
pub mod brake;
pub mod channel_form;
mod checks_panel;
pub mod chrome;
mod client;
pub mod cluster_form;
pub mod clusters;
pub mod comparison;
pub mod confirm;
pub mod connect_form;
pub mod content;
mod content_payload;
pub mod content_record;
pub mod danger;
pub mod differences;
pub mod document;
pub mod drills;
mod endings;
pub mod error_page;
pub mod findings;
pub mod fleet;
pub mod following;
pub mod format;
pub mod forms;
pub mod import;
pub mod lag;
mod lag_address;
mod lag_charts;
mod lag_facts;
mod lag_marks;
mod lag_strip;
pub mod loss;
mod loss_stated;
mod loss_steps;
mod loss_words;
pub mod losses;
mod markdown;
pub mod notifications;
pub mod pair;
pub mod pair_canary;
mod pair_facts;
mod pair_flows;
pub mod pair_form;
mod pair_loss;
mod pair_plan;
mod pair_sides;
mod pair_tables;
mod pair_topology;
pub mod parts;
pub mod people;
pub mod people_forms;
pub mod person;
pub mod plan;
mod plan_difference;
mod problems;
mod proofs;
pub mod readiness;
pub mod reauthenticate;
pub mod recorded;
mod recorded_changes;
mod recorded_group;
mod removals;
pub mod report;
mod report_rows;
pub mod run;
mod run_actions;
pub mod run_live;
mod run_rules;
mod run_stats;
mod run_steps;
pub mod runs;
pub mod samples;
pub mod schedule_form;
pub mod settings;
pub mod sign_in;
mod survey_age;
pub mod teams;
pub mod token_page;
pub mod translation;
mod votes;
pub mod words;

/// Renders any page or fragment of this crate: `page.render()`.
pub use askama::Template;
