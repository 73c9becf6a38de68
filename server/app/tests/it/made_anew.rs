//! Topics that are deleted and made again under their names: marked in the lag explorer and listed with each of their ids.

use chrono::{DateTime, Utc};
use muster_app::loops::memory::Memory;
use muster_domain::ids::PairName;
use muster_kafka::{ClusterAdmin as _, double::Health};
use muster_store::surveys;
use serde_json::{Value, json};

use crate::{
    lag_explorer::{explored, page},
    recorder::observe,
    test_app::TestApp,
};

/// A topic of both sides with nothing in it.
async fn copied(app: &TestApp, topic: &str) {
    for cluster in ["eu-west", "eu-central"] {
        app.small.world.lock().cluster_mut(cluster).create_topic(topic, 1).unwrap();
    }
    app.observe("orders").await;
}

async fn made_anew(app: &TestApp, cluster: &str, topic: &str) {
    app.small.world.admin(cluster).delete_topic(topic).await.unwrap();
    app.small.world.lock().cluster_mut(cluster).create_topic(topic, 1).unwrap();
}

/// The marks of topics that were made anew.
async fn recreated(app: &TestApp, query: &str) -> Vec<Value> {
    let found = explored(app, query).await;
    let marks = found["marks"].as_array().unwrap().iter();
    marks.filter(|mark| mark["kind"] == "recreated").cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_made_anew_on_the_target_is_marked_whichever_process_looks_and_once_only() {
    let app = TestApp::with_pair().await;
    copied(&app, "orders.quiet").await;
    // A row that is written anew has another place.
    let rows = async || -> Vec<(String, String, String)> {
        let sql = "select side, topic, ctid::text from recorder_topic order by side, topic";
        sqlx::query_as(sql).fetch_all(&app.app.pool).await.unwrap()
    };
    let kept = rows().await;
    assert!(kept.iter().any(|(side, topic, _)| (side.as_str(), topic.as_str()) == ("b", "orders.quiet")));
    app.observe("orders").await;
    assert_eq!(rows().await, kept, "nothing is written while nothing changes");
    assert_eq!(recreated(&app, "").await, Vec::<Value>::new());

    made_anew(&app, "eu-central", "orders.quiet").await;
    // Another process each time: what the one before saw last is in its survey.
    let seen_before = last_survey(&app).await;
    app.observe("orders").await;
    let seen = last_survey(&app).await;
    app.observe("orders").await;
    let marks = recreated(&app, "").await;
    let [mark] = marks.as_slice() else { panic!("one: {marks:#?}") };
    assert_eq!((&mark["side"], &mark["topic"]), (&json!("b"), &json!("orders.quiet")));
    assert!(mark["id"].is_string() && mark["id_before"].is_string() && mark["id"] != mark["id_before"]);
    let at = |field: &str| mark[field].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!((at("from"), at("to")), (seen_before, seen), "between the surveys around it");
    assert_eq!(recreated(&app, "source=eu-central").await, marks, "there it is the source");

    let html = page(&app, "").await;
    let said = format!(
        "deleted on eu-central and made again: its id was {} and is {} since then",
        mark["id_before"].as_str().unwrap(),
        mark["id"].as_str().unwrap()
    );
    assert!(html.contains(&said) && html.contains("class=\"recreated\""), "{said}: {html}");
    let href = "/pairs/orders/recorded?kind=topics&#38;cluster=eu-central&#38;name=orders.quiet#topics";
    assert!(html.contains(href), "{html}");
    let address = href.replace("&#38;", "&").replace("#topics", "");
    let recorded = app.as_browser_of("vera").await.get(&address).await.text;
    assert_eq!(recorded.matches("<th scope=\"row\">orders.quiet</th>").count(), 2, "{recorded}");
    for field in ["id_before", "id"] {
        let id = mark[field].as_str().unwrap();
        let id = format!("<td class=\"nowrap\">eu-central</td><td class=\"nowrap\"><code>{id}</code>");
        assert!(recorded.contains(&id), "{id}: {recorded}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_anew_while_its_cluster_did_not_answer_is_marked_and_what_was_not_read_is_not() {
    let app = TestApp::with_pair().await;
    copied(&app, "orders.quiet").await;
    let seen_before = last_survey(&app).await;
    app.small.world.set_health("eu-central", Health::Dead);
    app.observe("orders").await;
    assert_eq!(recreated(&app, "").await, Vec::<Value>::new(), "what does not answer is as it was");
    app.small.world.set_health("eu-central", Health::Up);
    app.observe("orders").await;
    assert_eq!(recreated(&app, "").await, Vec::<Value>::new(), "and so it is");

    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    let seen_last = last_survey(&app).await;
    assert!(seen_last > seen_before);
    app.small.world.set_health("eu-central", Health::Dead);
    observe(&app, &mut memory).await;
    app.small.world.set_health("eu-central", Health::Up);
    made_anew(&app, "eu-central", "orders.quiet").await;
    observe(&app, &mut memory).await;
    let marks = recreated(&app, "").await;
    assert_eq!(marks.len(), 1, "{marks:#?}");
    let from = marks[0]["from"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(from, seen_last, "since then nobody saw it");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_pair_over_while_a_cluster_does_not_answer_knows_until_when_it_did() {
    let app = TestApp::with_pair().await;
    copied(&app, "orders.quiet").await;
    app.observe("orders").await;
    let seen_last = last_survey(&app).await;
    app.small.world.set_health("eu-central", Health::Dead);
    // Another process each time: the first knows the survey before it, the others do not.
    for _ in 0..3 {
        app.observe("orders").await;
    }
    app.small.world.set_health("eu-central", Health::Up);
    made_anew(&app, "eu-central", "orders.quiet").await;
    app.observe("orders").await;
    let marks = recreated(&app, "").await;
    assert_eq!(marks.len(), 1, "{marks:#?}");
    let from = marks[0]["from"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(from, seen_last, "and not when it was seen first");
}

/// When the newest survey began.
async fn last_survey(app: &TestApp) -> DateTime<Utc> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    surveys::latest(&mut conn, &PairName::new("orders").unwrap()).await.unwrap().unwrap().began_at
}
