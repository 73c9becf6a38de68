//! Before anything is taken away: look again, stage what the standby needs, hold still what MirrorMaker 2 would copy,
//! catch up, and let a person say go with all figures in front of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use chrono::Utc;
use muster_domain::{
    access,
    acl::{AclBinding, AclFilter},
    cluster::Cluster,
    direction::{self, ActiveSide},
    pair::BySide,
    patterns::Scope,
    plan::{IfUnproven, PlanRules},
    record::Question,
    survey::{ConnectState, ConnectorRole, Survey},
    topic::{ByPartition, by_partition},
};
use muster_kafka::{Isolation, OffsetSpec, every_tail};
use muster_replication::FlowSettings;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    consumers::{self, Translated},
    fence::{add_bindings, locked, remove_bindings},
    reverse,
    scope::{and_more, count, new_group, new_topic, offsets},
    settle,
};
use crate::{
    step::{Done, StepCtx, StepError},
    survey::take_survey,
};

/// How long the rehearsal waits for groups to leave records that were copied twice behind.
const REHEARSAL_BOUND_MS: u64 = 60_000;

/// What the run found after it had taken the pair's lock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FoundAgain {
    /// Groups that had members then: these are waited for on the other side.
    pub(super) active_groups: BTreeSet<String>,
    /// Ids of the topics of the side that is left; runs begun by an earlier version have none.
    #[serde(default)]
    pub(super) topic_ids: BTreeMap<String, Uuid>,
}

