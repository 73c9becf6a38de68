//! What the drill of August reached, and its report.

use std::collections::BTreeMap;

use chrono::Duration;
use muster_domain::{
    record::{Approval, Outcome, OutcomeCheck, Person, Report},
    run::Phase,
};
use uuid::Uuid;

use super::{
    ago,
    runs::{approvals, drill, events, plan},
    steps::{STEPS, steps},
};

pub(super) fn outcome() -> Outcome {
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
    Report {
        format: 1,
        run,
        plan: plan("payments", false),
        approvals,
        break_glass: None,
        steps,
        events,
        findings: super::findings::findings(),
        hash,
    }
}
