//! Checks about each cluster by itself.

use super::{CheckCode as Code, CheckResult, CheckStatus, Scene};
use crate::{
    access,
    acl::{AclBinding, ResourceType},
    pair::{PairMode, Side},
    patterns::Scope,
    survey::{FRESH, RightHeld},
};

/// A transaction open longer than this hangs: Kafka's default for its longest is 15 minutes.
const HUNG_MINUTES: i64 = 10;

pub(super) fn evaluate(scene: &Scene<'_>) -> Vec<CheckResult> {
    vec![
        fresh(scene),
        reachable(scene),
        identity(scene),
        rights(scene),
        authorizer(scene),
        probe(scene),
        active_side(scene),
        writes_open(scene),
        hung_transactions(scene),
    ]
}

fn fresh(scene: &Scene<'_>) -> CheckResult {
    let age = (scene.now - scene.survey.began_at).num_seconds();
    if age <= FRESH.num_seconds() {
        return CheckResult::ok(Code::SurveyFresh, format!("surveyed {} s ago", age.max(0)));
    }
    CheckResult::new(
        Code::SurveyFresh,
        CheckStatus::Unknown,
        format!("the last survey is {age} s old"),
        "Look whether a Muster process surveys this pair; figures of an old survey are not shown as current.",
    )
}

fn reachable(scene: &Scene<'_>) -> CheckResult {
    let troubles: Vec<String> = Side::BOTH
        .into_iter()
        .filter_map(|side| scene.survey.sides.get(side).cluster.as_result().err().map(ToOwned::to_owned))
        .collect();
    CheckResult::from_troubles(
        Code::ClustersReachable,
        CheckStatus::Critical,
        &troubles,
        "both clusters answer",
        "Check the cluster: bootstrap addresses, credentials, network. A planned switchover needs both. If the active side is \
         dead and does not come back in time, /runbooks has what is done by hand (The active side is dead).",
    )
}

fn identity(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    for side in Side::BOTH {
        let name = scene.name(side);
        match (
            scene.survey.sides.get(side).cluster.as_result(),
            &scene.clusters.get(side).expected_cluster_id,
        ) {
            (Ok(found), Some(expected)) if found.cluster_id == *expected => {}
            (Ok(found), Some(expected)) => {
                troubles.push(format!("`{name}` has id {} instead of {expected}", found.cluster_id));
            }
            (Ok(_), None) => troubles.push(format!("the id of `{name}` was never recorded")),
            (Err(reason), _) => return CheckResult::unknown(Code::ClusterIdentity, reason),
        }
    }
    CheckResult::from_troubles(
        Code::ClusterIdentity,
        CheckStatus::Critical,
        &troubles,
        "both ids are the recorded ones",
        "Check the cluster once; its id is recorded then. With another id, find out whose addresses these are.",
    )
}

fn rights(scene: &Scene<'_>) -> CheckResult {
    let mut refused = Vec::new();
    let mut open = Vec::new();
    for side in Side::BOTH {
        match scene.survey.sides.get(side).rights.as_result() {
            Err(reason) => return CheckResult::unknown(Code::Rights, reason),
            Ok(rights) => {
                for right in rights {
                    match &right.held {
                        RightHeld::Yes => {}
                        RightHeld::No { error } => refused.push(format!(
                            "{} on `{}` is refused ({error}): without it no {}",
                            right.right,
                            scene.name(side),
                            right.needed_for
                        )),
                        RightHeld::Unknown { reason } => {
                            open.push(format!("{} on `{}`: {reason}", right.right, scene.name(side)));
                        }
                    }
                }
            }
        }
    }
    let (status, troubles) =
        if refused.is_empty() { (CheckStatus::Warning, open) } else { (CheckStatus::Critical, refused) };
    CheckResult::from_troubles(
        Code::Rights,
        status,
        &troubles,
        "every right was tried and is held",
        "Grant the right to Muster's principal; the commands are on /operating#rights-on-the-clusters.",
    )
}

fn authorizer(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    for side in Side::BOTH {
        match scene.survey.sides.get(side).acls.as_result() {
            Err(reason) => return CheckResult::unknown(Code::Authorizer, reason),
            Ok(acls) if !acls.authorizer => {
                troubles.push(format!(
                    "`{}` has no authorizer, so nothing can be fenced there",
                    scene.name(side)
                ));
            }
            Ok(_) => {}
        }
    }
    CheckResult::from_troubles(
        Code::Authorizer,
        CheckStatus::Critical,
        &troubles,
        "both clusters have an authorizer",
        "Turn the authorizer on. Without one Muster cannot promise zero loss.",
    )
}

