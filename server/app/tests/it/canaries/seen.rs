//! A canary that is written and seen, and one that stops arriving.

use muster_replication::Replication as _;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_made_written_seen_and_shown() {
    let app = with_canary().await;
    assert_eq!(canary(&app).await["items"][0]["state"], "unwatched", "nobody has written it yet");
    let (status, reason) = check(&app).await;
    assert_eq!(status, "not_applicable", "never well: {reason}");
    assert!(reason.contains("has just taken the pair over"), "{reason}");
    let mut memory = CanaryMemory::default();
    turn(&app, &mut memory).await;
    assert_eq!(turn(&app, &mut memory).await, Turned::Kept(Duration::from_secs(5)));
    let shown = canary(&app).await;
    let (there, back) = (&shown["items"][0], &shown["items"][1]);
    assert_eq!(
        (&there["from"], &there["state"], &there["class"]),
        (&json!("eu-west"), &json!("arrives"), &json!("exact"))
    );
    assert!(there["end_to_end_ms"].as_i64().is_some_and(|ms| (0..10_000).contains(&ms)), "{shown:#}");
    assert!(there["age_ms"].as_i64().is_some_and(|ms| ms < 10_000), "{shown:#}");
    assert_eq!((&there["outstanding"], &there["hour"]["seen"]), (&json!(0), &json!(2)));
    assert_eq!((&back["state"], &back["end_to_end_ms"]), (&json!("resting"), &Value::Null));
    assert_eq!(written(&app), ["eu-west", "eu-west"]);
    {
        let state = app.small.world.lock();
        let made = state.journal.iter().filter(|call| call.verb == "create_topic" && call.object == TOPIC);
        assert_eq!(
            made.map(|call| call.place.as_str()).collect::<Vec<_>>(),
            ["eu-west"],
            "the copy is replication's"
        );
        let topic = &state.cluster("eu-west").topics[TOPIC];
        assert_eq!((topic.partitions.len(), topic.configs["retention.ms"].as_str()), (1, "21600000"));
    }
    let (status, reason) = check(&app).await;
    assert_eq!(status, "ok", "{reason}");
    assert!(reason.starts_with("the canary eu-west → eu-central, partition 0, arrives"), "{reason}");

    let page = app.as_browser_of("otto").await.get("/pairs/orders").await.text;
    assert!(page.contains("Canary, end to end") && page.contains("Write a canary of orders now"), "{page}");
    let topics = app.as_user("vera").await.get("/api/v1/pairs/orders/topics").await.done();
    for side in ["a", "b"] {
        assert_eq!(topics[side]["value"].get(TOPIC), None, "{topics:#}");
    }
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(lag["items"][0]["topics"].get(TOPIC), None, "{lag:#}");
    let alarms = app.as_user("vera").await.get("/api/v1/pairs/orders/alarms").await.done();
    assert_eq!(alarms["items"], json!([]));
    let metrics = app.as_user("ada").await.get("/metrics").await.text;
    let labels = r#"{pair="orders",from="eu-west",to="eu-central",partition="0"#;
    for line in [
        format!("muster_canary_end_to_end_seconds{labels}\"}} "),
        format!("muster_canary_age_seconds{labels}\"}} "),
        format!("muster_canary_p99_seconds{labels}\"}} "),
        format!("muster_canary_outstanding{labels}\"}} 0"),
        format!("muster_canary_state{labels}\",state=\"arrives\"}} 1"),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_connector_makes_it_stale_then_lost_from_sight_and_its_return_makes_it_well() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app.small.west_to_central.stop(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    not_seen_for(&app, 12).await;
    let late = canary(&app).await["items"][0].clone();
    assert_eq!(
        (&late["state"], &late["class"], &late["outstanding"]),
        (&json!("late"), &json!("stale"), &json!(1))
    );
    time_passes(&app, 60).await;
    let gone = canary(&app).await["items"][0].clone();
    assert_eq!((&gone["state"], &gone["class"]), (&json!("does_not_arrive"), &json!("stale")));
    assert!(gone["age_ms"].as_i64().is_some_and(|ms| ms > 60_000), "{gone:#}");
    assert_ne!(gone["next_step"], "");
    let (status, reason) = check(&app).await;
    assert_eq!(status, "critical", "{reason}");
    assert!(reason.contains("1 written and not seen"), "{reason}");
    let metrics = app.as_user("ada").await.get("/metrics").await.text;
    assert!(!metrics.contains("muster_canary_end_to_end_seconds{"), "no value stands: {metrics}");
    assert!(metrics.contains(r#"state="does_not_arrive"} 1"#), "{metrics}");
    let page = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(page.contains("does not arrive") && page.contains("Look at the source connector"), "{page}");

    app.small.west_to_central.resume(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    let well = canary(&app).await["items"][0].clone();
    assert_eq!(
        (&well["state"], &well["outstanding"], &well["outstanding_since"]),
        (&json!("arrives"), &json!(0), &Value::Null)
    );
    assert_eq!(well["hour"]["seen"], 4, "what waited was measured too: {well:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_has_a_canary_and_one_that_is_not_there_says_so() {
    let app = with_canary().await;
    app.small.world.lock().cluster_mut("eu-west").create_topic(TOPIC, 2).unwrap();
    let edit = json!({"canary_partitions": 3});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    app.observe("orders").await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    let shown = canary(&app).await;
    let of_west: Vec<&Value> =
        shown["items"].as_array().unwrap().iter().filter(|item| item["from"] == "eu-west").collect();
    let states: Vec<&str> = of_west.iter().map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states[..2], ["arrives", "arrives"], "{shown:#}");
    time_passes(&app, 60).await;
    let shown = canary(&app).await;
    assert_eq!(shown["items"][2]["reason"], "`orders.canary` has 2 partitions, and 3 are set");
    assert_eq!(shown["items"][2]["state"], "not_measured");
}
