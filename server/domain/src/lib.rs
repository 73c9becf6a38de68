//! The pure rules of Muster: what a pair is, what a survey says, when a switchover may start.
//!
//! No IO, no clock, no async. Time and ids come in as arguments; unknown is a value and is never shown as good.
//! Every other room uses this one and this one uses nothing of ours.

pub mod access;
pub mod acl;
pub mod address;
pub mod alarm;
pub mod another_log;
pub mod audit;
#[cfg(any(test, feature = "testing"))]
pub mod bent;
pub mod both_active;
pub mod break_glass;
pub mod canary;
pub mod cluster;
pub mod comparison;
pub mod connect_credentials;
pub mod content;
pub mod credentials;
pub mod difference;
pub mod direction;
pub mod duration;
pub mod evidence;
pub mod finding;
pub mod group;
pub mod hash;
pub mod ids;
pub mod lag;
pub mod loss;
pub mod mm2_properties;
pub mod notification;
pub mod offset_pairs;
pub mod overlap;
pub mod pair;
pub mod patterns;
pub mod payload;
pub mod people;
pub mod plan;
pub mod plan_difference;
pub mod problem;
pub mod proof;
pub mod provider_roles;
pub mod quota;
pub mod readiness;
pub mod reading;
pub mod record;
pub mod recorder;
pub mod renaming;
pub mod reverse;
pub mod run;
#[cfg(test)]
mod samples;
pub mod schedule;
pub mod selection;
pub mod shell;
pub mod survey;
pub mod topic;
pub mod translation;
