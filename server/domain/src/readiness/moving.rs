//! Whether records move, whatever Connect says.

use super::{CheckCode as Code, CheckResult, CheckStatus, Scene};
use crate::{
    pair::{Direction, Side},
    patterns::Scope,
    survey::{Survey, TopicObservation},
};

/// RUNNING proves nothing: between two surveys the source's ends must not move alone. Muster's own canary does not count:
/// it is no work of anybody, and has a check of its own.
pub(super) fn moving(scene: &Scene<'_>) -> CheckResult {
    let (active, previous) = match (&scene.active, scene.previous) {
        (Ok(direction), Some(previous)) => (*direction, previous),
        (Err(reason), _) => return CheckResult::unknown(Code::FlowMoving, reason),
        (Ok(_), None) => return CheckResult::unknown(Code::FlowMoving, "there is only one survey yet"),
    };
    let (here, there) =
        match (grown(scene, previous, active, active.from), grown(scene, previous, active, active.to())) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(reason), _) | (_, Err(reason)) => return CheckResult::unknown(Code::FlowMoving, reason),
        };
    let (written, copied) = (here.offsets, there.offsets);
    if written > 0 && copied == 0 && there.untold.is_none() {
        if scene.survey.brought_forward {
            let reason = "this survey was brought forward, and what was written since the one before may be on its way";
            return CheckResult::unknown(Code::FlowMoving, reason);
        }
        return CheckResult::new(
            Code::FlowMoving,
            CheckStatus::Critical,
            format!(
                "{written} records were written to `{}` since the last survey and none arrived",
                scene.name(active.from)
            ),
            "Do not believe RUNNING: look at the worker's log, then restart the connector with onlyFailed=false.",
        );
    }
    if let Some(reason) = here.untold.or(there.untold) {
        return CheckResult::unknown(Code::FlowMoving, reason);
    }
    if written == 0 {
        return CheckResult::ok(Code::FlowMoving, "nothing was written since the last survey");
    }
    CheckResult::ok(
        Code::FlowMoving,
        format!("{written} offsets were written and {copied} arrived since the last survey"),
    )
}

/// Whether that a check is not known is no news yet: it says whether records move, of a survey that was brought forward. The next one is due a
/// period later and says it, whatever the reason.
#[must_use]
pub fn is_not_yet_told(check: &CheckResult, survey: &Survey) -> bool {
    survey.brought_forward && check.code == Code::FlowMoving && check.status == CheckStatus::Unknown
}

/// By how much the topics of a side have grown.
#[derive(Default)]
struct Grown {
    /// Offsets, of partitions whose ends both surveys read.
    offsets: i64,
    /// What is not known of another, as a sentence: the first such.
    untold: Option<String>,
}

/// Between two surveys. Topics and partitions that are new have no end of before and say nothing; one of which an end was not read may
/// have grown by anything.
fn grown(scene: &Scene<'_>, previous: &Survey, way: Direction, side: Side) -> Result<Grown, String> {
    let now = scene.survey.sides.get(side).topics.as_result().map_err(ToOwned::to_owned)?;
    let then = previous.sides.get(side).topics.as_result().map_err(ToOwned::to_owned)?;
    let (scope, mut grown) = (Scope::of(scene.pair), Grown::default());
    let of_flow = |name: &str| !scope.canary(side, name) && scene.grows_by_flow(&scope, way, side, name);
    for (name, topic) in now.iter().filter(|(name, _)| of_flow(name)) {
        let same =
            |before: &&TopicObservation| before.id.zip(topic.id).is_none_or(|(before, now)| before == now);
        let Some(before) = then.get(name).filter(same) else { continue };
        for (number, (now, then)) in topic.partitions.iter().zip(&before.partitions).enumerate() {
            let why = match then.end.zip(now.end) {
                Some((then, now)) if now >= then => {
                    grown.offsets = grown.offsets.saturating_add(now.saturating_sub(then));
                    continue;
                }
                Some((then, now)) => format!("went back from {then} to {now}: its log was cut or made anew"),
                None => "was not read in each of the last two surveys".to_owned(),
            };
            grown.untold.get_or_insert_with(|| {
                format!("the end of `{name}`-{number} on `{}` {why}", scene.name(side))
            });
        }
    }
    Ok(grown)
}
