//! Plans and runs by command, to their ends.

use std::sync::Arc;

use serde_json::Value;

use super::{Shell, grow_late};
use crate::{
    decisions::{Failing, started},
    test_app::TestApp,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_breaks_the_glass_by_command_and_an_approver_reviews_it() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (olga, abel) = (Shell::of(&app, &url, "olga").await, Shell::of(&app, &url, "abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let run = run.to_string();
    let asked =
        |pair: &'static str| ["run", "break-glass", &run, "--pair", pair, "--reason", "nobody answers"];
    let other = olga.run(asked("invoices")).await;
    assert_eq!((other.code, other.out.as_str()), (1, ""));
    assert!(other.err.contains("is of the pair `orders`, not `invoices`"), "{}", other.err);
    assert!(app.audited("run.break_glass").await.is_empty());

    // She signed in a while ago, so she is asked for her password.
    grow_late(&app, "olga").await;
    let started = olga.run(asked("orders")).await.done();
    assert!(started.contains("running"), "{started}");
    assert_eq!(app.audited("session.reauthenticate").await.len(), 1);
    app.engine.run_pending().await.unwrap();
    let reviewed =
        abel.run(["run", "review", &run, "--verdict", "justified", "--comment", "I was asleep"]).await.done();
    assert!(reviewed.contains(&run), "{reviewed}");
    assert_eq!(app.audited("run.review").await.last().unwrap().0, "abel");
}

/// Works as soon as somebody has asked for it.
async fn work_once_asked(app: &TestApp, action: &str) {
    while app.audited(action).await.is_empty() {
        tokio::task::yield_now().await;
    }
    app.engine.run_pending().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_carry_a_switchover_through_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let plan = otto.muster("plan orders --to eu-central").await;
    assert!(plan.out.contains("Survey eu-west and eu-central again"), "{}", plan.out);
    let plan = plan.id();
    let run = otto.run(["run", "request", &plan, "--reason", "brokers are slow"]).await.id();
    let asked = otto.muster("run list --pair orders --state awaiting_approval").await.done();
    assert!(asked.contains(&run), "{asked}");
    let approved = abel.run(["run", "approve", &run, "--comment", "go"]).await.done();
    assert!(approved.contains("approved"), "{approved}");

    let (started, ()) =
        tokio::join!(otto.run(["run", "start", &run, "--wait"]), work_once_asked(&app, "run.start"),);
    // It stopped following where somebody has to answer.
    assert_eq!((started.code, started.err.as_str()), (4, ""), "{}", started.out);
    assert!(started.out.contains("waiting for input"), "{}", started.out);
    assert!(started.out.contains(&format!("Next: muster run confirm {run}")), "{}", started.out);
    let shown = otto.run(["run", "show", &run]).await.done();
    assert!(shown.contains("waiting_for_input"), "{shown}");
    let (confirmed, ()) =
        tokio::join!(otto.run(["run", "confirm", &run, "--wait"]), work_once_asked(&app, "run.confirm"),);
    let told = confirmed.done();
    assert!(told.contains("point of no return"), "{told}");
    let report: Value = serde_json::from_str(&otto.run(["run", "report", &run]).await.done()).unwrap();
    assert_eq!(report["hash"].as_str().unwrap().len(), 64);
    assert_eq!(otto.run(["run", "watch", &run]).await.code, 0);
    let listed: Value = serde_json::from_str(&otto.muster("run list --json").await.done()).unwrap();
    assert_eq!(listed["items"][0]["state"], "succeeded");

    assert!(!otto.muster("run list --drill").await.done().contains(&run));
    let found = otto.muster("run list --no-drill --operation switchover --text slow").await.done();
    assert!(found.contains(&run), "{found}");
    assert!(!otto.muster("run list --until 2020-01-01T00:00:00Z").await.done().contains(&run));
    let compared = otto.run(["run", "compare", &run, "--with", &run]).await.done();
    assert!(compared.contains("write unavailability") && compared.contains("succeeded, "), "{compared}");
    let trend = otto.muster("pairs rto orders").await.done();
    assert!(trend.starts_with("The RTO objective is ") && trend.contains(&run), "{trend}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_succeed_is_exit_code_three() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let plan = otto.muster("plan orders --to eu-central --unattended").await.id();
    let first = otto.run(["run", "request", &plan, "--reason", "try"]).await.id();
    abel.run(["run", "reject", &first, "--comment", "not tonight"]).await.done();
    let watched = otto.run(["run", "watch", &first]).await;
    assert_eq!((watched.code, watched.err.as_str()), (3, ""), "{}", watched.out);

    let second = otto.run(["run", "request", &plan, "--reason", "try again"]).await.id();
    abel.run(["run", "approve", &second]).await.done();
    otto.run(["run", "start", &second]).await.done();
    otto.run(["run", "pause", &second]).await.done();
    app.engine.run_pending().await.unwrap();
    let skipped = otto.run(["run", "skip", &second, "--step", "fence_source", "--reason", "no"]).await;
    assert!(skipped.err.contains("(step-cannot-be-skipped)"), "{}", skipped.err);
    for (verb, code) in [("retry", "act-does-not-fit-state"), ("close", "forbidden")] {
        let refused = otto.run(["run", verb, &second, "--reason", "no"]).await;
        assert!(refused.code == 1 && refused.err.contains(code), "{verb}: {}", refused.err);
    }
    let refused = abel.run(["run", "attest", &second, "--verdict", "passed"]).await;
    assert!(refused.err.contains("(act-does-not-fit-state)"), "{}", refused.err);
    otto.run(["run", "resume", &second]).await.done();
    otto.run(["run", "abort", &second, "--reason", "wrong night"]).await.done();
    app.engine.run_pending().await.unwrap();
    let watched = otto.run(["run", "watch", &second]).await;
    assert_eq!(watched.code, 3, "{watched:?}");
    assert!(watched.out.contains("rolled back"), "{}", watched.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_person_has_to_judge_is_exit_code_four() {
    let app = TestApp::with_pair().await;
    let otto = Shell::of(&app, &app.serve().await, "otto").await;
    let run = started(&app, false).await.to_string();
    app.engine.clone().with_hooks(Arc::new(Failing("rehearse_translation"))).run_pending().await.unwrap();
    let retry = format!("mend the cause, then muster run retry {run} --reason …");
    let failed = otto.run(["run", "watch", &run]).await;
    assert_eq!((failed.code, failed.err.as_str()), (4, ""), "{}", failed.out);
    assert!(failed.out.contains("paused by failure"), "{}", failed.out);
    assert!(failed.out.ends_with(&format!("\nNext: {retry}\n")), "{}", failed.out);
    // No fault of the doubles leaves an undo undone for good.
    sqlx::query("update run set state = 'stuck'").execute(&app.app.pool).await.unwrap();
    let stuck = otto.run(["run", "watch", &run]).await;
    assert_eq!((stuck.code, stuck.err.as_str()), (4, ""), "{}", stuck.out);
    let close = format!("\nNext: {retry}, or muster run close {run} --reason …\n");
    assert!(stuck.out.ends_with(&close), "{}", stuck.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_made_by_rules_and_read_again_by_command() {
    let app = TestApp::with_pair().await;
    let otto = Shell::of(&app, &app.serve().await, "otto").await;
    let rules = "--if-unproven wait --consumers move_out --max-write-outage-seconds 20";
    let line = format!("plan orders --to eu-central --unattended {rules} --json");
    let made: Value = serde_json::from_str(&otto.muster(&line).await.done()).unwrap();
    let decided = &made["content"]["rules"];
    assert_eq!(
        (&decided["if_unproven"], &decided["consumers"], &decided["max_write_outage_seconds"]),
        (&"wait".into(), &"move_out".into(), &20.into()),
        "{made:#}"
    );
    let id = made["id"].as_str().unwrap();
    let shown = otto.run(["plan", "show", id]).await.done();
    assert!(shown.starts_with(&format!("Plan {id} of orders (")), "{shown}");
    let difference = otto.run(["plan", "difference", id]).await.done();
    assert_eq!(difference, "No such plan was approved before: read it whole.\n");
    for incomplete in
        ["plan", "plan orders", "plan --to eu-central", "plan show", "plan orders --consumers both"]
    {
        assert_eq!(otto.muster(incomplete).await.code, 2, "{incomplete}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_decision_is_listed_read_and_decided_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (otto, abel) = (Shell::of(&app, &url, "otto").await, Shell::of(&app, &url, "abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let id = run.to_string();
    let waits = abel.muster("approvals list").await.done();
    assert!(waits.contains(&id) && waits.contains("brokers are slow"), "{waits}");
    // Not for whoever asked.
    assert!(!otto.muster("approvals list").await.done().contains(&id));
    let shown = abel.run(["approvals", "show", &id]).await.done();
    assert!(shown.starts_with("otto asks: brokers are slow\n"), "{shown}");
    assert!(shown.contains("Survey eu-west and eu-central again"), "{shown}");
    let own = otto.run(["approvals", "approve", &id]).await;
    assert!(own.code == 1 && own.err.contains("(forbidden)"), "{own:?}");
    let approved = abel.run(["approvals", "approve", &id, "--comment", "go"]).await.done();
    assert!(approved.contains("approved"), "{approved}");
    assert!(!abel.muster("approvals list").await.done().contains(&id));
    let nothing = abel.muster(&format!("approvals approve {}", uuid::Uuid::nil())).await;
    assert!(nothing.code == 1 && nothing.err.contains("(not-found)"), "{nothing:?}");
    let wrong = abel.muster("approvals nothing").await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
}
