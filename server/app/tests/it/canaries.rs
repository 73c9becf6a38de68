//! The standing canary on the doubles, turn by turn, and through the front.

use std::time::Duration;

use muster_app::{
    canary_loop::{CanaryLoop, CanaryMemory, Turned},
    telemetry::Beat,
};
use muster_domain::{ids::PairName, survey::ConnectorRole};
use muster_kafka::double::{Fault, Health, When};
use muster_replication::Replication as _;
use muster_store::leases;
use serde_json::{Value, json};

use crate::test_app::TestApp;

const TOPIC: &str = "orders.canary";
const BOUND_MS: u64 = 60_000;

fn name() -> PairName {
    PairName::new("orders").unwrap()
}

fn carrier(app: &TestApp, worker: &str) -> CanaryLoop {
    CanaryLoop {
        pool: app.app.pool.clone(),
        clients: app.app.hands.clone(),
        worker: worker.to_owned(),
        beat: Beat::default(),
    }
}

/// A Muster whose pair has a canary that is due every five seconds, observed.
async fn with_canary() -> TestApp {
    let app = TestApp::with_pair().await;
    let edit = json!({"canary_topic": TOPIC, "canary_seconds": 5});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    app.observe("orders").await;
    app
}

/// The same after its records were seen.
pub(crate) async fn measured() -> TestApp {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app
}

/// One turn by the process that observes the pair.
async fn turn(app: &TestApp, memory: &mut CanaryMemory) -> Turned {
    carrier(app, "test").turn(&name(), memory).await.unwrap()
}

async fn canary(app: &TestApp) -> Value {
    app.as_user("vera").await.get("/api/v1/pairs/orders/canary").await.done()
}

