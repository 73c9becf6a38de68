//! Where both flows copy each direction is checked.

use super::*;
use crate::pair::PairMode;

/// Both flows copy under distinct names, each side has `orders` and the copy of the other's.
fn both_active(w: &mut World) {
    for flow in &mut w.pair.flows {
        flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
    }
    for role in [ConnectorRole::Source, ConnectorRole::Checkpoint] {
        *w.connector(1, role) = samples::connector(role, ConnectState::Running);
    }
    let previous = w.previous.as_mut().expect("there is one");
    for (survey, end) in [(&mut w.survey, 100), (previous, 90)] {
        for (side, copy) in [(Side::A, "dr.orders"), (Side::B, "primary.orders")] {
            topics(survey, side).insert(copy.to_owned(), samples::topic(end));
        }
    }
}

#[test]
fn where_both_sides_are_active_each_direction_is_checked() {
    let results = World::with(|w| {
        both_active(w);
        w.pair.mode = PairMode::ActiveActive;
    });
    for code in [
        Code::ActiveSideKnown,
        Code::WritesOpen,
        Code::FlowConnectors,
        Code::FlowMoving,
        Code::OffsetSyncSettings,
        Code::StandbyTopics,
        Code::StandbyConfigs,
        Code::StandbyDurability,
        Code::StandbyGrants,
        Code::StandbyGroupsActive,
        Code::StandbyOffsetsStale,
    ] {
        assert_eq!(results[&code].status, Status::Ok, "{:?}", results[&code]);
    }
    assert_eq!(results[&Code::StandbyFenced].status, Status::NotApplicable);
}

#[test]
fn what_is_wrong_with_one_of_two_directions_is_told_with_it() {
    let results = World::with(|w| {
        both_active(w);
        // The way back writes on, and nothing of it arrives; what arrives on the other side hides it not.
        topics(&mut w.survey, Side::B).insert("orders".to_owned(), samples::topic(150));
        topics(&mut w.survey, Side::A).insert("dr.orders".to_owned(), samples::topic(90));
        w.connector(1, ConnectorRole::Checkpoint).tasks.clear();
    });
    let moving = &results[&Code::FlowMoving];
    let said = "dr → primary: 60 records were written to `dr` since the last survey and none arrived";
    assert_eq!((moving.status, moving.reason.as_str()), (Status::Critical, said));
    let connectors = &results[&Code::FlowConnectors];
    assert_eq!(connectors.status, Status::Critical);
    assert!(connectors.reason.starts_with("dr → primary: "), "{connectors:?}");
    assert_eq!(results[&Code::ActiveSideKnown].status, Status::Warning, "the pair is active_passive");
}

#[test]
fn a_group_at_work_on_both_sides_is_told_what_would_let_it_stay() {
    let at_work = |w: &mut World| {
        for side in Side::BOTH {
            known(&mut w.side(side).groups).insert("billing".to_owned(), group(1, 80));
        }
    };
    let next_step = |change: &dyn Fn(&mut World)| {
        let told = World::with(change).remove(&Code::StandbyGroupsActive).expect("answered");
        assert_eq!(told.status, Status::Critical, "{told:?}");
        told.next_step
    };
    let both = next_step(&|w: &mut World| {
        both_active(w);
        at_work(w);
    });
    let sides = ["dr", "primary"];
    let stay = sides.map(|side| format!("Let them read the copies on {side}, too, or stop them there."));
    assert_eq!(both, stay.join(" "), "as the differences say");
    assert_eq!(next_step(&at_work), "Stop these consumers on dr.");
}

#[test]
fn under_one_name_on_both_sides_two_flows_tell_no_active_side() {
    let results = World::with(|w| {
        both_active(w);
        w.pair.flows[1].naming = NamingPolicy::Identity;
    });
    assert_eq!(results[&Code::ActiveSideKnown].status, Status::Unknown);
    assert_eq!(results[&Code::StandbyTopics].status, Status::Unknown);
}
