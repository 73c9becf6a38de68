//! The frozen plan of a run: what is approved is what runs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    hash::hash_json,
    ids::PairName,
    pair::{BySide, Direction},
    run::{Operation, Phase},
};

/// A plan. Everything but `id`, `created_*` and `hash` itself is covered by the hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    /// Its id.
    pub id: Uuid,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// SHA-256 of [`PlanContent`], hex. Approvals are bound to it.
    pub hash: String,
    /// What is approved.
    pub content: PlanContent,
    /// Why it can't run now. Not hashed: blockers are looked at again when it starts.
    pub blockers: Vec<Concern>,
    /// What its approver should know.
    pub warnings: Vec<Concern>,
    /// How long it will take.
    pub prediction: Prediction,
}

/// What is approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanContent {
    /// The pair.
    pub pair: PairName,
    /// Version of the pair's settings it was made from; an edit voids the plan.
    pub pair_version: i64,
    /// What kind of run.
    pub operation: Operation,
    /// Applications move from here to there.
    pub direction: Direction,
    /// Whether its end is attested as a drill.
    pub drill: bool,
    /// Cluster ids that must be found on both sides when it runs.
    pub cluster_ids: BySide<String>,
    /// Topics in scope with their name on both sides.
    pub topics: Vec<TopicScope>,
    /// Groups in scope.
    pub groups: Vec<String>,
    /// What was decided about it in advance.
    pub rules: PlanRules,
    /// Steps in the order they are listed; which may run at the same time is in `after`.
    pub steps: Vec<PlannedStep>,
}

impl PlanContent {
    /// The hash approvals are bound to.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no plan built by Muster can cause.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        hash_json(self)
    }
}

/// A topic in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopicScope {
    /// Name applications use, on both sides.
    pub topic: String,
    /// Name of its replica on the side applications move to: the same under the identity policy.
    pub replica: String,
    /// Partitions on the side applications leave.
    pub partitions: i32,
}

/// What happens at the point of no return when a proof is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfUnproven {
    /// A person is asked while writes are away.
    Wait,
    /// Everything is undone and writes return to where they were.
    RollBack,
}

/// What happens to consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerRule {
    /// Let each group read to the end (bounded), then move it.
    DrainThenMove,
    /// Move groups out where they stand; positions are translated exactly.
    MoveOut,
}

/// Decisions that are part of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanRules {
    /// A person gives the final go with all figures before the fence. No person is waited for while writes are away.
    pub confirm_before_fence: bool,
    /// At the point of no return.
    pub if_unproven: IfUnproven,
    /// Consumers.
    pub consumers: ConsumerRule,
    /// Longest wait for groups to read to the end, in seconds, for `DrainThenMove`.
    pub group_drain_seconds: i64,
    /// Longest wait for consumers to leave their groups by themselves when they are asked to hold, in seconds; those that
    /// do not are removed, and may process again what they had not committed. 0 asks nobody.
    #[serde(default = "default_hold_seconds")]
    pub hold_seconds: i64,
    /// Longest wait for replication to catch up before the fence, in seconds.
    pub catch_up_seconds: i64,
    /// Longest time writes may be away before the run gives up and rolls back, in seconds.
    pub max_write_outage_seconds: i64,
    /// Time open transactions get to end by themselves after the fence, in milliseconds; then they are aborted.
    pub transaction_grace_ms: i64,
    /// Longest wait for groups to be seen reading on the other side, in seconds.
    pub resume_watch_seconds: i64,
}

const fn default_hold_seconds() -> i64 {
    10
}

impl Default for PlanRules {
    fn default() -> Self {
        Self {
            confirm_before_fence: true,
            if_unproven: IfUnproven::RollBack,
            consumers: ConsumerRule::DrainThenMove,
            group_drain_seconds: 30,
            hold_seconds: default_hold_seconds(),
            catch_up_seconds: 300,
            max_write_outage_seconds: 120,
            transaction_grace_ms: 500,
            resume_watch_seconds: 120,
        }
    }
}

