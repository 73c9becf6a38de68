use super::{RunAct, RunState, next_state};

const ACTS: [RunAct; 24] = [
    RunAct::Approve,
    RunAct::Reject,
    RunAct::Expire,
    RunAct::Start,
    RunAct::BreakGlass,
    RunAct::Pause,
    RunAct::Resume,
    RunAct::Retry,
    RunAct::Skip,
    RunAct::Confirm,
    RunAct::AskInput,
    RunAct::FailStep,
    RunAct::Abort,
    RunAct::UndoDone,
    RunAct::UndoFailed,
    RunAct::Park,
    RunAct::CloseManually,
    RunAct::StepsDone,
    RunAct::Succeed,
    RunAct::SucceedWithExceptions,
    RunAct::AwaitAttestation,
    RunAct::AttestPassed,
    RunAct::AttestFailed,
    RunAct::AttestInconclusive,
];

#[test]
fn ended_states_take_no_act() {
    for state in RunState::ALL.into_iter().filter(|s| s.ended()) {
        for act in ACTS {
            for past in [false, true] {
                assert!(next_state(state, act, past).is_err(), "{state:?} takes {act:?}");
            }
        }
    }
}

#[test]
fn a_run_comes_to_every_state_but_those_that_are_reserved() {
    // It is one of these when it is asked for.
    let mut reached = vec![RunState::Blocked, RunState::AwaitingApproval];
    let mut looked_at = 0;
    while let Some(state) = reached.get(looked_at).copied() {
        looked_at += 1;
        for (act, past) in ACTS.into_iter().flat_map(|act| [(act, false), (act, true)]) {
            match next_state(state, act, past) {
                Ok(next) if !reached.contains(&next) => reached.push(next),
                Ok(_) | Err(_) => {}
            }
        }
    }
    for state in RunState::ALL {
        assert_eq!(reached.contains(&state), !state.reserved(), "{state:?}");
    }
}

#[test]
fn every_act_is_taken_by_some_state() {
    for act in ACTS {
        assert!(RunState::ALL.into_iter().any(|state| next_state(state, act, false).is_ok()), "{act:?}");
    }
}

#[test]
fn there_is_no_way_back_after_the_point_of_no_return() {
    for state in RunState::ALL {
        assert!(next_state(state, RunAct::Abort, true).is_err());
    }
    assert_eq!(next_state(RunState::Running, RunAct::Abort, false), Ok(RunState::RollingBack));
}

#[test]
fn what_was_under_way_is_parked_where_a_person_decides() {
    for past in [false, true] {
        for state in RunState::ALL {
            let parked = next_state(state, RunAct::Park, past).ok();
            let expected = match state {
                RunState::Running
                | RunState::WaitingForInput
                | RunState::PausedByOperator
                | RunState::PausedByFailure => Some(RunState::PausedByOperator),
                RunState::RollingBack | RunState::Stuck => Some(RunState::Stuck),
                // Not begun, over, or nothing left to do on a cluster.
                RunState::Blocked
                | RunState::AwaitingApproval
                | RunState::Approved
                | RunState::Rejected
                | RunState::Expired
                | RunState::RolledBack
                | RunState::ClosedManually
                | RunState::Verifying
                | RunState::Succeeded
                | RunState::SucceededWithExceptions
                | RunState::Failed
                | RunState::CleaningUp
                | RunState::CleanupIncomplete
                | RunState::AwaitingAttestation
                | RunState::Passed
                | RunState::Inconclusive => None,
            };
            assert_eq!(parked, expected, "{state:?}");
            assert!(parked.is_none_or(|parked| !parked.wants_worker()), "{state:?} is carried on");
        }
    }
}

#[test]
fn stored_words_read_back() {
    for state in RunState::ALL {
        assert_eq!(RunState::parse(state.as_str()), Some(state));
    }
}
