//! The last word before writes are taken away: a person's, with all figures, on a line that is not old.

use chrono::Utc;
use muster_domain::{
    plan::{IfUnproven, PlanRules},
    record::Question,
};
use serde_json::json;

use super::{
    catch_up::{CaughtUp, draw_line},
    rehearsal::Rehearsed,
};
use crate::{
    step::{Done, StepCtx, StepError},
    switchover::scope::count,
};

/// The final go with all figures, before writes are taken away: nobody is waited for after this. Where it comes long after
/// `catch_up`, replication has to catch up with a new line first. Only looks.
pub(in crate::switchover) async fn confirm_go(ctx: StepCtx) -> Result<Done, StepError> {
    let anew = if line_is_old(&ctx) { Some(line_for_a_late_go(&ctx).await?) } else { None };
    if let Some(person) = &ctx.confirmed_by {
        return go_ahead(format!("{person} said go"), json!({"by": person}), anew);
    }
    if !ctx.plan.rules.confirm_before_fence {
        return go_ahead("the plan asks nobody at this point".to_owned(), json!({}), anew);
    }
    let caught_up = anew.map_or_else(|| ctx.output("catch_up"), Ok)?;
    let rehearsed: Rehearsed = ctx.output("rehearse_translation")?;
    let pair = &ctx.clients.pair;
    let course = pair.course(ctx.direction());
    let groups = count(ctx.plan.groups.len(), "group");
    Err(StepError::Ask(Box::new(Question {
        prompt: format!(
            "Everything is ready. Take writes away from {} now?",
            pair.cluster(ctx.direction().from)
        ),
        confirm: format!("Fence {} and switch {} {course}", pair.cluster(ctx.direction().from), pair.name),
        figures: vec![
            ("Topics".to_owned(), ctx.plan.topics.len().to_string()),
            ("Groups".to_owned(), groups),
            ("Looked at".to_owned(), looked_at(&ctx)),
            ("Replication was behind by at most".to_owned(), format!("{} ms", caught_up.took_ms)),
            ("Records groups read again".to_owned(), format!("at most {}", rehearsed.read_again)),
            outage_bound(&ctx.plan.rules),
        ],
    })))
}

/// What becomes of writes that are away for as long as the plan allows.
fn outage_bound(rules: &PlanRules) -> (String, String) {
    let seconds = rules.max_write_outage_seconds;
    let (what, then) = match rules.if_unproven {
        IfUnproven::RollBack => {
            ("Writes return by themselves after", format!("{seconds} s without proof (rolled back)"))
        }
        IfUnproven::Wait => (
            "Writes may be away for",
            format!(
                "{seconds} s; then only the way back is left, and a run that rests waits for a person to abort it"
            ),
        ),
    };
    (what.to_owned(), then)
}

/// How old the proven line may be when writes are taken away. Whatever was written after it is compared record by record while
/// they are away.
const LINE_KEEPS_MS: i64 = 120_000;

/// Whether a person, or a pause, let the line of `catch_up` grow old.
fn line_is_old(ctx: &StepCtx) -> bool {
    let proven_at = ctx.times.get("catch_up").and_then(|span| span.ended);
    proven_at.is_none_or(|at| (Utc::now() - at).num_milliseconds() > LINE_KEEPS_MS)
}

/// A new line. A flow that stopped or fell behind while a person was waited for is found here, before the fence.
async fn line_for_a_late_go(ctx: &StepCtx) -> Result<CaughtUp, StepError> {
    if ctx.deadline <= tokio::time::Instant::now() {
        return Err(StepError::fail(
            "the go came more than a day after it was asked for, so what was looked at then counts no longer. Nothing was taken \
             away; make a new plan",
        ));
    }
    let message =
        "The last look at replication is more than two minutes old: it has to catch up with a new line first";
    ctx.notes.tell(message, json!({})).await;
    draw_line(ctx).await
}

/// Where the go leaves a line, later steps go by that one.
fn go_ahead(
    said: String,
    mut evidence: serde_json::Value,
    anew: Option<CaughtUp>,
) -> Result<Done, StepError> {
    let Some(line) = anew else { return Ok(Done::new(said, evidence)) };
    evidence["caught_up_in_ms"] = line.took_ms.into();
    Done::new(format!("{said}; {}", line.sentence()), evidence).with_output(&line)
}

/// When the figures of the question were seen; the oldest of them count.
fn looked_at(ctx: &StepCtx) -> String {
    let ended = ctx.times.get("rehearse_translation").and_then(|span| span.ended);
    ended.map_or_else(|| "unknown".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}
