//! The eight pairs of the night, as configured and as observed.

use std::collections::BTreeMap;

use chrono::Duration;
use muster_domain::{
    direction::ActiveSides,
    pair::{
        ApprovalRule, BySide, Direction, Flow, Mechanism, NamingPolicy, Objectives, Pair, PairMode,
        RoutingTarget, Side,
    },
    reading::{Reading, ReadingClass},
};

use super::{
    ago,
    night::{cluster_name, pair_name, team},
    now,
};
use crate::{
    fleet::Verification,
    parts::LagPoint,
    readiness::{Check, CheckState},
};

/// A pair that replicates A → B by MirrorMaker 2 with the way back stopped.
pub(super) fn pair(name: &str, owner: &str, (a, b): (&str, &str), (rpo, rto): (i64, i64)) -> Pair {
    let flow = |from: Side, source: &str, target: &str| Flow {
        direction: Direction { from },
        mechanism: Mechanism::Mm2OnConnect {
            connect_url: format!("http://connect.{target}.internal:8083"),
            source_connector: format!("{name}-{source}-source"),
            checkpoint_connector: Some(format!("{name}-{source}-checkpoint")),
            heartbeat_connector: Some(format!("{name}-{source}-heartbeat")),
        },
        source_alias: source.to_owned(),
        target_alias: target.to_owned(),
        naming: NamingPolicy::Identity,
        enabled: true,
    };
    Pair {
        name: pair_name(name),
        team: team(owner),
        clusters: BySide { a: cluster_name(a), b: cluster_name(b) },
        mode: PairMode::ActivePassive,
        topics: vec![format!("{name}\\..*")],
        topics_exclude: vec![".*-internal".to_owned()],
        groups: vec![".*".to_owned()],
        groups_exclude: Vec::new(),
        flows: vec![flow(Side::A, a, b), flow(Side::B, b, a)],
        objectives: Objectives { rpo_seconds: rpo, rto_seconds: rto, verify_within_days: 92 },
        approval: ApprovalRule::new(2, 30, 60),
        routing: vec![RoutingTarget::AddressBook { path: format!("/etc/muster/{name}.json") }],
        canary_topic: Some(format!("muster-canary-{name}")),
        canary_partitions: 1,
        canary_seconds: 5,
        show_payload: false,
        unused_settings: BTreeMap::from([
            ("tasks.max".to_owned(), "12".to_owned()),
            ("refresh.topics.interval.seconds".to_owned(), "30".to_owned()),
        ]),
        version: 14,
        updated_at: ago(20 * 86_400),
    }
}

/// One pair as the fleet sees it, owned.
pub(super) struct Seen {
    pub(super) pair: Pair,
    pub(super) active: ActiveSides,
    pub(super) checks: Vec<Check>,
    pub(super) lag: Reading,
    pub(super) history: Vec<LagPoint>,
    pub(super) verification: Verification,
}

/// Checks that hold, 24 of them.
fn fine() -> Vec<Check> {
    let lines = [
        ("Both clusters", "Both clusters answer and have the expected ids"),
        ("Both clusters", "All rights are held on both sides"),
        ("Standby cluster", "All topics exist there, partitions match"),
        ("Standby cluster", "Replication factor 3, min.insync.replicas 2"),
        ("Standby cluster", "0 partitions under-replicated"),
        ("Replication", "All connector tasks run and records move"),
        ("Replication", "The way back exists and is stopped"),
        ("Replication", "Offset sync is on, every 5 s"),
        ("Groups and offsets", "Every group has positions there"),
        ("Groups and offsets", "No hung transactions"),
        ("Access", "Every principal could write there once moved"),
    ];
    lines
        .into_iter()
        .enumerate()
        .map(|(i, (group, reason))| check(&format!("fine-{i}"), group, CheckState::Ok, reason, ""))
        .collect()
}

fn check(code: &str, group: &str, state: CheckState, reason: &str, next_step: &str) -> Check {
    let (reason, next_step) = (reason.to_owned(), next_step.to_owned());
    Check { code: code.to_owned(), group: group.to_owned(), state, reason, next_step, at: ago(5) }
}

fn and(more: Vec<Check>) -> Vec<Check> {
    let mut checks = more;
    checks.extend(fine());
    checks
}

/// Readings every minute for `hours`, about `typical` ms, with a peak and perhaps a gap.
pub(super) fn history(hours: i64, typical: i64, peak: i64, gap: Option<(i64, i64)>) -> Vec<LagPoint> {
    let every = if hours > 2 { 8 } else { 1 };
    (0..=hours * 60 / every)
        .map(|i| {
            let minutes_ago = hours * 60 - i * every;
            let wave = (i * 7919 % 13 - 6) * typical / 24;
            let near = (minutes_ago - 21).abs();
            let bump = if near < 12 { peak * (12 - near) / 12 } else { 0 };
            let missing = gap.is_some_and(|(from, to)| (to..=from).contains(&minutes_ago));
            let worst = (!missing).then_some((typical + wave).max(bump).max(0));
            LagPoint { at: now() - Duration::minutes(minutes_ago), worst_ms: worst }
        })
        .collect()
}

