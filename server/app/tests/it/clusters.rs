//! Clusters and pairs by API: what goes in, what never comes out, what is refused.

use muster_domain::{
    ids::{PairName, TeamName},
    pair::Pair,
};
use muster_store::pairs;
use serde_json::{Value, json};

use crate::{session::steady, test_app::TestApp};

fn west() -> Value {
    json!({
        "name": "west",
        "bootstrap": ["b1:9092"],
        "region": "eu",
        "security": {"sasl": {"mechanism": "scram_sha512", "username": "muster"}},
        "probe": {"username": "probe"},
        "secrets": {"password": "s3cret-word", "probe_password": "pr0be-word"},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_registered_changed_and_forgotten() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    let made = ada.post("/api/v1/clusters", west()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/v1/clusters/west"));
    insta::assert_json_snapshot!(steady(&made.json()), @r#"
    {
      "bootstrap": [
        "b1:9092"
      ],
      "expected_cluster_id": null,
      "name": "west",
      "probe": {
        "username": "probe"
      },
      "protocol": "SASL_PLAINTEXT",
      "region": "eu",
      "secrets_kept": [
        "password",
        "probe_password"
      ],
      "security": {
        "sasl": {
          "mechanism": "scram_sha512",
          "username": "muster"
        },
        "tls": null
      },
      "updated_at": "[updated_at]",
      "version": 1
    }
    "#);
    assert_eq!(ada.post("/api/v1/clusters", west()).await.problem(), ("name-taken".to_owned(), 409));

    let changed = ada.patch("/api/v1/clusters/west", json!({"region": "us", "probe": null})).await.done();
    assert_eq!((changed["region"].clone(), changed["probe"].clone()), (json!("us"), Value::Null));
    assert_eq!(changed["secrets_kept"], json!(["password", "probe_password"]));
    let stale = ada
        .request(axum::http::Method::DELETE, "/api/v1/clusters/west", None, &[("if-match", "\"1\"")])
        .await;
    assert_eq!(stale.problem().0, "edited-in-between");
    assert_eq!(ada.delete("/api/v1/clusters/west").await.status, 204);
    assert_eq!(ada.get("/api/v1/clusters/west").await.problem(), ("not-found".to_owned(), 404));
    for action in ["cluster.create", "cluster.change", "cluster.delete"] {
        assert!(app.audited(action).await.iter().any(|entry| entry.2 == "done"), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_again_anywhere() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    ada.post("/api/v1/clusters", west()).await.done();
    let browser = app.as_browser_of("ada").await;
    let api = ["/api/v1/clusters", "/api/v1/clusters/west", "/api/v1/audit", "/api/v1/audit/export"];
    let pages = ["/clusters", "/clusters/west", "/clusters/west/edit", "/audit"];
    let mut texts = Vec::new();
    for path in api {
        texts.push(ada.get(path).await.text);
    }
    for path in pages {
        texts.push(browser.get(path).await.text);
    }
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select sealed from cluster_secret").fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(stored.len(), 2);
    texts.extend(stored.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
    for text in texts {
        assert!(!text.contains("s3cret-word") && !text.contains("pr0be-word"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_together_is_refused() {
    let app = TestApp::new().await;
    let ada = app.as_user("ada").await;
    for (key, value) in [
        ("bootstrap", json!([])),
        ("bootstrap", json!(["nowhere"])),
        ("bootstrap", json!(["http://b1:9092"])),
        ("name", json!("No Spaces")),
        ("security", json!({"sasl": {"mechanism": "magic"}})),
        ("surprise", json!(1)),
    ] {
        let mut body = west();
        body[key] = value.clone();
        assert_eq!(
            ada.post("/api/v1/clusters", body).await.problem(),
            ("invalid-request".to_owned(), 422),
            "{key} {value}"
        );
    }
    for body in [json!([]), json!(null), json!("west")] {
        let refused = ada.post("/api/v1/clusters", body.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{body}");
    }
    let broken =
        ada.send(axum::http::Method::POST, "/api/v1/clusters", Some("application/json"), "{".to_owned(), &[]);
    assert_eq!(broken.await.problem(), ("unreadable-request".to_owned(), 400));
    let xml =
        ada.send(axum::http::Method::POST, "/api/v1/clusters", Some("text/xml"), "<a/>".to_owned(), &[]);
    assert_eq!(xml.await.problem(), ("unsupported-media-type".to_owned(), 415));
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(3 << 20));
    let huge = ada.send(axum::http::Method::POST, "/api/v1/clusters", Some("application/json"), huge, &[]);
    assert_eq!(huge.await.problem(), ("request-too-large".to_owned(), 413));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_records_the_id_and_tells_each_right() {
    let app = TestApp::with_pair().await;
    let ada = app.as_user("ada").await;
    ada.patch("/api/v1/clusters/eu-west", json!({"forget_cluster_id": true})).await.done();
    let checked = ada.post("/api/v1/clusters/eu-west/check", json!({})).await.done();
    assert_eq!(
        (checked["cluster_id"].clone(), checked["id_recorded"].clone()),
        (json!("id-of-eu-west"), json!(true))
    );
    assert!(checked["rights"].as_array().unwrap().len() > 3, "{checked:#}");
    assert_eq!(app.audited("cluster.check").await[0].2, "done");
    sqlx::query("update cluster set expected_cluster_id = null where name = 'eu-west'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    sqlx::query("update cluster set expected_cluster_id = 'another' where name = 'eu-west'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let wrong = ada.post("/api/v1/clusters/eu-west/check", json!({})).await;
    assert_eq!(wrong.problem(), ("wrong-cluster".to_owned(), 409));
    // People do it on a page, programs by the API.
    let next = wrong.json()["next_step"].as_str().unwrap().to_owned();
    assert!(
        next.contains("empty “Expected cluster id”") && next.contains("`forget_cluster_id`: true"),
        "{next}"
    );
    let form = app.as_browser_of("ada").await.get("/clusters/eu-west/edit").await.text;
    assert!(form.contains(">Expected cluster id</label>"), "{form}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_made_changed_and_removed() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    let flow = json!({"direction": {"from": "a"}, "mechanism": {"mechanism": "unattached"}, "source_alias": "w",
        "target_alias": "c", "naming": {"policy": "identity"}, "enabled": true});
    let new = json!({"name": "clicks", "team": app.team, "clusters": {"a": "eu-west", "b": "eu-central"},
        "topics": ["clicks\\..*"], "groups": ["audit-.*"], "flows": [flow]});
    olga.patch("/api/v1/pairs/orders", json!({"groups": ["billing", "shipping", "fraud"]})).await.done();
    olga.post("/api/v1/pairs", new.clone()).await.done();
    let elsewhere = {
        let mut new = new.clone();
        new["team"] = json!("elsewhere");
        olga.post("/api/v1/pairs", new).await
    };
    assert_eq!(elsewhere.problem(), ("forbidden".to_owned(), 403));

    let attach = json!({"from": "eu-west", "connect_url": "http://connect:8083", "source_connector": "src"});
    let edit = json!({"attach": [attach], "canary_topic": "muster.canary", "objectives":
        {"rpo_seconds": 30, "rto_seconds": 600, "verify_within_days": 30}});
    let changed = olga.patch("/api/v1/pairs/clicks", edit).await.done();
    assert_eq!(changed["flows"][0]["mechanism"]["source_connector"], "src");
    assert_eq!(changed["canary_topic"], "muster.canary");
    for bad in [
        json!({"topics": ["("]}),
        json!({"topics": []}),
        json!({"objectives": {"rpo_seconds": 0, "rto_seconds": 600, "verify_within_days": 30}}),
        json!({"routing": [{"kind": "address_book", "path": "relative"}]}),
        json!({"approval": {"needed": 0, "decide_within_minutes": 1, "use_within_minutes": 1}}),
        json!({"attach": [{"from": "eu-central", "connect_url": "http://c", "source_connector": "s"}]}),
    ] {
        assert_eq!(
            olga.patch("/api/v1/pairs/clicks", bad.clone()).await.problem().0,
            "invalid-request",
            "{bad}"
        );
    }
    assert_eq!(
        app.as_user("ada").await.delete("/api/v1/clusters/eu-west").await.problem().0,
        "cluster-in-use"
    );
    assert_eq!(olga.delete("/api/v1/pairs/clicks").await.status, 204);
    for action in ["pair.create", "pair.change", "pair.delete"] {
        assert!(app.audited(action).await.iter().any(|entry| entry.2 == "done"), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_not_edited_under_a_run() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    let refused = app.as_user("olga").await.patch("/api/v1/pairs/orders", json!({"topics": [".*"]})).await;
    assert_eq!(refused.problem(), ("pair-has-active-run".to_owned(), 409));
    // Nor may it be forgotten which clusters it was approved for; all else of a cluster may be mended meanwhile.
    let ada = app.as_user("ada").await;
    let forget = ada.patch("/api/v1/clusters/eu-west", json!({"forget_cluster_id": true})).await;
    assert_eq!(forget.problem(), ("pair-has-active-run".to_owned(), 409));
    ada.patch("/api/v1/clusters/eu-west", json!({"region": "west"})).await.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_clusters_name_pairs_of_ones_own_teams_only() {
    let app = TestApp::with_pair().await;
    let theirs = Pair {
        name: PairName::new("theirs").unwrap(),
        team: TeamName::new("elsewhere").unwrap(),
        ..app.small.pair.clone()
    };
    pairs::insert(&mut app.app.pool.acquire().await.unwrap(), &theirs).await.unwrap();
    for (who, named, hidden) in [("outis", "theirs", "orders"), ("vera", "orders", "theirs")] {
        let browser = app.as_browser_of(who).await;
        for path in ["/clusters", "/clusters/eu-west", "/clusters/eu-central"] {
            let page = browser.get(path).await;
            assert_eq!(page.status, 200, "{who} {path}: {}", page.text);
            let link = |pair: &str| format!("href=\"/pairs/{pair}\"");
            assert!(page.text.contains(&link(named)), "{who} {path}: {}", page.text);
            assert!(page.text.contains("and 1 of other teams"), "{who} {path}: {}", page.text);
            assert!(!page.text.contains(&link(hidden)), "{who} {path}: {}", page.text);
            assert!(!page.text.contains(&format!(">{hidden}<")), "{who} {path}: {}", page.text);
        }
    }
    let ada = app.as_browser_of("ada").await.get("/clusters").await.text;
    assert!(ada.contains("/pairs/orders") && ada.contains("/pairs/theirs"), "{ada}");
    assert!(!ada.contains("of other teams"), "an admin reads everything: {ada}");
    // Who has no pair there learns that it is in use, and no name.
    sqlx::query("delete from pair where name = 'theirs'").execute(&app.app.pool).await.unwrap();
    let outis = app.as_browser_of("outis").await;
    for path in ["/clusters", "/clusters/eu-west"] {
        let page = outis.get(path).await.text;
        assert!(
            page.contains("1 of other teams") && !page.contains("and 1 of other teams"),
            "{path}: {page}"
        );
        assert!(!page.contains("orders"), "{path}: {page}");
    }
}