/// Surveys again after taking the lock and compares with what was approved: cluster ids, active side, topics and their
/// partitions, groups. Looks, too, whether the way back can begin, the old side can be closed and the traffic switches can be
/// used: with writes away, or after the point of no return, it would be too late. Only looks.
pub(super) async fn survey_again(ctx: StepCtx) -> Result<Done, StepError> {
    let survey = take_survey(&ctx.clients, 0, Utc::now()).await;
    let differences = differences(&ctx, &survey)?;
    if let Some(first) = differences.first() {
        return Err(StepError::Fail(format!(
            "the world is not what was approved: {first}{}",
            and_more(differences.len())
        )));
    }
    if let Some(reason) = reverse::why_it_cannot_begin(&ctx).await? {
        return Err(StepError::Fail(reason));
    }
    if let Some(reason) = settle::why_it_cannot_be_closed(&ctx).await? {
        return Err(StepError::Fail(reason));
    }
    check_switches(&ctx).await?;
    let from = survey.sides.get(ctx.direction().from);
    let groups = from.groups.as_result().map_err(StepError::retry)?;
    let active_groups: BTreeSet<String> = groups
        .iter()
        .filter(|(name, group)| !group.members.is_empty() && ctx.plan.groups.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    let topics = from.topics.as_result().map_err(StepError::retry)?;
    let topic_ids = topics.iter().filter_map(|(name, topic)| Some((name.clone(), topic.id?))).collect();
    let sentence = format!(
        "both clusters are the approved ones, {} is active, {} and {} as approved",
        ctx.clients.pair.cluster(ctx.direction().from),
        count(ctx.plan.topics.len(), "topic"),
        count(ctx.plan.groups.len(), "group"),
    );
    Done::new(sentence, json!({"survey_ms": survey.took_ms, "active_groups": active_groups}))
        .with_output(&FoundAgain { active_groups, topic_ids })
}

/// Whether every traffic switch could be used now, as far as that shows without sending anybody anywhere.
pub(super) async fn check_switches(ctx: &StepCtx) -> Result<(), StepError> {
    for switch in &ctx.clients.routing {
        switch.check(ctx.clients.pair.name.as_str()).await.map_err(|mut e| {
            e.reason.push_str(
                ". Applications could not be told where to go; mend the switch or correct the pair's routing",
            );
            e
        })?;
    }
    Ok(())
}

fn differences(ctx: &StepCtx, survey: &Survey) -> Result<Vec<String>, StepError> {
    let mut found = Vec::new();
    let pair = &ctx.clients.pair;
    if pair.version != ctx.plan.pair_version {
        found.push(format!("pair `{}` was edited after the plan was made", pair.name));
    }
    for side in muster_domain::pair::Side::BOTH {
        let cluster = survey.sides.get(side).cluster.as_result().map_err(StepError::retry)?;
        let approved = ctx.plan.cluster_ids.get(side);
        if cluster.cluster_id != *approved {
            found.push(format!(
                "`{}` has id {} instead of {approved}",
                pair.cluster(side),
                cluster.cluster_id
            ));
        }
    }
    match direction::active_side(pair, survey) {
        ActiveSide::Active(active) if active == ctx.direction() => {}
        ActiveSide::Active(active) => {
            found.push(format!("`{}` is the active side now", pair.cluster(active.from)))
        }
        ActiveSide::NeitherKnown { reason } | ActiveSide::Contested { reason } => found.push(reason),
    }
    let topics = survey.sides.get(ctx.direction().from).topics.as_result().map_err(StepError::retry)?;
    let replicas = survey.sides.get(ctx.direction().to()).topics.as_result().map_err(StepError::retry)?;
    for scope in &ctx.plan.topics {
        let partitions = |observed: &BTreeMap<String, muster_domain::survey::TopicObservation>,
                          name: &String| {
            observed.get(name).map_or(0, |topic| topic.partitions.len())
        };
        let now = partitions(topics, &scope.topic);
        if i32::try_from(now) != Ok(scope.partitions) {
            found.push(format!(
                "topic `{}` has {now} partitions instead of {}",
                scope.topic, scope.partitions
            ));
        }
        let there = partitions(replicas, &scope.replica);
        if there < now {
            found.push(format!("its replica `{}` has {there} partitions, fewer than {now}", scope.replica));
        }
    }
    let (scope, from) = (Scope::of(pair), ctx.direction().from);
    let planned: BTreeSet<&String> = ctx.plan.topics.iter().map(|topic| &topic.topic).collect();
    let of_the_pair = topics.keys().filter(|name| scope.application_topic(from, name));
    found.extend(of_the_pair.filter(|name| !planned.contains(name)).map(|name| new_topic(name)));
    let groups = survey.sides.get(from).groups.as_result().map_err(StepError::retry)?;
    let with_positions = groups.iter().filter(|(_, group)| !group.offsets.is_empty()).map(|(name, _)| name);
    found.extend(with_positions.filter(|name| !ctx.plan.groups.contains(name)).map(|name| new_group(name)));
    Ok(found)
}

/// Grants the standby lacks, apart from those that let applications write: these wait for the point of no return.
pub(super) async fn missing_grants(ctx: &StepCtx) -> Result<Vec<AclBinding>, StepError> {
    let (here, there) = both_acls(ctx).await?;
    let wanted = grants(ctx, &here);
    Ok(wanted.reading.into_iter().filter(|grant| !there.contains(grant)).collect())
}

/// ACLs of the side applications leave and of the one they move to.
pub(super) async fn both_acls(
    ctx: &StepCtx,
) -> Result<(BTreeSet<AclBinding>, BTreeSet<AclBinding>), StepError> {
    let everything = AclFilter::default();
    let (here, there) = tokio::join!(
        ctx.admin(ctx.direction().from).acls(&everything),
        ctx.admin(ctx.direction().to()).acls(&everything),
    );
    Ok((here?.bindings, there?.bindings))
}

/// What applications hold here, as grants for the other side.
pub(super) fn grants(ctx: &StepCtx, here: &BTreeSet<AclBinding>) -> access::StandbyGrants {
    let names: Vec<(String, String)> =
        ctx.plan.topics.iter().map(|t| (t.topic.clone(), t.replica.clone())).collect();
    access::grants_for_standby(here, &names, &ctx.plan.groups, &infrastructure(ctx))
}

/// Principals that are not applications: the probe of either side.
pub(super) fn infrastructure(ctx: &StepCtx) -> BTreeSet<String> {
    probes(&ctx.clients.clusters)
}

/// Principals fences are probed by.
pub(super) fn probes(clusters: &BySide<Cluster>) -> BTreeSet<String> {
    [&clusters.a, &clusters.b]
        .iter()
        .filter_map(|cluster| cluster.probe.as_ref())
        .map(|probe| format!("User:{}", probe.username))
        .collect()
}

/// What has to be created; undo removes exactly these.
pub(super) async fn capture_grants(ctx: StepCtx) -> Result<Vec<AclBinding>, StepError> {
    missing_grants(&ctx).await
}

/// Creates the grants applications will need on the other side and MirrorMaker 2 does not copy, except WRITE on
/// topics. Creating one twice is fine.
pub(super) async fn stage_grants(ctx: StepCtx) -> Result<Done, StepError> {
    let missing: Vec<AclBinding> = ctx.captured()?;
    let admin = ctx.admin(ctx.direction().to());
    add_bindings(&ctx, admin, &missing).await?;
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Ok(Done::new(
        format!(
            "{} created on {}; WRITE waits for the unfence",
            count(missing.len(), "grant"),
            admin.cluster()
        ),
        json!({"created": list}),
    ))
}

/// Removes what was created.
pub(super) async fn unstage_grants(ctx: StepCtx) -> Result<Done, StepError> {
    let created: Vec<AclBinding> = ctx.captured()?;
    remove_bindings(&ctx, ctx.admin(ctx.direction().to()), &created).await?;
    Ok(Done::new(format!("{} removed again", count(created.len(), "grant")), json!({})))
}

/// MirrorMaker 2 settings while its flow is about to be left. The first two would copy the fence to the standby
/// (mm2-verified, result 2). The third is how long a task with nothing to copy hears no order to stop (one second by
/// default): writes are away while it does.
const FROZEN: [(&str, &str); 3] = [
    ("sync.topic.acls.enabled", "false"),
    ("sync.topic.configs.enabled", "false"),
    ("consumer.poll.timeout.ms", "100"),
];

/// Values before freezing; `None` where the setting was absent.
pub(super) async fn capture_drift(ctx: StepCtx) -> Result<BTreeMap<String, Option<String>>, StepError> {
    let config = ctx.forward()?.config(ConnectorRole::Source).await?;
    Ok(FROZEN.iter().map(|(key, _)| ((*key).to_owned(), config.get(*key).cloned())).collect())
}

/// Turns off the copying of ACLs and configs, so that the fence is not copied to the standby. The tasks restart, which
/// is why this is done before writes are away. Setting the same values again restarts nothing.
pub(super) async fn freeze_drift(ctx: StepCtx) -> Result<Done, StepError> {
    let frozen: BTreeMap<String, Option<String>> =
        FROZEN.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
    ctx.forward()?.change_config(ConnectorRole::Source, &frozen, ctx.left_ms()).await?;
    let before = ctx.captured.clone();
    Done::new("MirrorMaker 2 no longer copies ACLs and configs", json!({"set": frozen, "before": before}))
        .with_output(&before)
}

/// Puts the settings back.
pub(super) async fn unfreeze_drift(ctx: StepCtx) -> Result<Done, StepError> {
    let before: BTreeMap<String, Option<String>> = ctx.captured()?;
    ctx.forward()?.change_config(ConnectorRole::Source, &before, ctx.left_ms()).await?;
    Ok(Done::new("MirrorMaker 2 copies ACLs and configs as before", json!({"set": before})))
}

/// Connectors beside the source connector: what they write is not needed for a switchover.
const BESIDE: [ConnectorRole; 2] = [ConnectorRole::Checkpoint, ConnectorRole::Heartbeat];

/// Which of them ran.
pub(super) async fn capture_checkpoints(ctx: StepCtx) -> Result<Vec<ConnectorRole>, StepError> {
    let mut ran = Vec::new();
    for role in BESIDE {
        if ctx.forward()?.state(role).await?.is_some_and(|state| state.connector != ConnectState::Stopped) {
            ran.push(role);
        }
    }
    Ok(ran)
}

/// Stops MirrorMaker 2 from writing group offsets on the standby: Muster writes exact ones, and a running (or merely
/// paused) checkpoint connector would push them away again (mm2.md 0.8, 0.15). The heartbeat connector stops with it, so
/// that Connect has one connector to stop while writes are away, not two.
pub(super) async fn stop_checkpoints(ctx: StepCtx) -> Result<Done, StepError> {
    let (ctx, flow) = (&ctx, ctx.forward()?);
    let stop = |role| async move {
        let there = flow.state(role).await?.is_some();
        if there {
            flow.stop(role, ctx.left_ms()).await?;
        }
        Ok::<_, StepError>(there.then(|| role.to_string()))
    };
    let (checkpoint, heartbeat) =
        tokio::join!(stop(ConnectorRole::Checkpoint), stop(ConnectorRole::Heartbeat));
    let (checkpoint, heartbeat) = (checkpoint?, heartbeat?);
    let sentence = match checkpoint {
        Some(_) => "MirrorMaker 2 no longer writes group offsets",
        None => "the flow has no checkpoint connector",
    };
    let stopped: Vec<String> = checkpoint.into_iter().chain(heartbeat).collect();
    Ok(Done::new(sentence, json!({"stopped": stopped, "read_back": "STOPPED, tasks []"})))
}

/// Starts again what ran.
pub(super) async fn resume_checkpoints(ctx: StepCtx) -> Result<Done, StepError> {
    for role in ctx.captured::<Vec<ConnectorRole>>()? {
        ctx.forward()?.resume(role, ctx.left_ms()).await?;
    }
    Ok(Done::new("MirrorMaker 2 writes group offsets as before", json!({})))
}

/// A line on the source that is proven to have been replicated.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CaughtUp {
    /// By source partition, a stable end below which everything is on the other side.
    #[serde(with = "by_partition")]
    pub(super) proven: ByPartition<i64>,
    /// How long it took from marking the line to proving it, in milliseconds.
    pub(super) took_ms: i64,
    /// Whether the flow copies committed records only.
    pub(super) read_committed: bool,
    /// Whether it is guaranteed to leave no second copies.
    #[serde(default)]
    pub(super) exactly_once: bool,
}

