//! The readiness drill: everything a switchover looks at, looked at now, with nothing changed on either side.
//!
//! A look that finds something wrong is what the drill is for: it never ends the run, it becomes a check that failed. One
//! that got no answer in its time is unknown, never passed.

use std::{future::Future, time::Duration};

use chrono::Utc;
use muster_domain::{
    direction::{self, ActiveSide},
    record::{Outcome, OutcomeCheck},
    run::Phase,
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::OffsetSpec;
use muster_replication::{
    PartitionEnds,
    verify::{self, ContentEvidence, PartitionContent},
};
use muster_routing::Audience;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    drain::{records, shortened, whole},
    fence,
    prepare::{self, CaughtUp, FoundAgain},
    scope::{count, offsets},
};
use crate::{
    engine::Runbook,
    step::{Done, Step, StepCtx, StepError, step},
    survey::take_survey,
};

/// Records of each partition that are compared, at least.
const COMPARED: i64 = 1_000;
/// Left of a step's time when it stops waiting, so that it can still say what it does not know.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The runbook.
#[must_use]
pub fn runbook() -> Runbook {
    Runbook { steps: steps(), outcome: measure }
}

/// The table. Names are stored for ever: never rename, only add.
#[must_use]
pub fn steps() -> Vec<Step> {
    use Phase::Prepare;
    let bound = 120_000;
    vec![
        step("survey_again", Prepare, &[], |ctx| looked(ctx, prepare::survey_again)).bound_ms(bound),
        step("calibrate_fence_probe", Prepare, &["survey_again"], |ctx| looked(ctx, fence::calibrate))
            .bound_ms(bound),
        step("ask_traffic_switches", Prepare, &["survey_again"], |ctx| looked(ctx, ask_traffic_switches))
            .bound_ms(bound),
        step("look_at_grants", Prepare, &["survey_again"], |ctx| looked(ctx, look_at_grants)).bound_ms(bound),
        step("catch_up", Prepare, &["survey_again"], |ctx| looked(ctx, prepare::catch_up)).bound_ms(bound),
        step("rehearse_translation", Prepare, &["catch_up"], |ctx| {
            looked_behind(ctx, prepare::rehearse_translation)
        })
        .bound_ms(bound),
        step("compare_recent_content", Prepare, &["catch_up"], |ctx| {
            looked_behind(ctx, compare_recent_content)
        })
        .bound_ms(bound),
    ]
}

/// How a look came out; beside what the step leaves for later ones.
#[derive(Debug, Serialize, Deserialize)]
struct Looked {
    looked: Look,
}

#[derive(Debug, Serialize, Deserialize)]
struct Look {
    /// `None` when there was no answer.
    passed: Option<bool>,
    sentence: String,
}

/// Carries a look out and keeps how it came out. An answer that may come a moment later is waited for, within the step's
/// time.
async fn looked<F, Fut>(ctx: StepCtx, look: F) -> Result<Done, StepError>
where
    F: Fn(StepCtx) -> Fut,
    Fut: Future<Output = Result<Done, StepError>>,
{
    let until = ctx.deadline.checked_sub(LAST_WORD).unwrap_or(ctx.deadline);
    let (passed, done) = loop {
        match tokio::time::timeout_at(until, look(ctx.clone())).await {
            Ok(Ok(done)) => break (Some(true), done),
            Ok(Err(StepError::Fail(why))) => break (Some(false), Done::new(why, json!({}))),
            Ok(Err(StepError::Ask(question))) => break (None, Done::new(question.prompt, json!({}))),
            Ok(Err(StepError::Retry(why))) if tokio::time::Instant::now() >= until => {
                break (None, Done::new(why, json!({})));
            }
            Ok(Err(StepError::Retry(_))) => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(_) => break (None, Done::new("no answer in its time", json!({}))),
        }
    };
    kept(passed, done)
}

