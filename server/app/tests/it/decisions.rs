//! What people decide about a run that is under way: each act changes it, tells where it goes, and is an entry.

use std::sync::Arc;

use muster_domain::people::{Grant, Role};
use muster_operations::engine::{Hooks, Moment};
use muster_store::people;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::{TestApp, id};

/// Makes one step fail, whatever happens.
pub(crate) struct Failing(pub(crate) &'static str);

impl Hooks for Failing {
    fn kill_at(&self, _: &str, _: Moment) -> bool {
        false
    }

    fn fail(&self, step: &str) -> bool {
        step == self.0
    }
}

/// A run of otto's, approved by abel and started by otto. What fails before the point of no return waits for a person.
pub(crate) async fn started(app: &TestApp, drill: bool) -> Uuid {
    started_by(app, drill, "otto", "otto").await
}

async fn started_by(app: &TestApp, drill: bool, asks: &str, drives: &str) -> Uuid {
    let asking = app.as_user(asks).await;
    let mut asked = crate::runs::quick();
    asked["rules"]["confirm_before_fence"] = json!(false);
    asked["rules"]["if_unproven"] = json!("wait");
    asked["drill"] = json!(drill);
    let plan = asking.post("/api/v1/pairs/orders/plans", asked).await.done();
    let run = asking.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "a test"})).await.done();
    let run: Uuid = run["id"].as_str().unwrap().parse().unwrap();
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user(drives).await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    run
}

async fn decide(app: &TestApp, who: &str, run: Uuid, verb: &str, body: Value) -> Value {
    app.as_user(who).await.post(&format!("/api/v1/runs/{run}/{verb}"), body).await.done()
}

async fn state(app: &TestApp, run: Uuid) -> Value {
    app.as_user("vera").await.get(&format!("/api/v1/runs/{run}")).await.done()["state"].clone()
}

