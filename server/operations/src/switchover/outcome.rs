//! What a switchover reached, from what its steps left behind. Pure: what was not measured stays unknown.

use std::collections::BTreeMap;

use muster_domain::{record::Outcome, run::Phase};

use super::{
    consumers::Translated,
    watch::{FirstWrite, Resumed, Verified},
};
use crate::step::StepCtx;

/// Measures a finished run.
pub(super) fn measure(ctx: &StepCtx) -> Outcome {
    let verified: Option<Verified> = ctx.output("verify_outcome").ok();
    let translated: Option<Translated> = ctx.output("translate_groups").ok();
    let resumed: Option<Resumed> = ctx.output("watch_groups").ok();
    let first_write: Option<FirstWrite> = ctx.output("watch_first_write").ok();
    let by_group = |value: &dyn Fn(&str) -> Option<i64>| -> BTreeMap<String, Option<i64>> {
        ctx.plan.groups.iter().map(|group| (group.clone(), value(group))).collect()
    };
    // From before the last write can have been accepted to after the first one was: never too short.
    let write_unavailability_ms = first_write
        .filter(|first| first.seen)
        .and_then(|_| between(ctx, "fence_source", "watch_first_write"));
    let lost_records = verified.as_ref().map(|v| v.lost);
    let summary = summary(lost_records, write_unavailability_ms, verified.as_ref());
    Outcome {
        lost_records,
        reprocessed_by_group: by_group(&|group| translated.as_ref()?.reprocessed(group)),
        // Translation never goes past the first record a group has not read; a group without a position is unknown.
        skipped_by_group: by_group(&|group| translated.as_ref()?.reprocessed(group).map(|_| 0)),
        write_unavailability_ms,
        write_fence_ms: between(ctx, "fence_source", "unfence_standby"),
        rto_ms_by_phase: by_phase(ctx),
        resumed_ms_by_group: resumed.map(|r| r.ms_after_fence).unwrap_or_default(),
        checks: verified.map(|v| v.checks).unwrap_or_default(),
        summary,
    }
}

/// Start of one step to end of another, in milliseconds by the database's clock.
fn between(ctx: &StepCtx, from: &str, to: &str) -> Option<i64> {
    let (start, _) = ctx.times.get(from)?;
    let (_, end) = ctx.times.get(to)?;
    Some((*end.as_ref()? - *start).num_milliseconds())
}

/// Wall time of each phase: from the first start to the last end of its steps. Phases of different lanes overlap, so
/// the sum may exceed the run.
fn by_phase(ctx: &StepCtx) -> BTreeMap<Phase, i64> {
    let mut spans: BTreeMap<Phase, (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>)> =
        BTreeMap::new();
    for step in &ctx.plan.steps {
        let Some((start, Some(end))) = ctx.times.get(&step.name) else { continue };
        spans
            .entry(step.phase)
            .and_modify(|(first, last)| {
                *first = (*first).min(*start);
                *last = (*last).max(*end);
            })
            .or_insert((*start, *end));
    }
    spans.into_iter().map(|(phase, (start, end))| (phase, (end - start).num_milliseconds())).collect()
}

fn summary(lost: Option<i64>, unavailable_ms: Option<i64>, verified: Option<&Verified>) -> String {
    let lost = lost.map_or("loss not measured".to_owned(), |n| format!("{n} records lost"));
    let away = unavailable_ms.map_or("writes not yet seen on the other side".to_owned(), |ms| {
        format!("writes away for {}.{:01} s", ms / 1000, ms % 1000 / 100)
    });
    let failed = verified.map_or(0, |v| v.checks.iter().filter(|c| c.passed != Some(true)).count());
    let checks =
        if failed == 0 { "every check passed".to_owned() } else { format!("{failed} checks did not pass") };
    format!("{lost}, {away}, {checks}")
}
