//! What keeps a canary from being written or seen is said, and is never well: the brake, a run, a dead side, a missing right.

use muster_kafka::double::Health;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn under_the_brake_nothing_is_written() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    turn(&app, &mut memory).await;
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "network works"})).await.done();
    turn(&app, &mut memory).await;
    let paused = canary(&app).await["items"][0].clone();
    assert_eq!(
        (&paused["state"], &paused["reason"]),
        (&json!("paused"), &json!("the brake is on: network works"))
    );
    let asked = app.as_user("otto").await.post("/api/v1/pairs/orders/canary", json!({})).await;
    assert_eq!(asked.problem(), ("brake-is-on".to_owned(), 409));
    assert_eq!(written(&app).len(), 1);
    assert_eq!(check(&app).await.0, "not_applicable", "not well, and nothing anybody has to do");
    app.as_user("olga").await.delete("/api/v1/brake").await.done();
    turn(&app, &mut memory).await;
    assert_eq!(canary(&app).await["items"][0]["state"], "arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_run_moves_the_pair_nothing_is_written() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app.observe("orders").await;
    let (_, run) = crate::runs::requested(&app).await;
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    let before = written(&app).len();
    turn(&app, &mut memory).await;
    let shown = canary(&app).await;
    for item in shown["items"].as_array().unwrap() {
        assert_eq!(item["state"], "paused", "{shown:#}");
        assert!(item["reason"].as_str().unwrap().contains("holds the pair"), "{shown:#}");
    }
    let asked = app.as_user("otto").await.post("/api/v1/pairs/orders/canary", json!({})).await;
    assert_eq!(asked.problem(), ("pair-has-active-run".to_owned(), 409));
    assert_eq!(written(&app).len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_source_is_not_measured_and_never_well() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    time_passes(&app, 60).await;
    let dead = canary(&app).await["items"][0].clone();
    assert_eq!(
        (&dead["state"], &dead["class"], &dead["end_to_end_ms"]),
        (&json!("not_measured"), &json!("unknown"), &Value::Null)
    );
    assert!(dead["reason"].as_str().unwrap().contains("Connect does not answer"), "{dead:#}");
    assert!(dead["age_ms"].as_i64().is_some_and(|ms| ms > 60_000), "{dead:#}");
    assert_ne!(check(&app).await.0, "ok");
    app.small.world.set_health("eu-west", Health::Up);
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    assert_eq!(canary(&app).await["items"][0]["state"], "arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_target_is_not_measured_and_what_was_written_is_seen_after_its_return() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app.small.world.set_health("eu-central", Health::Dead);
    turn(&app, &mut memory).await;
    not_seen_for(&app, 12).await;
    let dead = canary(&app).await["items"][0].clone();
    assert_eq!((&dead["state"], &dead["outstanding"]), (&json!("late"), &json!(1)), "{dead:#}");
    app.small.world.set_health("eu-central", Health::Up);
    turn(&app, &mut memory).await;
    let back = canary(&app).await["items"][0].clone();
    assert_eq!(
        (&back["state"], &back["outstanding"], &back["hour"]["seen"]),
        (&json!("arrives"), &json!(0), &json!(4))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_said_plainly() {
    let app = with_canary().await;
    app.small.world.lock().faults.always("create_topic", Fault::Code(29));
    turn(&app, &mut CanaryMemory::default()).await;
    time_passes(&app, 60).await;
    let refused = canary(&app).await["items"][0].clone();
    assert_eq!(
        refused["reason"],
        "`orders.canary` is not there, and Muster may not make it: it lacks CREATE on the topic or the cluster `eu-west`"
    );
    assert_eq!((&refused["state"], check(&app).await.0.as_str()), (&json!("not_measured"), "unknown"));
    app.small.world.lock().faults.clear();
    app.small.world.lock().cluster_mut("eu-west").create_topic(TOPIC, 1).unwrap();
    app.small.world.lock().faults.always("write", Fault::Code(29));
    turn(&app, &mut CanaryMemory::default()).await;
    time_passes(&app, 60).await;
    let refused = canary(&app).await["items"][0].clone();
    assert_eq!(refused["reason"], "Muster may not write to `orders.canary` on `eu-west`: it lacks WRITE");
}