#[track_caller]
fn entry_of(entries: &[(String, String, String)], who: &str, run: Uuid) {
    assert_eq!(entries.last().unwrap(), &(who.to_owned(), format!("run {run}"), "done".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_pauses_at_the_next_boundary_and_goes_on() {
    let app = TestApp::with_pair().await;
    let run = started(&app, false).await;
    decide(&app, "mira", run, "pause", json!({})).await;
    app.engine.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "paused_by_operator");
    entry_of(&app.audited("run.pause").await, "mira", run);
    // Closing it would leave what it took away as it is: that is for runs that are stuck, or were restored from a backup.
    let close = json!({"reason": "enough"});
    let refused = app.as_user("olga").await.post(&format!("/api/v1/runs/{run}/close"), close).await;
    assert_eq!(refused.problem(), ("act-does-not-fit-state".to_owned(), 409));
    assert_eq!(state(&app, run).await, "paused_by_operator");
    decide(&app, "otto", run, "resume", json!({})).await;
    entry_of(&app.audited("run.resume").await, "otto", run);
    app.engine.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_tried_again() {
    let app = TestApp::with_pair().await;
    let run = started(&app, false).await;
    let failing = app.engine.clone().with_hooks(Arc::new(Failing("rehearse_translation")));
    failing.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "paused_by_failure");
    decide(&app, "otto", run, "retry", json!({"reason": "the broker is back"})).await;
    entry_of(&app.audited("run.retry").await, "otto", run);
    app.engine.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_failed_after_the_point_of_no_return_can_be_left_out() {
    let app = TestApp::with_pair().await;
    let run = started(&app, false).await;
    app.engine.clone().with_hooks(Arc::new(Failing("verify_outcome"))).run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "paused_by_failure");
    let otto = app.as_user("otto").await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    let skip = |step: &str, reason: &str| json!({"step": step, "reason": reason});
    let refused = otto.post(&path("abort"), json!({"reason": "back"})).await;
    assert_eq!(refused.problem(), ("past-point-of-no-return".to_owned(), 409));
    let refused = otto.post(&path("skip"), skip("verify_outcome", " ")).await;
    assert_eq!(refused.problem(), ("reason-missing".to_owned(), 422));
    let refused = otto.post(&path("skip"), skip("thaw_drift", "why not")).await;
    assert_eq!(refused.problem(), ("step-did-not-fail".to_owned(), 409));
    decide(&app, "otto", run, "skip", skip("verify_outcome", "seen by eye")).await;
    entry_of(&app.audited("run.skip").await, "otto", run);
    app.engine.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "succeeded_with_exceptions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_run_is_closed_by_an_owner_with_words() {
    let app = TestApp::with_pair().await;
    let run = started(&app, false).await;
    // No fault of the doubles leaves an undo undone for good; what counts here is the way out.
    sqlx::query("update run set state = 'stuck' where id = $1")
        .bind(run)
        .execute(&app.app.pool)
        .await
        .unwrap();
    let olga = app.as_user("olga").await;
    let refused = olga.post(&format!("/api/v1/runs/{run}/close"), json!({"reason": ""})).await;
    assert_eq!(refused.problem(), ("reason-missing".to_owned(), 422));
    let closed = decide(&app, "olga", run, "close", json!({"reason": "grants removed by hand"})).await;
    assert_eq!(closed["state"], "closed_manually");
    entry_of(&app.audited("run.close").await, "olga", run);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_attested_by_somebody_who_did_not_drive_it() {
    let app = TestApp::with_pair().await;
    let run = started(&app, true).await;
    app.engine.run_pending().await.unwrap();
    assert_eq!(state(&app, run).await, "awaiting_attestation");
    let nonsense = json!({"verdict": "fine"});
    let refused = app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/attest"), nonsense).await;
    assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422));
    let said = json!({"verdict": "inconclusive", "comment": "no load that night"});
    assert_eq!(decide(&app, "abel", run, "attest", said).await["state"], "inconclusive");
    entry_of(&app.audited("run.attest").await, "abel", run);
}

/// Somebody who may ask for runs, drive and approve them, as in small teams.
async fn add_boss(app: &TestApp) {
    let grants = [Role::Operator, Role::Approver].map(|role| Grant { role, team: Some(app.team.clone()) });
    let mut conn = app.app.pool.acquire().await.unwrap();
    people::insert(&mut conn, id("boss"), "boss", "boss", None, &grants).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_attests_what_they_asked_for_or_drove() {
    for (asks, drives) in [("boss", "otto"), ("otto", "boss")] {
        let app = TestApp::with_pair().await;
        add_boss(&app).await;
        let run = started_by(&app, true, asks, drives).await;
        app.engine.run_pending().await.unwrap();
        assert_eq!(state(&app, run).await, "awaiting_attestation");
        let boss = app.as_user("boss").await;
        for verdict in ["passed", "failed", "inconclusive"] {
            let said = json!({"verdict": verdict, "comment": "I was there"});
            let refused = boss.post(&format!("/api/v1/runs/{run}/attest"), said).await;
            assert_eq!(refused.problem(), ("own-run".to_owned(), 403), "{asks} asked, {drives} drove");
        }
        assert_eq!(state(&app, run).await, "awaiting_attestation");
        let said = json!({"verdict": "passed", "comment": "all of it was seen"});
        assert_eq!(decide(&app, "abel", run, "attest", said).await["state"], "passed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_passes_only_if_every_check_did() {
    let app = TestApp::with_pair().await;
    let run = started(&app, true).await;
    app.engine.run_pending().await.unwrap();
    let abel = app.as_user("abel").await;
    let attest = async |verdict: &str| {
        let said = json!({"verdict": verdict, "comment": "read twice"});
        abel.post(&format!("/api/v1/runs/{run}/attest"), said).await
    };
    // A check that failed, and one that could not be determined.
    for passed in [json!(false), Value::Null] {
        let sql = "update run set outcome = jsonb_set(outcome, '{checks,0,passed}', $2) where id = $1";
        let changed = sqlx::query(sql).bind(run).bind(passed).execute(&app.app.pool).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
        let refused = attest("passed").await;
        assert_eq!(refused.problem(), ("drill-not-proven".to_owned(), 409));
    }
    // On the page the words stay, beside the verdict that does not go.
    let form = [("verdict", "passed"), ("reason", "read twice")];
    let again = app.as_browser_of("abel").await.form(&format!("/runs/{run}/attest"), &form).await;
    assert_eq!(again.status, 409, "{}", again.text);
    for kept in ["did not pass", "read twice</textarea>", "value=\"passed\" selected"] {
        assert!(again.text.contains(kept), "{kept} in {}", again.text);
    }
    assert_eq!(state(&app, run).await, "awaiting_attestation");
    assert_eq!(attest("failed").await.done()["state"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_the_pair_as_it_was_is_not_asked_for() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", crate::runs::quick()).await.done();
    let edit = json!({"canary_seconds": 7});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    let asked = json!({"plan": plan["id"], "reason": "a test"});
    let refused = otto.post("/api/v1/runs", asked).await;
    assert_eq!(refused.problem(), ("plan-outdated".to_owned(), 409));
    assert_eq!(otto.get("/api/v1/runs").await.done()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_made_once_and_while_it_is_asked_for() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    decide(&app, "abel", run, "reject", json!({"comment": "not tonight"})).await;
    let approve = async |who: &str| {
        let go = json!({"comment": "go"});
        app.as_user(who).await.post(&format!("/api/v1/runs/{run}/approve"), go).await.problem()
    };
    assert_eq!(approve("abel").await, ("already-decided".to_owned(), 409));
    assert_eq!(approve("anna").await, ("not-awaiting-approval".to_owned(), 409));
    assert_eq!(state(&app, run).await, "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_question_is_confirmed() {
    let app = TestApp::with_pair().await;
    let run = started(&app, false).await;
    let refused = app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/confirm"), json!({})).await;
    assert_eq!(refused.problem(), ("nothing-to-confirm".to_owned(), 409));
    assert_eq!(app.audited("run.confirm").await.last().unwrap().2, "refused");
}
