//! Everything written before the fence reaches the other side, and is proven to have.

use muster_domain::{
    survey::{ConnectState, ConnectorRole},
    topic::{ByPartition, TopicPartition, by_partition},
};
use muster_kafka::OffsetSpec;
use muster_replication::{
    FlowRecords, PartitionEnds,
    verify::{self, ContentEvidence, ContentWindow},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    fence::CutLine,
    prepare,
    scope::{count, offsets, shown},
};
use crate::step::{Done, StepCtx, StepError};

/// Waits until the last record before the cut line is the last record on the other side, for every partition.
///
/// The tail is compared by content (timestamp, key, value, headers; without the timestamp where the other side's brokers
/// write their own), which needs neither Connect's committed offsets (up to one flush interval old) nor offset arithmetic
/// (wrong under transactions). `prove_content` then compares the stretch before it. Only looks: dying here changes nothing.
pub(super) async fn drain(ctx: StepCtx) -> Result<Done, StepError> {
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let target = ctx.direction().to();
    let waiting = ctx
        .wait_until("drain", ctx.left_ms(), || async {
            let ends = offsets(ctx.admin(target), &ctx.replica_partitions(), OffsetSpec::End).await?;
            let evidence = verify::tails_match(&records(&ctx, 10_000)?, &lines(&ctx, &cut, &ends)).await?;
            let behind: Vec<String> = evidence
                .iter()
                .filter(|tail| !tail.drained)
                .map(|tail| format!("{}: {}", tail.partition.source, tail.reason))
                .collect();
            Ok(if behind.is_empty() { Ok(()) } else { Err(behind.join(", ")) })
        })
        .await;
    match waiting {
        Ok(()) => Ok(Done::new(
            format!(
                "the last record of all {} is on {}",
                count(cut.ends.len(), "partition"),
                ctx.clients.pair.cluster(target)
            ),
            json!({"method": "content of the last records of each partition, runs of equal ones counted"}),
        )),
        // The bound is the step's own: there is nothing to try again.
        Err(StepError::Retry(why)) => Err(StepError::Fail(why)),
        Err(other) => Err(other),
    }
}

/// Both ends of the flow, to read records from as the flow itself reads them.
pub(super) fn records(ctx: &StepCtx, deadline_ms: u64) -> Result<FlowRecords<'_>, StepError> {
    let caught_up = prepare::proven_line(ctx)?;
    Ok(FlowRecords {
        source: ctx.mover(ctx.direction().from),
        target: ctx.mover(ctx.direction().to()),
        isolation: caught_up.isolation(),
        deadline_ms: deadline_ms.min(ctx.left_ms()),
    })
}

/// Cut lines of all partitions up to given ends of the replicas.
fn lines(ctx: &StepCtx, cut: &CutLine, target_ends: &ByPartition<i64>) -> Vec<verify::CutLine> {
    cut.ends
        .iter()
        .map(|(source, end)| {
            let target = ctx.replica_of(source);
            verify::CutLine {
                source_until: *end,
                target_until: target_ends.get(&target).copied().unwrap_or(0),
                partition: PartitionEnds { source: source.clone(), target },
            }
        })
        .collect()
}

/// Whether the source connector ran.
pub(super) async fn capture_flow(ctx: StepCtx) -> Result<bool, StepError> {
    let state = ctx.forward()?.state(ConnectorRole::Source).await?;
    Ok(state.is_some_and(|state| state.connector != ConnectState::Stopped))
}

/// Stops copying, so that a restarted task can't copy a second time behind the applications' first writes. Stopping a
/// stopped connector is fine, so dying halfway is too.
pub(super) async fn stop_flow(ctx: StepCtx) -> Result<Done, StepError> {
    ctx.forward()?.stop(ConnectorRole::Source, ctx.left_ms()).await?;
    Ok(Done::new("the flow is STOPPED with no tasks", json!({"read_back": "STOPPED, tasks []"})))
}

/// Starts it again if it ran.
pub(super) async fn resume_flow(ctx: StepCtx) -> Result<Done, StepError> {
    if ctx.captured::<bool>()? {
        ctx.forward()?.resume(ConnectorRole::Source, ctx.left_ms()).await?;
    }
    Ok(Done::new("the flow copies again", json!({})))
}

/// Compares content on both sides from before the line that was proven replicated up to the cut line: same records,
/// same order, none missing, none extra. Only looks.
pub(super) async fn prove_content(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().to());
    let ends = offsets(admin, &ctx.replica_partitions(), OffsetSpec::End).await?;
    let evidence = compare(&ctx, &ends).await?;
    if !evidence.nothing_lost {
        return Err(StepError::Fail(differences(&evidence)));
    }
    let sentence = format!("{} records compared on both sides, none missing, all in order", evidence.records);
    Done::new(sentence, shortened(&evidence)).with_output(&Compared { records: evidence.records })
}

