//! Readiness drills: they only look, so they begin by themselves and need no approval, and prove less.

use chrono::TimeDelta;
use muster_app::loops::drill::{prepare_one, record_one};
use serde_json::json;

use super::{time, weekly};
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_drill_begins_by_itself_when_it_is_due() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let mut new = weekly();
    new["drill"] = json!("readiness_drill");
    let made = olga.post("/api/v1/schedules", new).await.done();
    let due = time(&made["next"][0]["due"]);
    let pool = &app.app.pool;
    assert!(record_one(pool, due - TimeDelta::days(2)).await.unwrap());
    assert!(!prepare_one(pool, due - TimeDelta::minutes(1)).await.unwrap(), "not before it is due");
    // Under the brake it waits, and says so.
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "freeze"})).await.done();
    assert!(prepare_one(pool, due).await.unwrap());
    let waits = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert!(waits["run"].is_null() && waits["trouble"].as_str().unwrap().contains("brake"), "{waits:#}");
    olga.delete("/api/v1/brake").await.done();
    assert!(prepare_one(pool, due + TimeDelta::minutes(10)).await.unwrap());
    app.engine.run_pending().await.unwrap();
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert_eq!(seen["run_state"], "awaiting_attestation", "{seen:#}");
    let run = seen["run"].as_str().unwrap().to_owned();
    let ran = olga.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(
        (&ran["operation"], &ran["driver"]["name"], &ran["approvals_needed"]),
        (&json!("readiness_drill"), &json!("muster"), &json!(0))
    );
    let attest = json!({"verdict": "passed", "comment": "all of it"});
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/attest"), attest).await.done();
    let seen = olga.get("/api/v1/occurrences").await.done()["items"][0].clone();
    assert_eq!(seen["run_state"], "passed", "{seen:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readiness_drill_is_planned_from_the_page_and_needs_no_approval() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    let made = otto.form("/pairs/orders/plan", &[("operation", "readiness_drill"), ("from", "a")]).await;
    let plan = made.header("location").to_owned();
    let page = otto.get(&plan).await;
    assert!(page.text.contains("Nothing is changed on eu-west or eu-central"), "{}", page.text);
    assert!(!page.text.contains("is not undone"), "{}", page.text);
    let hash = page.text.split("name=\"plan_hash\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let asked = otto.form(&format!("{plan}/request"), &[("reason", "weekly"), ("plan_hash", hash)]).await;
    let run = asked.header("location").to_owned();
    for act in ["start", "abort"] {
        let page = otto.get(&format!("{run}/{act}")).await.text;
        for untrue in [
            "point of no return",
            "takes the writes",
            "takes writes",
            "no estimate, from",
            "Abort and return",
        ] {
            assert!(!page.contains(untrue), "{act} speaks of `{untrue}`: {page}");
        }
    }
    let started = otto.form(&format!("{run}/start"), &[("typed", "orders")]).await;
    assert_eq!(started.status, 303, "{}", started.text);
    let under_way = otto.get(&run).await.text;
    assert!(
        !under_way.contains("takes writes again") && !under_way.contains("Abort and return"),
        "{under_way}"
    );
    app.engine.run_pending().await.unwrap();
    let shown = otto.get(&run).await;
    assert!(shown.text.contains("Waits for attestation") || shown.text.contains("attest"), "{}", shown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_readiness_drill_is_no_proof_that_applications_can_move() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let asked = json!({"operation": "readiness_drill", "to": "eu-central"});
    let plan = otto.post("/api/v1/pairs/orders/plans", asked).await.done();
    let run = otto.post("/api/v1/runs", json!({"plan": plan["id"], "reason": "weekly"})).await.done();
    let path = |verb: &str| format!("/api/v1/runs/{}/{verb}", run["id"].as_str().unwrap());
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    let passed = abel.post(&path("attest"), json!({"verdict": "passed", "comment": "fine"})).await.done();
    assert_eq!(passed["state"], "passed", "{passed:#}");
    let page = app.as_browser_of("otto").await.get("/pairs/orders").await.text;
    assert!(page.contains("never drilled"), "{page}");
    assert!(page.contains("never measured"), "{page}");
}
