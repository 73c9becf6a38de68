//! What would be different on the other side: in the API, on its page, by command.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::http::Method;
use chrono::{DateTime, Utc};
use muster_app::loops::memory::Memory;
use muster_domain::{ids::PairName, quota::ClientQuota};
use muster_kafka::double::{Fault, Health, When};
use muster_store::leases;
use serde_json::{Value, json};

use crate::{cli::Shell, test_app::TestApp};

/// The standby lacks a password, a limit and a setting that eu-west has.
async fn unlike() -> TestApp {
    let app = TestApp::with_pair().await;
    {
        let mut world = app.small.world.lock();
        let west = world.cluster_mut("eu-west");
        west.users.insert("shop".to_owned(), ["SCRAM-SHA-512".to_owned()].into());
        west.quotas.push(ClientQuota {
            entity: [("user".to_owned(), Some("shop".to_owned()))].into(),
            limits: [("producer_byte_rate".to_owned(), 1000.0)].into(),
        });
        let placed = world.cluster_mut("eu-central").topics.get_mut("orders.placed").unwrap();
        placed.configs.insert("retention.ms".to_owned(), "3600000".to_owned());
    }
    app.observe("orders").await;
    app
}

fn kinds(reply: &Value) -> Vec<&str> {
    reply["items"].as_array().unwrap().iter().map(|cause| cause["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_difference_is_told_with_its_cause_and_what_to_do() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    let reply = vera.get("/api/v1/pairs/orders/differences").await.done();
    assert_eq!((&reply["active"], &reply["standby"]), (&json!("eu-west"), &json!("eu-central")));
    assert_eq!(reply["not_compared"], json!([]));
    for kind in ["config", "scram_user", "quota"] {
        assert!(kinds(&reply).contains(&kind), "{kind}: {reply:#}");
    }
    let config = vera.get("/api/v1/pairs/orders/differences?kind=config&who=orders.placed").await.done();
    assert_eq!(kinds(&config), ["config"]);
    let cause = &config["items"][0];
    assert_eq!(cause["weight"], "costs");
    assert_eq!(cause["expected"], "7 d (Kafka's default)");
    assert_eq!(cause["actual"], "1 h (set on the topic)");
    assert_eq!(cause["affected"]["topics"], json!({"count": 1, "names": ["orders.placed"]}));
    assert!(
        cause["commands"][0].as_str().unwrap().ends_with("--add-config 'retention.ms=604800000'"),
        "{cause:#}"
    );

    let page = |path: &'static str| {
        let app = &app;
        async move {
            let html = [("accept", "text/html")];
            app.as_browser_of("vera").await.request(Method::GET, path, None, &html).await.text
        }
    };
    let all = page("/pairs/orders/differences").await;
    for said in
        ["has no SCRAM-SHA-512 password on eu-central", "<code>retention.ms</code>", "producer_byte_rate"]
    {
        assert!(all.contains(said), "{said}: {all}");
    }
    let limits = page("/pairs/orders/differences?part=limits").await;
    assert!(limits.contains("producer_byte_rate") && !limits.contains("retention.ms"), "{limits}");
    let nobody = page("/pairs/orders/differences?who=nobody-has-this-name").await;
    assert!(nobody.contains("No difference matches."), "{nobody}");
    assert!(page("/pairs/orders").await.contains("href=\"/pairs/orders/differences\""));

    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "vera").await;
    let told = shell.muster("pairs differences orders --who orders.placed").await.done();
    assert!(told.starts_with("From eu-west to eu-central:"), "{told}");
    assert!(told.contains("`retention.ms` of topic `orders.placed` is 1 h"), "{told}");
    assert!(!told.contains("SCRAM"), "{told}");
}

