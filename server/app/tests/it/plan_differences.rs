//! A plan beside the one approved before it: in the API, on its page, and before its approval.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    cli::Shell,
    runs::{quick, requested},
    test_app::TestApp,
};

const HTML: [(&str, &str); 1] = [("accept", "text/html")];

/// A plan with other rules than usual; answers its id.
async fn planned(app: &TestApp, plan: Value) -> String {
    let plan = app.as_user("otto").await.post("/api/v1/pairs/orders/plans", plan).await.done();
    plan["id"].as_str().unwrap().to_owned()
}

async fn difference(app: &TestApp, plan: &str) -> Value {
    app.as_user("vera").await.get(&format!("/api/v1/plans/{plan}/difference")).await.done()
}

async fn page(app: &TestApp, path: &str) -> String {
    app.as_browser_of("abel").await.request(Method::GET, path, None, &HTML).await.text
}

async fn approve(app: &TestApp, run: uuid::Uuid) {
    let path = format!("/api/v1/runs/{run}/approve");
    app.as_user("abel").await.post(&path, json!({"comment": "go"})).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plan_is_compared_with_the_one_approved_last() {
    let app = TestApp::with_pair().await;
    let (first, run) = requested(&app).await;

    // Asking is not approving.
    let before = difference(&app, &first.to_string()).await;
    assert_eq!((&before["compared_with"], &before["changes"]), (&Value::Null, &json!([])));
    assert!(page(&app, &format!("/plans/{first}")).await.contains("Nothing to compare it with"));
    approve(&app, run).await;

    let again = planned(&app, quick()).await;
    let same = difference(&app, &again).await;
    assert_eq!(same["compared_with"]["plan"], json!(first), "{same:#}");
    assert_eq!(same["compared_with"]["run"], json!(run));
    assert_eq!(same["changes"], json!([]), "{same:#}");
    assert!(page(&app, &format!("/plans/{again}")).await.contains("Nothing changed:"));

    let mut other = quick();
    other["rules"]["max_write_outage_seconds"] = json!(30);
    let other = planned(&app, other).await;
    let differs = difference(&app, &other).await;
    let expected = json!([{
        "part": "rule", "how": "changed", "count": 1,
        "says": "1 decision made in advance is different: `max_write_outage_seconds`.",
        "things": [{"name": "max_write_outage_seconds", "before": "20", "after": "30"}],
    }]);
    assert_eq!(differs["changes"], expected, "{differs:#}");

    // Whoever decides on it reads the same.
    let asked = json!({"plan": other, "reason": "longer"});
    let run = app.as_user("otto").await.post("/api/v1/runs", asked).await.done();
    let approval = page(&app, &format!("/runs/{}/approval", run["id"].as_str().unwrap())).await;
    assert!(approval.contains("Compared with the plan approved on"), "{approval}");
    assert!(approval.contains("<code>max_write_outage_seconds</code>"), "{approval}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_goes_on_showing_what_its_approvers_saw() {
    let app = TestApp::with_pair().await;
    let (first, run) = requested(&app).await;
    approve(&app, run).await;
    let (second, run) = requested(&app).await;
    approve(&app, run).await;
    assert_eq!(difference(&app, &first.to_string()).await["compared_with"], Value::Null);
    assert_eq!(difference(&app, &second.to_string()).await["compared_with"]["plan"], json!(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_run_is_nothing_to_compare_with() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    approve(&app, run).await;
    let drill = planned(&app, json!({"operation": "readiness_drill", "to": "eu-central"})).await;
    assert_eq!(difference(&app, &drill).await["compared_with"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_reads_what_is_new_by_command_too() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    approve(&app, run).await;
    let mut other = quick();
    other["rules"]["max_write_outage_seconds"] = json!(30);
    let plan = planned(&app, other).await;
    let asked = json!({"plan": plan, "reason": "longer"});
    let run = app.as_user("otto").await.post("/api/v1/runs", asked).await.done();
    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "abel").await;
    let told = shell.muster(&format!("approvals show {}", run["id"].as_str().unwrap())).await.done();
    assert!(told.contains("Compared with the plan approved at "), "{told}");
    assert!(told.contains("1 decision made in advance is different: `max_write_outage_seconds`."), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_predicts_what_is_lost_and_what_is_at_stake() {
    const NOTHING: &str = "writes are fenced and replication drained and proven before anything moves";
    let app = TestApp::with_pair().await;
    let (plan, run) = requested(&app).await;
    let told = app.as_user("vera").await.get(&format!("/api/v1/plans/{plan}")).await.done();
    let loss = &told["prediction"]["loss"];
    assert_eq!((&loss["records"], &loss["basis"]), (&json!(0), &json!(NOTHING)), "{loss:#}");
    let stake = &loss["if_source_dies"];
    assert!(stake["records_at_least"].is_i64() && stake["at"].is_string(), "{loss:#}");
    for path in [format!("/plans/{plan}"), format!("/runs/{run}/approval")] {
        let page = page(&app, &path).await;
        for said in ["0 records", NOTHING, "had died when"] {
            assert!(page.contains(said), "`{said}` is not on {path}: {page}");
        }
    }
    // A plan of a version that predicted no loss is the same plan: its hash is that of what is done, and it says what it has.
    let kept = "update plan set body = body #- '{prediction,loss}' where id = $1";
    sqlx::query(kept).bind(plan).execute(&app.app.pool).await.unwrap();
    let before = app.as_user("vera").await.get(&format!("/api/v1/plans/{plan}")).await.done();
    assert_eq!((&before["hash"], &before["prediction"]["loss"]), (&told["hash"], &Value::Null));
    assert!(page(&app, &format!("/plans/{plan}")).await.contains("not predicted"));
    approve(&app, run).await;
    let started = app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await;
    assert_eq!(started.status, 202, "{}", started.text);

    let looks = planned(&app, json!({"operation": "readiness_drill", "to": "eu-central"})).await;
    let said = page(&app, &format!("/plans/{looks}")).await;
    assert!(said.contains("nothing moves: it only looks") && !said.contains("had died when"), "{said}");
}