impl CaughtUp {
    /// Which records the flow copies.
    pub(super) fn isolation(&self) -> Isolation {
        if self.read_committed { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
    }

    fn sentence(&self) -> String {
        format!("everything up to a line {} ms ago is replicated", self.took_ms)
    }
}

/// The newest line that is proven to have been replicated: the one drawn at a late go, otherwise that of `catch_up`.
pub(super) fn proven_line(ctx: &StepCtx) -> Result<CaughtUp, StepError> {
    let of_the_go = ctx.outputs.get("confirm_go").is_some_and(|output| !output.is_null());
    ctx.output(if of_the_go { "confirm_go" } else { "catch_up" })
}

/// Marks a line on the source and waits until the flow's committed offsets have passed it. The time it takes bounds
/// how long the drain will take. Only looks.
pub(super) async fn catch_up(ctx: StepCtx) -> Result<Done, StepError> {
    let line = draw_line(&ctx).await?;
    Done::new(line.sentence(), json!({"method": "Connect's committed offsets", "took_ms": line.took_ms}))
        .with_output(&line)
}

async fn draw_line(ctx: &StepCtx) -> Result<CaughtUp, StepError> {
    let from = ctx.direction().from;
    let bound = u64::try_from(ctx.plan.rules.catch_up_seconds).unwrap_or(0).saturating_mul(1000);
    let flow =
        ctx.clients.pair.flow(ctx.direction()).ok_or_else(|| StepError::fail("the pair has no such flow"))?;
    let settings = FlowSettings::from_config(flow, &ctx.forward()?.config(ConnectorRole::Source).await?);
    if settings.transforms {
        return Err(StepError::fail(
            "the flow changes records on the way (transforms), so their arrival cannot be proven",
        ));
    }
    let proven = offsets(ctx.admin(from), &ctx.source_partitions(), OffsetSpec::Stable).await?;
    let tails = every_tail(ctx.mover(from).tails(&proven, settings.isolation, 30_000).await?)?;
    let began = std::time::Instant::now();
    ctx.wait_until("replication catching up", bound, || async {
        let (committed, _) = ctx.forward()?.committed_offsets().await?;
        let behind = tails.iter().find_map(|(tp, tail)| {
            let tail = tail.as_ref()?;
            let reached = committed.get(tp).copied();
            reached
                .is_none_or(|reached| reached < tail.offset)
                .then(|| format!("{tp} is at {reached:?}, the line is at {}", tail.offset))
        });
        Ok(behind.map_or(Ok(()), Err))
    })
    .await
    .map_err(|e| match e {
        StepError::Retry(why) => StepError::Fail(why),
        other @ (StepError::Fail(_) | StepError::Ask(_)) => other,
    })?;
    Ok(CaughtUp {
        proven,
        took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
        read_committed: settings.isolation == Isolation::ReadCommitted,
        exactly_once: settings.exactly_once,
    })
}

/// Translates every group's present position as the run will do later, so that a group that cannot be translated is
/// found now and not after the fence. The restart of the flow just before may have copied records twice; groups that
/// read on leave such copies behind, so a while is given to them. Only looks.
pub(super) async fn rehearse_translation(ctx: StepCtx) -> Result<Done, StepError> {
    let last: Mutex<Option<Translated>> = Mutex::new(None);
    let exact = ctx
        .wait_until("exact positions", REHEARSAL_BOUND_MS, || async {
            let translated = consumers::translate_all(&ctx).await?;
            let inexact = translated.inexact();
            *locked(&last) = Some(translated);
            Ok(match inexact.first() {
                None => Ok(()),
                Some((group, why)) => Err(format!("group `{group}`: {why}")),
            })
        })
        .await;
    let last = locked(&last).take();
    match (exact, last) {
        (Ok(()), Some(translated)) => Done::new(
            format!("{} can be given exact positions", count(translated.groups.len(), "group")),
            json!({"groups": translated.evidence()}),
        )
        .with_output(&Rehearsed { read_again: 0 }),
        (Err(StepError::Retry(_)), Some(translated)) => {
            if let Some((group, why)) = translated.refused().first() {
                return Err(StepError::Fail(format!(
                    "group `{group}` cannot be given an exact position: {why}"
                )));
            }
            let inexact = translated.inexact();
            let list: Vec<String> = inexact.iter().map(|(group, why)| format!("`{group}` ({why})")).collect();
            let read_again = ctx.plan.groups.iter().filter_map(|group| translated.reprocessed(group)).sum();
            Done::new(
                format!("not exact, because the flow copied records twice: {}", list.join(", ")),
                json!({"groups": translated.evidence()}),
            )
            .with_output(&Rehearsed { read_again })
        }
        (Err(why), _) => Err(why),
        (Ok(()), None) => Err(StepError::retry("no group was looked at")),
    }
}

/// What the rehearsal found.
#[derive(Debug, Serialize, Deserialize)]
struct Rehearsed {
    /// Records that all groups together read again at most, if the move was now.
    read_again: i64,
}

/// The final go with all figures, before writes are taken away: nobody is waited for after this. Where it comes long after
/// `catch_up`, replication has to catch up with a new line first. Only looks.
pub(super) async fn confirm_go(ctx: StepCtx) -> Result<Done, StepError> {
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
