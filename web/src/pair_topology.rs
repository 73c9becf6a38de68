//! The drawing of a pair as observed: two clusters, what they hold, and what flows between them.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    direction::ActiveSides,
    pair::{Direction, Pair, Side},
    patterns::Scope,
    reading::Observed,
    survey::{ConnectState, ConnectorRole, FlowObservation, SideObservation, Survey},
};

use crate::{
    format,
    pair::FlowFigures,
    pair_plan::mechanism_words,
    parts::{ReadingView, Spoken, Unit},
};

/// Most brokers drawn as boxes.
const MOST_BROKERS: usize = 10;

/// One cluster in the drawing.
#[derive(Debug)]
struct Node {
    name: String,
    role: &'static str,
    active: bool,
    known: bool,
    /// Corners of the broker boxes, from the left edge of the cluster's.
    brokers: Vec<usize>,
    head: String,
    lines: Vec<String>,
    foot: String,
    foot_note: String,
}

/// One arrow.
#[derive(Debug)]
struct Arrow {
    runs: bool,
    pill: String,
    below: String,
    /// How far its target is behind; `None` of a flow whose figures nobody is told as the pair's.
    behind: Option<Behind>,
}

/// How far a flow's target is behind.
#[derive(Debug)]
struct Behind {
    short: String,
    note: String,
    spoken: String,
}

/// See the module.
#[derive(Debug, Template)]
#[template(path = "parts/topology.html")]
pub(crate) struct Topology {
    spoken: Spoken,
    /// Of the drawing for narrow screens; one of the two is shown.
    spoken_narrow: Spoken,
    nodes: [Node; 2],
    forward: Arrow,
    reverse: Arrow,
}
impl HtmlSafe for Topology {}

impl Topology {
    /// The active side on the left; side A when that is not known, and when both are.
    pub(crate) fn new(
        pair: &Pair,
        active: ActiveSides,
        survey: &Survey,
        flows: &[FlowFigures],
        now: DateTime<Utc>,
    ) -> Self {
        let direction = Direction { from: active.first() };
        let drawn =
            |side: Side| node(pair, side, role(active, side), active.includes(side), survey.sides.get(side));
        let (left, right) = (drawn(direction.from), drawn(direction.to()));
        let [forward, reverse] =
            [direction, direction.reverse()].map(|way| arrow(pair, way, survey, flows, now));
        let figures = match active {
            ActiveSides::Both => format!(
                "{} and {} are both active. {} {}",
                left.name,
                right.name,
                forward.spoken(&right.name),
                reverse.spoken(&left.name)
            ),
            ActiveSides::One(_) | ActiveSides::NotKnown => format!(
                "{} is {}. {} The way back: {}.",
                left.name,
                left.role,
                forward.spoken(&right.name),
                reverse.below
            ),
        };
        let spoken = Spoken::new("topology", format!("Topology of {} as observed", pair.name), figures);
        Self {
            spoken_narrow: spoken.again("topology-narrow"),
            spoken,
            nodes: [left, right],
            forward,
            reverse,
        }
    }
}

impl Arrow {
    fn spoken(&self, to: &str) -> String {
        let behind = self.behind.as_ref().map_or("", |behind| behind.spoken.as_str());
        format!("{} to {to}: {}{behind}.", self.pill, self.below)
    }
}

impl Behind {
    fn new(figures: &FlowFigures, now: DateTime<Utc>) -> Self {
        let lag = ReadingView::new(&figures.lag, Unit::Milliseconds, now);
        let records = ReadingView::new(&figures.behind, Unit::Records, now).phrase();
        Self {
            short: short_phrase(&lag),
            spoken: format!(", {} behind, records behind {records}", lag.phrase()),
            note: format!("records behind {records}"),
        }
    }
}

fn role(active: ActiveSides, side: Side) -> &'static str {
    match active {
        ActiveSides::NotKnown => "role unknown",
        ActiveSides::One(_) | ActiveSides::Both if active.includes(side) => "active",
        ActiveSides::One(_) | ActiveSides::Both => "standby",
    }
}

fn short_phrase(reading: &ReadingView) -> String {
    let phrase = reading.phrase();
    let value = phrase.split(',').next().unwrap_or(&phrase).to_owned();
    if value == "no reading" { value } else { format!("{value} behind") }
}

