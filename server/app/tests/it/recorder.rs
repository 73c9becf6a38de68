//! The flight recorder through the front: what a new process knows, and what a death costs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use muster_app::{
    loops::{
        housekeeping,
        memory::{Memory, seal_some},
    },
    process::telemetry::Beat,
};
use muster_domain::{
    ids::PairName,
    pair::{Direction, Side},
    recorder::{Kind, TopicSample},
    survey::ConnectorRole,
    topic::TopicPartition,
};
use muster_kafka::{
    ClusterAdmin as _,
    double::{Health, Log, Payload},
};
use muster_replication::Replication as _;
use muster_store::{leases, recorder::Recording, surveys};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::test_app::TestApp;

/// One survey by whoever remembers this.
pub(crate) async fn observe(app: &TestApp, memory: &mut Memory) {
    let pair = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let name = leases::survey_lease(&pair);
    let lease = leases::claim(&mut conn, &name, "test", 60.0).await.unwrap().unwrap();
    drop(conn);
    app.surveys.observe(&pair, lease.epoch, memory).await.unwrap();
}

/// What the last death cost.
pub(crate) async fn loss(app: &TestApp) -> Value {
    app.as_user("vera").await.get("/api/v1/pairs/orders/loss").await.done()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_knows_from_its_first_survey_on_what_the_one_before_saw() {
    let app = TestApp::with_pair().await;
    let rpo = async || {
        let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
        lag["items"][0]["rpo"]["records_at_most"].clone()
    };
    // `with_pair` is two processes that observed once each.
    observe(&app, &mut Memory::default()).await;
    assert!(rpo().await.is_number(), "the third knows the rate from what both saw");
    sqlx::query("delete from recorder_open").execute(&app.app.pool).await.unwrap();
    observe(&app, &mut Memory::default()).await;
    assert!(rpo().await.is_null(), "and does not without the recorder: {}", rpo().await);
}

/// Rows that were not sealed yet, by kind of stream: how many are older than what is sealed, and how many blocks there are.
async fn old_rows_and_blocks(app: &TestApp, kind: &str) -> (i64, i64) {
    let sql = "select
            (select count(*) from recorder_open where stream = any(ids) and at < now() - interval '6 minutes'),
            (select count(*) from recorder_block where stream = any(ids))
        from (select array_agg(id) as ids from recorder_stream where kind = $1) as streams";
    sqlx::query_as(sql).bind(kind).fetch_one(&app.app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_read_back_stops_neither_surveys_nor_the_sealing_of_others() {
    let app = TestApp::with_pair().await;
    sqlx::query("update recorder_open set at = at - interval '10 minutes'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let torn = "update recorder_open set body = substring(body for 20)
        where stream in (select id from recorder_stream where kind = 'partitions')";
    assert!(sqlx::query(torn).execute(&app.app.pool).await.unwrap().rows_affected() > 0);
    let (partitions, _) = old_rows_and_blocks(&app, "partitions").await;
    let (groups, _) = old_rows_and_blocks(&app, "groups").await;
    assert!(partitions > 0 && groups > 0);

    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(lag["items"][0]["rpo"]["records_at_most"], Value::Null, "nothing is remembered: {lag:#}");
    assert_eq!(old_rows_and_blocks(&app, "partitions").await, (0, 0), "they say nothing, and are gone");
    let (left, blocks) = old_rows_and_blocks(&app, "groups").await;
    assert!(left == 0 && blocks > 0, "{left} rows of groups are left, {blocks} blocks were sealed");
    observe(&app, &mut memory).await;
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert!(lag["items"][0]["rpo"]["records_at_most"].is_number(), "and it is known again: {lag:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_more_waits_to_be_sealed_the_more_is_sealed_after_a_survey_and_a_survey_does_not_wait_for_it() {
    let app = TestApp::with_pair().await;
    let now: DateTime<Utc> =
        sqlx::query_scalar("select min(at) from recorder_open").fetch_one(&app.app.pool).await.unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let (pair, flow) = (PairName::new("orders").unwrap(), Direction { from: Side::A });
    let mut recording = Recording::open(&mut conn, &pair, flow, Kind::Partitions).await.unwrap();
    for before in (1..=400).rev() {
        let topic = TopicSample {
            group: String::new(),
            topic: "orders.placed".to_owned(),
            id: None,
            tracks: vec![vec![Some(before); Kind::Partitions.parents().len()]],
        };
        let at = now - TimeDelta::minutes(5 * before);
        recording.append(&mut conn, at, vec![topic]).await.unwrap();
        recording.committed();
    }
    drop(conn);
    let seal = async |within| seal_some(&app.app.pool, &recording, now, within).await.unwrap();
    assert_eq!(seal(Duration::from_secs(600)).await, 350, "an eighth of it");
    assert_eq!(seal(Duration::ZERO).await, 349, "no time, and one all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_surveys_go_though_something_else_cannot_be_removed() {
    let app = TestApp::with_pair().await;
    let pool = &app.app.pool;
    let begun = "select recorder_cover('recorder_block', now() - n * interval '1 hour', 3600)
        from generate_series(70, 75) as n";
    sqlx::query(begun).execute(pool).await.unwrap();
    let old = async || -> i64 {
        let sql = "select count(*)
            from pg_inherits
            join pg_class child on child.oid = inhrelid
            where inhparent = 'recorder_block'::regclass
                and to_timestamp(substring(child.relname from '_([0-9]+)$')::bigint) < now() - interval '2 days'";
        sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
    };
    assert_eq!(old().await, 6);
    for table in ["idempotency_key", "recorder_fact"] {
        let away = format!("alter table {table} rename to away_{table}");
        sqlx::query(AssertSqlSafe(away)).execute(pool).await.unwrap();
    }
    assert!(!housekeeping::sweep(pool, 24, &Beat::default()).await, "all were dropped");
    assert_eq!(old().await, 0);
}

/// A partition to which one transaction was written, on both sides; nobody writes to it afterwards.
fn write_one_transaction(app: &TestApp, topic: &str, records: i64) {
    let mut state = app.small.world.lock();
    for cluster in ["eu-west", "eu-central"] {
        state.cluster_mut(cluster).create_topic(topic, 1).unwrap();
    }
    drop(state);
    write_transaction(app, topic, records);
}

fn write_transaction(app: &TestApp, topic: &str, records: i64) {
    let mut state = app.small.world.lock();
    let west = state.cluster_mut("eu-west");
    let producer = west.new_producer_id();
    for number in 0..records {
        let payload = Payload {
            timestamp: 1_700_000_000_000 + number,
            key: None,
            value: Some("v".into()),
            headers: Vec::new(),
        };
        let at = TopicPartition::new(topic, 0);
        west.produce("User:app-orders", &at, (producer, Some("quiet")), payload).unwrap();
    }
    west.end_transaction("quiet", true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_marker_at_the_end_of_an_idle_topic_is_not_waited_for() {
    let app = TestApp::with_pair().await;
    write_one_transaction(&app, "orders.quiet", 3);
    app.small.world.ticks(50);
    let vera = app.as_user("vera").await;
    let quiet = async || {
        let lag = vera.get("/api/v1/pairs/orders/lag").await.done();
        lag["items"][0]["topics"]["orders.quiet"]["records"]["value"].clone()
    };
    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    assert_eq!(quiet().await, 1, "three records arrived, and their marker never will");
    // At the survey that sees the end where it was it is read.
    observe(&app, &mut memory).await;
    assert_eq!(quiet().await, 0);
    let reads = || app.small.world.calls().iter().filter(|call| call.verb == "read").count();
    let before = reads();
    observe(&app, &mut memory).await;
    assert_eq!((quiet().await, reads()), (0.into(), before), "and once only");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_position_of_a_topic_that_was_made_anew_is_not_taken_for_one_of_the_new_log_whoever_looks() {
    let app = TestApp::with_pair().await;
    write_one_transaction(&app, "orders.quiet", 20);
    app.small.world.ticks(50);
    let vera = app.as_user("vera").await;
    let quiet = async || {
        let lag = vera.get("/api/v1/pairs/orders/lag").await.done();
        let records = &lag["items"][0]["topics"]["orders.quiet"]["records"];
        (records["value"].clone(), records["class"].clone(), records["reason"].to_string())
    };
    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    assert_eq!(quiet().await.0, 1, "twenty records arrived, and their marker never will");

    app.small.west_to_central.stop(ConnectorRole::Source, 60_000).await.unwrap();
    app.small.world.admin("eu-west").delete_topic("orders.quiet").await.unwrap();
    app.small.world.lock().cluster_mut("eu-west").create_topic("orders.quiet", 1).unwrap();
    write_transaction(&app, "orders.quiet", 3);
    // By its number alone the position is beyond the end of this log. None of it was copied.
    for memory in [&mut memory, &mut Memory::default()] {
        for _ in 0..2 {
            observe(&app, memory).await;
            let (value, class, reason) = quiet().await;
            assert_eq!((value, class), (4.into(), "lower_bound".into()), "{reason}");
            assert!(reason.contains("made anew"), "{reason}");
        }
    }

    // It goes on, and begins with the new log.
    app.small.west_to_central.resume(ConnectorRole::Source, 60_000).await.unwrap();
    app.small.world.ticks(50);
    observe(&app, &mut memory).await;
    let (value, _, reason) = quiet().await;
    assert!(value.as_i64().is_some_and(|records| records <= 1), "{value}, {reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_on_the_target_is_known_while_the_source_is_dead_too() {
    let app = TestApp::with_pair().await;
    let mut memory = Memory::default();
    let looked_at = async || {
        let mut conn = app.app.pool.acquire().await.unwrap();
        let survey = surveys::latest(&mut conn, &PairName::new("orders").unwrap()).await.unwrap().unwrap();
        let writers = survey.flows[0].writers.value().expect("the target answers");
        writers.partitions.keys().cloned().collect::<Vec<_>>()
    };
    observe(&app, &mut memory).await;
    let alive = looked_at().await;
    assert!(alive.contains(&TopicPartition::new("orders.placed", 0)), "{alive:?}");
    app.small.world.set_health("eu-west", Health::Dead);
    for answers in [true, true, false, false] {
        // Connect may have died with it: then nothing comes any more, and who wrote last did.
        app.small.west_to_central.flow().answers = answers;
        observe(&app, &mut memory).await;
        assert_eq!(looked_at().await, alive, "Connect answers: {answers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_written_to_at_once_is_settled_by_the_logs_of_its_leaders() {
    let app = TestApp::with_pair().await;
    let mut memory = Memory::default();
    for _ in 0..3 {
        app.small.world.ticks(3);
        observe(&app, &mut memory).await;
    }
    app.small.world.set_health("eu-west", Health::Dead);
    observe(&app, &mut memory).await;
    {
        let mut state = app.small.world.lock();
        let west = state.cluster_mut("eu-west");
        west.topics.values_mut().flat_map(|topic| &mut topic.partitions).for_each(Log::elect);
    }
    app.small.world.set_health("eu-west", Health::Up);
    app.small.world.ticks(60);
    observe(&app, &mut memory).await;
    let settled = loss(&app).await;
    let (truth, total) = (&settled["loss"]["truth"], &settled["loss"]["total"]);
    assert_eq!(truth["settled"], Value::Bool(true), "{settled:#}");
    let method = truth["method"].as_str().unwrap();
    assert!(method.contains("What was written since is not in it"), "{method}");
    let (records, least, most) =
        (truth["records"].as_i64(), total["records_at_least"].as_i64(), total["records_at_most"].as_i64());
    assert!(records.is_some() && least <= records && records <= most, "{settled:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_stated_with_its_interval_and_settled_after_the_return() {
    let app = TestApp::with_pair().await;
    assert_eq!(loss(&app).await["loss"], Value::Null, "nobody died");
    let mut memory = Memory::default();
    for _ in 0..3 {
        app.small.world.ticks(3);
        observe(&app, &mut memory).await;
    }
    app.small.world.set_health("eu-west", Health::Dead);
    observe(&app, &mut memory).await;
    let said = loss(&app).await;
    assert_eq!(said["course"], "eu-west → eu-central", "{said:#}");
    let stated = &said["loss"];
    assert_eq!(stated["owner"], app.team.as_str());
    assert!(stated["total"]["records_at_most"].is_number(), "{said:#}");
    assert!(stated["total"]["ms_at_most"].as_i64().is_some_and(|ms| ms >= 0), "{said:#}");
    let topics: Vec<&str> =
        stated["topics"].as_array().unwrap().iter().map(|t| t["topic"].as_str().unwrap()).collect();
    assert!(topics.contains(&"orders.placed"), "{topics:?}");
    assert_eq!(stated["truth"], Value::Null);

    // A process that takes over in between goes on with the same death.
    let mut memory = Memory::default();
    observe(&app, &mut memory).await;
    let again = loss(&app).await;
    assert_eq!(again["loss"]["seen_at"], stated["seen_at"]);
    assert_eq!(again["loss"]["noticed_at"], stated["noticed_at"]);
    let page = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(
        page.contains("Lost with the source") && page.contains("of orders are missing on eu-central"),
        "{page}"
    );
    assert!(
        page.contains("Writes of at least") && page.contains("loss?source=eu-west&#38;format=csv"),
        "{page}"
    );

    let csv = app.as_user("vera").await.get("/api/v1/pairs/orders/loss?format=csv").await.text;
    assert!(csv.starts_with("pair,course,owner,topic,partition,records_at_least,"), "{csv}");
    let of_total = format!("orders,eu-west → eu-central,{},,,", app.team);
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with(&of_total)), "{csv}");
    let of_partition = format!("orders,eu-west → eu-central,{},orders.placed,0,", app.team);
    assert!(csv.lines().any(|line| line.starts_with(&of_partition)), "{csv}");

    let all = app.as_user("vera").await.get("/api/v1/losses").await.done();
    assert_eq!((&all["items"][0]["pair"], &all["items"][0]["source"]), (&"orders".into(), &"eu-west".into()));
    assert_eq!(all["owners"][0]["owner"], app.team.as_str(), "{all:#}");
    assert_eq!(all["owners"][0]["lost"], all["items"][0]["total"], "{all:#}");
    let others = app.as_user("outis").await.get("/api/v1/losses").await.done();
    assert_eq!((&others["items"], &others["owners"]), (&serde_json::json!([]), &serde_json::json!([])));

    // Applications went to the other side meanwhile, so nobody adds to what died.
    app.small.world.point_producers("eu-central");
    app.small.world.set_health("eu-west", Health::Up);
    observe(&app, &mut memory).await;
    observe(&app, &mut memory).await;
    let settled = loss(&app).await;
    let truth = &settled["loss"]["truth"];
    let none_lost = Value::Bool(truth["records"] == 0);
    assert_eq!((&truth["exact"], &truth["settled"]), (&none_lost, &Value::Bool(true)), "{settled:#}");
    let total = &settled["loss"]["total"];
    let (records, least, most) =
        (truth["records"].as_i64(), total["records_at_least"].as_i64(), total["records_at_most"].as_i64());
    assert!(least <= records && records <= most, "{settled:#}");
    let earlier = app.as_user("vera").await.get("/api/v1/pairs/orders/loss?at=2020-01-01T00:00:00Z").await;
    assert_eq!(earlier.done()["loss"], Value::Null);
    let other = app.as_user("vera").await.get("/api/v1/pairs/orders/loss?source=eu-central").await;
    assert_eq!(other.done()["loss"], Value::Null, "the other side did not die");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_one_topic_comes_from_the_recorder() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    let history = async |query: &str| vera.get(&format!("/api/v1/pairs/orders/lag/history?{query}")).await;
    let all = history("topic=orders.placed&points=1").await.done();
    let points = all["items"].as_array().unwrap();
    assert_eq!(points.len(), 1, "{all:#}");
    assert!(points[0]["worst_lag_records"].is_number() && points[0]["records_class"].is_string(), "{all:#}");
    let one = history("topic=orders.placed&partition=0").await.done();
    assert_eq!(one["partition"], 0, "{one:#}");
    let of_one = one["items"][0]["total_lag_records"].as_i64();
    assert!(of_one.is_some() && of_one <= points[0]["total_lag_records"].as_i64(), "{one:#}, of {all:#}");
    assert_eq!(history("topic=no.such&points=1").await.done()["items"], serde_json::json!([]));
    assert_eq!(history("partition=0").await.problem(), ("invalid-request".to_owned(), 422));
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let dead = history("topic=orders.placed&points=1").await.done();
    assert_eq!(dead["items"][0]["worst_lag_records"], Value::Null, "unknown is the worst: {dead:#}");
    assert_eq!(dead["items"][0]["records_class"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn acls_configs_and_groups_are_recorded_when_they_change() {
    let app = TestApp::with_pair().await;
    let facts = async || -> Vec<(String, String)> {
        let sql = "select side, kind from recorder_fact order by side, kind, at";
        sqlx::query_as(sql).fetch_all(&app.app.pool).await.unwrap()
    };
    let first = facts().await;
    assert_eq!(first.len(), 4, "ACLs and configs of both sides, once over two surveys: {first:?}");
    let groups: i64 = sqlx::query_scalar(
        "select count(*) from recorder_track t join recorder_stream s on s.id = t.stream where s.kind = 'groups'",
    )
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    assert!(groups > 0);
    app.observe("orders").await;
    assert_eq!(facts().await.len(), 4, "another process sees that they are as they were");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_group_stood_and_what_configs_were_is_answered_from_what_is_kept() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    let get = async |path: &str| vera.get(&format!("/api/v1/pairs/orders/{path}")).await;
    let (group, topic): (String, String) =
        sqlx::query_as("select group_id, topic from recorder_track where group_id <> '' order by number")
            .fetch_one(&app.app.pool)
            .await
            .unwrap();
    let now = get(&format!("positions?group={group}")).await.done();
    assert_eq!((&now["resolution"], &now["source"]), (&"survey".into(), &"eu-west".into()), "{now:#}");
    let of_topic = now["items"].as_array().unwrap().iter().find(|item| item["topic"] == topic).unwrap();
    assert!(of_topic["position"].is_i64() && of_topic["lowest"] == of_topic["position"], "{now:#}");
    let before = get(&format!("positions?group={group}&at=2020-01-01T00:00:00Z")).await.done();
    assert_eq!((&before["resolution"], &before["items"]), (&Value::Null, &serde_json::json!([])));
    let nobody = get("positions?group=nobody").await.done();
    assert_eq!(nobody["taken_at"], Value::Null, "{nobody:#}");
    assert_eq!(get("positions").await.problem(), ("invalid-request".to_owned(), 422));

    let configs = get("facts").await.done();
    assert!(configs["body"]["topics"]["orders.placed"].is_u64(), "{configs:#}");
    assert_eq!(
        (&configs["changes"], &configs["until"]),
        (&serde_json::json!([configs["since"]]), &Value::Null)
    );
    let acls = get("facts?kind=acls&cluster=eu-central").await.done();
    assert_eq!((&acls["cluster"], acls["body"].is_object()), (&"eu-central".into(), true), "{acls:#}");
    let unknown = get("facts?at=2020-01-01T00:00:00Z").await.done();
    assert_eq!((&unknown["body"], &unknown["since"]), (&Value::Null, &Value::Null), "never read by then");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_was_lost() {
    let app = TestApp::with_pair().await;
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let url = app.serve().await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["pairs", "loss", "orders"]).env("MUSTER_URL", url);
    command.env("MUSTER_TOKEN", app.token_of("vera").await).env_remove("MUSTER_PASSWORD").kill_on_drop(true);
    let said = tokio::time::timeout(Duration::from_secs(120), command.output()).await.unwrap().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{out}{}", String::from_utf8_lossy(&said.stderr));
    assert!(out.contains("eu-west → eu-central, found not to answer at"), "{out}");
    assert!(out.contains("orders.placed") && out.contains("partition 0"), "{out}");
    assert!(out.contains("SECONDS AT LEAST") && out.contains(app.team.as_str()), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_what_each_owner_lost() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let vera = crate::cli::Shell::of(&app, &url, "vera").await;
    let none = vera.muster("pairs losses").await.done();
    assert!(none.starts_with("No source was found dead between "), "{none}");
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let said = vera.muster("pairs losses").await.done();
    assert!(said.contains("all of the owner") && said.contains("  orders, eu-west → eu-central, "), "{said}");
    let csv = vera.muster("pairs loss orders --csv").await.done();
    assert!(csv.starts_with("pair,course,owner,topic,"), "{csv}");
}
