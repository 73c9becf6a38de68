use super::{RunAct, RunState, next_state};

#[test]
fn ended_states_take_no_act() {
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
        RunAct::CloseManually,
        RunAct::StepsDone,
        RunAct::Succeed,
        RunAct::SucceedWithExceptions,
        RunAct::Fail,
        RunAct::AwaitAttestation,
        RunAct::AttestPassed,
        RunAct::AttestFailed,
        RunAct::AttestInconclusive,
    ];
    for state in RunState::ALL.into_iter().filter(|s| s.ended()) {
        for act in ACTS {
            for past in [false, true] {
                assert!(next_state(state, act, past).is_err(), "{state:?} takes {act:?}");
            }
        }
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
fn stored_words_read_back() {
    for state in RunState::ALL {
        assert_eq!(RunState::parse(state.as_str()), Some(state));
    }
}