/// The same for a look that rests on replication having caught up: otherwise there is nothing to look at.
async fn looked_behind<F, Fut>(ctx: StepCtx, look: F) -> Result<Done, StepError>
where
    F: Fn(StepCtx) -> Fut,
    Fut: Future<Output = Result<Done, StepError>>,
{
    match ctx.output::<CaughtUp>("catch_up") {
        Ok(_) => looked(ctx, look).await,
        Err(_) => {
            let why = "replication did not catch up, so there was nothing to look at";
            kept(None, Done::new(why, json!({})))
        }
    }
}

/// A look as the step's result, beside what it leaves for later steps.
fn kept(passed: Option<bool>, done: Done) -> Result<Done, StepError> {
    let look = Looked { looked: Look { passed, sentence: done.sentence.clone() } };
    let mut output = serde_json::to_value(&look).map_err(StepError::fail)?;
    if let (Some(output), Some(left)) = (output.as_object_mut(), done.output.as_object()) {
        output.extend(left.clone());
    }
    Ok(Done { output, ..done })
}

/// Whether each traffic switch could be used and sends applications to the active side; where both are active, to either. One that
/// cannot tell is no failure: a switchover would send and not read back.
async fn ask_traffic_switches(ctx: StepCtx) -> Result<Done, StepError> {
    let [from, other] =
        [ctx.direction().from, ctx.direction().to()].map(|side| ctx.clients.pair.cluster(side).as_str());
    if ctx.clients.routing.is_empty() {
        return Err(StepError::fail("the pair has no traffic switch: applications would be moved by hand"));
    }
    prepare::check_switches(&ctx).await?;
    let (mut told, mut there) = (Vec::new(), Vec::new());
    for switch in &ctx.clients.routing {
        for audience in [Audience::Producers, Audience::Consumers] {
            let Some(to) = switch.current(audience).await? else {
                told.push(format!("{}: does not tell where {audience} go", switch.describe()));
                continue;
            };
            if to.cluster != from {
                let sent = format!("{} sends {audience} to {}", switch.describe(), to.cluster);
                // Looked at once: the other side is active for all of them or for none.
                if to.cluster != other || (there.is_empty() && !both_are_active(&ctx, &sent).await?) {
                    return Err(StepError::fail(format!("{sent}, but {from} is active")));
                }
                there.push(sent);
            }
            told.push(format!("{}: {audience} on {}", switch.describe(), to.cluster));
        }
    }
    let mut sentence = format!("{} answer", count(ctx.clients.routing.len(), "traffic switch"));
    if !there.is_empty() {
        sentence = format!("{sentence}; {}, which is active as well as {from}", there.join(", "));
    }
    Ok(Done::new(sentence, json!({"told": told})))
}

