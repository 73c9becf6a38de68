//! The runs of the night: orders under way, payments asked for, and a drill of payments that passed in August.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    pair::{BySide, Direction, Side},
    plan::{Finding, Plan, PlanContent, PlanRules, PlannedStep, Prediction, TopicScope},
    record::{Approval, Outcome, OutcomeCheck, Person, Question, Report, Run, RunStep, Vote},
    run::{Operation, Phase, RunEvent, RunState, StepState},
};
use uuid::Uuid;

use super::{
    ago,
    night::{pair_name, person, team},
    now,
};

const HASH: &str = "9c41e07b52d813fa6b0e77c2a95d3f18c4e60d9a81b3f52c7e14d8a0296b45cf";

/// Name, title, phase, undoable, expected ms, calls, proof once done.
type Line = (&'static str, &'static str, Phase, bool, i64, &'static [&'static str], &'static str);

const STEPS: [Line; 15] = [
    (
        "preflight",
        "Look at both sides again",
        Phase::Prepare,
        false,
        900,
        &[
            "Metadata, ListOffsets, DescribeGroups on eu-west",
            "Metadata, ListOffsets, DescribeGroups on eu-central",
            "GET /connectors?expand=status",
        ],
        "26 of 26 checks hold. 52 topics and 412 partitions exist on eu-central with the same settings.",
    ),
    (
        "freeze_drift",
        "Freeze ACL and config sync, eu-west → eu-central",
        Phase::Prepare,
        true,
        1200,
        &["PUT /connectors/orders-eu-west-source/config sync.topic.acls.enabled=false"],
        "Off in 12 of 12 task configs. Undo stored.",
    ),
    (
        "go_no_go",
        "Ask for the final go before writes stop",
        Phase::Decide,
        false,
        30_000,
        &[],
        "ines.novak gave the go with all figures.",
    ),
    (
        "fence_producers",
        "Fence writes on eu-west",
        Phase::Fence,
        true,
        400,
        &[
            "CreateAcls DENY WRITE to User:* on 52 topics of eu-west",
            "DescribeAcls on 9 of 9 brokers",
            "Produce 0 records as muster-probe",
        ],
        "9 of 9 brokers list the deny. Write probe refused by 9 of 9 with TOPIC_AUTHORIZATION_FAILED.",
    ),
    (
        "settle_transactions",
        "Settle open transactions on eu-west",
        Phase::Fence,
        false,
        600,
        &["ListTransactions on 9 brokers", "InitProducerId for each that is open after 500 ms"],
        "Stable offset meets the end on 412 of 412 partitions. 2 aborted: order-saga-17, order-saga-31.",
    ),
    (
        "record_cut_line",
        "Record the cut line on eu-west",
        Phase::Drain,
        false,
        80,
        &["ListOffsets on 412 partitions of eu-west"],
        "412 offsets, digest 7be0 3d41.",
    ),
    (
        "drain_replication",
        "Drain orders to the cut line on eu-central",
        Phase::Drain,
        false,
        700,
        &["ListOffsets on 412 partitions of eu-central until each reaches the line"],
        "412 of 412 partitions reached it. Last was orders.events-31.",
    ),
    (
        "move_groups_out",
        "Let 31 consumer groups read to the end and leave eu-west",
        Phase::Drain,
        true,
        4000,
        &["CreateAcls DENY READ to User:* on 52 topics of eu-west", "LeaveGroup for members that stay"],
        "",
    ),
    (
        "verify_content",
        "Compare content of orders on eu-central with eu-west",
        Phase::Drain,
        false,
        2500,
        &["Fetch the last 200 records of 412 partitions on both sides"],
        "",
    ),
    (
        "write_group_offsets",
        "Write exact positions of 31 groups on eu-central",
        Phase::Translate,
        true,
        1500,
        &["OffsetCommit for 31 groups on eu-central", "OffsetFetch, read back and compare"],
        "",
    ),
    (
        "redirect_producers",
        "Point orders at eu-central in the address book",
        Phase::Redirect,
        true,
        200,
        &["write /etc/muster/orders.json, read it back"],
        "",
    ),
    (
        "unfence_standby",
        "Let applications write to eu-central",
        Phase::Redirect,
        false,
        300,
        &["DeleteAcls DENY WRITE to User:* on 52 topics of eu-central", "Produce 0 records as muster-probe"],
        "",
    ),
    (
        "redirect_consumers",
        "Point consumer groups of orders at eu-central",
        Phase::Redirect,
        false,
        200,
        &["write /etc/muster/orders.json, read it back"],
        "",
    ),
    (
        "start_reverse_flow",
        "Start replication eu-central → eu-west, prove it by a canary",
        Phase::Settle,
        false,
        3000,
        &[
            "PUT /connectors/orders-eu-central-source/resume",
            "Produce 1 canary record on eu-central, find it on eu-west",
        ],
        "",
    ),
    (
        "watch_groups_resume",
        "Watch 31 groups until each has read on eu-central",
        Phase::Settle,
        false,
        9000,
        &["DescribeGroups, OffsetFetch on eu-central"],
        "",
    ),
];

