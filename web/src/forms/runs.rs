//! Plans, runs, the brake, and what was done.

use serde::Deserialize;

/// `POST /pairs/{name}/plan`: makes a plan and goes to it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PlanForm {
    /// `switchover` or `readiness_drill`; empty for the first.
    pub operation: String,
    /// `a` or `b`: the side applications leave; what the page showed as active.
    pub from: String,
    /// `on` when its end is attested as a drill.
    pub drill: String,
    /// `on` when a person gives the final go before the fence.
    pub confirm_before_fence: String,
    /// `wait` or `roll_back`.
    pub if_unproven: String,
    /// `drain_then_move` or `move_out`.
    pub consumers: String,
    /// Longest time writes may be away, seconds.
    pub max_write_outage_seconds: String,
}

/// `POST /plans/{id}/request`: makes a run that waits for approval.
#[derive(Debug, Clone, Deserialize)]
pub struct RequestForm {
    /// Why, in the requester's words; kept in the evidence.
    pub reason: String,
    /// Hash of the plan that was shown.
    pub plan_hash: String,
}

/// `POST /runs/{id}/approve` and `/reject`.
#[derive(Debug, Clone, Deserialize)]
pub struct VoteForm {
    /// Hash of the plan that was shown.
    pub plan_hash: String,
    /// Words kept in the evidence; needed to reject.
    #[serde(default)]
    pub comment: String,
    /// `on`: the person accepts the warnings listed; needed to approve when there are any.
    #[serde(default)]
    pub accept: String,
}

/// `POST /runs/{id}/{start|pause|resume|retry|skip|confirm|abort|attest|close|break-glass|review}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    /// Name of the step it is about: `retry`, `skip`, `confirm`.
    pub step: String,
    /// Why: needed for `skip`, `abort`, `close`; the verdict's words for `attest`.
    pub reason: String,
    /// The target typed again, for the severe ones: the name of the pair.
    pub typed: String,
    /// `passed`, `failed` or `inconclusive`, for `attest`; `justified` or `not_justified`, for `review`.
    pub verdict: String,
    /// Codes of blockers that are answered for, parted by commas or spaces: `break-glass`.
    pub overridden: String,
}

/// `POST /brake`: `set` with a reason, or `release`.
#[derive(Debug, Clone, Deserialize)]
pub struct BrakeForm {
    /// `set` or `release`.
    pub act: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// `GET /runs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RunFilter {
    /// Pair.
    pub pair: String,
    /// Operation.
    pub operation: String,
    /// State.
    pub state: String,
    /// `drill` for drills only, `real` for others only.
    pub kind: String,
    /// Words in the reason, in what was said of it, or in its course.
    pub text: String,
    /// First day, `2026-07-01`.
    pub since: String,
    /// Last day.
    pub until: String,
    /// Cursor: number of the last run of the page before.
    pub after: String,
}

/// `GET /audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// Actor.
    pub actor: String,
    /// Action, or its beginning: `run.`.
    pub action: String,
    /// Object.
    pub object: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// First day.
    pub since: String,
    /// Cursor: number of the last entry of the page before.
    pub after: String,
    /// `on` to verify the whole chain.
    pub verify: String,
}
