//! What clusters may hold is looked at as it is: ten thousand partitions of a topic, every legal name; and what is too much is said to be.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{API, explored, page};
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_ten_thousand_partitions_is_observed_and_each_of_them_can_be_looked_at() {
    let app = TestApp::with_pair().await;
    for cluster in ["eu-west", "eu-central"] {
        app.small.world.lock().cluster_mut(cluster).create_topic("orders.wide", 10_000).unwrap();
    }
    app.observe("orders").await;
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(lag["items"][0]["topics"]["orders.wide"]["records"]["value"], 0, "{:#}", lag["items"][0]);
    let strip = explored(&app, "topic=orders.wide&points=1&skip=9990&limit=500").await["strip"].clone();
    assert_eq!(
        (&strip["of"], &strip["total"], strip["rows"].as_array().map(Vec::len)),
        (&json!("partitions"), &json!(10_000), Some(10))
    );
    let alarms = app.as_user("vera").await.get("/api/v1/pairs/orders/alarms").await.done();
    assert_eq!(alarms["items"], json!([]), "{alarms:#}");
    let html = page(&app, "topic=orders.wide").await;
    assert!(html.contains("1 to 40 of 10,000 partitions"), "{html}");
    let pair = app.as_browser_of("vera").await.get("/pairs/orders").await;
    assert_eq!(pair.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_shown_by_its_name_whatever_legal_characters_it_has_and_however_long_it_is() {
    let app = TestApp::with_pair().await;
    let legal = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['.', '_', '-']).cycle();
    let topic: String = "orders.".chars().chain(legal).take(249).collect();
    for cluster in ["eu-west", "eu-central"] {
        app.small.world.lock().cluster_mut(cluster).create_topic(&topic, 1).unwrap();
    }
    app.observe("orders").await;
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(lag["items"][0]["topics"][&topic]["records"]["value"], 0, "{:#}", lag["items"][0]);
    let row = explored(&app, &format!("topic={topic}&points=1")).await["strip"]["rows"][0].clone();
    assert_eq!((&row["topic"], &row["partition"]), (&json!(topic), &json!(0)));
    let html = page(&app, &format!("topic={topic}")).await;
    assert!(html.contains(&format!("{topic}, partition 0:")), "{html}");
    let csv = app.as_user("vera").await.get(&format!("{API}?topic={topic}&points=1&format=csv")).await.text;
    assert!(csv.ends_with(&format!(",orders,eu-west,eu-central,{topic},\n")), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_too_many_partitions_for_a_time_it_is_said_why_and_what_can_be_looked_at() {
    let app = TestApp::with_pair().await;
    // As if a topic made it three thousand.
    let more = "insert into recorder_track (stream, number, group_id, topic, topic_id, partition, seen_at)
        select id, n, '', 'orders.many', '00000000-0000-0000-0000-000000000001'::uuid, n, now()
        from recorder_stream, generate_series(
            (select max(number) + 1 from recorder_track where stream = id), 2999
        ) as n
        where kind = 'partitions' and from_side = 'a'";
    sqlx::query(more).execute(&app.app.pool).await.unwrap();
    let to = Utc::now();
    let over = |time: TimeDelta| {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        format!("from={}&to={}", text(to - time), text(to))
    };
    let found = explored(&app, &over(TimeDelta::days(365))).await;
    let longest = found["longest_ms"].as_i64().unwrap();
    assert_eq!((&found["too_many"], longest), (&json!(true), 7_999 * 3_600_000), "{found:#}");
    assert_eq!(found["strip"]["total"], 0);
    let items = found["items"].as_array().unwrap();
    assert!(!items.is_empty(), "the flow as a whole is told: {found:#}");
    assert!(items.iter().all(|item| item["of_surveys"].is_object()), "{found:#}");
    let month = explored(&app, &over(TimeDelta::days(30))).await;
    assert_eq!(month["too_many"], true, "rows that nobody asked for are left out: {month:#}");
    let asked = explored(&app, &format!("{}&rows=topics", over(TimeDelta::days(30)))).await;
    assert_eq!(asked["too_many"], false, "{asked:#}");
    let fits = explored(&app, &format!("{}&rows=topics", over(TimeDelta::milliseconds(longest)))).await;
    assert_eq!((&fits["too_many"], &fits["longest_ms"]), (&json!(false), &Value::Null));

    let html = page(&app, "range=1y").await;
    assert!(html.contains("3,000 partitions are shown together."), "{html}");
    let why = "Topics one by one would be put together from every hour of 3,000 partitions, for nothing coarser is kept of a partition; \
        of so many that is done for 333 d at a time.";
    assert!(html.contains(why), "{html}");
    assert!(html.contains(">Show the last 333 d of this time</a>"), "{html}");
    assert!(html.contains("&#38;topic=orders.placed\">orders.placed</a></li>"), "{html}");
    let html = page(&app, "range=30d").await;
    assert!(html.contains("&#38;rows=topics\">Show topics one by one over this time;"), "{html}");
    let html = page(&app, "range=1y&topic=orders.placed").await;
    assert!(!html.contains("are shown together"), "one topic is not: {html}");
}
