//! Proofs: asked for by people, carried out by whichever process takes them, kept as evidence.

use muster_app::loops::proof::carry_out_one;
use muster_domain::{evidence::check_proof, proof::ProofKind, survey::ConnectorRole};
use muster_kafka::double::Health;
use muster_replication::Replication as _;
use muster_store::proofs;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::test_app::TestApp;

/// The proof that addresses name in the coverage tests.
pub(crate) const PROOF: Uuid = Uuid::from_u128(95);

/// Makes it.
pub(crate) async fn proof(app: &TestApp) {
    ask(app).await;
    sqlx::query("update proof set id = $1").bind(PROOF).execute(&app.app.pool).await.unwrap();
}

async fn ask(app: &TestApp) -> Uuid {
    let otto = app.as_user("otto").await;
    let asked = otto.post("/api/v1/pairs/orders/proofs", json!({"kind": "translation"})).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let id: Uuid = asked.json()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(asked.header("location"), format!("/api/v1/proofs/{id}"));
    id
}

async fn work(app: &TestApp) -> bool {
    let clients = &*app.app.hands;
    carry_out_one(&app.app.pool, clients, "one", &CancellationToken::new()).await.unwrap()
}

async fn shown(app: &TestApp, id: Uuid) -> Value {
    app.as_user("vera").await.get(&format!("/api/v1/proofs/{id}")).await.done()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_asked_for_carried_out_and_kept_as_evidence() {
    let app = TestApp::with_pair().await;
    let page = app.as_browser_of("otto").await.get("/pairs/orders/translation").await.text;
    assert!(
        page.contains("Nothing is proven yet") && page.contains("Prove translation of orders now"),
        "{page}"
    );
    let id = ask(&app).await;
    let entry = ("otto".to_owned(), format!("proof {id}"), "done".to_owned());
    assert_eq!(app.audited("proof.ask").await, [entry]);
    let otto = app.as_user("otto").await;
    let again = otto.post("/api/v1/pairs/orders/proofs", json!({"kind": "translation"})).await;
    assert_eq!(again.problem(), ("proof-under-way".to_owned(), 409));
    let elsewhere = json!({"kind": "translation", "from": "nowhere"});
    let elsewhere = otto.post("/api/v1/pairs/orders/proofs", elsewhere).await;
    assert_eq!(elsewhere.problem(), ("invalid-request".to_owned(), 422));
    let waits = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(
        waits.contains("waits for a process to take it") && !waits.contains("Stop this proof"),
        "{waits}"
    );

    let before = app.small.world.calls();
    assert!(work(&app).await);
    assert!(!work(&app).await, "there is one only");
    assert_eq!(app.small.world.calls(), before, "a proof changes nothing");
    let evidence = shown(&app, id).await;
    assert_eq!((&evidence["state"], &evidence["from"]), (&json!("done"), &json!("eu-west")));
    let groups = evidence["result"]["groups"].as_object().unwrap();
    assert!(!groups.is_empty(), "{evidence:#}");
    for (group, proven) in groups {
        assert_eq!(proven["verdict"]["verdict"], "exactly", "{group}: {proven:#}");
    }
    assert_eq!(evidence["progress"]["done"], evidence["progress"]["of"]);
    for checked in check_proof(&evidence) {
        assert!(checked.holds, "{checked:?}");
    }
    let mut forged = evidence.clone();
    forged["result"]["summary"]["exactly"] = json!(1000);
    assert!(check_proof(&forged).iter().any(|checked| !checked.holds));

    let listed = app.as_user("vera").await.get("/api/v1/pairs/orders/proofs").await.done();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["result"]), (&json!(id), &Value::Null));
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    // Whoever followed it is told, and stays on what they read.
    let followed = app.as_browser_of("vera").await.get("/pairs/orders/translation?until=ended").await.text;
    assert!(followed.contains("id=\"proof-open\"") && followed.contains("has ended"), "{followed}");
    assert!(!page.contains("id=\"proof-open\"") && !page.contains("hx-get="), "{page}");
    let group = groups.keys().next().unwrap();
    assert!(page.contains(group.as_str()) && page.contains("goes on exactly"), "{page}");
    let none = app.as_browser_of("vera").await.get("/pairs/orders/translation?verdict=cannot_say").await.text;
    assert!(none.contains("No group matches."), "{none}");
    let missing = format!("/pairs/orders/translation?proof={}", Uuid::nil());
    assert_eq!(app.as_browser_of("vera").await.get(&missing).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_nobody_wants_any_more_is_ended() {
    let app = TestApp::with_pair().await;
    let id = ask(&app).await;
    let otto = app.as_user("otto").await;
    let ended = otto.post(&format!("/api/v1/proofs/{id}/cancel"), json!({})).await.done();
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("cancelled"), &json!("ended by otto")));
    let again = otto.post(&format!("/api/v1/proofs/{id}/cancel"), json!({})).await;
    assert_eq!(again.problem(), ("proof-ended".to_owned(), 409));
    let entries = app.audited("proof.cancel").await;
    assert_eq!(entries.iter().map(|entry| entry.2.as_str()).collect::<Vec<_>>(), ["done", "refused"]);
    assert!(!work(&app).await, "nobody takes it");
    // Its page says so, however many were asked for since.
    let asked = format!("/pairs/orders/translation?proof={id}");
    for _ in 0..21 {
        let page = app.as_browser_of("vera").await.get(&asked).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("has no result") && page.text.contains("ended by otto"), "{}", page.text);
        let newer = ask(&app).await;
        otto.post(&format!("/api/v1/proofs/{newer}/cancel"), json!({})).await.done();
    }
    let elsewhere = app.as_browser_of("vera").await.get(&format!("/pairs/orders/content?proof={id}")).await;
    assert_eq!(elsewhere.status, 404, "it is of another kind");
    // By the page, where the next one can be asked for at once.
    let browser = app.as_browser_of("otto").await;
    let sent = browser.form("/pairs/orders/translation", &[]).await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/pairs/orders/translation"));
    let page = browser.get("/pairs/orders/translation").await.text;
    let form = page.split("action=\"/proofs/").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(browser.form(&format!("/proofs/{form}"), &[]).await.status, 303);
    assert_eq!(app.audited("proof.cancel").await.len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_whose_process_died_is_begun_again_and_the_dead_one_writes_nothing() {
    let app = TestApp::with_pair().await;
    let id = ask(&app).await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let dead = proofs::take(&mut conn, ProofKind::Translation, 30.0).await.unwrap().unwrap();
    assert!(!work(&app).await, "it is somebody's");
    sqlx::query("update proof set lease_until = clock_timestamp() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert!(work(&app).await);
    assert_eq!(shown(&app, id).await["state"], "done");
    // It was not dead at all but slow.
    let late = proofs::finish(&mut conn, id, dead.epoch, "something else", json!({})).await.unwrap();
    assert!(!late);
    assert!(!proofs::fail(&mut conn, id, dead.epoch, "late").await.unwrap());
    assert_ne!(shown(&app, id).await["sentence"], "something else");

    // One that kills whoever takes it is given up.
    let id = ask(&app).await;
    for _ in 0..5 {
        proofs::take(&mut conn, ProofKind::Translation, 0.0).await.unwrap().unwrap();
    }
    assert!(work(&app).await);
    let given_up = shown(&app, id).await;
    assert_eq!(given_up["state"], "failed");
    assert!(given_up["reason"].as_str().unwrap().contains("none came to its end"), "{given_up}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_stop_gives_the_proof_back_at_once() {
    let app = TestApp::with_pair().await;
    let id = ask(&app).await;
    let told = CancellationToken::new();
    told.cancel();
    assert!(carry_out_one(&app.app.pool, &*app.app.hands, "one", &told).await.unwrap());
    assert_eq!(shown(&app, id).await["state"], "waiting");
    assert!(work(&app).await);
    assert_eq!(shown(&app, id).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_a_dead_cluster_fails_and_says_so() {
    let app = TestApp::with_pair().await;
    let id = ask(&app).await;
    app.small.world.set_health("eu-west", Health::Dead);
    assert!(work(&app).await);
    let failed = shown(&app, id).await;
    assert_eq!((&failed["state"], &failed["result"]), (&json!("failed"), &Value::Null));
    assert!(failed["reason"].as_str().unwrap().starts_with("read "), "{failed}");
    let page = app.as_browser_of("vera").await.get("/pairs/orders/translation").await.text;
    assert!(page.contains("could not be carried out"), "{page}");
    let asked = format!("/pairs/orders/translation?proof={id}");
    let page = app.as_browser_of("vera").await.get(&asked).await.text;
    assert!(page.contains("has no result") && !page.contains("Nothing is proven yet"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_without_the_database_does_not_end_a_proof_of_a_dead_cluster() {
    let app = TestApp::with_pair().await;
    let id = ask(&app).await;
    app.small.world.set_health("eu-west", Health::Dead);
    let pool = &app.app.pool;
    sqlx::raw_sql("alter table ring_look rename to away").execute(pool).await.unwrap();
    assert!(work(&app).await);
    let left = shown(&app, id).await;
    assert_eq!((&left["state"], &left["reason"]), (&json!("running"), &json!("")), "{left:#}");
    sqlx::raw_sql(
        "alter table away rename to ring_look;
        update proof set lease_until = clock_timestamp() - interval '1 second'",
    )
    .execute(pool)
    .await
    .unwrap();
    assert!(work(&app).await, "whoever takes it next knows what is kept");
    let told = shown(&app, id).await;
    assert!(told["reason"].as_str().unwrap().contains("and nothing is kept from when"), "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_asked_for_from_a_named_cluster_while_the_active_side_cannot_be_told() {
    let app = TestApp::with_pair().await;
    let browser = app.as_browser_of("otto").await;
    let (translation, content) = ("/pairs/orders/translation", "/pairs/orders/content");
    let chosen = |cluster: &str| format!("<option value=\"{cluster}\" selected>{cluster}</option>");
    for page in [translation, content] {
        let known = browser.get(page).await.text;
        assert!(known.contains(&chosen("eu-west")), "the active side is proposed: {known}");
        let other = browser.get(&format!("{page}?from=eu-central")).await.text;
        assert!(other.contains(&chosen("eu-central")), "{other}");
        let wrong = browser.form(page, &[("from", "nowhere")]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text.contains("`nowhere` is no cluster of the pair `orders`."), "{}", wrong.text);
    }
    app.small.west_to_central.stop(ConnectorRole::Source, 60_000).await.unwrap();
    app.observe("orders").await;
    for page in [translation, content] {
        let refused = browser.form(page, &[("from", "")]).await;
        assert_eq!(refused.status, 422, "{page}");
        let field = refused.text.split("id=\"f-from\"").nth(1).unwrap().split("</div>").next().unwrap();
        assert!(field.contains("Say from which cluster.") && field.contains("required"), "{page}: {field}");
        let asked = browser.form(page, &[("from", "eu-central")]).await;
        assert_eq!((asked.status.as_u16(), asked.header("location")), (303, page), "{}", asked.text);
    }
    let listed = app.as_user("vera").await.get("/api/v1/pairs/orders/proofs").await.done();
    let from: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|proof| &proof["from"]).collect();
    assert_eq!(from, [&json!("eu-central"), &json!("eu-central")], "{listed:#}");
    let refused = app.audited("proof.ask").await.iter().filter(|entry| entry.2 == "refused").count();
    assert_eq!(refused, 4, "each is in the audit");
}