/// What causes say of a list.
fn says(causes: &Value) -> Vec<String> {
    causes.as_array().unwrap().iter().map(|cause| cause["says"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_who_is_affected_finds_all_causes_in_one_place_page_by_page() {
    let app = unlike().await;
    // A limit for a client id: nobody knows who goes by it.
    app.small.world.lock().cluster_mut("eu-central").quotas.push(ClientQuota {
        entity: [("client-id".to_owned(), Some("loader".to_owned()))].into(),
        limits: [("consumer_byte_rate".to_owned(), 1000.0)].into(),
    });
    app.observe("orders").await;
    let vera = app.as_user("vera").await;
    let path = "/api/v1/pairs/orders/differences";
    assert_eq!(vera.get(path).await.done()["by_who"], Value::Null);
    let reply = vera.get(&format!("{path}?by=who")).await.done();
    let by = &reply["by_who"];
    let shop = by["items"].as_array().unwrap().iter().find(|one| one["name"] == "User:shop");
    let shop = shop.unwrap_or_else(|| panic!("{by:#}"));
    assert_eq!(shop["kind"], "principal");
    let causes = says(&shop["causes"]);
    for said in ["SCRAM-SHA-512", "producer_byte_rate"] {
        assert!(causes.iter().any(|cause| cause.contains(said)), "{said}: {shop:#}");
    }
    let not_known = says(&by["not_known"]);
    assert!(not_known.iter().any(|cause| cause.contains("consumer_byte_rate")), "{by:#}");
    // No cause is nowhere.
    let mut told = [says(&by["everybody"]), not_known].concat();
    told.extend(by["items"].as_array().unwrap().iter().flat_map(|one| says(&one["causes"])));
    for cause in says(&reply["items"]) {
        assert!(told.contains(&cause), "{cause}: {by:#}");
    }

    // Page by page the same, each once.
    let (mut read, mut query) = (Vec::new(), "?by=who&limit=1".to_owned());
    loop {
        let page = vera.get(&format!("{path}{query}")).await.done();
        let found = page["by_who"]["items"].as_array().unwrap().clone();
        assert!(found.len() <= 1, "{page:#}");
        read.extend(found);
        match page["by_who"]["next"].as_str() {
            Some(next) => query = format!("?by=who&limit=1&after={next}"),
            None => break,
        }
    }
    assert_eq!((json!(read), json!(read.len())), (by["items"].clone(), by["count"].clone()));
    for foreign in ["run~7", "who~costs~1~group", "7"] {
        let refused = vera.get(&format!("{path}?by=who&after={foreign}")).await;
        assert_eq!(refused.problem(), ("invalid-request".to_owned(), 422), "{foreign}");
    }

    let html = [("accept", "text/html")];
    let browser = app.as_browser_of("vera").await;
    let page = browser.request(Method::GET, "/pairs/orders/differences?by=who", None, &html).await.text;
    for said in
        ["<code>User:shop</code>", "Not known who", "href=\"/pairs/orders/differences?who=User%3Ashop\""]
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "vera").await;
    let told = shell.muster("pairs differences orders --by who").await.done();
    for said in ["Not known who:", "User:shop (principal):", "consumer_byte_rate"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_of_the_brokers_that_clients_feel_is_told_once_it_is_read_again() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    let path = "/api/v1/pairs/orders/differences?kind=broker";
    assert_eq!(kinds(&vera.get(path).await.done()), [""; 0]);
    let setting = ("transaction.max.timeout.ms".to_owned(), "60000".to_owned());
    app.small.world.lock().cluster_mut("eu-central").settings.extend([setting]);
    let mut reply = Value::Null;
    // By the twelfth survey at the latest.
    for _ in 0..12 {
        app.observe("orders").await;
        reply = vera.get(path).await.done();
    }
    assert_eq!(kinds(&reply), ["broker"]);
    let cause = &reply["items"][0];
    assert_eq!(cause["weight"], "breaks");
    assert_eq!(cause["actual"], "1 min (from the brokers' file), as broker 1 has it");
}

/// Surveys until the next that asks brokers what they are set to, with that one.
async fn observe_a_turn(app: &TestApp) {
    for _ in 0..12 {
        app.observe("orders").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_tell_is_left_alone_until_the_next_turn_and_then_another_is_asked() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    let setting = ("transaction.max.timeout.ms".to_owned(), "60000".to_owned());
    app.small.world.lock().cluster_mut("eu-central").settings.extend([setting]);
    let number = || async {
        sqlx::query_scalar::<_, i64>("select number from survey where pair = 'orders'")
            .fetch_one(&app.app.pool)
            .await
            .unwrap()
    };
    while number().await % 12 != 0 {
        app.observe("orders").await;
    }
    let told = async || {
        let reply = vera.get("/api/v1/pairs/orders/differences?kind=broker").await.done();
        reply["items"][0]["actual"].as_str().map(str::to_owned)
    };
    let of = |broker: i32| Some(format!("1 min (from the brokers' file), as broker {broker} has it"));
    assert_eq!(told().await, of(1));

    let (asked, silent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (count, is_silent) = (Arc::clone(&asked), Arc::clone(&silent));
    app.small.world.on_call(move |call, when| {
        let is_it = call.verb == "broker_configs" && call.place == "eu-central" && when == When::Before;
        if is_it {
            count.fetch_add(1, Ordering::SeqCst);
        }
        (is_it && is_silent.load(Ordering::SeqCst)).then_some(Fault::Timeout)
    });
    // It is asked once, and what it told stands.
    observe_a_turn(&app).await;
    assert_eq!((told().await, asked.load(Ordering::SeqCst)), (of(1), 1));
    silent.store(false, Ordering::SeqCst);
    observe_a_turn(&app).await;
    assert_eq!((told().await, asked.load(Ordering::SeqCst)), (of(2), 2));
    // And where nothing was ever told.
    silent.store(true, Ordering::SeqCst);
    sqlx::query("truncate survey, readiness").execute(&app.app.pool).await.unwrap();
    for _ in 0..5 {
        app.observe("orders").await;
    }
    let reply = vera.get("/api/v1/pairs/orders/differences").await.done();
    let not: Vec<_> = reply["not_compared"].as_array().unwrap().iter().map(|part| &part["what"]).collect();
    assert_eq!((not, asked.load(Ordering::SeqCst)), (vec![&json!("settings of brokers")], 3), "{reply:#}");
    silent.store(false, Ordering::SeqCst);
    observe_a_turn(&app).await;
    assert_eq!((told().await, asked.load(Ordering::SeqCst)), (of(2), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_the_same_of_the_same_facts() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    let checks = vera.get("/api/v1/pairs/orders/readiness").await.done();
    let check = checks["items"].as_array().unwrap().iter().find(|check| check["code"] == "standby-configs");
    let check = check.unwrap();
    assert_eq!(check["status"], "warning", "{check:#}");
    assert!(check["reason"].as_str().unwrap().contains("retention.ms of `orders.placed`"), "{check:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_active_side_is_dead_it_is_told_what_differed_when_both_were_read_last() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    let path = "/api/v1/pairs/orders/differences";
    let before = vera.get(path).await.done();
    assert_eq!(before["earlier"], json!([]));
    assert_eq!(written(&app).await, None);
    app.small.world.set_health("eu-west", Health::Dead);
    let mut since = None;
    // The second time it is remembered, not compared, and not written again.
    for _ in 0..2 {
        app.observe("orders").await;
        let at = written(&app).await;
        assert!(at.is_some() && (since.is_none() || at == since), "{at:?}, at first {since:?}");
        since = at;
        let reply = vera.get(path).await.done();
        let part = |what: &str| {
            let earlier = reply["earlier"].as_array().unwrap();
            earlier.iter().find(|part| part["what"] == what).unwrap_or_else(|| panic!("{what}: {reply:#}"))
        };
        for (what, kind) in [("configs", "config"), ("SCRAM users", "scram_user"), ("client quotas", "quota")]
        {
            let part = part(what);
            assert_eq!(part["at"], before["at"], "{part:#}");
            assert_eq!(part["differences"][0]["kind"], kind, "{part:#}");
        }
        assert_eq!(part("protocols of groups")["differences"], json!([]));
        assert!(!reply["not_compared"].as_array().unwrap().is_empty());
    }
    let some = vera.get("/api/v1/pairs/orders/differences?who=orders.placed").await.done();
    let configs = some["earlier"].as_array().unwrap().iter().find(|part| part["what"] == "configs").unwrap();
    assert_eq!(configs["differences"].as_array().unwrap().len(), 1, "{some:#}");

    let html = [("accept", "text/html")];
    let browser = app.as_browser_of("vera").await;
    let page = browser.request(Method::GET, "/pairs/orders/differences", None, &html).await.text;
    for said in ["As last compared", "has no SCRAM-SHA-512 password on eu-central", "some as last compared"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let url = app.serve().await;
    let shell = Shell::of(&app, &url, "vera").await;
    let told = shell.muster("pairs differences orders").await.done();
    assert!(told.contains("when it could be compared last: SCRAM users:"), "{told}");

    // Back again: it is compared, and nothing of then is told.
    app.small.world.set_health("eu-west", Health::Up);
    app.observe("orders").await;
    assert_eq!(vera.get(path).await.done()["earlier"], json!([]));
    assert_eq!(written(&app).await, None);
}

/// With which survey it was last written what is remembered of the pair; `None` where nothing is.
async fn written(app: &TestApp) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("select at from differences_compared where pair = 'orders'")
        .fetch_optional(&app.app.pool)
        .await
        .unwrap()
}

/// A process of the version before writes its judgements over the one there is, and nothing of what was compared last.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_compared_last_outlives_a_survey_of_an_older_process_and_is_in_no_judgement() {
    let app = unlike().await;
    let vera = app.as_user("vera").await;
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let path = "/api/v1/pairs/orders/differences";
    let told = vera.get(path).await.done()["earlier"].clone();
    assert_ne!(told, json!([]));
    let with: i64 = sqlx::query_scalar("select count(*) from readiness where results ? 'last_compared'")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(with, 0, "pages read judgements whole");
    sqlx::query("update readiness set results = results - 'last_compared', brief_of = null")
        .execute(&app.app.pool)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(vera.get(path).await.done()["earlier"], told);
        app.observe("orders").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_surveys_compare_no_more_and_no_less_what_was_compared_last_is_neither_read_nor_written() {
    let app = unlike().await;
    let name = PairName::new("orders").unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let lease = leases::survey_lease(&name);
    let epoch = leases::claim(&mut conn, &lease, "test", 60.0).await.unwrap().unwrap().epoch;
    drop(conn);
    let mut memory = Memory::default();
    app.small.world.set_health("eu-west", Health::Dead);
    app.surveys.observe(&name, epoch, &mut memory).await.unwrap();
    let at = written(&app).await;
    assert!(at.is_some());
    let rename = async |from: &'static str, to: &'static str| {
        let sql = sqlx::AssertSqlSafe(format!("alter table {from} rename to {to}"));
        sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    };
    rename("differences_compared", "elsewhere").await;
    app.surveys.observe(&name, epoch, &mut memory).await.unwrap();
    // Whoever takes the pair over has to look.
    app.surveys.observe(&name, epoch, &mut Memory::default()).await.unwrap_err();
    rename("elsewhere", "differences_compared").await;
    assert_eq!(written(&app).await, at);
    app.small.world.set_health("eu-west", Health::Up);
    app.surveys.observe(&name, epoch, &mut memory).await.unwrap();
    assert_eq!(written(&app).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_survey_nothing_is_alike() {
    let app = TestApp::with_pair().await;
    sqlx::query("truncate survey, readiness").execute(&app.app.pool).await.unwrap();
    let refused = app.as_user("vera").await.get("/api/v1/pairs/orders/differences").await;
    assert_eq!(refused.problem(), ("not-surveyed-yet".to_owned(), 409));
    let html = [("accept", "text/html")];
    let browser = app.as_browser_of("vera").await;
    let page = browser.request(Method::GET, "/pairs/orders/differences", None, &html).await;
    assert!(page.text.contains("Never surveyed."), "{}", page.text);
    assert!(!page.text.contains("No differences"), "{}", page.text);
}