/// A step as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedStep {
    /// Stored for ever; never renamed.
    pub name: String,
    /// Verb phrase for people: `Fence writes on eu-west`.
    pub title: String,
    /// Phase its time is counted in.
    pub phase: Phase,
    /// Steps that must be done before it.
    pub after: Vec<String>,
    /// Whether it can be taken back.
    pub undoable: bool,
    /// True for the one step that passes the point of no return.
    pub point_of_no_return: bool,
    /// Every call it would make, in order, for the dry run.
    pub calls: Vec<String>,
    /// About how long, in milliseconds; from this pair's history when there is one.
    pub expected_ms: Option<i64>,
}

/// Something that blocks or a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Concern {
    /// Stable code in kebab case.
    pub code: String,
    /// What is so, with names and figures.
    pub reason: String,
    /// What to do about it.
    pub next_step: String,
}

/// How long it will take, and what it will lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Prediction {
    /// Last write accepted here to first write accepted there, in milliseconds.
    pub write_unavailability_ms: Option<i64>,
    /// Whole run without human waits, in milliseconds.
    pub total_ms: Option<i64>,
    /// Where the figures come from: `3 earlier runs of this pair`, or the reason there are none.
    pub basis: String,
    /// What is lost; `null` in plans of a version that did not predict it.
    #[serde(default)]
    pub loss: Option<PredictedLoss>,
}

/// The predicted RPO: what is lost when all goes to plan, and what is at stake until it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PredictedLoss {
    /// Records that are lost when it goes to plan.
    pub records: i64,
    /// Why so many.
    pub basis: String,
    /// What would have been lost if the source had died when it was planned; `null` when nobody could tell, or nothing moves.
    pub if_source_dies: Option<AtStake>,
}

/// What would be lost if the source died at one moment, as an interval. `null` is not known and is never zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AtStake {
    /// At least so many records.
    pub records_at_least: Option<i64>,
    /// At most so many.
    pub records_at_most: Option<i64>,
    /// Writes of at most the last so many milliseconds.
    pub ms_at_most: Option<i64>,
    /// When it was read.
    pub at: DateTime<Utc>,
}

impl PredictedLoss {
    /// What an operation loses when it goes to plan. A planned move loses nothing by construction: it does not go past the point
    /// of no return before the other side is proven to have everything. `None` for operations that begin with a loss.
    #[must_use]
    pub fn of(operation: Operation, at_stake: Option<AtStake>) -> Option<Self> {
        let none =
            |basis: &str, if_source_dies| Some(Self { records: 0, basis: basis.to_owned(), if_source_dies });
        match operation {
            Operation::Switchover => {
                none("writes are fenced and replication drained and proven before anything moves", at_stake)
            }
            Operation::ReadinessDrill | Operation::Tabletop => none("nothing moves: it only looks", None),
            Operation::Failover
            | Operation::Failback
            | Operation::Rehearsal
            | Operation::GameDay
            | Operation::Evacuation => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_looks_puts_nothing_at_stake() {
        let stake = || {
            Some(AtStake {
                records_at_least: Some(3),
                records_at_most: None,
                ms_at_most: None,
                at: DateTime::UNIX_EPOCH,
            })
        };
        let looks = PredictedLoss::of(Operation::ReadinessDrill, stake()).expect("it is predicted");
        assert_eq!((looks.records, looks.if_source_dies), (0, None));
        assert!(looks.basis.contains("nothing moves"), "{}", looks.basis);
        let moves = PredictedLoss::of(Operation::Switchover, stake()).expect("it is predicted");
        assert_eq!((moves.records, moves.if_source_dies), (0, stake()));
        assert_eq!(PredictedLoss::of(Operation::Failover, stake()), None, "it begins with a loss");
    }

    #[test]
    fn what_is_predicted_of_loss_is_not_missed_in_plans_kept_before() {
        let kept = r#"{"write_unavailability_ms": 4300, "total_ms": null, "basis": "3 earlier runs"}"#;
        let prediction: Prediction = serde_json::from_str(kept).expect("it reads back");
        assert_eq!((prediction.write_unavailability_ms, prediction.loss), (Some(4300), None));
    }
}
