//! Addresses of a pair hold no secret: whoever may read the pair reads them, and the audit keeps them for good.

use serde_json::{Value, json};

use crate::{payload::edited, runs::quick, test_app::TestApp};

const CONNECT: &str = "http://muster:topsecret@connect.example:8083";
const WEBHOOK: &str = "https://topsecret@hooks.example/apps";

fn attach(url: &str) -> Value {
    json!({"attach": [{"from": "eu-west", "connect_url": url, "source_connector": "west-to-central"}]})
}

fn webhook(url: &str) -> Value {
    json!({"routing": [{"kind": "webhook", "url": url}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_a_user_or_a_password_is_refused_and_not_repeated() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let pair = olga.get("/api/v1/pairs/orders").await.done();
    for (edit, field, instead) in [
        (attach(CONNECT), "connect_url", "Sign in at Connect"),
        (attach("http:///topsecret@connect.example:8083"), "connect_url", "Sign in at Connect"),
        (webhook(WEBHOOK), "url", "MUSTER_WEBHOOK_SECRET"),
    ] {
        let refused = olga.patch("/api/v1/pairs/orders", edit.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{edit}");
        let problem = refused.json();
        assert!(problem["detail"].as_str().unwrap().starts_with(&format!("`{field}`, ")), "{problem}");
        assert!(problem["next_step"].as_str().unwrap().contains(instead), "{problem}");
        assert!(!refused.text.contains("topsecret"), "{problem}");
    }
    let mut anew = pair.clone();
    for made_by_muster in ["version", "updated_at", "show_payload", "unused_settings"] {
        anew.as_object_mut().unwrap().remove(made_by_muster);
    }
    anew["name"] = json!("clicks");
    anew["topics"] = json!(["clicks\\..*"]);
    anew["routing"] = webhook(WEBHOOK)["routing"].clone();
    assert_eq!(olga.post("/api/v1/pairs", anew).await.problem(), ("invalid-request".to_owned(), 422));

    let mut fields = edited(&pair);
    fields.extend([("a_to_b_connect", CONNECT.to_owned()), ("a_to_b_source", "west-to-central".to_owned())]);
    fields.retain(|(name, _)| *name != "show_payload");
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let form = app.as_browser_of("olga").await.form("/pairs/orders/edit", &fields).await;
    assert_eq!(form.status, 422, "{}", form.text);
    assert!(form.text.contains("has a user or a password in it"), "{}", form.text);
    assert!(!form.text.contains("topsecret"), "what was typed is not shown again: {}", form.text);

    assert_eq!(olga.get("/api/v1/pairs/orders").await.done(), pair, "nothing was changed");
    let audit = app.as_user("ada").await.get("/api/v1/audit").await.text;
    assert!(audit.contains("pair.change") && !audit.contains("topsecret"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pair_of_before_has_in_its_addresses_is_shown_nowhere_and_keeps_nobody_from_other_edits() {
    let app = TestApp::with_pair().await;
    sqlx::query(
        "update pair
        set body = jsonb_set(
            jsonb_set(body, '{flows,0,mechanism,connect_url}', to_jsonb($1::text)),
            '{routing}', jsonb_build_array(jsonb_build_object('kind', 'webhook', 'url', $2::text))
        )",
    )
    .bind(CONNECT)
    .bind(WEBHOOK)
    .execute(&app.app.pool)
    .await
    .unwrap();
    // An alarm whose next step is a command for the Connect worker.
    app.small.west_to_central.flow().answers = false;
    app.observe("orders").await;
    app.observe("orders").await;

    let (ada, olga, otto) = (app.as_user("ada").await, app.as_user("olga").await, app.as_user("otto").await);
    let mut replies =
        vec![olga.patch("/api/v1/pairs/orders", json!({"topics_exclude": ["orders\\.old"]})).await];
    replies[0].done();
    replies.push(otto.post("/api/v1/pairs/orders/plans", quick()).await);
    replies[1].done();
    let alarms = otto.get("/api/v1/pairs/orders/alarms").await;
    assert!(alarms.text.contains("worker-gone"), "{}", alarms.text);
    replies.push(alarms);
    for path in ["/api/v1/pairs", "/api/v1/pairs/orders", "/api/v1/pairs/orders/readiness"] {
        replies.push(otto.get(path).await);
    }
    let browser = app.as_browser_of("olga").await;
    for path in ["/", "/pairs/orders", "/pairs/orders/edit", "/alarms"] {
        replies.push(browser.get(path).await);
    }
    for path in ["/api/v1/audit", "/api/v1/audit/export"] {
        replies.push(ada.get(path).await);
    }
    for reply in &replies {
        assert!(reply.status.is_success(), "{} {}", reply.status, reply.text);
        assert!(!reply.text.contains("topsecret"), "{}", reply.text);
    }
    let shown = replies[0].json();
    assert_eq!(
        shown["flows"][0]["mechanism"]["connect_url"], "http://[redacted]@connect.example:8083",
        "{shown:#}"
    );
    assert_eq!(shown["routing"][0]["url"], "https://[redacted]@hooks.example/apps");
    // What is shown is no address: sent back, it is refused.
    let sent_back = olga.patch("/api/v1/pairs/orders", json!({"flows": shown["flows"]})).await;
    assert_eq!(sent_back.problem(), ("invalid-request".to_owned(), 422));
    olga.patch("/api/v1/pairs/orders", attach("http://connect.example:8083")).await.done();
    let kept: Value = sqlx::query_scalar("select body from pair").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(kept["routing"][0]["url"], WEBHOOK, "what nobody changed still works");
}
