//! What stops applications from writing to the side they leave: set, proven on every broker, and the line it draws.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use muster_domain::{
    access,
    acl::{AclBinding, AclFilter},
    topic::{ByPartition, by_partition},
};
use muster_kafka::{ClusterAdmin, FenceVerdict, OffsetSpec, TailRecord, every_tail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::scope::{count, log_ends, offsets, shown, still_as_planned};
use crate::step::{Done, StepCtx, StepError};

/// Shows that the probe principal may write now, so that its refusal later proves the fence. Only looks.
pub(super) async fn calibrate(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let verdicts = admin.probe_write_fence(&ctx.app_topics()).await?;
    let closed: Vec<String> = verdicts
        .iter()
        .filter(|(_, verdict)| **verdict != FenceVerdict::Open)
        .map(|((broker, topic), verdict)| format!("`{topic}` on broker {broker}: {}", verdict_word(verdict)))
        .collect();
    if let Some(first) = closed.first() {
        return Err(StepError::Fail(format!(
            "the probe principal of `{}` cannot write before the fence ({first}), so its refusal would prove nothing; \
             give it ALLOW WRITE on the topics in scope",
            admin.cluster()
        )));
    }
    Ok(Done::new(
        format!(
            "writes are open on all {}, so the fence can be proven",
            count(verdicts.len(), "broker and topic")
        ),
        json!({"method": "Produce to a partition that does not exist, as the probe principal", "open": verdicts.len()}),
    ))
}

fn verdict_word(verdict: &FenceVerdict) -> String {
    match verdict {
        FenceVerdict::Fenced => "refused".to_owned(),
        FenceVerdict::Open => "open".to_owned(),
        FenceVerdict::Unclear { answer } => format!("unclear ({answer})"),
    }
}

/// DENY bindings that were there before; undo leaves these alone.
pub(super) async fn capture_fence(ctx: StepCtx) -> Result<Vec<AclBinding>, StepError> {
    let acls = ctx.admin(ctx.direction().from).acls(&AclFilter::default()).await?;
    Ok(access::fence_bindings(&ctx.app_topics()).into_iter().filter(|b| acls.bindings.contains(b)).collect())
}

/// Denies WRITE to everybody on every topic in scope and proves it: each broker knows the bindings, and each refuses
/// the probe principal on each topic. Existing bindings stay, so running it again is the same.
pub(super) async fn fence_writes(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let topics = ctx.app_topics();
    let bindings = access::fence_bindings(&topics);
    let began = Instant::now();
    admin.create_acls(&bindings).await?;
    let set_ms = elapsed_ms(began);
    let probed = prove_fenced(&ctx, admin, &bindings, &topics).await?;
    Ok(Done::new(
        format!("{} refuse writes on every broker of {}", count(topics.len(), "topic"), admin.cluster()),
        json!({
            "bindings": bindings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "probed": probed,
            "set_ms": set_ms,
            "proven_ms": elapsed_ms(began),
        }),
    ))
}

/// Both proofs: bindings on every broker, and refused writes. Returns how many (broker, topic) were probed.
pub(super) async fn prove_fenced(
    ctx: &StepCtx,
    admin: &dyn ClusterAdmin,
    bindings: &[AclBinding],
    topics: &[String],
) -> Result<usize, StepError> {
    ctx.wait_until("the fence on every broker", 20_000, || async {
        let everything = AclFilter::default();
        let (acls, verdicts) = tokio::join!(admin.acls(&everything), admin.probe_write_fence(topics));
        let acls = acls?;
        if let Some(missing) = bindings.iter().find(|b| !acls.bindings.contains(b)) {
            return Ok(Err(format!("not on every broker yet: {missing}")));
        }
        let verdicts = verdicts?;
        let open = verdicts.iter().find(|(_, verdict)| **verdict != FenceVerdict::Fenced);
        Ok(match open {
            Some(((broker, topic), verdict)) => {
                Err(format!("`{topic}` on broker {broker} is {}", verdict_word(verdict)))
            }
            None => Ok(verdicts.len()),
        })
    })
    .await
}

/// Takes the fence away again and waits until every broker has forgotten it.
pub(super) async fn unfence_writes(ctx: StepCtx) -> Result<Done, StepError> {
    let before: Vec<AclBinding> = ctx.captured()?;
    let bindings: Vec<AclBinding> =
        access::fence_bindings(&ctx.app_topics()).into_iter().filter(|b| !before.contains(b)).collect();
    let admin = ctx.admin(ctx.direction().from);
    remove_bindings(&ctx, admin, &bindings).await?;
    Ok(Done::new(format!("writes are open again on {}", admin.cluster()), json!({"removed": bindings.len()})))
}

/// Deletes bindings and waits until no broker knows them.
pub(super) async fn remove_bindings(
    ctx: &StepCtx,
    admin: &dyn ClusterAdmin,
    bindings: &[AclBinding],
) -> Result<(), StepError> {
    if bindings.is_empty() {
        return Ok(());
    }
    admin.delete_acls(bindings).await?;
    ctx.wait_until("bindings gone on every broker", 20_000, || async {
        let acls = admin.acls(&AclFilter::default()).await?;
        let left = bindings.iter().find(|b| acls.bindings.contains(b) || acls.disputed.contains(b));
        Ok(left.map_or(Ok(()), |b| Err(format!("still there: {b}"))))
    })
    .await
}

/// Creates bindings and waits until every broker knows them.
pub(super) async fn add_bindings(
    ctx: &StepCtx,
    admin: &dyn ClusterAdmin,
    bindings: &[AclBinding],
) -> Result<(), StepError> {
    if bindings.is_empty() {
        return Ok(());
    }
    admin.create_acls(bindings).await?;
    ctx.wait_until("bindings on every broker", 20_000, || async {
        let acls = admin.acls(&AclFilter::default()).await?;
        let missing = bindings.iter().find(|b| !acls.bindings.contains(b));
        Ok(missing.map_or(Ok(()), |b| Err(format!("not on every broker yet: {b}"))))
    })
    .await
}

/// Lets open transactions end; after the plan's grace, fences their producers. Aborting can't be undone and loses
/// nothing: what was not committed was never acknowledged. Aborting twice is the same as once.
pub(super) async fn settle_transactions(ctx: StepCtx) -> Result<Done, StepError> {
    let admin = ctx.admin(ctx.direction().from);
    let partitions = ctx.source_partitions();
    let grace = Duration::from_millis(u64::try_from(ctx.plan.rules.transaction_grace_ms).unwrap_or(0));
    let began = Instant::now();
    let aborted: Mutex<Vec<String>> = Mutex::new(Vec::new());
    ctx.wait_until("open transactions ending", ctx.left_ms(), || async {
        let (ends, stable) = tokio::join!(
            offsets(admin, &partitions, OffsetSpec::End),
            offsets(admin, &partitions, OffsetSpec::Stable)
        );
        let (ends, stable) = (ends?, stable?);
        let open: Vec<_> = partitions.iter().filter(|tp| ends.get(*tp) != stable.get(*tp)).collect();
        let Some(first) = open.first() else { return Ok(Ok(())) };
        if began.elapsed() >= grace {
            for transaction in admin.open_transactions().await? {
                if transaction.partitions.iter().any(|tp| open.contains(&tp)) {
                    admin.abort_transaction(&transaction.transactional_id).await?;
                    let message = format!("aborted open transaction `{}`", transaction.transactional_id);
                    ctx.notes.tell(&message, json!({"began_at": transaction.began_at})).await;
                    locked(&aborted).push(transaction.transactional_id);
                }
            }
        }
        Ok(Err(format!("a transaction is open on {first}")))
    })
    .await?;
    let aborted = locked(&aborted).clone();
    let sentence = if aborted.is_empty() {
        "no transaction is open".to_owned()
    } else {
        format!("no transaction is open; aborted {}", aborted.join(", "))
    };
    Ok(Done::new(sentence, json!({"aborted": aborted})))
}

/// A lock nobody panics under, so that a poisoned one is as good as any.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The line: everything below it must reach the other side, nothing above it exists.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CutLine {
    /// By source partition, one past the last record or marker.
    #[serde(with = "by_partition")]
    pub(super) ends: ByPartition<i64>,
    /// By source partition, its last committed record; `None` when it holds none.
    #[serde(with = "by_partition")]
    pub(super) tails: ByPartition<Option<Tail>>,
}

