//! What a run finds out about itself when it ends, kept as findings.

use muster_domain::{
    finding,
    record::{Outcome, RunStep},
};
use muster_store::{
    audit,
    findings::{self, NewFinding},
    pairs, run_events,
    run_events::NewEvent,
};
use sqlx::PgConnection;

use super::{Stopped, job::Job};

/// Raises them in the transaction that ends the run: ending and findings come together, and each comes once.
pub(super) async fn raise(
    conn: &mut PgConnection,
    job: &Job,
    outcome: Option<&Outcome>,
    went_back: Option<&str>,
) -> Result<(), Stopped> {
    let run = &job.run;
    let steps: Vec<RunStep> = job.steps.iter().map(|stored| stored.step.clone()).collect();
    let rto = pairs::get(conn, &run.pair).await?.map(|pair| pair.objectives.rto_seconds);
    let muster = muster_domain::record::Person { id: uuid::Uuid::nil(), name: "muster".to_owned() };
    for raised in finding::raised_by(outcome, &steps, went_back, rto) {
        let new = NewFinding {
            pair: &run.pair,
            team: &run.team,
            run: Some(run.id),
            about: Some(&raised.about),
            text: &raised.text,
            severity: raised.severity,
            owner: finding::first_owner(run),
            due: finding::due(raised.severity, job.now.date_naive()),
            link: "",
            raised_by: &muster,
        };
        if let Some(id) = findings::insert(conn, &new).await? {
            let object = format!("finding {id}");
            let detail =
                serde_json::json!({"run": run.id, "about": raised.about, "severity": raised.severity});
            audit::append(conn, &muster.name, "finding.raise", &object, "done", detail).await?;
            let message = format!("Finding raised, {}: {}", raised.severity.as_str(), raised.text);
            let detail = serde_json::json!({"about": raised.about});
            let event = NewEvent { epoch: job.epoch, step: None, kind: "finding", message: &message, detail };
            run_events::append(conn, run.id, &event).await?;
        }
    }
    Ok(())
}