fn planned(pair: &str) -> Vec<PlannedStep> {
    STEPS
        .iter()
        .enumerate()
        .map(|(i, (name, title, phase, undoable, ms, calls, _))| PlannedStep {
            name: (*name).to_owned(),
            title: title.replace("orders", pair),
            phase: *phase,
            after: match *name {
                "verify_content" => vec!["drain_replication".to_owned()],
                "redirect_producers" => vec!["verify_content".to_owned()],
                "write_group_offsets" => vec!["move_groups_out".to_owned(), "drain_replication".to_owned()],
                "redirect_consumers" => vec!["write_group_offsets".to_owned(), "unfence_standby".to_owned()],
                _ => STEPS[..i].last().map(|before| before.0.to_owned()).into_iter().collect(),
            },
            undoable: *undoable,
            point_of_no_return: *name == "unfence_standby",
            calls: calls.iter().map(|call| call.replace("orders", pair)).collect(),
            expected_ms: (*phase != Phase::Decide).then_some(*ms),
        })
        .collect()
}

/// The plan of a pair; blocked when asked.
pub(super) fn plan(pair: &str, blocked: bool) -> Plan {
    let finding = |code: &str, reason: &str, next: &str| Finding {
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
        },
    }
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

/// Steps with the first `done` done and what runs now.
fn steps(done: usize, at: DateTime<Utc>, human_ms: i64) -> Vec<RunStep> {
    let mut clock = at;
    planned("orders")
        .into_iter()
        .zip(STEPS)
        .enumerate()
        .map(|(i, (step, line))| {
            let took = step.expected_ms.unwrap_or(human_ms);
            let (started_at, ended_at) = if i < done {
                (Some(clock), Some(clock + Duration::milliseconds(took)))
            } else {
                (None, None)
            };
            clock += Duration::milliseconds(took);
            RunStep {
                position: i32::try_from(i + 1).unwrap_or(0),
                name: step.name,
                title: step.title,
                phase: step.phase,
                after: step.after,
                undoable: step.undoable,
                point_of_no_return: step.point_of_no_return,
                state: if i < done { StepState::Succeeded } else { StepState::NotStarted },
                attempt: i32::from(i < done),
                started_at,
                ended_at,
                expected_ms: step.expected_ms,
                sentence: if i < done { line.6.to_owned() } else { String::new() },
                evidence: if line.0 == "fence_producers" && i < done {
                    serde_json::json!({"brokers": 9, "deny_listed": 9, "probe_error": 29})
                } else {
                    serde_json::Value::Null
                },
                question: None,
            }
        })
        .collect()
}

/// Orders with two lanes running: groups leave while content is compared.
pub(super) fn steps_running() -> Vec<RunStep> {
    let mut steps = steps(7, ago(58), 48_000);
    for (index, sentence) in
        [(7, "29 of 31 groups have read to the end."), (8, "331 of 412 partitions compared, 0 differences.")]
    {
        steps[index].state = StepState::Running;
        steps[index].attempt = 1;
        steps[index].started_at = Some(ago(2));
        sentence.clone_into(&mut steps[index].sentence);
    }
    steps
}

/// Orders with a step that failed twice.
pub(super) fn steps_failed() -> Vec<RunStep> {
    let mut steps = steps(7, ago(58), 48_000);
    let failed = &mut steps[7];
    failed.state = StepState::Failed;
    failed.attempt = 2;
    failed.started_at = Some(ago(45));
    failed.ended_at = Some(ago(4));
    failed.sentence = "order-projector still has 1 member on eu-west, 10.40.9.77, after 40 s.".to_owned();
    steps
}

