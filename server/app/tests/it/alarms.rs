//! Alarms of silent loss: opened and ended by surveys, told, shown, acknowledged.

use chrono::Utc;
use muster_domain::{
    acl::{AclBinding, AclOperation, AclPermission, PatternType, ResourceType},
    alarm::{Alarm, AlarmCode, Lost, Place, Since},
    topic::TopicPartition,
};
use muster_kafka::{ClusterAdmin as _, double::Health};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::TestApp;

/// The alarm that addresses name in the coverage tests.
pub(crate) const ALARM: Uuid = Uuid::from_u128(96);

/// Makes it: a hole, which stays until somebody acknowledges it.
pub(crate) async fn alarm(app: &TestApp) {
    let now = Utc::now();
    let lost = Lost::up_to(700);
    let place = Place {
        name: "orders.placed-0".to_owned(),
        said: "offsets 1000 to 1699".to_owned(),
        mark: 1000,
        lost,
        partition: Some(TopicPartition::new("orders.placed", 0)),
    };
    let hole = Alarm {
        code: AlarmCode::ReplicationHole,
        subject: "orders.placed".to_owned(),
        course: "eu-west → eu-central".to_owned(),
        said: "Records of `orders.placed` were removed from `eu-west` before they were copied.".to_owned(),
        places: vec![place],
        likely: false,
        more_places: 0,
        since: Since { after: None, by: now },
        lost,
        facts: vec!["The first offset is past the last one copied.".to_owned()],
        next_step: "Look whether they can be written again.".to_owned(),
        command: Some("kafka-configs.sh --describe".to_owned()),
    };
    sqlx::query(
        "insert into alarm (id, pair, team, code, subject, body, opened_survey, opened_at, last_seen_at)
        values ($1, 'orders', $2, 'replication-hole', 'orders.placed', $3, 1, $4, $4)",
    )
    .bind(ALARM)
    .bind(app.team.as_str())
    .bind(serde_json::to_value(hole).unwrap())
    .bind(now)
    .execute(&app.app.pool)
    .await
    .unwrap();
}

fn deny() -> AclBinding {
    let resource = (ResourceType::Topic, PatternType::Literal, "orders.placed");
    AclBinding::new(AclPermission::Deny, AclOperation::Write, resource, "User:somebody")
}