async fn check(app: &TestApp) -> (String, String) {
    app.observe("orders").await;
    let readiness = app.as_user("vera").await.get("/api/v1/pairs/orders/readiness").await.done();
    let found = readiness["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["code"] == "canary")
        .unwrap()
        .clone();
    (found["status"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
}

/// Clusters on which a canary was written, one for each record.
fn written(app: &TestApp) -> Vec<String> {
    let state = app.small.world.lock();
    let writes = state.journal.iter().filter(|call| call.verb == "write" && call.object.starts_with(TOPIC));
    writes.map(|call| call.place.clone()).collect()
}

/// As if everything that is kept had happened so many seconds earlier, the last turn excepted: time passes, the loop lives.
async fn time_passes(app: &TestApp, seconds: i64) {
    let sql = "update canary set body = body
        || case when body -> 'since' = 'null' then '{}'
            else jsonb_build_object('since', (body ->> 'since')::timestamptz - make_interval(secs => $1)) end
        || case when body -> 'outstanding' = 'null' then '{}'
            else jsonb_build_object('outstanding', body -> 'outstanding' || jsonb_build_object(
                'since', (body -> 'outstanding' ->> 'since')::timestamptz - make_interval(secs => $1))) end
        || case when body -> 'seen' = 'null' then '{}'
            else jsonb_build_object('seen', body -> 'seen' || jsonb_build_object(
                'seen_at', (body -> 'seen' ->> 'seen_at')::timestamptz - make_interval(secs => $1))) end";
    sqlx::query(sql).bind(seconds as f64).execute(&app.app.pool).await.unwrap();
}

/// As if the newest record had been seen so many seconds before the last turn ended, however slow this machine is.
async fn not_seen_for(app: &TestApp, seconds: i64) {
    let sql = "update canary set body = body || jsonb_build_object(
            'since', (body ->> 'turned_at')::timestamptz - interval '1 hour',
            'seen', body -> 'seen' || jsonb_build_object(
                'seen_at', (body ->> 'turned_at')::timestamptz - make_interval(secs => $1)))
        where body -> 'seen' <> 'null'";
    sqlx::query(sql).bind(seconds as f64).execute(&app.app.pool).await.unwrap();
}

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
async fn who_dies_between_writing_and_keeping_leaves_a_record_nobody_waits_for() {
    let app = measured().await;
    app.small.west_to_central.stop(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut CanaryMemory::default()).await;
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "what this process wrote waits");
    app.small.west_to_central.resume(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    let before = written(&app).len();
    app.small.world.lock().faults.fail("read", 1, When::Before, Fault::Hang);
    let (mut dying, process, pair) = (CanaryMemory::default(), carrier(&app, "test"), name());
    tokio::select! {
        turned = process.turn(&pair, &mut dying) => panic!("it should hang: {turned:?}"),
        () = app.small.world.hung() => {}
    }
    assert_eq!(written(&app).len(), before + 1, "it died with its record written");
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "and did not keep it");
    turn(&app, &mut CanaryMemory::default()).await;
    let next = canary(&app).await["items"][0].clone();
    assert_eq!((&next["state"], &next["outstanding"]), (&json!("arrives"), &json!(0)), "{next:#}");
    assert_eq!(next["hour"]["seen"], 3, "only who wrote a record measures it: {next:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_the_one_that_observes_the_pair_writes() {
    let app = with_canary().await;
    let (mut memory, mut others) = (CanaryMemory::default(), CanaryMemory::default());
    let other = carrier(&app, "other");
    assert_eq!(other.turn(&name(), &mut others).await.unwrap(), Turned::NotMine);
    turn(&app, &mut memory).await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name());
    // About to lose it: what would be written might be written beside another's.
    leases::claim(&mut conn, &lease, "test", 5.0).await.unwrap().unwrap();
    assert_eq!(turn(&app, &mut memory).await, Turned::NotMine);
    leases::release_all(&mut conn, "test").await.unwrap();
    leases::claim(&mut conn, &lease, "other", 60.0).await.unwrap().unwrap();
    assert_eq!(turn(&app, &mut memory).await, Turned::NotMine);
    assert_eq!(written(&app).len(), 1);
    other.turn(&name(), &mut others).await.unwrap();
    assert_eq!((written(&app).len(), &canary(&app).await["items"][0]["state"]), (2, &json!("arrives")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_pair_again_does_not_measure_what_it_wrote_before() {
    let app = with_canary().await;
    let (mut memory, mut others) = (CanaryMemory::default(), CanaryMemory::default());
    turn(&app, &mut memory).await;
    app.small.west_to_central.stop(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;
    turn(&app, &mut memory).await;
    assert_eq!(canary(&app).await["items"][0]["outstanding"], 1, "it waits for what it wrote");
    app.small.west_to_central.resume(ConnectorRole::Source, BOUND_MS).await.unwrap();
    app.observe("orders").await;

    // Another one has the pair for a while, and the first does not come to look meanwhile.
    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name());
    leases::release_all(&mut conn, "test").await.unwrap();
    leases::claim(&mut conn, &lease, "other", 60.0).await.unwrap().unwrap();
    carrier(&app, "other").turn(&name(), &mut others).await.unwrap();
    let seen = canary(&app).await["items"][0].clone();
    assert_eq!((&seen["outstanding"], &seen["hour"]["seen"]), (&json!(0), &json!(2)), "{seen:#}");
    leases::release_all(&mut conn, "other").await.unwrap();
    leases::claim(&mut conn, &lease, "test", 60.0).await.unwrap().unwrap();
    turn(&app, &mut memory).await;
    let again = canary(&app).await["items"][0].clone();
    assert_eq!((&again["state"], &again["outstanding"]), (&json!("arrives"), &json!(0)), "{again:#}");
    assert_eq!(again["hour"]["seen"], 3, "not what was there long before it looked: {again:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_pair_during_a_turn_keeps_nothing_of_it() {
    let app = with_canary().await;
    turn(&app, &mut CanaryMemory::default()).await;
    let kept = canary(&app).await["items"][0]["written_at"].clone();
    app.small.world.lock().faults.fail("read", 1, When::Before, Fault::Hang);
    let (mut memory, process, pair) = (CanaryMemory::default(), carrier(&app, "test"), name());
    let losing = async {
        app.small.world.hung().await;
        let mut conn = app.app.pool.acquire().await.unwrap();
        leases::release_all(&mut conn, "test").await.unwrap();
        leases::claim(&mut conn, &leases::survey_lease(&name()), "other", 60.0).await.unwrap().unwrap();
    };
    let (turned, ()) = tokio::join!(process.turn(&pair, &mut memory), losing);
    assert_eq!(turned.unwrap(), Turned::NotMine);
    assert_eq!(canary(&app).await["items"][0]["written_at"], kept);
}

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

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_wants_to_know_now_is_told_and_leaves_an_entry() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let none = otto.post("/api/v1/pairs/orders/canary", json!({})).await;
    assert_eq!(none.problem(), ("canary-not-written".to_owned(), 409));
    app.small.world.lock().cluster_mut("eu-west").create_topic(TOPIC, 1).unwrap();
    app.small.world.ticks(10);
    let edit = json!({"canary_topic": TOPIC});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    app.observe("orders").await;
    let told = otto.post("/api/v1/pairs/orders/canary", json!({})).await.done();
    assert_eq!(told["all_seen"], true, "{told:#}");
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "the way back rests: {told:#}");
    assert!(told["items"][0]["end_to_end_ms"].as_i64().is_some_and(|ms| ms < 10_000), "{told:#}");
    let entry = ("otto".to_owned(), "pair orders".to_owned(), "done".to_owned());
    assert_eq!(app.audited("canary.write").await.last(), Some(&entry));
    assert_eq!(canary(&app).await["items"][0]["state"], "unwatched", "the standing one is another");

    let browser = app.as_browser_of("otto").await;
    let page = browser.form("/pairs/orders/canary", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Written, and seen on the other side."), "{}", page.text);
    assert!(!page.text.contains("http-equiv=\"refresh\""), "looking again asks for nothing again");
    app.as_user("otto").await.put("/api/v1/brake", json!({"reason": "network works"})).await.done();
    let refused = browser.form("/pairs/orders/canary", &[]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("The brake is on (network works)"), "{}", refused.text);
    assert_eq!(app.audited("canary.write").await.last().map(|entry| entry.2.as_str()), Some("refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_canary_have_bounds() {
    let app = TestApp::with_pair().await;
    let olga = app.as_user("olga").await;
    for bad in [
        json!({"canary_partitions": 0}),
        json!({"canary_partitions": 33}),
        json!({"canary_seconds": 1}),
        json!({"canary_seconds": 301}),
        json!({"canary_topic": "__consumer_offsets"}),
        json!({"canary_topic": "no/topic"}),
        json!({"canary_topic": ""}),
    ] {
        let refused = olga.patch("/api/v1/pairs/orders", bad.clone()).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{bad}");
    }
    let edit = json!({"canary_topic": "muster.canary", "canary_partitions": 2, "canary_seconds": 300});
    let changed = olga.patch("/api/v1/pairs/orders", edit).await.done();
    assert_eq!((&changed["canary_partitions"], &changed["canary_seconds"]), (&json!(2), &json!(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_how_canaries_stand() {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    let url = app.serve().await;
    let token = app.token_of("otto").await;
    let said = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(arguments).env("MUSTER_URL", &url).env("MUSTER_TOKEN", &token).kill_on_drop(true);
        let said = tokio::time::timeout(Duration::from_secs(120), command.output()).await.unwrap().unwrap();
        (said.status.code(), String::from_utf8(said.stdout).unwrap())
    };
    let (code, out) = said(&["pairs", "canary", "orders"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("eu-west → eu-central") && out.contains("arrives"), "{out}");
    let (code, out) = said(&["pairs", "canary", "orders", "--now"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains(" ms") || out.contains(" s"), "{out}");
}