/// The eight pairs.
pub(super) fn fleet() -> Vec<Seen> {
    let ms = |value, class, seconds| Reading::new(value, class, ago(seconds), "");
    let days = |n: i64| Verification::Verified { at: ago(n * 86_400) };
    let needs = |reason: &str| Verification::NeedsVerification { reason: reason.to_owned() };
    let seen = |pair, checks, lag, history, verification| Seen {
        pair,
        active: ActiveSides::One(Side::A),
        checks,
        lag,
        history,
        verification,
    };
    let connect = || {
        vec![check(
            "connect-silent",
            "Replication",
            CheckState::Unknown,
            "Connect worker connect.ue-2 does not answer since 03:08:30",
            "See whether the worker runs; nothing can be planned without it.",
        )]
    };
    let mut fleet = vec![
        seen(
            pair("orders", "order-platform", ("eu-west", "eu-central"), (30, 1500)),
            fine(),
            ms(0, ReadingClass::Exact, 3),
            history(1, 2400, 15_000, None),
            days(63),
        ),
        seen(
            pair("ledger", "finance-systems", ("eu-central", "eu-west"), (10, 1200)),
            and(vec![check(
                "under-replicated",
                "Standby cluster",
                CheckState::Critical,
                "14 partitions on eu-west are under-replicated",
                "Bring brokers 4 and 8 of eu-west back; Storage has INC-2291.",
            )]),
            ms(800, ReadingClass::Exact, 3),
            history(1, 900, 1200, None),
            days(42),
        ),
        seen(
            pair("identity", "identity-and-access", ("eu-west", "us-east"), (30, 900)),
            and(vec![
                check(
                    "acl-missing",
                    "Access",
                    CheckState::Warning,
                    "6 of 61 principals could not write on us-east",
                    "Copy their ACLs; MirrorMaker 2 does not copy WRITE.",
                ),
                check(
                    "slow-brokers",
                    "Both clusters",
                    CheckState::Warning,
                    "2 of 9 brokers of eu-west answer in over 900 ms",
                    "Drain leaders from brokers 4 and 8.",
                ),
            ]),
            ms(12_000, ReadingClass::LowerBound, 5),
            history(1, 9000, 22_000, None),
            Verification::Failed { at: ago(8 * 86_400) },
        ),
        seen(
            pair("telemetry", "fleet-telemetry", ("us-east", "eu-west"), (120, 2700)),
            and(connect()),
            ms(38_000, ReadingClass::Stale, 250),
            history(1, 40_000, 46_000, Some((4, 0))),
            needs("last drill passed more than 92 days ago"),
        ),
        seen(
            pair("clickstream", "web-analytics", ("us-east", "eu-central"), (300, 3600)),
            Vec::new(),
            Reading::unknown(ago(17 * 86_400), "no survey has completed since 2 Nov"),
            Vec::new(),
            needs("never drilled"),
        ),
        payments(),
        seen(
            pair("inventory", "supply", ("eu-central", "us-east"), (120, 1800)),
            fine(),
            ms(6300, ReadingClass::Tight, 2),
            history(1, 6000, 6900, None),
            needs("settings edited 16 Nov"),
        ),
        seen(
            pair("notifications", "messaging", ("us-east", "eu-central"), (60, 1800)),
            fine(),
            ms(3100, ReadingClass::Tight, 2),
            history(1, 3000, 3900, None),
            days(28),
        ),
    ];
    if let Some(clickstream) = fleet.get_mut(4) {
        clickstream.active = ActiveSides::NotKnown;
    }
    fleet
}

/// The pair most pages are about.
pub(super) fn payments() -> Seen {
    let warnings = vec![
        check(
            "config-differs",
            "Standby cluster",
            CheckState::Warning,
            "payments.settlement.v2 keeps 3 days on eu-central, 7 on eu-west",
            "Set retention.ms to 604800000 on eu-central; Settlement decides.",
        ),
        check(
            "slow-brokers",
            "Both clusters",
            CheckState::Warning,
            "2 of 9 brokers of eu-west answer in over 900 ms",
            "Drain leaders from brokers 4 and 8.",
        ),
        check(
            "schema-ids",
            "Access",
            CheckState::NotApplicable,
            "No schema registry is configured for payments",
            "",
        ),
    ];
    Seen {
        pair: pair("payments", "payments-core", ("eu-west", "eu-central"), (30, 900)),
        active: ActiveSides::One(Side::A),
        checks: and(warnings),
        lag: Reading::new(4200, ReadingClass::Tight, ago(2), ""),
        history: history(1, 4200, 17_000, None),
        verification: Verification::Verified { at: ago(91 * 86_400) },
    }
}
