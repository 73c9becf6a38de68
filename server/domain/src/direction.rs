//! Which side is active, derived from what is observed and never from what Muster intended.

use crate::{
    access,
    pair::{BySide, Direction, Pair, Side},
    patterns::Scope,
    survey::{ConnectState, ConnectorRole, FlowObservation, Survey},
};

/// Which side applications are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActiveSide {
    /// They are on `from`, and records flow from there.
    Active(Direction),
    /// It cannot be told.
    NeitherKnown {
        /// What is missing, as a sentence.
        reason: String,
    },
    /// They may be on both: records flow both ways, under names that keep them apart.
    Both {
        /// That it is so, as a sentence: what is made for one direction cannot choose one by itself.
        reason: String,
    },
    /// The signs contradict each other.
    Contested {
        /// How, as a sentence.
        reason: String,
    },
}

/// Which sides applications are on, as it is told: [`ActiveSide`] without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveSides {
    /// One; the other stands by.
    One(Side),
    /// Both, and no side stands by.
    Both,
    /// It cannot be told.
    NotKnown,
}

impl ActiveSides {
    /// The side that is active while the other stands by; `None` where both are, and where it cannot be told.
    #[must_use]
    pub fn one(self) -> Option<Side> {
        match self {
            Self::One(side) => Some(side),
            Self::Both | Self::NotKnown => None,
        }
    }

    /// Whether a side is known to be active.
    #[must_use]
    pub fn includes(self, side: Side) -> bool {
        match self {
            Self::One(one) => one == side,
            Self::Both => true,
            Self::NotKnown => false,
        }
    }

    /// The side that is drawn first: the one that is active, else A.
    #[must_use]
    pub fn first(self) -> Side {
        self.one().unwrap_or(Side::A)
    }

    /// The sides whose flows are told of: each that is active, and where that is not known the one that is drawn first.
    #[must_use]
    pub fn sources(self) -> Vec<Side> {
        match self {
            Self::Both => Side::BOTH.to_vec(),
            Self::One(_) | Self::NotKnown => vec![self.first()],
        }
    }
}

/// Derives the active side from the flows (which source connector copies, which is STOPPED) and, where the ACLs of both
/// sides are readable, from who may write. A sign that is unknown is not guessed. Both flows may copy where names differ; under one
/// name on both sides that contradicts itself.
#[must_use]
pub fn active_side(pair: &Pair, survey: &Survey) -> ActiveSide {
    let mut copying = Vec::new();
    if let Some(way) = pair.unattached().next() {
        return ActiveSide::NeitherKnown { reason: not_attached(pair, way) };
    }
    for flow in &pair.flows {
        match source_state(survey, flow.direction) {
            Ok(state) if copies(state) => copying.push(flow.direction),
            Ok(_) => {}
            Err(reason) => return ActiveSide::NeitherKnown { reason },
        }
    }
    let by_flow = match copying.as_slice() {
        [one] => *one,
        [] => {
            return ActiveSide::NeitherKnown {
                reason: format!("no flow of pair `{}` copies records now", pair.name),
            };
        }
        _ => {
            if pair.has_distinct_names() {
                return ActiveSide::Both { reason: both_copy(pair, survey) };
            }
            return ActiveSide::Contested {
                reason: format!("both flows of pair `{}` copy records", pair.name),
            };
        }
    };
    let (here, there) = (by_flow.from, by_flow.to());
    let course = pair.course(by_flow);
    let may_write = |side| applications_may_write(pair, survey, side);
    if (may_write(here), may_write(there)) == (Some(false), Some(true)) {
        let cluster = pair.cluster(there);
        return ActiveSide::Contested {
            reason: format!("records flow {course} but applications may write on {cluster} only"),
        };
    }
    // Grants on both sides (prefixed names keep own topics there, and nobody has fenced the standby yet) tell nothing apart, nor do those
    // of one side alone: a source that died must not make unknown what is said of its flow.
    ActiveSide::Active(by_flow)
}

/// That both flows copy, with what was looked at.
fn both_copy(pair: &Pair, survey: &Survey) -> String {
    let source = |flow: &FlowObservation| {
        let found = flow.connectors.get(&ConnectorRole::Source)?.value()?;
        Some(format!("`{}` {} is {}", found.name, pair.course(flow.direction), found.state))
    };
    let seen: Vec<String> = survey.flows.iter().filter_map(source).collect();
    format!(
        "both flows of pair `{}` copy records, under names that keep them apart: source connector {}",
        pair.name,
        seen.join(", source connector ")
    )
}

