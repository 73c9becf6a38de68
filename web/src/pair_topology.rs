//! The drawing of a pair as observed: two clusters, what they hold, and what flows between them.

use askama::{Template, filters::HtmlSafe};
use chrono::{DateTime, Utc};
use muster_domain::{
    pair::{Direction, Pair, Side},
    patterns::Scope,
    reading::{Observed, Reading},
    survey::{ConnectState, ConnectorRole, FlowObservation, SideObservation, Survey},
};

use crate::{
    format,
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
    behind: String,
    behind_note: String,
    reverse: Arrow,
}
impl HtmlSafe for Topology {}

impl Topology {
    /// The active side on the left; side A when it is not known.
    pub(crate) fn new(
        pair: &Pair,
        active: Option<Side>,
        survey: &Survey,
        lag: &Reading,
        behind: &Reading,
        now: DateTime<Utc>,
    ) -> Self {
        let from = active.unwrap_or(Side::A);
        let direction = Direction { from };
        let roles = if active.is_some() { ["active", "standby"] } else { ["role unknown", "role unknown"] };
        let left = node(pair, from, roles[0], active.is_some(), survey.sides.get(from));
        let right = node(pair, direction.to(), roles[1], false, survey.sides.get(direction.to()));
        let forward = arrow(pair, direction, survey);
        let reverse = arrow(pair, direction.reverse(), survey);
        let lag = ReadingView::new(lag, Unit::Milliseconds, now);
        let behind_text = ReadingView::new(behind, Unit::Records, now).phrase();
        let figures = format!(
            "{} is {}. {} to {}: {}, {} behind, records behind {behind_text}. The way back: {}.",
            left.name,
            left.role,
            forward.pill,
            right.name,
            forward.below,
            lag.phrase(),
            reverse.below
        );
        let spoken = Spoken::new("topology", format!("Topology of {} as observed", pair.name), figures);
        Self {
            spoken_narrow: spoken.again("topology-narrow"),
            spoken,
            behind: short_phrase(&lag),
            behind_note: format!("records behind {behind_text}"),
            nodes: [left, right],
            forward,
            reverse,
        }
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

fn arrow(pair: &Pair, direction: Direction, survey: &Survey) -> Arrow {
    let Some(flow) = pair.flow(direction) else {
        return Arrow {
            runs: false,
            pill: "no flow".to_owned(),
            below: "the pair has no flow this way".to_owned(),
        };
    };
    let seen = survey.flows.iter().find(|seen| seen.direction == direction);
    let (runs, below) = seen.map_or((false, "never seen".to_owned()), flow_words);
    Arrow { runs, pill: mechanism_words(&flow.mechanism).to_owned(), below }
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
