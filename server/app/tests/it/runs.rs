//! From a plan to evidence, by API and by form, as several people.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{session::steady, test_app::TestApp};

fn uuid(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) fn quick() -> Value {
    json!({"to": "eu-central", "rules": {"group_drain_seconds": 1, "catch_up_seconds": 10,
        "max_write_outage_seconds": 20, "transaction_grace_ms": 20, "resume_watch_seconds": 5}})
}

/// A plan by otto and a request of it.
pub(crate) async fn requested(app: &TestApp) -> (Uuid, Uuid) {
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", quick()).await.done();
    assert_eq!(plan["blockers"], json!([]), "{plan:#}");
    let asked = json!({"plan": plan["id"], "reason": "brokers are slow"});
    let run = otto.post("/api/v1/runs", asked).await.done();
    (uuid(&plan["id"]), uuid(&run["id"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_carry_a_switchover_through() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = requested(&app).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");

    let approved = abel.post(&path("approve"), json!({"comment": "go"})).await;
    assert_eq!((approved.status.as_u16(), approved.done()["state"].clone()), (200, json!("approved")));
    let started = otto.post(&path("start"), json!({})).await;
    assert_eq!(started.status, 202);
    assert_eq!(started.header("location"), format!("/api/v1/runs/{run}"));

    app.engine.run_pending().await.unwrap();
    let waiting = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(waiting["state"], "waiting_for_input", "{waiting:#}");
    assert_eq!(otto.post(&path("confirm"), json!({})).await.status, 202);
    app.engine.run_pending().await.unwrap();

    let ended = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(ended["outcome"]["lost_records"], 0);
    let report = otto.get(&path("report")).await.done();
    assert_eq!(report["hash"].as_str().unwrap().len(), 64);
    assert_eq!(report["approvals"][0]["by"]["name"], "abel");
    for action in ["plan.make", "run.request", "run.approve", "run.start", "run.confirm"] {
        assert_eq!(app.audited(action).await.last().unwrap().2, "done", "{action}");
    }
    let verified = app.as_user("ada").await.get("/api/v1/audit/verify").await.done();
    assert_eq!(verified["whole"], true, "{verified:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_what_they_asked_for() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    // otto becomes an approver too; it is still his own request.
    let grants = json!([{"role": "operator", "team": app.team}, {"role": "approver", "team": app.team}]);
    app.as_user("ada").await.patch("/api/v1/users/otto", json!({"grants": grants})).await.done();
    let refused = app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await;
    assert_eq!(refused.problem(), ("own-request".to_owned(), 403));
    assert_eq!(app.audited("run.approve").await.last().unwrap().2, "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_does_it_once() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", quick()).await.done();
    let asked = json!({"plan": plan["id"], "reason": "twice"});
    let key = [("idempotency-key", "one-click")];
    let first = otto.request(Method::POST, "/api/v1/runs", Some(asked.clone()), &key).await;
    let second = otto.request(Method::POST, "/api/v1/runs", Some(asked), &key).await;
    assert_eq!(first.done(), second.done());
    assert_eq!(first.header("location"), second.header("location"));
    let other = json!({"plan": plan["id"], "reason": "another"});
    let reused = otto.request(Method::POST, "/api/v1/runs", Some(other), &key).await;
    assert_eq!(reused.problem(), ("idempotency-key-reused".to_owned(), 422));
    assert_eq!(otto.get("/api/v1/runs").await.done()["items"].as_array().unwrap().len(), 1);

    let run = uuid(&first.json()["id"]);
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    let start = format!("/api/v1/runs/{run}/start");
    let (one, two) = tokio::join!(otto.post(&start, json!({})), otto.post(&start, json!({})));
    assert!(one.status.is_success() && two.status.is_success(), "{} {}", one.text, two.text);
    assert_eq!(app.audited("run.start").await.len(), 1);
    let mira = app.as_user("mira").await.post(&start, json!({})).await;
    assert_eq!(mira.problem().1, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_rejected_and_that_is_final() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let abel = app.as_user("abel").await;
    let rejected = abel.post(&format!("/api/v1/runs/{run}/reject"), json!({"comment": "not tonight"})).await;
    assert_eq!(rejected.done()["state"], "rejected");
    assert_eq!(app.audited("run.reject").await[0].2, "done");
    let again = app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await;
    assert_eq!(again.problem(), ("act-does-not-fit-state".to_owned(), 409));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_on_another_plan_than_shown_is_refused() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let vote = json!({"comment": "go", "plan_hash": "0".repeat(64)});
    let refused = app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), vote).await;
    assert_eq!(refused.problem(), ("plan-changed".to_owned(), 409));
    let no_vote = app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!([])).await;
    assert_eq!(no_vote.problem(), ("invalid-request".to_owned(), 422));
    let run = app.as_user("abel").await.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(run["state"], "awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_can_be_taken_back() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = requested(&app).await;
    abel.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    otto.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    otto.post(&format!("/api/v1/runs/{run}/abort"), json!({"reason": "wrong night"})).await.done();
    app.engine.run_pending().await.unwrap();
    let ended = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    assert_eq!(app.audited("run.abort").await[0].2, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_brake_nothing_starts() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let (otto, olga) = (app.as_user("otto").await, app.as_user("olga").await);
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    assert_eq!(otto.put("/api/v1/brake", json!({"reason": " "})).await.problem().0, "invalid-request");
    assert_eq!(otto.put("/api/v1/brake", json!({"reason": "freeze"})).await.done()["on"], true);
    let refused = otto.post(&format!("/api/v1/runs/{run}/start"), json!({})).await;
    assert_eq!(refused.problem(), ("brake-is-on".to_owned(), 409));
    let page = app.as_browser_of("otto").await.form(&format!("/runs/{run}/resume"), &[]).await;
    assert_eq!(page.status, 409);
    for way in ["<h1>Not as things are now</h1>", "href=\"/brake\"", &format!("href=\"/runs/{run}\"")] {
        assert!(page.text.contains(way), "{way}: {}", page.text);
    }
    assert_eq!(otto.delete("/api/v1/brake").await.problem().0, "forbidden");
    assert_eq!(olga.delete("/api/v1/brake").await.done()["on"], false);
    otto.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    assert_eq!(app.audited("brake.put").await.last().unwrap().2, "done");
    assert_eq!(app.audited("brake.release").await.last().unwrap().2, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_teams_see_neither_runs_nor_plans() {
    let app = TestApp::with_pair().await;
    let (plan, run) = requested(&app).await;
    let outis = app.as_user("outis").await;
    assert_eq!(outis.get("/api/v1/runs").await.done()["items"], json!([]));
    assert_eq!(outis.get("/api/v1/pairs").await.done()["items"], json!([]));
    for path in
        [format!("/api/v1/runs/{run}"), format!("/api/v1/plans/{plan}"), "/api/v1/pairs/orders".to_owned()]
    {
        assert_eq!(outis.get(&path).await.problem().0, "forbidden", "{path}");
    }
    let asked = json!({"plan": plan, "reason": "mine now"});
    assert_eq!(outis.post("/api/v1/runs", asked).await.problem(), ("role-missing".to_owned(), 403));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_a_stream_that_resumes_and_ends() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let abel = app.as_user("abel").await;
    abel.post(&format!("/api/v1/runs/{run}/reject"), json!({"comment": "no"})).await.done();
    let all = abel.get(&format!("/api/v1/runs/{run}/events?format=json")).await.done();
    let last = all["items"].as_array().unwrap().last().unwrap()["number"].as_i64().unwrap();
    let headers = [("accept", "text/event-stream"), ("last-event-id", "1")];
    let stream = abel.request(Method::GET, &format!("/api/v1/runs/{run}/events"), None, &headers).await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert!(!stream.text.contains("\nid: 1\n"), "{}", stream.text);
    assert!(stream.text.contains(&format!("id: {last}\n")), "{}", stream.text);
    assert!(stream.text.trim_end().ends_with("event: end\ndata: {}"), "{}", stream.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requested_run_reads_like_this() {
    let app = TestApp::with_pair().await;
    let (_, run) = requested(&app).await;
    let reply = app.as_user("vera").await.get(&format!("/api/v1/runs/{run}")).await.done();
    insta::assert_json_snapshot!(steady(&reply), @r#"
    {
      "approvals": [],
      "approvals_needed": 1,
      "approved_at": null,
      "break_glass": null,
      "course": "eu-west → eu-central",
      "created_at": "[created_at]",
      "decide_by": "[decide_by]",
      "direction": {
        "from": "a"
      },
      "drill": false,
      "driver": null,
      "ended_at": null,
      "epoch": 0,
      "id": "[id]",
      "no_return_at": null,
      "number": 1,
      "operation": "switchover",
      "outcome": null,
      "pair": "orders",
      "plan": "[plan]",
      "plan_hash": "[plan_hash]",
      "reason": "brokers are slow",
      "requested_by": {
        "id": "[id]",
        "name": "otto"
      },
      "started_at": null,
      "state": "awaiting_approval",
      "state_reason": "",
      "team": "core-platform",
      "use_by": null
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_are_compared_step_by_step_and_the_trend_lists_them() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (_, run) = requested(&app).await;
        let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
        abel.post(&path("approve"), json!({})).await.done();
        otto.post(&path("start"), json!({})).await.done();
        app.engine.run_pending().await.unwrap();
        otto.post(&path("abort"), json!({"reason": "only to compare"})).await.done();
        app.engine.run_pending().await.unwrap();
        ids.push(run);
    }
    let compared = otto.get(&format!("/api/v1/runs/{}/compare?with={}", ids[1], ids[0])).await.done();
    assert_eq!((&compared["first"], &compared["second"]), (&json!(ids[0]), &json!(ids[1])));
    let look = &compared["steps"][0];
    assert_eq!(look["name"], "survey_again", "{compared:#}");
    assert!(look["first"]["took_ms"].is_i64() && look["second"]["took_ms"].is_i64(), "{look:#}");
    let away =
        compared["figures"].as_array().unwrap().iter().find(|row| row["name"] == "write_unavailability");
    assert_eq!(away.unwrap()["first"], json!(null), "what was not measured is not zero");
    let trend = otto.get("/api/v1/pairs/orders/rto").await.done();
    let numbers: Vec<&Value> = trend["items"].as_array().unwrap().iter().map(|row| &row["run"]).collect();
    assert_eq!(numbers, [&json!(ids[1]), &json!(ids[0])]);
    assert_eq!(trend["items"][0]["rto_ms"], json!(null));
    let page = otto
        .request(Method::GET, &format!("/runs/{}/compare", ids[1]), None, &[("accept", "text/html")])
        .await;
    assert!(page.text.contains("survey_again") && page.text.contains("not measured"), "{}", page.text);
    // A run of another team's pair is no run to compare with.
    let hidden =
        app.as_user("orla").await.get(&format!("/api/v1/runs/{}/compare?with={}", ids[1], ids[0])).await;
    assert_eq!(hidden.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_found_by_what_was_said_of_them() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = requested(&app).await;
    abel.post(&format!("/api/v1/runs/{run}/approve"), json!({"comment": "after INC-2291: go!"})).await.done();
    let found = async |text: &str| {
        let path = format!("/api/v1/runs?text={text}");
        otto.get(&path).await.done()["items"].as_array().unwrap().len()
    };
    for text in ["brokers", "BROK", "slow%20brokers", "inc-2291", "go", "eu-central", "slow%20inc"] {
        assert_eq!(found(text).await, 1, "{text}");
    }
    // Operators of the query language are only what parts words.
    for text in ["fast", "rokers", "brokers%20fast", "!slow%20%7C%20fast", "%26%20%27", "%5C"] {
        assert_eq!(found(text).await, 0, "{text}");
    }
}
