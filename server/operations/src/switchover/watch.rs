//! Watching applications come back, and the last look at everything that was promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use chrono::Utc;
use muster_domain::{
    access,
    acl::AclFilter,
    record::OutcomeCheck,
    survey::{ConnectState, ConnectorRole},
    topic::{ByPartition, TopicPartition},
};
use muster_kafka::OffsetSpec;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    consumers::{MovedOut, Translated},
    drain::{self, TargetEnds},
    fence::{CutLine, locked},
    prepare::{self, FoundAgain},
    redirect::Stayed,
    scope::{count, offsets},
};
use crate::step::{Done, StepCtx, StepError};

/// Longest wait for a first write; producers that take longer than this have not followed the switch.
const FIRST_WRITE_BOUND_MS: u64 = 60_000;
/// Applications that wrote in this time before the fence are expected to write again.
const RECENTLY_MS: i64 = 60_000;

/// Whether an application record was seen on the other side. When is the end of the step, by the same clock as the
/// start of the fence.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstWrite {
    /// `false` when no write was seen in time.
    pub(super) seen: bool,
}

/// Looks at the ends of the applications' topics until one has moved past where it stood before writes were allowed.
/// Record timestamps would not do: applications set them when a record is made, not when it is accepted. Only looks.
pub(super) async fn watch_first_write(ctx: StepCtx) -> Result<Done, StepError> {
    let ends: TargetEnds = ctx.output("mark_target_ends")?;
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let admin = ctx.admin(ctx.direction().to());
    let fenced_at = ctx.times.get("fence_source").map_or_else(Utc::now, |span| span.started);
    let bound = match last_write(&cut) {
        Some(last) if fenced_at.timestamp_millis() - last <= RECENTLY_MS => FIRST_WRITE_BOUND_MS,
        Some(_) | None => 0,
    };
    let partitions: Vec<TopicPartition> = ends.own.keys().cloned().collect();
    let seen = ctx
        .wait_until("a first write", bound, || async {
            let now = offsets(admin, &partitions, OffsetSpec::End).await?;
            let moved = ends.own.iter().any(|(tp, before)| now.get(tp).is_some_and(|end| end > before));
            Ok(if moved { Ok(()) } else { Err("no topic has grown".to_owned()) })
        })
        .await;
    let (seen, sentence) = match seen {
        Ok(()) => (true, format!("applications write on {}", admin.cluster())),
        Err(StepError::Retry(_)) if bound == 0 => {
            (false, "nobody wrote in the minute before the fence, so no write is waited for".to_owned())
        }
        Err(StepError::Retry(why)) => (false, format!("no write seen on {}: {why}", admin.cluster())),
        Err(other) => return Err(other),
    };
    Done::new(sentence, json!({"seen": seen})).with_output(&FirstWrite { seen })
}

/// When each group was seen at work on the other side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resumed {
    /// Group → milliseconds after the fence was begun; `None` when it was not seen within the plan's watch.
    pub(super) ms_after_fence: BTreeMap<String, Option<i64>>,
}

/// Watches until every group that was active before has members on the other side and has committed there past the
/// position it was given, or has nothing to read there yet, as long as the plan allows. A group that does not come back is an exception in the report,
/// never a failure of the move. Only looks.
pub(super) async fn watch_groups(ctx: StepCtx) -> Result<Done, StepError> {
    let found: FoundAgain = ctx.output("survey_again")?;
    let translated: Translated = ctx.output("translate_groups")?;
    let admin = ctx.admin(ctx.direction().to());
    let bound = u64::try_from(ctx.plan.rules.resume_watch_seconds).unwrap_or(0).saturating_mul(1000);
    let fenced_at = ctx.times.get("fence_source").map(|span| span.started);
    let since_fence = || fenced_at.map(|at| (Utc::now() - at).num_milliseconds());
    let seen: Mutex<BTreeMap<String, Option<i64>>> =
        Mutex::new(found.active_groups.iter().map(|group| (group.clone(), None)).collect());
    let waiting = || -> Vec<String> {
        locked(&seen).iter().filter(|(_, at)| at.is_none()).map(|(group, _)| group.clone()).collect()
    };
    let watched = ctx
        .wait_until("groups coming back", bound, || async {
            for group in at_work(&ctx, &waiting(), &translated).await? {
                locked(&seen).insert(group, since_fence());
            }
            let left = waiting();
            Ok(if left.is_empty() { Ok(()) } else { Err(left.join(", ")) })
        })
        .await;
    let seen = locked(&seen).clone();
    let missing: Vec<&String> = seen.iter().filter(|(_, at)| at.is_none()).map(|(group, _)| group).collect();
    let sentence = match &watched {
        Ok(()) => format!("{} read on {}", count(seen.len(), "group"), admin.cluster()),
        Err(StepError::Retry(_)) => format!("not seen reading on {}: {missing:?}", admin.cluster()),
        Err(StepError::Fail(why)) => return Err(StepError::Fail(why.clone())),
        Err(StepError::Ask(question)) => return Err(StepError::Ask(question.clone())),
    };
    Done::new(sentence, json!({"ms_after_fence": seen})).with_output(&Resumed { ms_after_fence: seen })
}

