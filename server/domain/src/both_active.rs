//! What is said of a pair whose both sides are active to whoever wants to move it: why nothing is switched over, what makes it a pair
//! that can be moved, and what is known of it meanwhile; and to whoever has it looked at, which direction that is about.

use crate::pair::{Direction, Mechanism, Pair, PairMode};

/// Code of what blocks a plan of such a pair.
pub const BLOCKER: &str = "both-sides-active";

/// Why nothing is planned of it; `seen` is why both sides are told to be active.
#[must_use]
pub fn why_not_moved(seen: &str) -> String {
    format!(
        "Both sides are active: {seen}. A switchover, and a drill of one, goes from the side that is active to one that stands by: it \
         fences the one, drains its flow and starts the way back. Here no side stands by, and applications of the other side go on \
         writing. Moving those of one side only (an evacuation) is no operation of Muster yet, nor is failing over when one side dies."
    )
}

/// What makes a pair of it that can be moved `way`, and what is known without.
#[must_use]
pub fn what_now(pair: &Pair, way: Direction) -> String {
    let (stays, leaves) = (pair.cluster(way.from), pair.cluster(way.to()));
    let mode = match pair.mode {
        PairMode::ActiveActive => " Its owners set the mode of the pair to active_passive.",
        PairMode::ActivePassive => "",
    };
    format!(
        "To have it moved from {stays} to {leaves}: have the applications of {leaves} write and read on {stays} only, wait until the lag of \
         {back} is 0, then stop {connectors} on Connect.{mode} The next surveys tell {stays} as the active side, readiness what is still \
         missing. What works as it is: lag, RPO, alarms and differences are told of either direction, readiness drills look in the one \
         that is named, translation and content proofs are taken from the cluster one names, and of a side that dies Muster says what was lost and where its groups would go on.",
        back = pair.course(way.reverse()),
        connectors = connectors(pair, way.reverse()),
    )
}

/// What a drill that only looks is about there: it changes nothing, so it takes the direction it is asked for.
#[must_use]
pub fn what_is_looked_at(pair: &Pair, way: Direction, seen: &str) -> String {
    format!(
        "Both sides are active: {seen}. This drill looks at what moving applications {course} would rest on, and at nothing that leads {back}.",
        course = pair.course(way),
        back = pair.course(way.reverse())
    )
}

/// What remains to be done when such a drill has looked.
#[must_use]
pub fn what_is_not_looked_at(pair: &Pair, way: Direction) -> String {
    format!(
        "Plan another one {} to have that looked at, too. However well they end, nothing is switched over while both sides are active.",
        pair.course(way.reverse())
    )
}

/// Why a schedule has nothing looked at there: people name the direction of a drill, a schedule takes it from the active side.
#[must_use]
pub fn why_no_direction(seen: &str) -> String {
    format!(
        "Both sides are active: {seen}. A schedule leaves the one that is active, so here it has no direction to look in. A readiness \
         drill in either direction can be planned by hand, on the pair's page too."
    )
}

/// The connectors that have to stop, by name.
fn connectors(pair: &Pair, way: Direction) -> String {
    let all = "all connectors of this flow".to_owned();
    match pair.flow(way).map(|flow| &flow.mechanism) {
        Some(Mechanism::Mm2OnConnect {
            source_connector, checkpoint_connector, heartbeat_connector, ..
        }) => {
            let named = [checkpoint_connector.as_ref(), heartbeat_connector.as_ref(), Some(source_connector)];
            let named: Vec<String> = named.into_iter().flatten().map(|name| format!("`{name}`")).collect();
            format!("{all} ({})", named.join(", "))
        }
        Some(Mechanism::Unattached) | None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        direction::{ActiveSide, active_side},
        pair::{NamingPolicy, Side},
        samples,
        survey::{ConnectState, ConnectorRole, Survey},
    };

    /// The pair under prefixed names, with both source connectors running.
    fn both() -> (Pair, Survey) {
        let (mut pair, mut survey) = (samples::pair(), samples::survey());
        for flow in &mut pair.flows {
            flow.naming = NamingPolicy::Prefixed { separator: ".".to_owned() };
        }
        for flow in &mut survey.flows {
            let running = samples::connector(ConnectorRole::Source, ConnectState::Running);
            *samples::known(flow.connectors.get_mut(&ConnectorRole::Source).expect("in the sample")) =
                running;
        }
        (pair, survey)
    }

    #[test]
    fn it_is_said_what_was_looked_at() {
        let (pair, survey) = both();
        let ActiveSide::Both { reason } = active_side(&pair, &survey) else { panic!("both copy") };
        let why = why_not_moved(&reason);
        for flow in &pair.flows {
            let seen = format!("{} is RUNNING", pair.course(flow.direction));
            assert!(why.contains(&seen), "{why}");
        }
    }

    #[test]
    fn a_drill_that_only_looks_says_which_way_it_looks_and_which_it_does_not() {
        let (pair, survey) = both();
        let ActiveSide::Both { reason } = active_side(&pair, &survey) else { panic!("both copy") };
        for from in Side::BOTH {
            let way = Direction { from };
            let (there, back) = (pair.course(way), pair.course(way.reverse()));
            let told = what_is_looked_at(&pair, way, &reason);
            assert!(told.contains(&reason), "{told}");
            assert!(told.contains(&format!("moving applications {there} would")), "{told}");
            assert!(told.ends_with(&format!("nothing that leads {back}.")), "{told}");
            let next = what_is_not_looked_at(&pair, way);
            assert!(next.starts_with(&format!("Plan another one {back} ")), "{next}");
        }
        assert!(why_no_direction(&reason).contains(&reason));
    }

    #[test]
    fn what_leads_to_a_pair_that_can_be_moved_does_so() {
        let (mut pair, mut survey) = both();
        pair.mode = PairMode::ActiveActive;
        let way = Direction { from: Side::A };
        let told = what_now(&pair, way);
        let Some(Mechanism::Mm2OnConnect { source_connector, .. }) =
            pair.flow(way.reverse()).map(|flow| &flow.mechanism)
        else {
            panic!("it is attached")
        };
        assert!(told.contains(&format!("`{source_connector}`")) && told.contains("active_passive"), "{told}");
        let back = survey.flows.iter_mut().find(|flow| flow.direction == way.reverse()).expect("it has one");
        let source = back.connectors.get_mut(&ConnectorRole::Source).expect("in the sample");
        samples::known(source).state = ConnectState::Stopped;
        assert_eq!(active_side(&pair, &survey), ActiveSide::Active(way));
        pair.mode = PairMode::ActivePassive;
        assert!(!what_now(&pair, way).contains("mode of the pair"), "it is so already");
    }
}