/// Whether both sides are active now, so that applications may be sent to either, as `sent` says they are. Only looks. Where that cannot be
/// told, neither can whether they are sent to the wrong one.
async fn both_are_active(ctx: &StepCtx, sent: &str) -> Result<bool, StepError> {
    let survey = take_survey(&ctx.clients, 0, Utc::now()).await;
    match direction::active_side(&ctx.clients.pair, &survey) {
        ActiveSide::Both { .. } => Ok(true),
        ActiveSide::Active(active) if active == ctx.direction() => Ok(false),
        ActiveSide::Active(active) => {
            let now = ctx.clients.pair.cluster(active.from);
            Err(StepError::fail(format!("{sent}, and {now} is the active side now, other than planned")))
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => {
            Err(StepError::retry(format!("{sent}; whether applications are there cannot be told: {reason}")))
        }
    }
}

/// What a switchover would create on the standby before the fence.
async fn look_at_grants(ctx: StepCtx) -> Result<Done, StepError> {
    let missing = prepare::missing_grants(&ctx).await?;
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let to = ctx.clients.pair.cluster(ctx.direction().to());
    let sentence = match missing.len() {
        0 => format!("{to} has every grant applications need besides WRITE"),
        n => format!("{} are missing on {to}; a switchover creates them", count(n, "grant")),
    };
    Ok(Done::new(sentence, json!({"missing": list})))
}

/// Compares the last records of every partition. The flow goes on copying meanwhile, so each question gets the line it can
/// be answered at: nothing is missing below the line that was proven replicated; nothing is too much below where the
/// standby ended before the source was read again.
async fn compare_recent_content(ctx: StepCtx) -> Result<Done, StepError> {
    let proven = ctx.output::<CaughtUp>("catch_up")?.proven;
    let (from, to) = (ctx.direction().from, ctx.direction().to());
    let target_ends = offsets(ctx.admin(to), &ctx.replica_partitions(), OffsetSpec::End).await?;
    let later = offsets(ctx.admin(from), &ctx.source_partitions(), OffsetSpec::Stable).await?;
    let below = compare(&ctx, &proven, &target_ends).await?;
    let all = compare(&ctx, &later, &target_ends).await?;
    let lost: Vec<String> = below
        .partitions
        .iter()
        .filter(|p| p.found.missing > 0 || p.found.out_of_order > 0)
        .map(|p| {
            let found = &p.found;
            let at = &p.window.partition.source;
            format!(
                "{at}: {} missing, {} out of order of {}",
                found.missing, found.out_of_order, found.on_source
            )
        })
        .collect();
    let strange: Vec<String> = all
        .partitions
        .iter()
        .filter(|p| p.found.extra > 0)
        .map(|p| format!("{}: {} that the source does not have", p.window.partition.target, p.found.extra))
        .collect();
    let unsaid = |p: &PartitionContent| {
        p.not_compared().map(|unsaid| format!("{}: {unsaid}", p.window.partition.source))
    };
    let wrong = [lost, strange, below.partitions.iter().filter_map(unsaid).collect()].concat();
    if wrong.is_empty() {
        let sentence = format!("the last {} records are the same on both sides, in order", below.records);
        return Ok(Done::new(sentence, shortened(&below)));
    }
    Err(StepError::fail(format!("content differs in {}", wrong.join("; "))))
}

async fn compare(
    ctx: &StepCtx,
    source_ends: &ByPartition<i64>,
    target_ends: &ByPartition<i64>,
) -> Result<ContentEvidence, StepError> {
    let partitions: Vec<TopicPartition> = ctx.source_partitions();
    let offset_pairs = ctx.forward()?.offset_pairs(&partitions).await?;
    let mut windows = Vec::new();
    for source in partitions {
        let target = ctx.replica_of(&source);
        let line = verify::CutLine {
            source_until: source_ends.get(&source).copied().unwrap_or(0),
            target_until: target_ends.get(&target).copied().unwrap_or(0),
            partition: PartitionEnds { source: source.clone(), target },
        };
        let known = offset_pairs.get(&source).map(Vec::as_slice).unwrap_or_default();
        match verify::content_window(&line, known, COMPARED) {
            Some(window) => windows.push(window),
            None => windows.push(whole(ctx, line).await?),
        }
    }
    Ok(verify::verify_content(&records(ctx, ctx.left_ms())?, &windows).await?)
}

/// Each look as a check. Nothing was moved, so nothing else was measured.
fn measure(ctx: &StepCtx) -> Outcome {
    let checks: Vec<OutcomeCheck> = ctx
        .plan
        .steps
        .iter()
        .map(|planned| {
            let look = ctx.output::<Looked>(&planned.name).ok().map(|found| found.looked);
            OutcomeCheck {
                name: planned.name.clone(),
                passed: look.as_ref().and_then(|look| look.passed),
                sentence: look.map_or_else(|| "not looked at".to_owned(), |look| look.sentence),
                method: planned.title.clone(),
            }
        })
        .collect();
    let good = checks.iter().filter(|check| check.passed == Some(true)).count();
    let unknown = checks.iter().filter(|check| check.passed.is_none()).count();
    let both = ctx.output::<FoundAgain>("survey_again").is_ok_and(|found| found.both_active);
    let summary = match (checks.len() - good - unknown, unknown) {
        (0, 0) => format!("nothing was changed; every one of {} looks is fine", checks.len()),
        (bad, unknown) => {
            format!(
                "nothing was changed; of {} looks {bad} failed, {unknown} without an answer",
                checks.len()
            )
        }
    };
    // Looks that are fine are no word on whether applications can be moved now.
    let so = if both { "; both sides are active, so nothing can be switched over as it is" } else { "" };
    Outcome { checks, summary: format!("{summary}{so}"), ..Outcome::default() }
}
