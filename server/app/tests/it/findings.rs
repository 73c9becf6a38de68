//! Findings: raised by runs and by people, changed, closed, shown.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::test_app::TestApp;

fn wrong_ttl() -> Value {
    json!({"pair": "orders", "text": "Clients kept the old address for 5 minutes: <script>alert(1)</script>",
        "severity": "medium", "owner": "olga", "due": "2030-01-31", "link": "https://tickets.example/OPS-1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_raised_changed_closed_and_opened_again() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let made = otto.post("/api/v1/findings", wrong_ttl()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.done();
    assert_eq!((&made["raised_by"]["name"], &made["closed"]), (&json!("otto"), &json!(null)));
    let path = format!("/api/v1/findings/{}", made["id"].as_str().unwrap());
    let patch = async |body: Value, version: &str| {
        otto.request(Method::PATCH, &path, Some(body), &[("if-match", version)]).await
    };
    assert_eq!(patch(json!({"severity": "high", "due": null}), "\"1\"").await.done()["due"], json!(null));
    let late = patch(json!({"severity": "low"}), "\"1\"").await;
    assert_eq!(late.problem(), ("edited-in-between".to_owned(), 412));
    let unsaid = patch(json!({"closed": {"resolution": " "}}), "\"2\"").await;
    assert_eq!(unsaid.problem(), ("invalid-request".to_owned(), 422));
    let closed = patch(json!({"closed": {"resolution": "TTL lowered to 30 s"}}), "\"2\"").await.done();
    assert_eq!((&closed["closed"]["by"], &closed["severity"]), (&json!("otto"), &json!("high")));
    let open = otto.get("/api/v1/findings?open=true").await.done();
    assert_eq!(open["items"], json!([]));
    assert_eq!(
        otto.get("/api/v1/findings?text=ttl+LOWERED").await.done()["items"][0]["number"],
        made["number"]
    );
    assert_eq!(patch(json!({"closed": null}), "\"3\"").await.done()["closed"], json!(null));
    assert_eq!(patch(json!({"text": "other words"}), "\"4\"").await.status, 422, "its text is never changed");
    for action in ["finding.raise", "finding.change"] {
        assert_eq!(
            app.audited(action).await.iter().filter(|entry| entry.2 == "done").count(),
            if action == "finding.raise" { 1 } else { 3 },
            "{action}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_finding_says_is_checked() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let with = |key: &str, value: Value| {
        let mut new = wrong_ttl();
        new[key] = value;
        new
    };
    for (new, word) in [
        (with("text", json!("  ")), "Say what was found"),
        (with("text", json!("x".repeat(4_001))), "more than 4000 characters"),
        (with("link", json!("javascript:alert(1)")), "not http or https"),
        (with("link", json!("//tickets.example/1")), "not a whole address"),
        (with("run", json!(uuid::Uuid::nil())), "no run of pair `orders`"),
    ] {
        let refused = otto.post("/api/v1/findings", new).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422));
        assert!(refused.text.contains(word), "{}", refused.text);
    }
    let vera = app.as_user("vera").await.post("/api/v1/findings", wrong_ttl()).await;
    assert_eq!(vera.problem(), ("forbidden".to_owned(), 403));
    // Orla owns another team's pairs: she learns nothing and says nothing here.
    otto.post("/api/v1/findings", wrong_ttl()).await.done();
    let orla = app.as_user("orla").await;
    assert_eq!(orla.post("/api/v1/findings", wrong_ttl()).await.problem(), ("forbidden".to_owned(), 403));
    assert_eq!(orla.get("/api/v1/findings").await.done()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_back_raises_a_finding_once_and_its_report_has_it() {
    let app = TestApp::with_pair().await;
    let (otto, abel) = (app.as_user("otto").await, app.as_user("abel").await);
    let (_, run) = crate::runs::requested(&app).await;
    let path = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    abel.post(&path("approve"), json!({})).await.done();
    otto.post(&path("start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    otto.post(&path("abort"), json!({"reason": "the peak has begun"})).await.done();
    app.engine.run_pending().await.unwrap();
    let found = otto.get(&format!("/api/v1/findings?run={run}")).await.done();
    let [finding] = found["items"].as_array().unwrap().as_slice() else { panic!("{found:#}") };
    assert!(finding["text"].as_str().unwrap().contains("the peak has begun"), "{finding:#}");
    assert_eq!((&finding["owner"], &finding["raised_by"]["name"]), (&json!("otto"), &json!("muster")));
    assert_eq!(app.audited("finding.raise").await.len(), 1);
    let report = otto.get(&path("report")).await.done();
    assert_eq!(report["findings"][0]["number"], finding["number"]);
    let page =
        otto.request(Method::GET, &format!("/runs/{run}/report"), None, &[("accept", "text/html")]).await;
    assert!(page.text.contains("the peak has begun"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_raise_and_close_by_form() {
    let app = TestApp::with_pair().await;
    let otto = app.as_browser_of("otto").await;
    let fields = |text: &'static str| {
        [
            ("pair", "orders"),
            ("text", text),
            ("severity", "high"),
            ("owner", "otto"),
            ("due", "2030-01-31"),
            ("link", ""),
        ]
    };
    let refused = otto.form("/findings", &fields(" ")).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Say what was found."), "{}", refused.text);
    let raised = otto.form("/findings", &fields("DNS <b>cached</b> in clients")).await;
    assert_eq!(raised.status, 303, "{}", raised.text);
    let list = otto.get("/findings?state=open&text=dns").await;
    assert!(list.text.contains("DNS &#60;b&#62;cached&#60;/b&#62; in clients"), "{}", list.text);
    let id = list.text.split("/findings/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/findings/{id}");
    let unknown = otto
        .form(&path, &[("act", "close"), ("version", "1"), ("resolution", "TTL"), ("retest", "77")])
        .await;
    assert_eq!(unknown.status, 422);
    assert!(unknown.text.contains("There is no run 77."), "{}", unknown.text);
    let closed = otto.form(&path, &[("act", "close"), ("version", "1"), ("resolution", "TTL lowered")]).await;
    assert_eq!(closed.header("location"), format!("{path}?done=closed"));
    assert!(otto.get(&path).await.text.contains("TTL lowered"));
    let vera = app.as_browser_of("vera").await;
    let shown = vera.get(&path).await;
    assert!(!shown.text.contains("<form class=\"decision\""), "{}", shown.text);
    assert_eq!(vera.form(&path, &[("act", "open"), ("version", "2")]).await.status, 403);
}