fn node(pair: &Pair, side: Side, role: &'static str, active: bool, seen: &SideObservation) -> Node {
    let name = pair.cluster(side).to_string();
    match &seen.cluster {
        Observed::Unknown { reason, .. } => Node {
            name,
            role,
            active,
            known: false,
            brokers: Vec::new(),
            head: "No answer".to_owned(),
            lines: wrap(reason, 42, 3),
            foot: "Nothing is known of it now".to_owned(),
            foot_note: "last known values are marked “was”".to_owned(),
        },
        Observed::Known { value, .. } => {
            let shown = value.brokers.len().min(MOST_BROKERS);
            Node {
                name,
                role,
                active,
                known: true,
                brokers: (0..shown).map(|i| 16 + 28 * i).collect(),
                head: format!(
                    "{} · {}",
                    clip(&value.cluster_id, 24),
                    format::count(value.brokers.len(), "broker")
                ),
                lines: node_lines(pair, side, seen),
                foot: transactions(seen),
                foot_note: authorizer(seen),
            }
        }
    }
}

/// The canary is Muster's own and not counted.
fn node_lines(pair: &Pair, side: Side, seen: &SideObservation) -> Vec<String> {
    let scope = Scope::of(pair);
    let topics = match seen.topics.as_result() {
        Err(_) => "topics not read".to_owned(),
        Ok(topics) => {
            let counted: Vec<_> = topics.iter().filter(|(name, _)| !scope.canary(side, name)).collect();
            let partitions: usize = counted.iter().map(|(_, topic)| topic.partitions.len()).sum();
            format!("{}, {}", format::count(counted.len(), "topic"), format::count(partitions, "partition"))
        }
    };
    let replicas = match seen.topics.value() {
        None => "replicas not read".to_owned(),
        Some(topics) => {
            let under =
                topics.values().flat_map(|t| &t.partitions).filter(|p| p.in_sync < p.replicas).count();
            format!("{} under-replicated", format::count(under, "partition"))
        }
    };
    let groups = match seen.groups.as_result() {
        Err(_) => "groups not read".to_owned(),
        Ok(groups) => {
            let reading: Vec<_> = groups.values().filter(|group| !group.members.is_empty()).collect();
            let members: usize = reading.iter().map(|group| group.members.len()).sum();
            format!("{} of {} read", format::count(members, "member"), format::count(reading.len(), "group"))
        }
    };
    vec![topics, groups, replicas]
}

fn transactions(seen: &SideObservation) -> String {
    match seen.transactions.as_result() {
        Err(_) => "Open transactions not read".to_owned(),
        Ok(open) => format::count(open.len(), "open transaction"),
    }
}

fn authorizer(seen: &SideObservation) -> String {
    match seen.acls.as_result() {
        Err(_) => "ACLs not read: whether it can be fenced is unknown".to_owned(),
        Ok(acls) if !acls.authorizer => "no authorizer: it cannot be fenced".to_owned(),
        Ok(acls) if !acls.disputed.is_empty() => {
            format!("{} ACLs still spreading over the brokers", acls.disputed.len())
        }
        Ok(acls) => format!(
            "{} ACLs, all brokers agree",
            format::number(i64::try_from(acls.bindings.len()).unwrap_or(0))
        ),
    }
}

fn arrow(
    pair: &Pair,
    direction: Direction,
    survey: &Survey,
    flows: &[FlowFigures],
    now: DateTime<Utc>,
) -> Arrow {
    let figures = flows.iter().find(|figures| figures.direction == direction);
    let behind = figures.map(|figures| Behind::new(figures, now));
    let Some(flow) = pair.flow(direction) else {
        return Arrow {
            runs: false,
            pill: "no flow".to_owned(),
            below: "the pair has no flow this way".to_owned(),
            behind,
        };
    };
    let seen = survey.flows.iter().find(|seen| seen.direction == direction);
    let (runs, below) = seen.map_or((false, "never seen".to_owned()), flow_words);
    Arrow { runs, pill: mechanism_words(&flow.mechanism).to_owned(), below, behind }
}

fn flow_words(seen: &FlowObservation) -> (bool, String) {
    match seen.connectors.get(&ConnectorRole::Source).map(Observed::as_result) {
        None => (false, "no source connector".to_owned()),
        Some(Err(_)) => (false, "its state is unknown".to_owned()),
        Some(Ok(connector)) => {
            let running = connector.tasks.iter().filter(|task| task.state == ConnectState::Running).count();
            match connector.state {
                ConnectState::Running => {
                    (running > 0, format!("{running} of {} tasks run", connector.tasks_to_run()))
                }
                ConnectState::Unassigned
                | ConnectState::Paused
                | ConnectState::Failed
                | ConnectState::Destroyed
                | ConnectState::Restarting
                | ConnectState::Stopped => (false, connector.state.to_string().to_lowercase()),
            }
        }
    }
}

/// No longer than `most` characters; the whole of it is elsewhere on the page.
fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// In at most `lines` lines of about `width` characters.
fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let full = out
            .last()
            .is_some_and(|line| !line.is_empty() && line.chars().count() + word.chars().count() >= width);
        if full {
            if out.len() == lines {
                break;
            }
            out.push(String::new());
        }
        if let Some(line) = out.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    out
}