/// Of these groups, those with members on the other side that have committed past where they were put, or were put at
/// the end of partitions nobody has written to since.
async fn at_work(
    ctx: &StepCtx,
    groups: &[String],
    translated: &Translated,
) -> Result<Vec<String>, StepError> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let admin = ctx.admin(ctx.direction().to());
    let listed = admin.list_groups().await?;
    let asked: Vec<_> = listed
        .into_iter()
        .filter(|group| groups.contains(&group.group))
        .map(|group| (group.group, group.kind))
        .collect();
    let described = admin.describe_groups(&asked).await?;
    let committed = admin.group_offsets(groups, false).await?;
    let put: BTreeMap<&String, ByPartition<i64>> =
        groups.iter().map(|group| (group, put_at(ctx, translated, group))).collect();
    let partitions: BTreeSet<TopicPartition> = put.values().flat_map(ByPartition::keys).cloned().collect();
    let ends = offsets(admin, &partitions.into_iter().collect::<Vec<_>>(), OffsetSpec::End).await?;
    Ok(described
        .into_iter()
        .filter(|group| !group.members.is_empty())
        .filter(|group| {
            let Some(put) = put.get(&group.group) else { return false };
            let reads = committed.get(&group.group).is_some_and(|there| {
                there.iter().any(|(tp, now)| put.get(tp).is_none_or(|put| now.offset > *put))
            });
            let nothing_to_read =
                !put.is_empty() && put.iter().all(|(tp, put)| ends.get(tp).is_some_and(|end| end <= put));
            reads || nothing_to_read
        })
        .map(|group| group.group)
        .collect())
}

/// Where a group was put, by partition on the other side.
fn put_at(ctx: &StepCtx, translated: &Translated, group: &str) -> ByPartition<i64> {
    let partitions =
        translated.groups.get(group).map(|group| group.partitions.as_slice()).unwrap_or_default();
    partitions
        .iter()
        .filter_map(|p| Some((ctx.replica_of(&p.source), p.mapping.as_ref().ok()?.target_offset)))
        .collect()
}

/// What was checked at the end and what writes show.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Verified {
    /// Checks for the report.
    pub(super) checks: Vec<OutcomeCheck>,
    /// Records compared and found missing on the other side.
    pub(super) lost: i64,
}

/// Looks at everything once more: content up to the cut line, no emergency fence left anywhere, nobody able to write
/// on both sides, the reverse flow running, every group at an exact position. Only looks.
pub(super) async fn verify_outcome(ctx: StepCtx) -> Result<Done, StepError> {
    let ends: TargetEnds = ctx.output("mark_target_ends")?;
    let evidence = drain::compare(&ctx, &ends.replicas).await?;
    let sentence = if evidence.nothing_lost {
        format!("{} records compared, none missing, all in order", evidence.records)
    } else {
        drain::differences(&evidence)
    };
    let mut checks = vec![check(
        "content_equal",
        evidence.nothing_lost,
        sentence,
        "visible records of both sides from before the last line proven replicated up to the cut line, by timestamp, \
         key, value and headers, in order",
    )];
    checks.push(no_fence_left(&ctx).await?);
    checks.push(one_writer(&ctx).await?);
    checks.push(reverse_runs(&ctx).await?);
    checks.push(groups_exact(&ctx)?);
    checks.push(groups_back(&ctx)?);
    let failed: Vec<&str> =
        checks.iter().filter(|c| c.passed != Some(true)).map(|c| c.name.as_str()).collect();
    let sentence = if failed.is_empty() {
        format!("all {} passed", count(checks.len(), "check"))
    } else {
        format!("{} of {} did not pass: {}", failed.len(), count(checks.len(), "check"), failed.join(", "))
    };
    let missing: u64 = evidence.partitions.iter().map(|p| p.found.missing).sum();
    let verified = Verified { lost: i64::try_from(missing).unwrap_or(i64::MAX), checks };
    Done::new(sentence, serde_json::to_value(&verified).map_err(StepError::fail)?).with_output(&verified)
}

