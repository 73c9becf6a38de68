//! Silent loss, really caused on a lab: each alarm, and how soon each is alarmed. For the test that none is missed and for
//! the benchmark of how long it takes.
//!
//! One lab and one story: what disturbs others most (a worker and a source that are frozen, then gone) comes last. What only a flow
//! without transactions lets happen has a lab of its own, and so have what takes two workers and what takes two flows that copy.

mod causes;
mod gone;
mod nameless;
mod rebalance;
mod stage;
mod two_flows;

use std::time::Duration;

use anyhow::Result;
use muster_domain::alarm::AlarmCode;
use muster_lab::{Lab, LabOptions};

/// Surveys within which a cause is alarmed.
pub const WITHIN: i64 = 3;

/// How soon a cause was alarmed.
#[derive(Debug, Clone)]
pub struct Raised {
    /// By which alarm.
    pub code: AlarmCode,
    /// What it was about.
    pub subject: String,
    /// By how many surveys after the cause; 1: by the first.
    pub surveys: i64,
    /// From the cause being there until the alarm was kept.
    pub took: Duration,
}

/// Causes one after another, each with a survey every so often. Each ends with its cause, or when it was acknowledged.
///
/// # Errors
/// When a cause is not alarmed within three surveys, something else is, or an alarm says something wrong.
pub async fn every_cause(period: Duration) -> Result<Vec<Raised>> {
    let lab = Lab::attach_or_start(LabOptions::default()).await?;
    let mut stage = stage::Stage::start(lab, period).await?;
    stage.nothing_is_alarmed().await?;
    stage.a_hole_that_replication_jumped_over().await?;
    stage.a_topic_made_anew_on_the_source().await?;
    stage.a_topic_made_anew_on_the_standby().await?;
    stage.a_partition_on_the_source_only().await?;
    stage.replication_set_back().await?;
    stage.a_foreign_writer().await?;
    stage.a_foreign_writer_where_replication_copies().await?;
    stage.a_hung_transaction().await?;
    stage.a_deny_that_was_copied().await?;
    stage.a_brokers_default_that_deletes_early().await?;
    stage.a_brokers_default_that_compacts().await?;
    stage.a_group_active_on_the_standby().await?;
    stage.leftover_offsets().await?;
    stage.a_converter_that_rewrites().await?;
    stage.both_directions_at_once().await?;
    stage.the_worker_frozen().await?;
    stage.the_worker_gone().await?;
    stage.the_source_frozen().await?;
    stage.the_source_gone_and_a_task_with_it().await?;
    Ok(stage.raised)
}

/// Somebody without a producer id writes where a flow that copies at least once, and has none either, is copying to.
///
/// # Errors
/// When it is alarmed as long as only replication writes, or not within three surveys of the first foreign record.
pub async fn a_writer_without_a_name(period: Duration) -> Result<Vec<Raised>> {
    let lab = Lab::start(LabOptions { exactly_once: false, ..LabOptions::default() }).await?;
    let mut stage = stage::Stage::start(lab, period).await?;
    stage.a_foreign_writer_that_numbers_tell().await?;
    Ok(stage.raised)
}

/// Of two workers that share the tasks of a flow one goes, first in order, then by -9; their leader waits for it.
///
/// # Errors
/// When the tasks are not alarmed within three surveys, others are, or it does not end once a worker has them.
pub async fn a_worker_of_two_gone(period: Duration) -> Result<Vec<Raised>> {
    let mut two = rebalance::TwoWorkers::start(period).await?;
    two.stage.nothing_is_alarmed().await?;
    two.one_is_ended_in_order().await?;
    two.one_is_killed().await?;
    Ok(two.stage.raised)
}

/// Both flows of a pair with prefixed names copy; records are removed from one side and then from the other before they were copied, and
/// the worker of the way back goes.
///
/// # Errors
/// When something is not alarmed of the flow it is about within three surveys, or anything is alarmed of the other.
pub async fn of_two_flows(period: Duration) -> Result<Vec<Raised>> {
    let mut two = two_flows::TwoFlows::start(period).await?;
    two.nothing_is_alarmed_of_either().await?;
    two.a_hole(two_flows::BACK).await?;
    two.a_hole(stage::FORWARD).await?;
    two.the_worker_of_the_way_back_gone().await?;
    Ok(two.stage.raised)
}
