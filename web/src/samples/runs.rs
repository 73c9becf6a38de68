//! The runs of the night: orders under way, payments asked for, and a drill of payments that passed in August.

use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    break_glass::BreakGlass,
    pair::{BySide, Direction, Side},
    plan::{AtStake, Concern, Plan, PlanContent, PlanRules, PredictedLoss, Prediction, TopicScope},
    plan_difference::{ApprovedPlan, PlanDifference, difference as difference_of},
    record::{Approval, Outcome, Run, Vote},
    run::{Operation, RunEvent, RunState},
};
use uuid::Uuid;

use super::{
    ago,
    night::{pair_name, person, team},
    now,
    outcome::outcome,
    steps::{HASH, planned},
};

/// The plan of a pair; blocked when asked.
pub(super) fn plan(pair: &str, blocked: bool) -> Plan {
    let finding = |code: &str, reason: &str, next: &str| Concern {
        code: code.to_owned(),
        reason: reason.to_owned(),
        next_step: next.to_owned(),
    };
    let topics = ["authorisations", "captures", "ledger-entries", "settlement.v2", "risk-scores", "refunds"];
    let topic = |name: &str, partitions| TopicScope {
        topic: format!("{pair}.{name}"),
        replica: format!("{pair}.{name}"),
        partitions,
    };
    Plan {
        id: Uuid::from_u128(0x0192_1000),
        created_by: "jonas.lindqvist".to_owned(),
        created_at: ago(780),
        hash: HASH.to_owned(),
        content: PlanContent {
            pair: pair_name(pair),
            pair_version: 14,
            operation: Operation::Switchover,
            direction: Direction { from: Side::A },
            drill: false,
            cluster_ids: BySide { a: "ew-core-1".to_owned(), b: "ec-core-1".to_owned() },
            topics: topics
                .into_iter()
                .zip([48, 24, 24, 12, 24, 12])
                .map(|(name, n)| topic(name, n))
                .collect(),
            groups: ["auth-router", "capture-writer", "ledger-sink", "settlement-engine", "fraud-scorer"]
                .map(String::from)
                .to_vec(),
            rules: PlanRules::default(),
            steps: planned(pair),
        },
        blockers: if blocked {
            vec![finding(
                "right-missing",
                "Muster may not ALTER the cluster eu-west, so it cannot fence writes there",
                "Grant ALTER on the cluster to User:muster on eu-west, then make a new plan.",
            )]
        } else {
            Vec::new()
        },
        warnings: vec![
            finding(
                "reads-again",
                "fraud-scorer would read 412 records twice: its offsets stopped syncing at 02:58",
                "Stop fraud-scorer-7f9c on 10.42.3.18; Risk owns it.",
            ),
            finding(
                "config-differs",
                "payments.settlement.v2 keeps 3 days on eu-central, 7 on eu-west",
                "Set retention.ms to 604800000 on eu-central.",
            ),
        ],
        prediction: Prediction {
            write_unavailability_ms: Some(4300),
            total_ms: Some(24_580),
            basis: "5 earlier runs of this pair".to_owned(),
            loss: PredictedLoss::of(
                Operation::Switchover,
                Some(AtStake {
                    records_at_least: Some(1_204),
                    records_at_most: Some(9_870),
                    ms_at_most: Some(4_100),
                    at: ago(60),
                }),
            ),
        },
    }
}

/// What became of the plan since the drill of August.
pub(super) fn difference(plan: &Plan) -> PlanDifference {
    let mut before = plan.clone();
    before.id = Uuid::from_u128(0x0192_0800);
    before.content.pair_version = 13;
    before.content.rules.max_write_outage_seconds = 60;
    before.content.topics.pop();
    before.content.groups.push("chargeback-mailer".to_owned());
    before.warnings.truncate(1);
    before.prediction.write_unavailability_ms = Some(3900);
    let approved = ApprovedPlan {
        plan: before,
        run: drill().id,
        run_number: drill().number,
        approved_at: ago(86_400 * 96),
    };
    difference_of(Some(&approved), plan)
}

fn run(number: i64, pair: &str, owner: &str, state: RunState, created: DateTime<Utc>) -> Run {
    Run {
        id: Uuid::from_u128(0x0192_0000 + u128::from(number.unsigned_abs())),
        number,
        plan: Uuid::from_u128(0x0192_1000),
        plan_hash: HASH.to_owned(),
        pair: pair_name(pair),
        team: team(owner),
        operation: Operation::Switchover,
        direction: Direction { from: Side::A },
        course: "eu-west → eu-central".to_owned(),
        drill: false,
        state,
        state_reason: String::new(),
        requested_by: person(4, "jonas.lindqvist"),
        reason: "eu-west brokers 4 and 8 have been slow since 02:41 (INC-2291). Storage gives no repair time. Move before the morning peak at 05:00.".to_owned(),
        created_at: created,
        decide_by: created + Duration::minutes(30),
        use_by: None,
        approvals_needed: 2,
        approved_at: None,
        driver: None,
        started_at: None,
        no_return_at: None,
        ended_at: None,
        epoch: 41,
        outcome: None,
    }
}