/// A tail record as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tail {
    /// Offset on the source.
    pub(super) offset: i64,
    /// Milliseconds since the epoch by its producer's clock.
    pub(super) timestamp: i64,
    /// XXH3-64 of its content.
    pub(super) fingerprint: u64,
}

impl From<TailRecord> for Tail {
    fn from(tail: TailRecord) -> Self {
        Self { offset: tail.offset, timestamp: tail.timestamp, fingerprint: tail.fingerprint }
    }
}

/// Waits until the fenced side stands still (two equal looks after the proof of the fence, at logs that every replica in sync
/// has whole) and records its ends and last committed records. Looks, too, whether it still has what was planned: what came
/// while a person was waited for is not in the plan. The last record may be far below the end when aborted data lies between (mm2-verified,
/// correction 2). Only looks.
pub(super) async fn mark_cut_line(ctx: StepCtx) -> Result<Done, StepError> {
    let from = ctx.direction().from;
    let admin = ctx.admin(from);
    let partitions = ctx.source_partitions();
    let ends = ctx
        .wait_until("ends standing still under the fence", 10_000, || async {
            let first = log_ends(admin, &partitions).await?;
            let second = log_ends(admin, &partitions).await?;
            Ok(if first == second { Ok(second) } else { Err("they still move".to_owned()) })
        })
        .await?;
    still_as_planned(&ctx).await?;
    let caught_up = super::prepare::proven_line(&ctx)?;
    let tails = ctx.mover(from).tails(&ends, caught_up.isolation(), ctx.left_ms().min(10_000)).await?;
    let tails = every_tail(tails)?.into_iter().map(|(tp, tail)| (tp, tail.map(Tail::from))).collect();
    let cut = CutLine { ends, tails };
    let newest = cut.tails.values().flatten().map(|tail| tail.timestamp).max();
    let evidence = json!({"ends": shown(&cut.ends), "last_record_at_ms": newest});
    Done::new(format!("{} stand still on {}", count(cut.ends.len(), "partition"), admin.cluster()), evidence)
        .with_output(&cut)
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
