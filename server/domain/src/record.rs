//! What is kept of a run: the run itself, its steps, its approvals, and the report made of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    break_glass::BreakGlass,
    finding::Finding,
    ids::{PairName, TeamName},
    pair::Direction,
    plan::Plan,
    run::{Operation, Phase, RESTORED, RunEvent, RunState, StepState},
};

/// A person named in a record; the name is kept as it was at that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Person {
    /// User id; nil for Muster itself.
    pub id: Uuid,
    /// Name at that time.
    pub name: String,
}

/// One execution of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// Counts up over all runs, for people: "run 214".
    pub number: i64,
    /// The plan it carries out.
    pub plan: Uuid,
    /// Hash of that plan.
    pub plan_hash: String,
    /// Pair.
    pub pair: PairName,
    /// Team the pair belonged to.
    pub team: TeamName,
    /// Kind.
    pub operation: Operation,
    /// Applications move this way.
    pub direction: Direction,
    /// `eu-west → eu-central`, as it was.
    pub course: String,
    /// Whether its end is attested as a drill.
    pub drill: bool,
    /// Where it is.
    pub state: RunState,
    /// Why it is there, when that needs saying: the question asked, the failure, who paused it.
    pub state_reason: String,
    /// Who asked for it.
    pub requested_by: Person,
    /// Why, in their words.
    pub reason: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Until when it can be approved.
    pub decide_by: DateTime<Utc>,
    /// Until when it must be started once approved.
    pub use_by: Option<DateTime<Utc>>,
    /// Approvals needed.
    pub approvals_needed: u32,
    /// When enough people had approved.
    pub approved_at: Option<DateTime<Utc>>,
    /// Who started it and drives it.
    pub driver: Option<Person>,
    /// When it was started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the point of no return was passed.
    pub no_return_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Fencing number: every worker that takes the run over raises it, and writes with a lower one are refused.
    pub epoch: i64,
    /// What was reached, once it ended.
    pub outcome: Option<Outcome>,
}

impl Run {
    /// Whether it rests because its database was restored from a backup, and nobody has moved it since.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.state_reason == RESTORED
    }
}

/// A step of a run as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunStep {
    /// Position in the plan, from 1.
    pub position: i32,
    /// Stored name.
    pub name: String,
    /// Verb phrase for people.
    pub title: String,
    /// Phase its time is counted in.
    pub phase: Phase,
    /// Steps that must be done before it.
    pub after: Vec<String>,
    /// Whether it can be taken back.
    pub undoable: bool,
    /// Whether passing it is the point of no return.
    pub point_of_no_return: bool,
    /// Where it is.
    pub state: StepState,
    /// How often it was tried, from 1; 0 before.
    pub attempt: i32,
    /// First start; it stays when a person has the step tried again.
    pub started_at: Option<DateTime<Utc>>,
    /// When it came to its present end.
    pub ended_at: Option<DateTime<Utc>>,
    /// Prediction of the plan, in milliseconds.
    pub expected_ms: Option<i64>,
    /// Proof in one sentence once it is done, or what went wrong.
    pub sentence: String,
    /// Figures behind the sentence.
    pub evidence: serde_json::Value,
    /// Set while it waits for a person.
    pub question: Option<Question>,
}

/// What a step asks a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Question {
    /// The question with its figures.
    pub prompt: String,
    /// What `confirm` will do: verb + object + direction.
    pub confirm: String,
    /// Figures to decide by, label → value.
    pub figures: Vec<(String, String)>,
}

/// Yes or no to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// For it.
    Approve,
    /// Against it; one is final.
    Reject,
}

/// One person's decision on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// What.
    pub vote: Vote,
    /// Their words.
    pub comment: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Hash of the plan they decided on.
    pub plan_hash: String,
}

/// What a run reached, measured. `None` is not measured and is never shown as zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outcome {
    /// Records acknowledged on the old side that are not on the new one.
    pub lost_records: Option<i64>,
    /// Records each group reads again.
    pub reprocessed_by_group: BTreeMap<String, Option<i64>>,
    /// Records each group never reads.
    pub skipped_by_group: BTreeMap<String, Option<i64>>,
    /// From before the last write can have been accepted on the old side (start of the fence) to when the first one was
    /// seen on the new one, in milliseconds by the database's clock: never too short. `None` when none was seen.
    pub write_unavailability_ms: Option<i64>,
    /// Fence proven to unfence proven by Muster's clock, in milliseconds: an upper bound that needs no application.
    pub write_fence_ms: Option<i64>,
    /// Time by phase in which one of its steps was at work, in milliseconds.
    pub rto_ms_by_phase: BTreeMap<Phase, i64>,
    /// First record each group was seen to process on the new side, in milliseconds after the fence.
    pub resumed_ms_by_group: BTreeMap<String, Option<i64>>,
    /// What was checked at the end.
    pub checks: Vec<OutcomeCheck>,
    /// One sentence for lists.
    pub summary: String,
}

impl Outcome {
    /// How long the run took without waiting for people, in milliseconds: the sum of its phases but `decide`. `None` when
    /// no phase was measured.
    #[must_use]
    pub fn machine_ms(&self) -> Option<i64> {
        let total: i64 =
            self.rto_ms_by_phase.iter().filter(|(phase, _)| **phase != Phase::Decide).map(|(_, ms)| ms).sum();
        (total > 0).then_some(total)
    }
}

/// Something checked at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutcomeCheck {
    /// Stable name: `content_equal`, `groups_resume_exactly`.
    pub name: String,
    /// `true` passed, `false` failed, `None` could not be determined.
    pub passed: Option<bool>,
    /// What was compared and found.
    pub sentence: String,
    /// How it was measured.
    pub method: String,
}

/// The evidence of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// Version of this shape: 1.
    pub format: i32,
    /// The run.
    pub run: Run,
    /// What was approved.
    pub plan: Plan,
    /// Who approved.
    pub approvals: Vec<Approval>,
    /// How it was started without approval, and the review of that. Left out when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// Steps, executed and not executed.
    pub steps: Vec<RunStep>,
    /// Timeline in UTC.
    pub events: Vec<RunEvent>,
    /// What came up in it, as it stands now. Left out when there is nothing, as in reports made before there were findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// SHA-256 over everything above as canonical JSON, hex.
    pub hash: String,
}