/// Payments, asked for, one of two approvals given.
pub(super) fn asked() -> Run {
    run(144, "payments", "payments-core", RunState::AwaitingApproval, ago(700))
}

/// Payments, approved, not started.
pub(super) fn approved() -> Run {
    let approved_at = Some(ago(60));
    Run { state: RunState::Approved, approved_at, use_by: Some(now() + Duration::minutes(59)), ..asked() }
}

/// Orders, under way.
pub(super) fn under_way(state: RunState, reason: &str) -> Run {
    Run {
        state,
        state_reason: reason.to_owned(),
        driver: Some(person(2, "ines.novak")),
        started_at: Some(ago(58)),
        approved_at: Some(ago(600)),
        use_by: Some(now() + Duration::minutes(50)),
        ..run(143, "orders", "order-platform", state, ago(1800))
    }
}

/// Orders, started without approval.
pub(super) fn started_without_approval() -> Run {
    Run { id: Uuid::from_u128(0xb6), approved_at: None, use_by: None, ..under_way(RunState::Running, "") }
}

/// How it was.
pub(super) fn break_glass() -> BreakGlass {
    BreakGlass {
        by: person(2, "ines.novak"),
        at: ago(58),
        reason: "Both approvers are on the plane to the offsite; eu-west loses its power at 04:00."
            .to_owned(),
        overridden: vec!["standby-durability".to_owned()],
        review_due: ago(58) + Duration::hours(24),
        review: None,
    }
}

/// Votes on a run.
pub(super) fn approvals() -> Vec<Approval> {
    let by = |id, name: &str, comment: &str, at| Approval {
        by: person(id, name),
        vote: Vote::Approve,
        comment: comment.to_owned(),
        at,
        plan_hash: HASH.to_owned(),
    };
    vec![by(3, "tomas.ferreira", "Agree, peak is at 05:00.", ago(211))]
}

/// The log of orders.
pub(super) fn events() -> Vec<RunEvent> {
    let lines: [(i64, &str, &str, &str); 8] = [
        (58, "", "state", "ines.novak started run 143; lock on orders taken, state read again"),
        (56, "freeze_drift", "step", "ACL and config sync off in 12 of 12 tasks"),
        (8, "go_no_go", "decision", "ines.novak gave the go after 48 s"),
        (7, "fence_producers", "call", "Write probe refused by 9 of 9 brokers"),
        (6, "settle_transactions", "note", "Aborted transaction order-saga-17, open for 81 s"),
        (6, "record_cut_line", "step", "Cut line recorded, digest 7be0 3d41"),
        (5, "drain_replication", "step", "412 of 412 partitions drained"),
        (2, "verify_content", "note", "Compared 331 of 412 partitions, 0 differences"),
    ];
    lines
        .into_iter()
        .zip(1..)
        .map(|((seconds, step, kind, message), number)| RunEvent {
            number,
            at: ago(seconds),
            step: (!step.is_empty()).then(|| step.to_owned()),
            kind: kind.to_owned(),
            message: message.to_owned(),
            detail: serde_json::Value::Null,
        })
        .collect()
}

/// The drill of August.
pub(super) fn drill() -> Run {
    let start = ago(91 * 86_400);
    Run {
        number: 131,
        id: Uuid::from_u128(0x0192_0083),
        drill: true,
        state: RunState::Passed,
        reason: "Quarterly drill, third quarter.".to_owned(),
        driver: Some(person(2, "ines.novak")),
        approved_at: Some(start),
        started_at: Some(start),
        no_return_at: Some(start + Duration::milliseconds(55_900)),
        ended_at: Some(start + Duration::milliseconds(68_600)),
        outcome: Some(outcome()),
        ..run(131, "payments", "payments-core", RunState::Passed, start - Duration::minutes(20))
    }
}

/// The first drill, a year before: slower, over the objective.
pub(super) fn first_drill() -> Run {
    let start = ago(365 * 86_400);
    let slower = |ms: i64| ms * 16;
    let then = outcome();
    Run {
        number: 58,
        id: Uuid::from_u128(0x0192_0058),
        reason: "The first drill of all.".to_owned(),
        started_at: Some(start),
        ended_at: Some(start + Duration::milliseconds(slower(68_600))),
        created_at: start - Duration::minutes(20),
        outcome: Some(Outcome {
            rto_ms_by_phase: then.rto_ms_by_phase.iter().map(|(phase, ms)| (*phase, slower(*ms))).collect(),
            write_unavailability_ms: then.write_unavailability_ms.map(slower),
            write_fence_ms: None,
            ..then
        }),
        ..drill()
    }
}

/// Some history of payments.
pub(super) fn history() -> Vec<Run> {
    let back = Run {
        course: "eu-central → eu-west".to_owned(),
        number: 132,
        drill: false,
        state: RunState::Succeeded,
        ..drill()
    };
    let undone = Run {
        number: 127,
        state: RunState::RolledBack,
        outcome: None,
        started_at: Some(ago(132 * 86_400)),
        ended_at: Some(ago(132 * 86_400 - 40)),
        created_at: ago(132 * 86_400 + 300),
        ..drill()
    };
    vec![asked(), back, drill(), undone, first_drill()]
}
