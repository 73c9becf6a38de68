//! The check `canary`: whether what Muster itself writes arrives. Joined to what a survey says of the same check, because
//! canaries have a loop of their own.

use super::{CheckCode as Code, CheckResult, CheckStatus};
use crate::{
    canary::{CanaryState, Standing},
    pair::Pair,
};

/// The check as a survey answers it (whether the flows replicate the topic), with what was measured since. A flow that is
/// not to be written takes nothing away; where none is, nothing is said to be well. A process that has `just_taken` the pair
/// over has not looked for its canary yet: that is neither well nor worse than it was.
#[must_use]
pub fn judge_canary(
    surveyed: CheckResult,
    pair: &Pair,
    standings: &[Standing],
    just_taken: bool,
) -> CheckResult {
    let Some(worst) = standings.iter().max_by_key(|standing| rank(standing.state)) else { return surveyed };
    let mut measured = measured(pair, worst, standings);
    if just_taken && matches!(worst.state, CanaryState::Unwatched | CanaryState::Late) {
        measured.status = CheckStatus::NotApplicable;
        measured.reason.push_str("; this process has just taken the pair over");
        measured.next_step.clear();
    }
    match surveyed.status {
        CheckStatus::Ok => measured,
        CheckStatus::NotApplicable | CheckStatus::Warning | CheckStatus::Unknown | CheckStatus::Critical => {
            if measured.status > surveyed.status {
                measured
            } else {
                surveyed
            }
        }
    }
}

/// In the order of what is told first.
fn rank(state: CanaryState) -> usize {
    CanaryState::ALL.iter().position(|one| *one == state).unwrap_or_default()
}

fn measured(pair: &Pair, worst: &Standing, standings: &[Standing]) -> CheckResult {
    let status = match worst.state {
        CanaryState::Resting | CanaryState::Paused => CheckStatus::NotApplicable,
        CanaryState::Arrives => CheckStatus::Ok,
        // Neither well nor wrong yet: within three periods it is one of the two.
        CanaryState::Beginning | CanaryState::Late => CheckStatus::Warning,
        CanaryState::Unwatched | CanaryState::NotMeasured => CheckStatus::Unknown,
        CanaryState::DoesNotArrive => CheckStatus::Critical,
    };
    let others = standings.iter().filter(|other| other.state == worst.state).count() - 1;
    let course = pair.course(worst.direction);
    let mut reason = format!(
        "the canary {course}, partition {}, {}: {}",
        worst.partition,
        worst.state.said(),
        worst.reason
    );
    if others > 0 {
        reason.push_str(&format!("; and {others} more"));
    }
    let mut result = CheckResult::new(Code::Canary, status, reason, &worst.next_step);
    result.evidence = serde_json::json!({
        "state": worst.state.as_str(),
        "end_to_end_ms": worst.end_to_end.value,
        "outstanding": worst.outstanding.map_or(0, |outstanding| outstanding.records),
    });
    result
}
