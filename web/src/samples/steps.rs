//! The steps of the night's switchovers, planned and as they stand.

use chrono::{DateTime, Duration, Utc};
use muster_domain::{
    plan::PlannedStep,
    record::{Question, RunStep},
    run::{Phase, StepState},
};

use super::ago;

pub(super) const HASH: &str = "9c41e07b52d813fa6b0e77c2a95d3f18c4e60d9a81b3f52c7e14d8a0296b45cf";

/// Name, title, phase, undoable, expected ms, calls, proof once done.
type Line = (&'static str, &'static str, Phase, bool, i64, &'static [&'static str], &'static str);

pub(super) const STEPS: [Line; 15] = [
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

pub(super) fn planned(pair: &str) -> Vec<PlannedStep> {
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

/// Steps with the first `done` done and what runs now.
pub(super) fn steps(done: usize, at: DateTime<Utc>, human_ms: i64) -> Vec<RunStep> {
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
