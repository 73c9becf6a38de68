//! Importing mm2.properties files: whole, or not at all.

use axum::http::Method;
use serde_json::json;

use crate::{session::steady, test_app::TestApp};

const SEED: &str = "# mm2.properties
clusters = primary, dr
primary.bootstrap.servers = kafka-primary:9092
dr.bootstrap.servers = kafka-dr:9092
primary->dr.enabled = true
primary->dr.topics = orders.*, payments.*
# offset sync
primary->dr.emit.checkpoints.enabled = true
primary->dr.sync.group.offsets.enabled = true
";

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_file_is_imported_whole() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let body = json!({"text": SEED, "team": app.team, "name": "shop"});
    let made = ada.post("/api/v1/pairs/import", body.clone()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/v1/pairs/shop"));
    insta::assert_json_snapshot!(steady(&made.json()), @r#"
    {
      "clusters": [
        "primary",
        "dr"
      ],
      "clusters_kept": [],
      "pairs": [
        {
          "approval": {
            "decide_within_minutes": 240,
            "needed": 1,
            "use_within_minutes": 60
          },
          "canary_partitions": 1,
          "canary_seconds": 5,
          "canary_topic": null,
          "clusters": {
            "a": "primary",
            "b": "dr"
          },
          "flows": [
            {
              "direction": {
                "from": "a"
              },
              "enabled": true,
              "mechanism": {
                "mechanism": "unattached"
              },
              "naming": {
                "policy": "prefixed",
                "separator": "."
              },
              "source_alias": "primary",
              "target_alias": "dr"
            }
          ],
          "groups": [
            ".*"
          ],
          "groups_exclude": [
            "console-consumer-.*",
            "connect-.*",
            "__.*"
          ],
          "mode": "active_passive",
          "name": "shop",
          "objectives": {
            "rpo_seconds": 60,
            "rto_seconds": 900,
            "verify_within_days": 90
          },
          "routing": [],
          "show_payload": false,
          "team": "core-platform",
          "topics": [
            "orders.*",
            "payments.*"
          ],
          "topics_exclude": [
            "mm2.*\\.internal",
            ".*\\.replica",
            "__.*"
          ],
          "unused_settings": {
            "primary->dr.emit.checkpoints.enabled": "true",
            "primary->dr.sync.group.offsets.enabled": "true"
          },
          "updated_at": "[updated_at]",
          "version": 1
        }
      ],
      "unused": [
        "line 8: primary->dr.emit.checkpoints.enabled = true",
        "line 9: primary->dr.sync.group.offsets.enabled = true"
      ]
    }
    "#);
    assert_eq!(app.audited("pair.import").await[0].1, "pair shop");
    assert_eq!(ada.post("/api/v1/pairs/import", body).await.problem().0, "name-taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_text_body_does_the_same() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let path = format!("/api/v1/pairs/import?team={}&name=shop", app.team);
    let made = ada.send(Method::POST, &path, Some("text/plain"), SEED.to_owned(), &[]).await.done();
    assert_eq!(made["pairs"][0]["topics"], json!(["orders.*", "payments.*"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_text_is_part_of_what_a_key_was_sent_with() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let import = async |name: &str| {
        let path = format!("/api/v1/pairs/import?team={}&name={name}", app.team);
        let key = [("idempotency-key", "once")];
        ada.send(Method::POST, &path, Some("text/plain"), SEED.to_owned(), &key).await
    };
    let made = import("shop").await.done();
    assert_eq!(import("shop").await.done(), made);
    assert_eq!(import("store").await.problem(), ("idempotency-key-reused".to_owned(), 422));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_nothing_is_half_imported() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let text = format!("{SEED}primary->dr.enabled = perhaps\nprimary->dr.topics = (\n");
    let refused = ada.post("/api/v1/pairs/import", json!({"text": text, "team": app.team})).await;
    assert_eq!(refused.problem(), ("import-has-bad-lines".to_owned(), 422));
    let lines = refused.json()["lines"].clone();
    assert_eq!(
        lines.as_array().unwrap().iter().map(|l| l["line"].as_i64().unwrap()).collect::<Vec<_>>(),
        [10, 11]
    );
    assert_eq!(ada.get("/api/v1/clusters").await.done()["items"], json!([]));
    assert_eq!(ada.get("/api/v1/pairs").await.done()["items"], json!([]));
    assert_eq!(app.audited("pair.import").await.last().unwrap().2, "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_a_file_are_sealed_and_shown_nowhere() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"mm2\" password=\"hush-hush\";";
    let text = format!(
        "{SEED}primary.security.protocol = SASL_PLAINTEXT\nprimary.sasl.mechanism = SCRAM-SHA-512\n\
         primary.sasl.jaas.config = {jaas}\n"
    );
    let made = ada.post("/api/v1/pairs/import", json!({"text": text, "team": app.team})).await;
    made.done();
    let cluster = ada.get("/api/v1/clusters/primary").await;
    assert_eq!(cluster.done()["secrets_kept"], json!(["password"]));
    let audit = ada.get("/api/v1/audit").await;
    for text in [made.text, cluster.text, audit.text] {
        assert!(!text.contains("hush-hush"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_imports_between_registered_clusters_only() {
    let app = TestApp::new().await;
    let olga = app.as_user("olga").await;
    let body = json!({"text": SEED, "team": app.team});
    assert_eq!(olga.post("/api/v1/pairs/import", body.clone()).await.problem().0, "forbidden");
    let ada = app.as_user("ada").await;
    for (name, address) in [("primary", "kafka-primary:9092"), ("dr", "kafka-dr:9092")] {
        ada.post("/api/v1/clusters", json!({"name": name, "bootstrap": [address]})).await.done();
    }
    let made = olga.post("/api/v1/pairs/import", body).await.done();
    assert_eq!(made["clusters_kept"], json!(["primary", "dr"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_first_and_imports_then() {
    let app = TestApp::new().await;
    let ada = app.as_browser_of("ada").await;
    let team = app.team.to_string();
    let fields = |act: &'static str| [("properties", SEED), ("team", team.as_str()), ("act", act)];
    assert_eq!(ada.form("/pairs/import", &fields("look")).await.status, 200);
    assert_eq!(app.as_user("olga").await.get("/api/v1/pairs").await.done()["items"], json!([]));
    let bad = [("properties", "clusters = a, b\nx\n"), ("team", team.as_str()), ("act", "import")];
    assert_eq!(ada.form("/pairs/import", &bad).await.status, 422);
    assert_eq!(app.audited("pair.import").await.last().unwrap().2, "refused");
    assert!(ada.form("/pairs/import", &fields("import")).await.text.contains("Imported"));
    let pairs = app.as_user("vera").await.get("/api/v1/pairs").await.done();
    assert_eq!(pairs["items"].as_array().unwrap().len(), 1);
}