/// How many records were compared before the point of no return.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Compared {
    /// Records of the source.
    pub(super) records: u64,
}

/// The comparison of [`prove_content`], made once more at the end up to where the other side ended then.
pub(super) async fn compare(
    ctx: &StepCtx,
    target_ends: &ByPartition<i64>,
) -> Result<ContentEvidence, StepError> {
    let cut: CutLine = ctx.output("mark_cut_line")?;
    let caught_up = prepare::proven_line(ctx)?;
    let partitions = ctx.source_partitions();
    let offset_pairs = ctx.forward()?.offset_pairs(&partitions).await?;
    let mut windows = Vec::new();
    for line in lines(ctx, &cut, target_ends) {
        let source = &line.partition.source;
        // At least everything after the line that was proven by committed offsets, and a thousand records before it.
        let since = line.source_until - caught_up.proven.get(source).copied().unwrap_or(0) + 1_000;
        let known = offset_pairs.get(source).map(Vec::as_slice).unwrap_or_default();
        match verify::content_window(&line, known, since) {
            Some(window) => windows.push(window),
            // Without a single pair there is no common beginning but the beginning itself.
            None => windows.push(whole(ctx, line).await?),
        }
    }
    Ok(verify::verify_content(&records(ctx, ctx.left_ms())?, &windows).await?)
}

pub(super) async fn whole(ctx: &StepCtx, line: verify::CutLine) -> Result<ContentWindow, StepError> {
    let (source, target) = (line.partition.source.clone(), line.partition.target.clone());
    let from =
        offsets(ctx.admin(ctx.direction().from), std::slice::from_ref(&source), OffsetSpec::Start).await?;
    let to =
        offsets(ctx.admin(ctx.direction().to()), std::slice::from_ref(&target), OffsetSpec::Start).await?;
    Ok(ContentWindow {
        source_from: from.get(&source).copied().unwrap_or(0),
        target_from: to.get(&target).copied().unwrap_or(0),
        source_until: line.source_until,
        target_until: line.target_until,
        partition: line.partition,
    })
}

/// The first differing partition, in words.
pub(super) fn differences(evidence: &ContentEvidence) -> String {
    let differing: Vec<String> = evidence
        .partitions
        .iter()
        .filter(|partition| !partition.nothing_lost())
        .map(|partition| {
            let (found, source) = (&partition.found, &partition.window.partition.source);
            let differs = format!(
                "{source}: {} missing, {} extra, {} out of order of {}",
                found.missing, found.extra, found.out_of_order, found.on_source
            );
            [Some(differs), partition.not_compared()].into_iter().flatten().collect::<Vec<_>>().join(", ")
        })
        .collect();
    format!("content differs in {}", differing.join("; "))
}

/// The evidence without what nobody reads when all is equal.
pub(super) fn shortened(evidence: &ContentEvidence) -> serde_json::Value {
    let partitions: serde_json::Map<String, serde_json::Value> = evidence
        .partitions
        .iter()
        .map(|p| {
            let window = &p.window;
            let value = json!({
                "source": [window.source_from, window.source_until],
                "target": [window.target_from, window.target_until],
                "timestamps_compared": p.timestamps,
                "found": p.found,
            });
            (window.partition.source.to_string(), value)
        })
        .collect();
    json!({"records": evidence.records, "equal": evidence.equal, "partitions": partitions})
}

/// Where the other side ended when the flow had stopped: application writes begin here.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TargetEnds {
    /// By replica partition, one past the last record or marker.
    #[serde(with = "by_partition")]
    pub(super) replicas: ByPartition<i64>,
    /// By partition of the applications' own topics there: the same as `replicas` with identity naming.
    #[serde(with = "by_partition")]
    pub(super) own: ByPartition<i64>,
}

/// Records the ends of the other side and looks twice that nothing writes there any more. Only looks.
pub(super) async fn mark_target_ends(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().to());
    let replicas = ctx.replica_partitions();
    let own: Vec<TopicPartition> = ctx.source_partitions();
    let first = offsets(admin, &replicas, OffsetSpec::End).await?;
    let second = ctx
        .wait_until("ends of the standby standing still", 10_000, || async {
            let before = offsets(admin, &replicas, OffsetSpec::End).await?;
            let after = offsets(admin, &replicas, OffsetSpec::End).await?;
            Ok(if before == after { Ok(after) } else { Err("they still move".to_owned()) })
        })
        .await?;
    let own =
        if ctx.identity_named() { second.clone() } else { offsets(admin, &own, OffsetSpec::End).await? };
    let ends = TargetEnds { replicas: second, own };
    let evidence = json!({"ends": shown(&ends.replicas), "moved_since_stop": first != ends.replicas});
    Done::new(
        format!("{} stand still on {}", count(ends.replicas.len(), "partition"), admin.cluster()),
        evidence,
    )
    .with_output(&ends)
}