fn check(name: &str, passed: bool, sentence: String, method: &str) -> OutcomeCheck {
    OutcomeCheck { name: name.to_owned(), passed: Some(passed), sentence, method: method.to_owned() }
}

async fn no_fence_left(ctx: &StepCtx) -> Result<OutcomeCheck, StepError> {
    let (here, there) = prepare::both_acls(ctx).await?;
    let names = ctx.topics_on_target();
    let emergency: BTreeSet<_> = access::fence_bindings(&names)
        .into_iter()
        .chain(access::consumer_fence_bindings(&names, &ctx.plan.groups))
        .collect();
    let left: Vec<String> = emergency
        .iter()
        .filter(|binding| here.contains(*binding) || there.contains(*binding))
        .map(ToString::to_string)
        .collect();
    let sentence = if left.is_empty() {
        "no emergency DENY is left on either side".to_owned()
    } else {
        format!("still there: {}", left.join("; "))
    };
    Ok(check(
        "no_emergency_fence_left",
        left.is_empty(),
        sentence,
        "DescribeAcls of every broker of both sides",
    ))
}

async fn one_writer(ctx: &StepCtx) -> Result<OutcomeCheck, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let acls = admin.acls(&AclFilter::default()).await?;
    let open = access::unfenced_by(&acls.bindings, &ctx.app_topics(), &prepare::infrastructure(ctx));
    let sentence = if open.is_empty() {
        format!("no application may write on {}", admin.cluster())
    } else {
        format!("may still write on {}: {}", admin.cluster(), open.join(", "))
    };
    Ok(check("one_writing_side", open.is_empty(), sentence, "ACLs evaluated as StandardAuthorizer does"))
}

async fn reverse_runs(ctx: &StepCtx) -> Result<OutcomeCheck, StepError> {
    let state = ctx.backward()?.state(ConnectorRole::Source).await?;
    let runs = state.as_ref().is_some_and(|s| {
        s.connector == ConnectState::Running
            && !s.tasks.is_empty()
            && s.tasks.iter().all(|task| *task == ConnectState::Running)
    });
    let sentence = match state {
        Some(state) => {
            format!("source connector is {} with {}", state.connector, count(state.tasks.len(), "task"))
        }
        None => "there is no reverse source connector".to_owned(),
    };
    Ok(check(
        "reverse_flow_runs",
        runs,
        sentence,
        "Connect status; that it moves was proven when it was started",
    ))
}

fn groups_exact(ctx: &StepCtx) -> Result<OutcomeCheck, StepError> {
    let translated: Translated = ctx.output("translate_groups")?;
    let refused = translated.inexact();
    let sentence = if refused.is_empty() {
        let behind = ctx.output::<MovedOut>("drain_groups")?.behind;
        let stayed = ctx.output::<Stayed>("hold_consumers")?.groups;
        let moved: Vec<String> = behind.into_iter().filter(|group| stayed.contains(group)).collect();
        let exactly =
            format!("{} resume exactly at what they had committed", count(translated.groups.len(), "group"));
        if moved.is_empty() {
            exactly
        } else {
            // Brokers know commits only.
            format!(
                "{exactly}; {} moved while reading, so what was processed after the last commit is processed again, as after any restart",
                moved.join(", ")
            )
        }
    } else {
        format!(
            "not exact: {}",
            refused.iter().map(|(group, _)| group.as_str()).collect::<Vec<_>>().join(", ")
        )
    };
    Ok(check(
        "groups_resume_exactly",
        refused.is_empty(),
        sentence,
        "positions translated and compared by content",
    ))
}

fn groups_back(ctx: &StepCtx) -> Result<OutcomeCheck, StepError> {
    const NAME: &str = "active_groups_are_back";
    const METHOD: &str = "members and commits past their new position";
    let Ok(resumed) = ctx.output::<Resumed>("watch_groups") else {
        let sentence = "unknown: watching them was left out".to_owned();
        return Ok(OutcomeCheck { passed: None, ..check(NAME, false, sentence, METHOD) });
    };
    let missing: Vec<&str> = resumed
        .ms_after_fence
        .iter()
        .filter(|(_, at)| at.is_none())
        .map(|(group, _)| group.as_str())
        .collect();
    let sentence = if missing.is_empty() {
        format!("{} that were active read on the other side", count(resumed.ms_after_fence.len(), "group"))
    } else {
        format!("not seen yet: {}", missing.join(", "))
    };
    Ok(check(NAME, missing.is_empty(), sentence, METHOD))
}

/// The newest committed record before the cut line, milliseconds since the epoch.
pub(super) fn last_write(cut: &CutLine) -> Option<i64> {
    cut.tails.values().flatten().map(|tail| tail.timestamp).max()
}
