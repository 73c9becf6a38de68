//! What a pair's page says about planning, and its settings in words.

use muster_domain::{
    both_active,
    direction::{ActiveSide, ActiveSides, active_side},
    pair::{Direction, Mechanism, NamingPolicy, Pair, PairMode, RoutingTarget, Side},
    people::Role,
    run::Operation,
    survey::{SideObservation, Survey},
};

use crate::{
    chrome::Chrome,
    fleet::PairFacts,
    format,
    forms::PlanForm,
    loss_steps::by_hand,
    pair_form::by_operation,
    parts::{Choice, Field, Link},
};

/// Whether a switchover can be planned here.
#[derive(Debug)]
pub(crate) enum Planning {
    /// What the button says and the side applications leave.
    Offered(String, &'static str),
    /// What it would say, the rule, and where a person goes on.
    Refused(String, String, Option<Link>),
}

/// Whether a switchover can be planned of the pair as its newest survey shows it.
pub(crate) fn planning(chrome: &Chrome, facts: &PairFacts<'_>, survey: Option<&Survey>) -> Planning {
    let pair = facts.pair;
    if let Some(rule) = no_side_stands_by(facts, survey) {
        let died = facts.losses.iter().any(|loss| loss.truth.is_none());
        let label = format!("Plan switching {} over", pair.name);
        return Planning::Refused(label, rule, Some(if died { by_hand() } else { both_active_by_hand() }));
    }
    let Some(from) = facts.active.one() else {
        let (why, link) = match pair.unattached().next() {
            Some(way) => (
                format!(
                    "The flow {} is not attached. Its owners edit the pair and name the Connect address and the connectors.",
                    pair.course(way)
                ),
                None,
            ),
            None => (
                "The active side is not known, so there is no direction to plan. Its readiness says why. While a side is dead, \
                 applications are moved by hand."
                    .to_owned(),
                Some(by_hand()),
            ),
        };
        return Planning::Refused(format!("Plan switching {} over", pair.name), why, link);
    };
    let label = format!("Plan switching {} over, {}", pair.name, pair.course(Direction { from }));
    // Connect may well call its connectors RUNNING still, and the side active with them. A loss alone refuses nothing: it waits for the
    // last partition that has no leader, and a plan says what of the side stops it.
    if is_gone(facts, survey, from) {
        let rule = format!(
            "{} does not answer: a switchover has to drain it, and failing over is done by hand.",
            pair.cluster(from)
        );
        return Planning::Refused(label, rule, Some(by_hand()));
    }
    if !chrome.may(Role::Operator, &pair.team) {
        return Planning::Refused(label, format!("Only operators of {} plan its moves.", pair.team), None);
    }
    if let Some((run, _)) = facts.active_run {
        let rule = format!("Run {} holds {}. One run at a time; wait until it ends.", run.number, pair.name);
        return Planning::Refused(label, rule, None);
    }
    Planning::Offered(label, from.as_str())
}

/// What plans a readiness drill, which only looks.
#[derive(Debug)]
pub(crate) struct DrillButton {
    pub(crate) label: String,
    /// The side applications would leave.
    pub(crate) from: &'static str,
}

/// The readiness drills that can be planned of the pair as its newest survey shows it: of either direction where both sides are active.
pub(crate) fn drills(chrome: &Chrome, facts: &PairFacts<'_>, survey: Option<&Survey>) -> Vec<DrillButton> {
    let pair = facts.pair;
    if !chrome.may(Role::Operator, &pair.team) || facts.active_run.is_some() {
        return Vec::new();
    }
    let button = |from: Side| {
        let label = format!("Plan a readiness drill of {}", pair.name);
        let label = match facts.active {
            ActiveSides::Both => format!("{label}, {}", pair.course(Direction { from })),
            ActiveSides::One(_) | ActiveSides::NotKnown => label,
        };
        DrillButton { label, from: from.as_str() }
    };
    let leaves = |from: &Side| facts.active.includes(*from) && !is_gone(facts, survey, *from);
    Side::BOTH.into_iter().filter(leaves).map(button).collect()
}

/// Whether what was on a side is told to be lost, and it does not answer.
fn is_gone(facts: &PairFacts<'_>, survey: Option<&Survey>, from: Side) -> bool {
    let lost = facts.losses.iter().any(|loss| loss.direction.from == from && loss.truth.is_none());
    lost && survey.is_none_or(|survey| !is_read(survey.sides.get(from)))
}

/// Why there is no direction to plan where applications are on both sides, or are meant to be.
fn no_side_stands_by(facts: &PairFacts<'_>, survey: Option<&Survey>) -> Option<String> {
    let pair = facts.pair;
    match (facts.active, pair.mode) {
        (ActiveSides::Both, _) => Some(refused_of_both(pair, survey)),
        (ActiveSides::One(_) | ActiveSides::NotKnown, PairMode::ActiveActive) => Some(
            "The mode of the pair is active_active: applications are on both sides or meant to be, so no side stands by. Moving those of \
             one side (an evacuation) and failing over cannot be planned yet. A pair whose applications are on one side only is \
             active_passive; its owners set that."
                .to_owned(),
        ),
        (ActiveSides::One(_) | ActiveSides::NotKnown, PairMode::ActivePassive) => None,
    }
}

/// Why it is refused, and what leads to a pair that can be moved: of one direction, as that of the other is alike.
fn refused_of_both(pair: &Pair, survey: Option<&Survey>) -> String {
    let seen = match survey.map(|survey| active_side(pair, survey)) {
        Some(ActiveSide::Both { reason }) => reason,
        // It was judged of an older survey.
        Some(ActiveSide::Active(_) | ActiveSide::NeitherKnown { .. } | ActiveSide::Contested { .. })
        | None => {
            format!("both flows of pair `{}` copied records when that was judged last", pair.name)
        }
    };
    let way = Direction { from: Side::A };
    format!(
        "{} {} The other way, {}, names are exchanged.",
        both_active::why_not_moved(&seen),
        both_active::what_now(pair, way),
        pair.course(way.reverse())
    )
}

/// Where a person reads what can be done with a pair whose both sides are active.
fn both_active_by_hand() -> Link {
    Link::new("/runbooks#both-sides-are-active", "What works, and what is done by hand when one side dies")
}

/// Whether a side answered with what a plan is made of.
fn is_read(side: &SideObservation) -> bool {
    side.cluster.value().is_some() && side.topics.value().is_some()
}

/// The fields of the form that plans a switchover, as they were sent if they were.
pub(crate) fn plan_fields(sent: Option<&PlanForm>) -> Vec<Field> {
    let untouched = PlanForm {
        consumers: "drain_then_move".to_owned(),
        if_unproven: "roll_back".to_owned(),
        max_write_outage_seconds: "120".to_owned(),
        confirm_before_fence: "on".to_owned(),
        ..PlanForm::default()
    };
    // The form of a readiness drill has none of them.
    let of_switchover = sent.filter(|form| form.operation != Operation::ReadinessDrill.as_str());
    let form = of_switchover.unwrap_or(&untouched);
    let consumers = vec![
        Choice::new("drain_then_move", "read to the end first, then move"),
        Choice::new("move_out", "are moved out where they stand"),
    ];
    let unproven = vec![
        Choice::new("roll_back", "roll everything back"),
        Choice::new("wait", "ask a person while writes are away"),
    ];
    vec![
        Field::select("consumers", "Consumers", consumers, &form.consumers),
        Field::select(
            "if_unproven",
            "If a proof is missing at the point of no return",
            unproven,
            &form.if_unproven,
        ),
        Field::line(
            "max_write_outage_seconds",
            "Writes away at most, seconds",
            "number",
            &form.max_write_outage_seconds,
            "off",
        ),
        Field::check(
            "confirm_before_fence",
            "A person gives the final go before the fence",
            form.confirm_before_fence == "on",
        ),
        Field::check("drill", "As a drill: somebody attests what it proved", form.drill == "on"),
    ]
}

pub(crate) fn settings(pair: &Pair) -> Vec<(&'static str, String)> {
    let list =
        |patterns: &[String]| if patterns.is_empty() { "none".to_owned() } else { patterns.join(", ") };
    let mode = match pair.mode {
        PairMode::ActivePassive => "active-passive",
        PairMode::ActiveActive => "active-active",
    };
    let naming = match pair.flows.first().map(|flow| &flow.naming) {
        Some(NamingPolicy::Identity) => "identity, same name on both sides".to_owned(),
        Some(NamingPolicy::Prefixed { separator }) => format!("prefixed, separator “{separator}”"),
        None => "no flow".to_owned(),
    };
    let routing: Vec<String> = pair
        .routing
        .iter()
        .map(|target| match target {
            RoutingTarget::AddressBook { path } => format!("address book {path}"),
            RoutingTarget::Webhook { url } => format!("webhook {url}"),
        })
        .collect();
    let (objectives, approval) = (&pair.objectives, &pair.approval);
    vec![
        ("Team", pair.team.to_string()),
        ("Mode", mode.to_owned()),
        ("RPO objective", format::seconds(objectives.rpo_seconds)),
        ("RTO objective", format::seconds(objectives.rto_seconds)),
        (
            "A passed run counts for",
            format::count(usize::try_from(objectives.verify_within_days).unwrap_or(0), "day"),
        ),
        (
            "Approval",
            format!(
                "{} needed{}, decide within {} m, start within {} m",
                approval.needed,
                by_operation(approval).into_iter().map(|one| format!(", {one}")).collect::<String>(),
                approval.decide_within_minutes,
                approval.use_within_minutes
            ),
        ),
        ("Topics", list(&pair.topics)),
        ("Topics left out", list(&pair.topics_exclude)),
        ("Groups", list(&pair.groups)),
        ("Groups left out", list(&pair.groups_exclude)),
        ("Names", naming),
        (
            "Applications are told by",
            if routing.is_empty() { "nothing yet".to_owned() } else { routing.join(", then ") },
        ),
        ("Canary", canary(pair)),
        (
            "Payload of records that differ",
            if pair.show_payload { "may be shown to operators" } else { "is not shown" }.to_owned(),
        ),
        ("Edited", format!("{} UTC, version {}", format::date_time(pair.updated_at), pair.version)),
    ]
}

/// What carries a flow, in words.
pub(crate) fn mechanism_words(mechanism: &Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Mm2OnConnect { .. } => "MirrorMaker 2",
        Mechanism::Unattached => "not attached",
    }
}

fn canary(pair: &Pair) -> String {
    match &pair.canary_topic {
        None => "none".to_owned(),
        Some(topic) => format!(
            "{topic}, {}, every {}",
            format::count(usize::try_from(pair.canary_partitions).unwrap_or(0), "partition"),
            format::seconds(pair.canary_seconds)
        ),
    }
}