/// Why nothing is known of a flow that is not attached, as a sentence.
#[must_use]
pub fn not_attached(pair: &Pair, way: Direction) -> String {
    format!(
        "the flow {} is not attached: which Connect address and connectors carry it was not said",
        pair.course(way)
    )
}

/// Whether the flow from each side copies records, or is meant to; `None` where that was not observed. A flow that the pair
/// does not have copies nothing.
#[must_use]
pub fn copying(pair: &Pair, survey: &Survey) -> BySide<Option<bool>> {
    let of = |from: Side| match pair.flow(Direction { from }) {
        Some(flow) => source_state(survey, flow.direction).ok().map(copies),
        None => Some(false),
    };
    BySide { a: of(Side::A), b: of(Side::B) }
}

/// Whether a source connector in this state copies, or is meant to.
pub(crate) fn copies(state: ConnectState) -> bool {
    match state {
        ConnectState::Running
        | ConnectState::Restarting
        | ConnectState::Failed
        | ConnectState::Unassigned => true,
        ConnectState::Stopped | ConnectState::Paused | ConnectState::Destroyed => false,
    }
}

/// The state of a flow's source connector, or why it is not known.
pub(crate) fn source_state(survey: &Survey, direction: Direction) -> Result<ConnectState, String> {
    let flow = survey.flows.iter().find(|flow| flow.direction == direction);
    let source = flow.and_then(|flow| flow.connectors.get(&ConnectorRole::Source));
    match source {
        Some(observed) => observed.as_result().map(|connector| connector.state).map_err(ToOwned::to_owned),
        None => Err("the flow's source connector was not observed".to_owned()),
    }
}

/// Whether some application holds WRITE on an application topic of that side and no DENY for everybody stands there; `None` where that was
/// not read, and where it says nothing: without an authorizer nobody has to be let in.
fn applications_may_write(pair: &Pair, survey: &Survey, side: Side) -> Option<bool> {
    let observation = survey.sides.get(side);
    let (topics, acls) = (observation.topics.value()?, observation.acls.value()?);
    if !acls.authorizer {
        return None;
    }
    let scope = Scope::of(pair);
    let names: Vec<String> =
        topics.keys().filter(|topic| scope.application_topic(side, topic)).cloned().collect();
    let fenced = access::fence_bindings(&names);
    if !names.is_empty() && fenced.iter().all(|deny| acls.bindings.contains(deny)) {
        return Some(false);
    }
    Some(!access::unfenced_by(&acls.bindings, &names, &std::collections::BTreeSet::new()).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        acl::{AclOperation, ResourceType},
        reading::Observed,
        samples::{self, FORWARD, allow},
        survey::AclObservation,
    };

    /// What is told where `dr` lets an application write, and this is what was read of `primary`.
    fn told(here: Observed<AclObservation>) -> ActiveSide {
        let mut survey = samples::survey();
        survey.sides.a.acls = here;
        survey.sides.b.acls = acls(true, true);
        active_side(&samples::pair(), &survey)
    }

    fn acls(authorizer: bool, granted: bool) -> Observed<AclObservation> {
        let grant = granted.then(|| allow(AclOperation::Write, ResourceType::Topic, "orders", "User:shop"));
        let bindings = grant.into_iter().collect();
        Observed::known(AclObservation { authorizer, bindings, ..AclObservation::default() }, samples::at(0))
    }

    #[test]
    fn who_may_write_is_a_sign_only_where_it_was_read() {
        let contested = |reason: &str| ActiveSide::Contested { reason: reason.to_owned() };
        assert_eq!(told(acls(true, true)), ActiveSide::Active(FORWARD));
        assert_eq!(
            told(acls(true, false)),
            contested("records flow primary → dr but applications may write on dr only")
        );
        let unread = told(Observed::unknown("no answer", samples::at(0)));
        assert_eq!(unread, ActiveSide::Active(FORWARD), "a source that died");
        assert_eq!(told(acls(false, false)), ActiveSide::Active(FORWARD), "without an authorizer all may");
    }
}
