//! The verdict of `demo --once`: what applications saw, beside what Muster reports.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_lab::{LedgerSummary, Workload};
use serde::Serialize;
use serde_json::Value;

use super::switchover::FinishedRun;

/// `report.json`. Times are milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    outcome: String,
    lost_records: u64,
    duplicate_records: u64,
    reprocessed_by_group: BTreeMap<String, u64>,
    skipped_by_group: BTreeMap<String, u64>,
    write_unavailability_ms: Option<i64>,
    rto_ms_by_phase: Value,
    first_processed_after_ms_by_group: BTreeMap<String, i64>,
    checks: Vec<Check>,
    run: String,
    muster_report: Value,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// Stops the workload, reads the new active cluster and compares.
pub(super) async fn conclude(workload: &mut Workload, run: &FinishedRun, active: &str) -> Result<Report> {
    eprintln!("demo: stopping the applications and reading {active} ...");
    let end = workload.finish(Duration::from_secs(60)).await?;
    let read = workload.check_cluster(active).await?;
    // The pair that was moved; the other one still writes where it did.
    let moved = |topic: &str| !topic.starts_with("clicks.");
    let lost = read.topics.iter().filter(|(topic, _)| moved(topic)).map(|(_, check)| check.lost).sum();
    let copies =
        read.topics.iter().filter(|(topic, _)| moved(topic)).map(|(_, check)| check.duplicates).sum();
    let redirect = end.redirects.iter().rev().find(|redirect| redirect.pair == "orders").cloned();
    let checks = judge(&end, run, lost, copies, redirect.is_some());
    let passed = checks.iter().all(|check| check.ok);
    let by_group = |figure: fn(&muster_lab::GroupSummary) -> u64| {
        end.groups.iter().map(|(name, group)| (name.clone(), figure(group))).collect()
    };
    let since_last_write = |redirect: &muster_lab::RedirectSummary| {
        let last = redirect.last_ack_old_ms?;
        let after =
            redirect.first_processed_ms_by_group.iter().map(|(name, first)| (name.clone(), first - last));
        Some(after.collect())
    };
    Ok(Report {
        outcome: if passed { "passed" } else { "failed" }.to_owned(),
        lost_records: lost,
        duplicate_records: copies,
        reprocessed_by_group: by_group(|group| group.reprocessed),
        skipped_by_group: by_group(|group| group.skipped),
        write_unavailability_ms: redirect.as_ref().and_then(|redirect| redirect.write_unavailability_ms),
        rto_ms_by_phase: run.report["run"]["outcome"]["rto_ms_by_phase"].clone(),
        first_processed_after_ms_by_group: redirect.as_ref().and_then(since_last_write).unwrap_or_default(),
        checks,
        run: run.run.clone(),
        muster_report: run.report.clone(),
    })
}

fn judge(end: &LedgerSummary, run: &FinishedRun, lost: u64, copies: u64, redirected: bool) -> Vec<Check> {
    let check = |name, ok, detail| Check { name, ok, detail };
    let reached = ["succeeded", "succeeded_with_exceptions", "passed"].contains(&run.state.as_str());
    let sum = |figure: fn(&muster_lab::GroupSummary) -> u64| end.groups.values().map(figure).sum::<u64>();
    let (skipped, pending) = (sum(|group| group.skipped), sum(|group| group.pending));
    let aborted = sum(|group| group.aborted_seen);
    let again = sum(|group| group.reprocessed);
    vec![
        check("run reached its goal", reached, format!("the run is {}", run.state)),
        check("applications were redirected", redirected, "told by their own ledger".to_owned()),
        check("nothing lost", lost == 0, format!("{lost} acknowledged records are not on the new side")),
        check("nothing twice", copies == 0, format!("{copies} surplus copies on the new side")),
        check(
            "nothing skipped",
            skipped == 0 && pending == 0,
            format!("{skipped} skipped, {pending} not processed"),
        ),
        check("nothing reprocessed", again == 0, format!("{again} records processed again")),
        check("no aborted record shown", aborted == 0, format!("{aborted} shown")),
    ]
}

impl Report {
    /// Writes the report, prints one screen; answers whether every check passed.
    pub(super) fn publish(&self, path: &Path) -> Result<bool> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("write {}", path.display()))?;
        println!("\nSwitchover of pair orders, run {}: {}", self.run, self.outcome);
        println!("  lost {}   duplicates {}", self.lost_records, self.duplicate_records);
        match self.write_unavailability_ms {
            Some(ms) => println!(
                "  without writes  {ms} ms (last acknowledgement on the old side to first on the new)"
            ),
            None => println!("  without writes  unknown: not every topic was written again"),
        }
        for (group, reprocessed) in &self.reprocessed_by_group {
            let skipped = self.skipped_by_group.get(group).copied().unwrap_or_default();
            let first = self.first_processed_after_ms_by_group.get(group);
            let first = first.map_or("-".to_owned(), |ms| format!("first record after {ms} ms"));
            println!("  group {group:<10} reprocessed {reprocessed:<6} skipped {skipped:<6} {first}");
        }
        for (phase, ms) in self.rto_ms_by_phase.as_object().into_iter().flatten() {
            println!("  phase {phase:<14} {ms} ms");
        }
        for check in &self.checks {
            println!("  {}  {}: {}", if check.ok { "ok    " } else { "FAILED" }, check.name, check.detail);
        }
        println!("  report: {}", path.display());
        Ok(self.checks.iter().all(|check| check.ok))
    }
}
