//! What a switchover reached, from what its steps left behind. Pure: what was not measured stays unknown.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use muster_domain::{record::Outcome, run::Phase};

use super::{
    consumers::Translated,
    watch::{FirstWrite, Resumed, Verified},
};
use crate::step::{Span, StepCtx};

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
    let start = ctx.times.get(from)?.started;
    let end = ctx.times.get(to)?.ended?;
    Some((end - start).num_milliseconds())
}

/// From when to when a step was at work.
type Worked = (DateTime<Utc>, DateTime<Utc>);

/// Time of each phase in which one of its steps was at work, in milliseconds. What failed and waited for a person to have it
/// tried again, or what a paused run waited, is no time of the machine. Phases of different lanes overlap, so the sum may exceed
/// the run.
fn by_phase(ctx: &StepCtx) -> BTreeMap<Phase, i64> {
    let mut at_work: BTreeMap<Phase, Vec<Worked>> = BTreeMap::new();
    for step in &ctx.plan.steps {
        let Some(Span { worked_from, ended: Some(ended), .. }) = ctx.times.get(&step.name) else { continue };
        at_work.entry(step.phase).or_default().push((*worked_from, *ended));
    }
    at_work.into_iter().map(|(phase, spans)| (phase, covered(spans).num_milliseconds())).collect()
}

/// How much time spans cover together; what several of them cover counts once.
fn covered(mut spans: Vec<Worked>) -> TimeDelta {
    spans.sort_unstable();
    let mut covered = TimeDelta::zero();
    let mut until = DateTime::<Utc>::MIN_UTC;
    for (from, to) in spans {
        let from = from.max(until);
        if to > from {
            covered += to - from;
            until = to;
        }
    }
    covered
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_worked_at_is_not_covered_and_what_two_did_counts_once() {
        let at = |seconds: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let spans = vec![(at(7200), at(7205)), (at(0), at(10)), (at(5), at(12)), (at(6), at(8))];
        assert_eq!(covered(spans), TimeDelta::seconds(17));
        assert_eq!(covered(Vec::new()), TimeDelta::zero());
    }
}