/// Orders waiting for the final go.
pub(super) fn steps_asking() -> Vec<RunStep> {
    let mut steps = steps(2, ago(12), 0);
    let asking = &mut steps[2];
    asking.state = StepState::WaitingForInput;
    asking.attempt = 1;
    asking.started_at = Some(ago(9));
    asking.question = Some(Question {
        prompt: "Both sides were read again and match the plan. Stop writes to orders now?".to_owned(),
        confirm: "Stop writes to orders and move them, eu-west → eu-central".to_owned(),
        figures: vec![
            ("Behind now".to_owned(), "≈ 1.2 s, 812 records".to_owned()),
            ("Writes away".to_owned(), "≈ 4.3 s".to_owned()),
            ("Groups".to_owned(), "31 of 31 exact".to_owned()),
        ],
    });
    steps
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

fn outcome() -> Outcome {
    let groups = [
        ("auth-router", 0),
        ("capture-writer", 0),
        ("ledger-sink", 0),
        ("settlement-engine", 0),
        ("fraud-scorer", 388),
    ];
    let mut reprocessed: BTreeMap<String, Option<i64>> =
        groups.into_iter().map(|(name, n)| (name.to_owned(), Some(n))).collect();
    reprocessed.insert("chargeback-archive".to_owned(), None);
    let skipped = reprocessed.iter().map(|(name, n)| (name.clone(), n.map(|_| 0))).collect();
    let resumed = reprocessed
        .iter()
        .zip(1_i64..)
        .map(|((name, n), i)| (name.clone(), n.map(|_| 2100 + i * 340)))
        .collect();
    let check = |name: &str, passed, sentence: &str, method: &str| OutcomeCheck {
        name: name.to_owned(),
        passed,
        sentence: sentence.to_owned(),
        method: method.to_owned(),
    };
    Outcome {
        lost_records: Some(0),
        reprocessed_by_group: reprocessed,
        skipped_by_group: skipped,
        write_unavailability_ms: Some(3900),
        write_fence_ms: Some(4300),
        rto_ms_by_phase: BTreeMap::from([
            (Phase::Prepare, 2100),
            (Phase::Decide, 48_000),
            (Phase::Fence, 1000),
            (Phase::Drain, 3300),
            (Phase::Translate, 1500),
            (Phase::Redirect, 700),
            (Phase::Settle, 12_000),
        ]),
        resumed_ms_by_group: resumed,
        checks: vec![
            check(
                "content_equal",
                Some(true),
                "41,882,306 records on each side, 0 differ",
                "digest of key, value, headers and timestamp, 214 of 214 partitions",
            ),
            check(
                "groups_resume_exactly",
                Some(true),
                "4 of 6 groups exact, 1 read 388 again, 0 skipped",
                "record at each position compared",
            ),
            check(
                "every_group_proved",
                None,
                "chargeback-archive has never committed",
                "no position to compare",
            ),
        ],
        summary: "Nothing lost, writes away for 3.9 s, 1 group read 388 records twice.".to_owned(),
    }
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
    vec![asked(), back, drill(), undone]
}

/// The report of the drill.
pub(super) fn report() -> Report {
    let run = drill();
    let start = run.started_at.unwrap_or_default();
    let mut steps = steps(15, start, 48_000);
    for (step, line) in steps.iter_mut().zip(STEPS) {
        if line.6.is_empty() {
            step.sentence = "Read back and compared.".to_owned();
        }
    }
    let shift = start - ago(58);
    let mut events = events();
    for event in &mut events {
        event.at += shift;
    }
    let approvals: Vec<Approval> = approvals()
        .into_iter()
        .chain([Approval {
            by: Person { id: Uuid::from_u128(1), name: "adaeze.obi".to_owned() },
            comment: String::new(),
            ..approvals().remove(0)
        }])
        .map(|approval| Approval { at: start - Duration::minutes(5), ..approval })
        .collect();
    let hash = "5d0e8c3b91f72a46e8d407bb6c19f35a42e09d7cb86113af7e58c024d69b30f1".to_owned();
    Report { format: 1, run, plan: plan("payments", false), approvals, steps, events, hash }
}
