//! Whose loss it is: which way records flowed when a source died.

use super::{
    tests::{ends, pace, seen, story},
    *,
};
use crate::{
    pair::Side,
    samples::{self, FORWARD, at, known},
    survey::{ConnectState, ConnectorRole, SideObservation},
};

const BACK: Direction = Direction { from: Side::B };

/// What is said of the flow from a side that dies, whose source connector was in this state; `None` where Connect did not tell.
fn said(pair: &Pair, from: Side, state: Option<ConnectState>, active: Option<Direction>) -> Option<Loss> {
    let number = usize::from(from == Side::B);
    let with_state = |mut survey: Survey| {
        let connectors = &mut survey.flows[number].connectors;
        match state {
            Some(state) => {
                known(connectors.get_mut(&ConnectorRole::Source).expect("there")).state = state;
            }
            None => connectors.clear(),
        }
        survey
    };
    let (before, last) = (story().survey(25, false), with_state(story().survey(30, false)));
    let mut dead = with_state(story().survey(33, false));
    *dead.sides.get_mut(from) = SideObservation::unreachable("connection refused", at(35));
    let history = [ends(&before), ends(&last)];
    let high = seen(from, [&before, &last]);
    let evidence = Evidence {
        history: &history,
        high: &high,
        pace: &pace(&history),
        previous: Some(&last),
        said: None,
        active,
    };
    state_loss(pair, &pair.flows[number], &dead, &evidence)
}

#[test]
fn what_a_paused_or_stopped_flow_did_not_copy_is_lost_with_the_active_side() {
    let pair = samples::pair();
    let running = said(&pair, Side::A, Some(ConnectState::Running), Some(FORWARD)).expect("a statement");
    assert_eq!(running.total.records_at_most, Some(300 - 1 - 196 + 50 + 15));
    for state in [ConnectState::Paused, ConnectState::Stopped, ConnectState::Destroyed] {
        assert_eq!(said(&pair, Side::A, Some(state), Some(FORWARD)), Some(running.clone()), "{state}");
    }
    let mut unwanted = pair;
    unwanted.flows[0].enabled = false;
    assert!(
        said(&unwanted, Side::A, None, Some(FORWARD)).is_some(),
        "it was active whatever people want now"
    );
}

#[test]
fn a_flow_towards_the_active_side_loses_what_it_would_have_copied_and_nothing_where_it_does_not_run() {
    let pair = samples::pair();
    for (state, lost) in [
        (Some(ConnectState::Running), true),
        (Some(ConnectState::Failed), true),
        (Some(ConnectState::Paused), false),
        (Some(ConnectState::Stopped), false),
        (None, false),
    ] {
        assert_eq!(said(&pair, Side::B, state, Some(FORWARD)).is_some(), lost, "{state:?}");
    }
    let mut wanted = pair;
    wanted.flows[1].enabled = true;
    assert!(said(&wanted, Side::B, None, Some(FORWARD)).is_some(), "Connect does not say that it stood");
    assert!(said(&wanted, Side::B, Some(ConnectState::Stopped), Some(FORWARD)).is_none());
}

#[test]
fn where_nobody_could_tell_the_active_side_the_only_way_that_people_want_counts() {
    let paused = Some(ConnectState::Paused);
    let mut pair = samples::pair();
    assert!(said(&pair, Side::A, paused, None).is_some());
    assert!(said(&pair, Side::B, paused, None).is_none());
    // A run moves the pair, or it was never seen: which of both was active is not known, and what stood copied nothing.
    pair.flows[1].enabled = true;
    for from in Side::BOTH {
        assert!(said(&pair, from, paused, None).is_none());
        assert!(said(&pair, from, Some(ConnectState::Running), None).is_some());
    }
    pair.mode = PairMode::ActiveActive;
    for (from, active) in [(Side::A, Some(BACK)), (Side::B, Some(FORWARD)), (Side::B, None)] {
        assert!(said(&pair, from, paused, active).is_some(), "both are written to");
    }
}
