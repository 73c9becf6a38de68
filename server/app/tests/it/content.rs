//! Content proofs on the doubles: asked for by API and page, carried out, kept as evidence and shown.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use muster_app::loops::proof::{Slots, carry_out_one};
use muster_domain::{evidence::check_proof, proof::content::StretchEnd, topic::TopicPartition};
use muster_kafka::double::{Fault, Payload, When};
use muster_store::{proof_stretches, proofs};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{processes::until, test_app::TestApp};

async fn ask(app: &TestApp, content: Value) -> Uuid {
    let body = json!({"kind": "content", "content": content});
    let asked = app.as_user("otto").await.post("/api/v1/pairs/orders/proofs", body).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    asked.json()["id"].as_str().unwrap().parse().unwrap()
}

async fn work(app: &TestApp) -> bool {
    let clients = &*app.app.hands;
    carry_out_one(&app.app.pool, clients, "one", &CancellationToken::new()).await.unwrap()
}

async fn shown(app: &TestApp, id: Uuid) -> Value {
    app.as_user("vera").await.get(&format!("/api/v1/proofs/{id}")).await.done()
}

async fn carried_out(app: &TestApp, id: Uuid) -> Value {
    assert!(work(app).await);
    shown(app, id).await
}

fn slots(app: &TestApp, process: &str, told: &CancellationToken) -> Slots {
    Slots::new(app.app.pool.clone(), app.app.hands.clone(), process.to_owned(), told.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_compared_and_what_differs_is_shown_without_its_payload() {
    let app = TestApp::with_pair().await;
    let empty = app.as_browser_of("otto").await.get("/pairs/orders/content").await.text;
    assert!(
        empty.contains("Nothing is compared yet") && empty.contains("Compare content of orders now"),
        "{empty}"
    );
    let prefilled =
        app.as_browser_of("otto").await.get("/pairs/orders/content?topics=orders.placed").await.text;
    assert!(prefilled.contains("value=\"orders.placed\""), "{prefilled}");
    let before = app.small.world.calls();
    let id = ask(&app, json!({})).await;
    let same = carried_out(&app, id).await;
    assert_eq!(app.small.world.calls(), before, "a proof changes nothing");
    assert_eq!(
        (&same["state"], &same["result"]["summary"]["verdict"]),
        (&json!("done"), &json!("same")),
        "{same:#}"
    );
    let found = &same["result"]["summary"]["found"];
    assert!(found["on_source"].as_u64().unwrap() > 100, "{same:#}");
    assert_eq!(found["matched"].as_u64().unwrap() + found["pending"].as_u64().unwrap(), found["on_source"]);
    for checked in check_proof(&same) {
        assert!(checked.holds, "{checked:?}");
    }
    let left: i64 = sqlx::query_scalar("select count(*) from proof_stretch where outcome is null")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);

    let topic = same["result"]["topics"].as_object().unwrap().keys().next().unwrap().clone();
    let foreign = Payload {
        timestamp: 1_800_000_000_000,
        key: Some(Bytes::from_static(b"whose")),
        value: Some(Bytes::from_static(b"a secret of somebody")),
        headers: vec![],
    };
    let there = same["result"]["partitions"][0]["target"]["topic"].as_str().unwrap().to_owned();
    let at = TopicPartition::new(there.as_str(), 0);
    app.small.world.lock().cluster_mut("eu-central").log_mut(&at).unwrap().append(foreign, 0, false);
    let id = ask(&app, json!({"topics": [topic]})).await;
    let differs = carried_out(&app, id).await;
    assert_eq!(differs["result"]["summary"]["verdict"], "differs", "{differs:#}");
    assert_eq!(differs["result"]["summary"]["found"]["extra"], 1);
    assert!(!differs.to_string().contains("secret of somebody"));
    let page = app.as_browser_of("vera").await.get("/pairs/orders/content").await.text;
    assert!(page.contains("1 foreign") && page.contains("Where they differ"), "{page}");
    let earlier = same["id"].as_str().unwrap();
    let earlier =
        app.as_browser_of("vera").await.get(&format!("/pairs/orders/content?proof={earlier}")).await.text;
    assert!(earlier.contains("the same on both sides, in order"), "{earlier}");
    assert!(
        earlier.contains("is shown, which is not the newest.") && !page.contains("not the newest"),
        "{earlier}"
    );
    let kinds = app.as_user("vera").await.get("/api/v1/pairs/orders/proofs?kind=translation").await.done();
    assert_eq!(kinds["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_form_asks_and_says_what_makes_no_sense() {
    let app = TestApp::with_pair().await;
    let browser = app.as_browser_of("otto").await;
    for (field, value, said) in [
        ("hours", "-1", "number of hours"),
        ("sample", "much", "number of percent"),
        ("sample", "100", "share above 0 and below 1"),
        ("mb_per_second", "0", "at least 1"),
    ] {
        let refused = browser.form("/pairs/orders/content", &[(field, value)]).await;
        assert_eq!(refused.status, 422, "{field}={value}");
        assert!(refused.text.contains(said), "{field}={value}: {}", refused.text);
    }
    let sent = browser
        .form("/pairs/orders/content", &[("sample", "1"), ("hours", "24"), ("mb_per_second", "50")])
        .await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/pairs/orders/content"));
    let page = browser.get("/pairs/orders/content").await.text;
    assert!(page.contains("waits for a process to take it") && page.contains("Stop this proof"), "{page}");
    let asked = app.as_user("vera").await.get("/api/v1/pairs/orders/proofs").await.done();
    assert_eq!(asked["items"][0]["content"]["sample"], json!({"differing": 0.01, "confidence": 0.95}));
    let id: Uuid = asked["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let done = carried_out(&app, id).await;
    assert_eq!(done["state"], "done", "{done:#}");
    assert!(done["result"]["sampling"]["taken"].as_u64().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_says_why() {
    let app = TestApp::with_pair().await;
    let id = ask(&app, json!({"topics": ["orders.nowhere"]})).await;
    let failed = carried_out(&app, id).await;
    assert_eq!(failed["state"], "failed");
    assert!(
        failed["reason"].as_str().unwrap().contains("`orders.nowhere` is not an application topic"),
        "{failed:#}"
    );
    let otto = app.as_user("otto").await;
    let wrong = json!({"kind": "translation", "content": {}});
    let wrong = otto.post("/api/v1/pairs/orders/proofs", wrong).await;
    assert_eq!(wrong.problem(), ("invalid-request".to_owned(), 422));
}

/// In a partition that is empty on the source, and in one that only the target has.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_records_where_the_source_has_nothing_are_found() {
    let app = TestApp::with_pair().await;
    let foreign = |number: i64| Payload {
        timestamp: 1_800_000_000_000 + number,
        key: None,
        value: Some(Bytes::from(format!("foreign {number}"))),
        headers: vec![],
    };
    {
        let mut world = app.small.world.lock();
        world.cluster_mut("eu-west").create_topic("orders.quiet", 2).unwrap();
        let central = world.cluster_mut("eu-central");
        central.create_topic("orders.quiet", 3).unwrap();
        for (partition, records) in [(1, 5), (2, 1)] {
            let log = central.log_mut(&TopicPartition::new("orders.quiet", partition)).unwrap();
            for number in 0..records {
                log.append(foreign(number), 0, false);
            }
        }
    }
    for content in [
        json!({"topics": ["orders.quiet"]}),
        json!({"topics": ["orders.quiet"], "sample": {"differing": 0.5, "confidence": 0.99}}),
    ] {
        let id = ask(&app, content).await;
        let differs = carried_out(&app, id).await;
        let summary = &differs["result"]["summary"];
        assert_eq!(
            (&summary["verdict"], &summary["found"]["extra"]),
            (&json!("differs"), &json!(6)),
            "{differs:#}"
        );
        let told: Vec<(i64, u64)> = differs["result"]["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let found = one["found"]["extra"].as_u64().unwrap();
                (one["source"]["partition"].as_i64().unwrap(), found)
            })
            .collect();
        assert_eq!(told, [(1, 5), (2, 1)], "{differs:#}");
    }
    let page = app.as_browser_of("vera").await.get("/pairs/orders/content").await.text;
    assert!(page.contains("6 foreign") && page.contains("The source holds nothing there."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translation_proof_does_not_stand_behind_a_content_proof() {
    let app = TestApp::with_pair().await;
    app.small.world.faults(|faults| faults.always("share", Fault::Hang));
    let content = ask(&app, json!({})).await;
    let told = CancellationToken::new();
    let mut slots = slots(&app, "one", &told);
    slots.fill().await.unwrap();
    app.small.world.hung().await;
    let otto = app.as_user("otto").await;
    let asked = otto.post("/api/v1/pairs/orders/proofs", json!({"kind": "translation"})).await;
    let translation: Uuid = asked.json()["id"].as_str().unwrap().parse().unwrap();
    slots.fill().await.unwrap();
    until("the translation proof is done", async || shown(&app, translation).await["state"] == "done").await;
    assert_eq!(shown(&app, content).await["state"], "running");
    told.cancel();
    slots.ended().await;
    assert_eq!(shown(&app, content).await["state"], "waiting", "it is given back");
}

/// Each look of a helper would join the group, be refused, and be begun again a second later.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lets_a_helper_have_no_part_is_not_asked_again_and_again() {
    let app = TestApp::with_pair().await;
    let id = ask(&app, json!({})).await;
    let joined = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&joined);
    app.small.world.on_call(move |call, when| {
        let joins = call.verb == "share" && when == When::Before;
        joins.then(|| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Fault::Hang,
            _ => Fault::Code(30),
        })
    });
    let told = CancellationToken::new();
    let (mut leader, mut helper) = (slots(&app, "leader", &told), slots(&app, "helper", &told));
    leader.fill().await.unwrap();
    app.small.world.hung().await;
    for _ in 0..3 {
        helper.fill().await.unwrap();
        helper.ended().await;
    }
    assert_eq!(joined.load(Ordering::SeqCst), 2, "the leader has joined, and the helper once");

    let mut conn = app.app.pool.acquire().await.unwrap();
    assert!(proof_stretches::any_open(&mut conn, id).await.unwrap());
    let unreadable = StretchEnd::Unreadable { because: "nobody leads it".to_owned() };
    proof_stretches::end(&mut conn, (id, 0), &unreadable, "helper").await.unwrap();
    assert!(proof_stretches::progress(&mut conn, id).await.unwrap().0 > 0, "it has its answer");
    assert_eq!(proof_stretches::compared(&mut conn, id).await.unwrap(), 0, "and was compared with nothing");
    assert!(proofs::cancel(&mut conn, id, "ended by otto").await.unwrap());
    assert!(!proof_stretches::any_open(&mut conn, id).await.unwrap(), "nobody wants the others");
    told.cancel();
    leader.ended().await;
    assert_eq!(shown(&app, id).await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_without_the_database_does_not_end_a_proof() {
    let app = TestApp::with_pair().await;
    let id = ask(&app, json!({})).await;
    let pool = &app.app.pool;
    sqlx::raw_sql("alter table proof_stretch rename to away").execute(pool).await.unwrap();
    assert!(work(&app).await);
    let left = shown(&app, id).await;
    assert_eq!((&left["state"], &left["reason"]), (&json!("running"), &json!("")), "{left:#}");
    sqlx::raw_sql("alter table away rename to proof_stretch").execute(pool).await.unwrap();
    assert!(!work(&app).await, "its lease is not over");
    sqlx::raw_sql("update proof set lease_until = clock_timestamp() - interval '1 second'")
        .execute(pool)
        .await
        .unwrap();
    let done = carried_out(&app, id).await;
    assert_eq!((&done["state"], &done["result"]["summary"]["verdict"]), (&json!("done"), &json!("same")));
    let mut conn = pool.acquire().await.unwrap();
    let (compared, of) = proof_stretches::progress(&mut conn, id).await.unwrap();
    assert_eq!((proof_stretches::compared(&mut conn, id).await.unwrap(), of), (compared, compared));
}