fn probe(scene: &Scene<'_>) -> CheckResult {
    let troubles: Vec<String> = Side::BOTH
        .into_iter()
        .filter(|side| scene.clusters.get(*side).probe.is_none())
        .map(|side| format!("`{}` has no probe principal", scene.name(side)))
        .collect();
    CheckResult::from_troubles(
        Code::ProbePrincipal,
        CheckStatus::Warning,
        &troubles,
        "both clusters have a probe principal",
        "Create an ordinary principal with ALLOW WRITE on the topics in scope and enter it with the cluster.",
    )
}

fn active_side(scene: &Scene<'_>) -> CheckResult {
    match &scene.active {
        Ok(_) if scene.both => both_active(scene),
        Ok(direction) => CheckResult::ok(
            Code::ActiveSideKnown,
            format!(
                "applications are on `{}`, records flow {}",
                scene.name(direction.from),
                scene.pair.course(*direction)
            ),
        ),
        Err(reason) => CheckResult::unknown(Code::ActiveSideKnown, reason),
    }
}

/// Both flows may copy where names differ. That applications are meant to be on both sides people say by the pair's mode.
fn both_active(scene: &Scene<'_>) -> CheckResult {
    let [a, b] = Side::BOTH.map(|side| scene.name(side));
    let so = format!("records flow both ways between `{a}` and `{b}`, under distinct names: both are active");
    match scene.pair.mode {
        PairMode::ActiveActive => CheckResult::ok(Code::ActiveSideKnown, so),
        PairMode::ActivePassive => CheckResult::new(
            Code::ActiveSideKnown,
            CheckStatus::Warning,
            format!("{so}, and the pair is active_passive"),
            "Stop the flow towards the side applications are on, or set the pair's mode to active_active if they are meant to be on both.",
        ),
    }
}

/// A fence that nobody took away refuses every application while all else looks well: one that arrived after its run had gone
/// back, or one that somebody set by hand. While a run has writes away, its own fence shows here.
fn writes_open(scene: &Scene<'_>) -> CheckResult {
    let active = match &scene.active {
        Ok(direction) => direction.from,
        Err(reason) => return CheckResult::unknown(Code::WritesOpen, reason),
    };
    let side = scene.survey.sides.get(active);
    let (topics, groups, acls) =
        match (side.topics.as_result(), side.groups.as_result(), side.acls.as_result()) {
            (Ok(topics), Ok(groups), Ok(acls)) => (topics, groups, acls),
            (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => {
                return CheckResult::unknown(Code::WritesOpen, reason);
            }
        };
    // Of very many bindings few are for everybody: each topic and group is held against those only.
    let to_all: Vec<&AclBinding> = acls.bindings.iter().filter(|one| access::denies_to_all(one)).collect();
    let by_any = |denies: &dyn Fn(&AclBinding) -> bool| to_all.iter().copied().any(denies);
    let scope = Scope::of(scene.pair);
    let mut troubles = Vec::new();
    for topic in topics.keys().filter(|topic| scope.application_topic(active, topic)) {
        if by_any(&|binding| access::denies_writes_to_all(binding, topic)) {
            troubles.push(format!("`{topic}` on `{}` denies WRITE to everybody", scene.name(active)));
        }
        if by_any(&|binding| access::denies_reads_to_all(binding, ResourceType::Topic, topic)) {
            troubles.push(format!("`{topic}` on `{}` denies READ to everybody", scene.name(active)));
        }
    }
    for group in groups.keys() {
        if by_any(&|binding| access::denies_reads_to_all(binding, ResourceType::Group, group)) {
            troubles.push(format!("group `{group}` on `{}` denies READ to everybody", scene.name(active)));
        }
    }
    CheckResult::from_troubles(
        Code::WritesOpen,
        CheckStatus::Critical,
        &troubles,
        "nothing denies writing or reading to everybody there",
        "If no run of this pair is under way, find who set it and take it away (kafka-acls.sh --remove --force \
         --deny-principal 'User:*' --operation Write --topic …, or --operation Read and --topic or --group): until then every \
         application is refused.",
    )
}

fn hung_transactions(scene: &Scene<'_>) -> CheckResult {
    let mut troubles = Vec::new();
    for side in Side::BOTH {
        match scene.survey.sides.get(side).transactions.as_result() {
            Err(reason) => return CheckResult::unknown(Code::HungTransactions, reason),
            Ok(open) => troubles.extend(
                open.iter()
                    .filter_map(|t| Some((t, (scene.now - t.began_at?).num_minutes())))
                    .filter(|(_, minutes)| *minutes >= HUNG_MINUTES)
                    .map(|(t, minutes)| {
                        format!(
                            "`{}` is open for {minutes} min on `{}`",
                            t.transactional_id,
                            scene.name(side)
                        )
                    }),
            ),
        }
    }
    CheckResult::from_troubles(
        Code::HungTransactions,
        CheckStatus::Warning,
        &troubles,
        "no transaction is open for long",
        "Ask the owner of the transactional id. A switchover aborts it after its grace.",
    )
}
