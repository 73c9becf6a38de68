//! One switchover as two people carry it out: planned and driven by one, approved by the other.

use anyhow::{Result, bail};
use muster_lab::{WaitBound, wait_until};
use serde_json::{Value, json};

use super::people::{APPROVER, OPERATOR, PASSWORD};
use super::rest::{Rest, text};
use super::server::MusterServer;

const WAITING: [&str; 4] = ["blocked", "paused_by_failure", "waiting_for_input", "stuck"];
const ENDED: [&str; 8] = [
    "rejected",
    "expired",
    "rolled_back",
    "closed_manually",
    "succeeded",
    "succeeded_with_exceptions",
    "failed",
    "awaiting_attestation",
];

/// A run that has ended (or waits for its attestation).
#[derive(Debug)]
pub(super) struct FinishedRun {
    /// Its id.
    pub(super) run: String,
    /// The state it ended in.
    pub(super) state: String,
    /// Muster's own report of it.
    pub(super) report: Value,
}

/// Plans, requests, approves, starts, follows and attests.
///
/// Fails when the plan is blocked or the run stops and waits for a person: nobody is there in the demo.
pub(super) async fn run_switchover(server: &MusterServer, pair: &str, to: &str) -> Result<FinishedRun> {
    let operator = Rest::sign_in(&server.url, OPERATOR, PASSWORD).await?;
    let approver = Rest::sign_in(&server.url, APPROVER, PASSWORD).await?;
    let plan = plan_without_blockers(&operator, pair, to).await?;
    eprintln!(
        "demo: planned; predicted without writes: {} ms",
        plan["prediction"]["write_unavailability_ms"]
    );
    let run = operator.request_run(&text(&plan, "id")?, "Demo: prove that eu-central can take over").await?;
    approver.decide(&run, "approve", &json!({"comment": "Read the plan; go."})).await?;
    operator.decide(&run, "start", &json!({})).await?;
    let mut state = follow(&operator, &run).await?;
    if state == "awaiting_attestation" {
        approver.decide(&run, "attest", &json!({"verdict": "passed", "comment": "Read the report."})).await?;
        state = text(&operator.run(&run).await?, "state")?;
    }
    Ok(FinishedRun { report: operator.report(&run).await?, run, state })
}

/// Surveys settle within seconds of a start (first checkpoints, first canary), so a blocked plan is made again.
async fn plan_without_blockers(operator: &Rest, pair: &str, to: &str) -> Result<Value> {
    let what = format!("a plan for `{pair}` without blockers");
    let bound =
        WaitBound { within: std::time::Duration::from_secs(60), every: std::time::Duration::from_secs(2) };
    wait_until(&what, bound, || async {
        let plan = operator.plan_switchover(pair, to).await?;
        let blockers = plan["blockers"].as_array().cloned().unwrap_or_default();
        if !blockers.is_empty() {
            bail!("{}", serde_json::to_string(&blockers)?);
        }
        Ok(Some(plan))
    })
    .await
}

async fn follow(operator: &Rest, run: &str) -> Result<String> {
    let seen = std::sync::atomic::AtomicI64::new(0);
    let bound = WaitBound {
        within: std::time::Duration::from_secs(300),
        every: std::time::Duration::from_millis(200),
    };
    wait_until("the run to end", bound, || async {
        for event in operator.events(run, seen.load(std::sync::atomic::Ordering::Relaxed)).await? {
            let number = event["number"].as_i64().unwrap_or_default();
            seen.store(number, std::sync::atomic::Ordering::Relaxed);
            eprintln!("demo:   {}", event["message"].as_str().unwrap_or_default());
        }
        let state = text(&operator.run(run).await?, "state")?;
        if WAITING.contains(&state.as_str()) {
            // A person would act now.
            return Ok(Some(Err(anyhow::anyhow!("run {run} is {state} and nobody is there to decide"))));
        }
        Ok(ENDED.contains(&state.as_str()).then_some(Ok(state)))
    })
    .await?
}