async fn listed(app: &TestApp, query: &str) -> Vec<Value> {
    let list = app.as_user("vera").await.get(&format!("/api/v1/pairs/orders/alarms{query}")).await.done();
    list["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_opens_an_alarm_and_the_one_that_shows_its_cause_gone_ends_it() {
    let app = TestApp::with_pair().await;
    assert_eq!(listed(&app, "").await, [] as [Value; 0], "a pair that is well has no alarm");
    let standby = app.small.world.admin("eu-central");
    standby.create_acls(&[deny()]).await.unwrap();
    app.observe("orders").await;
    let open = listed(&app, "?open=true").await;
    assert_eq!(open.len(), 1, "{open:#?}");
    let (kept, what) = (&open[0], &open[0]["alarm"]);
    assert_eq!((&what["code"], &kept["severity"]), (&json!("deny-copied"), &json!("critical")));
    assert_eq!(what["places"][0]["name"], "orders.placed");
    assert_eq!(what["places"][0]["partition"], Value::Null, "it is about the topic");
    assert!(
        what["command"].as_str().unwrap().contains("--remove --force --deny-principal 'User:somebody'"),
        "{what:#}"
    );
    let pair = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(
        pair.contains("Alarms of silent loss") && pair.contains("A DENY stands on the standby"),
        "{pair}"
    );
    let fleet = app.as_browser_of("vera").await.get("/").await.text;
    assert!(fleet.contains("stops replication&#39;s own writes"), "{fleet}");
    let metrics = app.as_user("ada").await.get("/metrics").await.text;
    assert!(metrics.contains(r#"muster_alarms{pair="orders",code="deny-copied"} 1"#), "{metrics}");

    // What cannot be looked at does not end it.
    app.small.world.lock().cluster_mut("eu-central").health = Health::Dead;
    app.observe("orders").await;
    let dark = listed(&app, "?open=true&code=deny-copied").await;
    assert_ne!(dark[0]["not_seen_because"], "", "{dark:#?}");
    app.small.world.lock().cluster_mut("eu-central").health = Health::Up;
    standby.delete_acls(&[deny()]).await.unwrap();
    app.observe("orders").await;
    assert_eq!(listed(&app, "?open=true&code=deny-copied").await, [] as [Value; 0]);
    let ended = listed(&app, "?open=false&code=deny-copied").await;
    assert_eq!((&ended[0]["ended"]["by"], &ended[0]["id"]), (&json!(null), &kept["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_acknowledged_by_an_operator_with_words() {
    let app = TestApp::with_pair().await;
    alarm(&app).await;
    app.observe("orders").await;
    assert_eq!(listed(&app, "?open=true").await.len(), 1, "no survey ends what happened");
    let path = format!("/api/v1/alarms/{ALARM}/acknowledge");
    let otto = app.as_user("otto").await;
    let unsaid = otto.post(&path, json!({"comment": " "})).await;
    assert_eq!(unsaid.problem(), ("invalid-request".to_owned(), 422));
    let done = otto.post(&path, json!({"comment": "test orders"})).await.done();
    assert_eq!((&done["ended"]["by"], &done["ended"]["comment"]), (&json!("otto"), &json!("test orders")));
    let again = otto.post(&path, json!({"comment": "test orders"})).await;
    assert_eq!(again.problem(), ("alarm-ended".to_owned(), 409));
    let entry = ("otto".to_owned(), format!("alarm {ALARM}"), "done".to_owned());
    assert!(app.audited("alarm.acknowledge").await.contains(&entry));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_so_cannot_be_acknowledged_away() {
    let app = TestApp::with_pair().await;
    app.small.world.admin("eu-central").create_acls(&[deny()]).await.unwrap();
    app.observe("orders").await;
    let open = listed(&app, "?open=true").await;
    let path = format!("/api/v1/alarms/{}/acknowledge", open[0]["id"].as_str().unwrap());
    let refused = app.as_user("otto").await.post(&path, json!({"comment": "never mind"})).await;
    assert_eq!(refused.problem(), ("alarm-stands".to_owned(), 409));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_the_form_for_those_who_may_and_says_what_was_wrong_with_it() {
    let app = TestApp::with_pair().await;
    alarm(&app).await;
    let reader = app.as_browser_of("vera").await.get("/alarms").await.text;
    let number = listed(&app, "").await[0]["number"].as_i64().unwrap();
    // As messages lead to it.
    let told = format!("/alarms?state=all&pair=orders&after={}", number + 1);
    let told = app.as_browser_of("vera").await.get(&told).await.text;
    assert!(told.contains(&format!("id=\"alarm-{number}\"")), "{told}");
    assert!(reader.contains("at most 700 records") && !reader.contains("/acknowledge\""), "{reader}");
    assert!(reader.contains(&format!("Only operators of {} acknowledge it.", app.team)), "{reader}");
    let otto = app.as_browser_of("otto").await;
    let path = format!("/alarms/{ALARM}/acknowledge");
    let refused = otto.form(&path, &[("comment", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("Say what was done about it"), "{}", refused.text);
    // What was written is not lost, nor the list it was written in, whoever it is shown to be in.
    let (long, list) = ("x".repeat(4_001), "/alarms?state=all&pair=orders");
    let refused = otto.form(&path, &[("comment", long.as_str()), ("back", list)]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains(&long), "{}", refused.text);
    assert!(
        refused.text.contains("name=\"back\" value=\"/alarms?state=all&#38;pair=orders\""),
        "{}",
        refused.text
    );
    assert!(!refused.text.contains("http-equiv=\"refresh\""), "what is being written stays");
    let elsewhere = otto.form(&path, &[("comment", ""), ("back", "/alarms?state=ended&pair=other")]).await;
    assert!(elsewhere.text.contains("id=\"alarm-"), "the one it is about is there: {}", elsewhere.text);
    let back = [("comment", "seen to"), ("back", "https://evil.example/alarms?state=all&pair=orders")];
    let done = otto.form(&path, &back).await;
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/alarms?state=all&pair=orders&done=acknowledged")
    );
    let ended = otto.get("/alarms?state=ended").await.text;
    assert!(ended.contains("acknowledged by otto") && ended.contains("seen to"), "{ended}");
    let elsewhere = app.as_user("orla").await.get("/api/v1/alarms").await.done();
    assert_eq!(elsewhere["items"], json!([]), "other teams see nothing of it");
}
