//! Settings that spoil every record: converters that rewrite, two directions live at once. Readiness tells the same by
//! the same rules; it needs no active side.

use super::{Alarm, AlarmCode as Code, Judged, Place, connectors::stop, view::View};
use crate::{
    pair::{Flow, Mechanism, NamingPolicy},
    reading::Observed,
    shell::quoted,
    survey::{ConnectState, ConnectorObservation, ConnectorRole},
};

/// The class that copies bytes as they are.
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// Converters of a source connector that may rewrite what it copies: key and what it is set to. `None` is one that is left to
/// the worker, whose own nobody can read by Connect's API.
#[must_use]
pub(crate) fn rewriting(source: &ConnectorObservation) -> Vec<(&'static str, Option<String>)> {
    let converters = ["key.converter", "value.converter", "header.converter"].into_iter();
    let rewriting = converters.filter_map(|key| match source.config.get(key) {
        Some(class) if class.ends_with("ByteArrayConverter") => None,
        Some(class) => Some((key, Some(class.clone()))),
        None => Some((key, None)),
    });
    rewriting.collect()
}

/// Source connectors of identity flows that are not STOPPED; with more than one, records go in circles.
///
/// # Errors
/// Why it cannot be told.
pub(crate) fn live_identity_flows<'a>(
    flows: impl Iterator<Item = (&'a Flow, Option<&'a Observed<ConnectorObservation>>)>,
) -> Result<Vec<&'a ConnectorObservation>, String> {
    let mut live = Vec::new();
    for (flow, source) in flows {
        match source.map(Observed::as_result) {
            Some(Err(reason)) => return Err(reason.to_owned()),
            Some(Ok(source))
                if flow.naming == NamingPolicy::Identity && source.state != ConnectState::Stopped =>
            {
                live.push(source);
            }
            Some(Ok(_)) | None => {}
        }
    }
    Ok(live)
}

pub(super) fn judge(view: &View<'_>, judged: &mut Judged) {
    converters(view, judged);
    identity_loop(view, judged);
}

fn source<'a>(view: &View<'a>, flow: &Flow) -> Option<&'a Observed<ConnectorObservation>> {
    let observed = view.survey.flows.iter().find(|observed| observed.direction == flow.direction)?;
    observed.connectors.get(&ConnectorRole::Source)
}

fn converters(view: &View<'_>, judged: &mut Judged) {
    for flow in &view.pair.flows {
        let found = match source(view, flow).map(Observed::as_result) {
            Some(Ok(found)) => found,
            Some(Err(reason)) => {
                judged.unknown(Code::ConverterRewrites, reason);
                continue;
            }
            None => continue,
        };
        let rewriting = rewriting(found);
        if rewriting.is_empty() || found.state != ConnectState::Running {
            continue;
        }
        let set_wrong = rewriting.iter().any(|(_, class)| class.is_some());
        let course = view.pair.course(flow.direction);
        let name = &found.name;
        let said = if set_wrong {
            format!(
                "`{name}` copies {course} through converters that rewrite records: what arrives is not what was written."
            )
        } else {
            format!("`{name}` leaves converters of {course} to its worker: what these do cannot be seen.")
        };
        let places = rewriting.iter().map(|(key, class)| {
            let said = class.as_ref().map_or_else(
                || "is the worker's own, which cannot be seen".to_owned(),
                |class| format!("is {class}"),
            );
            Place::new(*key, said).losing(0, super::Lost { at_least: None, at_most: None })
        });
        let mut alarm = Alarm::of(Code::ConverterRewrites, name, view, said)
            .at(places.collect())
            .fact("Only ByteArrayConverter copies bytes as they are; SimpleHeaderConverter turns header bytes into text.");
        alarm = if set_wrong {
            alarm.next(
                "Set all three converters, then copy again what was rewritten since.",
                put_converters(flow, name),
            )
        } else {
            alarm
                .unless(
                    "Nothing is wrong if the worker's properties set ByteArrayConverter for each of them. For header.converter \
                     SimpleHeaderConverter is what Connect takes when nothing is set.",
                )
                .next(
                    "Look at key.converter, value.converter and header.converter in the worker's properties. Setting all three \
                     on the connector settles it; if the worker's were others, copy again what was rewritten.",
                    put_converters(flow, name),
                )
        };
        alarm.course = view.pair.course(flow.direction);
        judged.raise(alarm);
    }
}

fn put_converters(flow: &Flow, connector: &str) -> Option<String> {
    let Mechanism::Mm2OnConnect { connect_url, .. } = &flow.mechanism else { return None };
    let at = quoted(&format!("{connect_url}/connectors/{connector}/config"));
    Some(format!(
        "curl -X PATCH -H 'Content-Type: application/json' {at} -d \
         '{{\"key.converter\":\"{BYTES}\",\"value.converter\":\"{BYTES}\",\"header.converter\":\"{BYTES}\"}}'"
    ))
}

fn identity_loop(view: &View<'_>, judged: &mut Judged) {
    let flows = view.pair.flows.iter().map(|flow| (flow, source(view, flow)));
    let live = match live_identity_flows(flows) {
        Ok(live) => live,
        Err(reason) => {
            judged.unknown(Code::IdentityLoop, reason);
            return;
        }
    };
    let running: Vec<&str> = live
        .iter()
        .filter(|source| source.state == ConnectState::Running)
        .map(|source| source.name.as_str())
        .collect();
    let [first, .., last] = running.as_slice() else { return };
    let said = format!(
        "`{first}` and `{last}` are both live with identity names: each copies what the other copied, for ever."
    );
    let places = running.iter().map(|name| Place::new(*name, "is RUNNING")).collect();
    // The way back is the one that is off, whichever side is active: the flow that people do not want now.
    let back = view.pair.flows.iter().find(|flow| !flow.enabled).or(view.pair.flows.last());
    let stop = back.and_then(|flow| match &flow.mechanism {
        Mechanism::Mm2OnConnect { connect_url, source_connector, .. } => {
            Some(stop(connect_url, source_connector))
        }
        Mechanism::Unattached => None,
    });
    let mut alarm = Alarm::of(Code::IdentityLoop, "both directions", view, said)
        .at(places)
        .fact(growth(view))
        .next(
            "Stop the direction that leads to the active side at once. Nothing is lost; every record is there many times.",
            stop,
        );
    alarm.course = format!("{} and {}", view.name(crate::pair::Side::A), view.name(crate::pair::Side::B));
    judged.raise(alarm);
}

/// How fast both sides grow.
fn growth(view: &View<'_>) -> String {
    let ends = |survey: &crate::survey::Survey, side| -> Option<i64> {
        let topics = survey.sides.get(side).topics.value()?;
        let ends = topics.values().flat_map(|topic| &topic.partitions).filter_map(|partition| partition.end);
        Some(ends.fold(0, i64::saturating_add))
    };
    let grown = |side| Some(ends(view.survey, side)?.saturating_sub(ends(view.previous?, side)?));
    match (grown(crate::pair::Side::A), grown(crate::pair::Side::B)) {
        (Some(a), Some(b)) => format!(
            "Since the survey before `{}` grew by {a} offsets and `{}` by {b}.",
            view.name(crate::pair::Side::A),
            view.name(crate::pair::Side::B)
        ),
        (None, _) | (_, None) => "How fast both sides grow is not known yet.".to_owned(),
    }
}
