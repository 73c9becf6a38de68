//! The lag over time: the API and the page show what the flight recorder has, name what is missing, and say how old it is; tables and what
//! is large stand below.

mod large;
mod tables;

use axum::http::Method;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_kafka::double::Health;
use serde_json::{Value, json};

use self::tables::column;
use crate::test_app::TestApp;

const API: &str = "/api/v1/pairs/orders/lag/explorer";
const HTML: [(&str, &str); 1] = [("accept", "text/html")];

pub(crate) async fn explored(app: &TestApp, query: &str) -> Value {
    app.as_user("vera").await.get(&format!("{API}?{query}")).await.done()
}

pub(crate) async fn page(app: &TestApp, query: &str) -> String {
    let reply = app
        .as_browser_of("vera")
        .await
        .request(Method::GET, &format!("/pairs/orders/lag?{query}"), None, &HTML)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_has_the_figures_of_the_recorder() {
    let app = TestApp::with_pair().await;
    let found = explored(&app, "topic=orders.placed&points=1").await;
    let series = app
        .as_user("vera")
        .await
        .get("/api/v1/pairs/orders/lag/history?topic=orders.placed&points=1")
        .await
        .done();
    let (item, point) = (&found["items"][0], &series["items"][0]);
    assert!(point["worst_lag_records"].is_number(), "{series:#}");
    assert_eq!(item["records"]["worst"], point["worst_lag_records"], "{found:#}");
    // Where offsets are no records it is at most so many, as in today's figure.
    let today = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    assert_eq!(item["records"]["class"], today["items"][0]["topics"]["orders.placed"]["records"]["class"]);
    assert_eq!(item["total_records"], point["total_lag_records"]);
    assert_eq!(
        (&found["resolution"], &found["source"], &found["topic"]),
        (&json!("survey"), &json!("eu-west"), &json!("orders.placed"))
    );
    assert_eq!(found["strip"]["partitions"], item["partitions"]);
    let survey = app.as_user("vera").await.get("/api/v1/pairs/orders/readiness").await.done();
    for fresh in found["freshness"].as_array().unwrap() {
        assert_eq!(fresh["survey"], survey["survey"], "{fresh}");
        assert!(fresh["newest"].is_string() && fresh["class"] != "unknown", "{fresh}");
    }
    let all = explored(&app, "points=1").await;
    assert!(all["items"][0]["partitions"].as_u64() > item["partitions"].as_u64(), "{all:#}");
    let one = explored(&app, "topic=orders.placed&partition=0&points=1").await;
    assert_eq!((&one["items"][0]["partitions"], &one["partition"]), (&json!(1), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_topic_has_a_row_and_every_partition_of_a_topic_is_on_some_page() {
    let app = TestApp::with_pair().await;
    let strip = async |query: &str| explored(&app, query).await["strip"].clone();
    let topics = strip("limit=500").await;
    assert_eq!(topics["of"], "topics", "{topics:#}");
    let rows = topics["rows"].as_array().unwrap();
    assert_eq!(topics["total"].as_u64(), Some(rows.len() as u64), "{topics:#}");
    let partitions: u64 = rows.iter().map(|row| row["partitions"].as_u64().unwrap()).sum();
    assert_eq!(
        topics["partitions"].as_u64(),
        Some(partitions),
        "each partition is in some topic: {topics:#}"
    );

    let whole = strip("rows=partitions&limit=500").await;
    assert_eq!((&whole["of"], &whole["total"]), (&json!("partitions"), &topics["partitions"]), "{whole:#}");
    let mut paged = Vec::new();
    for skip in 0..partitions {
        let page = strip(&format!("rows=partitions&limit=1&skip={skip}")).await;
        assert_eq!((&page["skip"], page["rows"].as_array().unwrap().len()), (&json!(skip), 1), "{page:#}");
        let row = &page["rows"][0];
        paged.push((row["topic"].to_string(), row["partition"].as_i64().unwrap()));
    }
    paged.sort();
    let of = |row: &Value| (row["topic"].to_string(), row["partition"].as_i64().unwrap());
    let mut listed: Vec<(String, i64)> = whole["rows"].as_array().unwrap().iter().map(of).collect();
    listed.sort();
    assert_eq!(paged, listed, "on one page and on one only");

    let html = page(&app, "").await;
    assert!(
        html.contains("Topics, worst first") && html.contains("Show single partitions instead"),
        "{html}"
    );
    assert!(html.contains("orders.placed, worst of "), "{html}");
    let html = page(&app, "topic=orders.placed").await;
    assert!(
        html.contains("Partitions, worst first") && html.contains("orders.placed, partition 0:"),
        "{html}"
    );
    let html = page(&app, "rows=partitions&skip=1").await;
    assert!(html.contains("Worse ones") && html.contains("Show topics instead"), "{html}");
    let api = app.as_user("vera").await;
    let refused = api.get(&format!("{API}?skip=20001")).await.problem();
    assert_eq!(refused, ("invalid-request".to_owned(), 422));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_died_is_a_gap_with_its_name_and_never_zero() {
    let app = TestApp::with_pair().await;
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let found = explored(&app, "topic=orders.placed&points=1").await;
    let item = &found["items"][0];
    assert_eq!(
        (&item["records"]["worst"], &item["records"]["class"]),
        (&Value::Null, &json!("unknown")),
        "{found:#}"
    );
    assert_eq!(item["rpo"]["ms_at_most"], Value::Null, "{found:#}");
    assert_eq!(item["why"], "source_not_read");
    let whys: Vec<&Value> = found["gaps"].as_array().unwrap().iter().map(|gap| &gap["why"]).collect();
    assert!(whys.contains(&&json!("source_not_read")), "{found:#}");
    assert_eq!(found["marks"][0]["kind"], "loss", "{found:#}");
    let html = page(&app, "topic=orders.placed&source=eu-west").await;
    assert!(html.contains("eu-west did not answer:"), "{html}");
    assert!(html.contains("<a href=\"/pairs/orders/losses/a-"), "{html}");
    assert!(html.contains("\">eu-west did not answer</a>"), "{html}");
    let loss = app.as_browser_of("vera").await.get("/pairs/orders").await.text;
    assert!(
        loss.contains("See the course around it") && loss.contains("/pairs/orders/lag?source=eu-west"),
        "{loss}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_a_day_the_worst_rpo_of_each_hour_is_shown_and_what_was_not_kept_is_said_to_be() {
    let app = TestApp::with_pair().await;
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let over = |hours| {
        let now = Utc::now();
        format!("from={}&to={}", text(now - TimeDelta::hours(hours)), text(now))
    };
    let known = |found: &Value| -> Vec<i64> {
        let mut known = Vec::new();
        for stretch in found["rpo_course"].as_array().unwrap() {
            match stretch["ms_at_most"].as_i64() {
                Some(ms) => known.push(ms),
                None => assert_eq!(stretch["why"], "not_recorded", "{stretch:#}"),
            }
        }
        known
    };
    let change = async |sql: &'static str| {
        sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    };
    // Nothing was kept of the time before the first survey, so of its hour as a whole nothing is told.
    change("delete from flow_rpo_hour").await;
    app.observe("orders").await;
    let found = explored(&app, &over(48)).await;
    assert!(known(&found).is_empty(), "the hour was not kept from its begin: {found:#}");
    let html = page(&app, "range=7d").await;
    assert!(html.contains("from before the RPO was kept by the hour"), "{html}");

    // As if it had been looked at in the hour before, too.
    change("update flow_rpo_hour set since = at").await;
    let now = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    let judged = now["items"][0]["rpo"]["ms_at_most"].as_i64().unwrap();
    let found = explored(&app, &over(48)).await;
    let worst = known(&found).into_iter().max().unwrap_or_else(|| panic!("{found:#}"));
    assert!(worst >= judged, "no less than what the survey said: {worst}, {judged}");
    assert!(found["rpo_course"].as_array().unwrap().len() >= 48, "{found:#}");
    let fresh = found["freshness"].as_array().unwrap().iter().find(|fresh| fresh["series"] == "rpo").unwrap();
    assert!(fresh["newest"].is_string() && fresh["class"] == "lower_bound", "{fresh}");
    let html = page(&app, "range=7d").await;
    assert!(html.contains("RPO interval of ") && html.contains("data-draw=\"rpo_hour\""), "{html}");
    assert!(!html.contains("from before the RPO was kept by the hour"), "{html}");

    // Of a topic it is in its stretches, and up to a day it is told from every survey.
    let topic = explored(&app, &format!("{}&topic=orders.placed", over(48))).await;
    assert_eq!(topic["rpo_course"], json!([]), "{topic:#}");
    assert_eq!(explored(&app, &over(2)).await["rpo_course"], json!([]));

    // A source that does not answer and of which nothing is known makes its hour unknown.
    change("update flow_rpo_hour set ms_at_most = null").await;
    let unknown = explored(&app, &over(48)).await;
    let whys: Vec<&Value> =
        unknown["rpo_course"].as_array().unwrap().iter().map(|stretch| &stretch["why"]).collect();
    assert!(whys.contains(&&json!("in_the_hour")), "{unknown:#}");
    assert!(unknown["rpo_course"].as_array().unwrap().iter().all(|one| one["ms_at_most"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_a_day_a_whole_flow_has_its_band_and_both_ends_of_the_rpo_from_what_surveys_said() {
    let app = TestApp::with_pair().await;
    sqlx::query("delete from flow_rpo_hour").execute(&app.app.pool).await.unwrap();
    app.observe("orders").await;
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let now = Utc::now();
    let week = format!("from={}&to={}&points=500", text(now - TimeDelta::days(7)), text(now));
    let found = explored(&app, &week).await;
    let items = found["items"].as_array().unwrap();
    let item = items.last().unwrap_or_else(|| panic!("{found:#}"));
    let surveys = item["of_surveys"]["surveys"].as_u64().unwrap_or_else(|| panic!("{found:#}"));
    assert!(surveys >= 1 && item["of_surveys"]["unknown"] == 0, "{item:#}");
    let classes = item["of_surveys"]["partitions"].as_object().unwrap();
    let counted: u64 = classes.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(Some(counted), item["partitions"].as_u64(), "{item:#}");
    let judged = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    let judged = &judged["items"][0];
    let at_least = |figure: &Value, judged: &Value| {
        let (figure, judged) = (figure.as_i64(), judged.as_i64());
        assert!(judged.is_some() && figure >= judged, "{figure:?}, {judged:?}: {found:#}");
    };
    at_least(&item["records"]["worst"], &judged["worst_records"]["value"]);
    at_least(&item["ms"]["worst"], &judged["worst_ms"]["value"]);
    at_least(&item["total_records"], &judged["total_records"]["value"]);
    assert!(item["records"]["p50"].is_i64() && item["ms"]["p99"].is_i64(), "{item:#}");
    let last = found["rpo_course"].as_array().unwrap().last().unwrap();
    let proven = &judged["rpo"]["records_at_least"];
    assert_eq!(&last["records_at_least"], proven, "{last:#}");
    assert!(last["ms_at_least"].is_i64(), "{last:#}");

    let csv = app.as_user("vera").await.get(&format!("{API}?{week}&format=csv")).await.text;
    let line =
        column(&csv, "surveys").iter().rposition(|cell| !cell.is_empty()).unwrap_or_else(|| panic!("{csv}"));
    assert_eq!(column(&csv, "surveys")[line], surveys.to_string(), "{csv}");
    assert_eq!(column(&csv, "rpo_records_at_least")[line], proven.to_string(), "{csv}");
    assert_eq!(column(&csv, "ms_worst")[line], item["ms"]["worst"].to_string(), "{csv}");
    let html = page(&app, "range=7d").await;
    assert!(html.contains("at the worst survey of each stretch"), "{html}");

    // A survey that cannot tell is counted, and its hour is a gap.
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let found = explored(&app, &format!("from={}&points=500", text(now - TimeDelta::days(7)))).await;
    let item = found["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&item["records"]["worst"], &item["why"]), (&Value::Null, &json!("in_the_hour")), "{item:#}");
    assert!(item["of_surveys"]["unknown"].as_u64() >= Some(1), "{item:#}");
    let html = page(&app, "range=7d").await;
    assert!(html.contains("It was not known in 1 survey of "), "{html}");

    // Rows of the version before: not known, never zero.
    sqlx::query("update flow_rpo_hour set band = null").execute(&app.app.pool).await.unwrap();
    let found = explored(&app, &week).await;
    let of_surveys = found["items"].as_array().unwrap().iter().filter(|item| !item["of_surveys"].is_null());
    assert_eq!(of_surveys.count(), 0, "{found:#}");
    assert_eq!(found["gaps"].as_array().unwrap().last().unwrap()["why"], "not_recorded", "{found:#}");
    let course = found["rpo_course"].as_array().unwrap();
    assert!(course.iter().all(|stretch| stretch["records_at_most"].is_null()), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_marked_beside_the_course() {
    let app = TestApp::with_pair().await;
    crate::alarms::alarm(&app).await;
    let (_, run) = crate::runs::requested(&app).await;
    let sql = "update run set started_at = clock_timestamp() - interval '1 minute' where id = $1";
    sqlx::query(sql).bind(run).execute(&app.app.pool).await.unwrap();
    let found = explored(&app, "").await;
    let kinds: Vec<&str> =
        found["marks"].as_array().unwrap().iter().map(|mark| mark["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run", "alarm"], "{found:#}");
    let other = explored(&app, "source=eu-central").await;
    let kinds: Vec<&Value> = other["marks"].as_array().unwrap().iter().map(|mark| &mark["kind"]).collect();
    assert_eq!(kinds, ["run"], "the alarm is of the other direction: {other:#}");
    let html = page(&app, "").await;
    assert!(html.contains(&format!("<a href=\"/runs/{run}\">Run ")), "{html}");
    assert!(html.contains("replication-hole: orders.placed"), "{html}");
    let alarms = app.as_browser_of("vera").await.get("/alarms").await.text;
    assert!(
        alarms.contains("/pairs/orders/lag?source=eu-west&#38;from=")
            && alarms.contains("see the course around it"),
        "{alarms}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_keeps_what_was_asked_in_its_address_and_says_what_it_did_not_understand() {
    let app = TestApp::with_pair().await;
    let html = page(&app, "topic=orders.placed&range=6h").await;
    assert!(
        html.contains("value=\"orders.placed\"") && html.contains("<option value=\"orders.placed\">"),
        "{html}"
    );
    assert!(html.contains("<b aria-current=\"true\">6 h</b>"), "{html}");
    assert!(
        html.contains("/pairs/orders/lag?source=eu-west&#38;range=24h&#38;topic=orders.placed"),
        "{html}"
    );
    assert!(
        html.contains(
            "data-lag=\"/api/v1/pairs/orders/lag/explorer?source=eu-west&#38;topic=orders.placed&#38;from="
        ),
        "{html}"
    );
    let vera = app.as_browser_of("vera").await;
    for (query, sentence) in [
        ("partition=3", "Choose its topic, too."),
        ("topic=orders.placed&partition=x", "Write its number: 0 or more."),
        ("from=yesterday", "Write a time in UTC"),
        ("source=mars", "is not a cluster of pair `orders`"),
        ("from=2026-11-19T03:00&to=2026-11-19T02:00", "must be before"),
        ("from=2020-01-01T00:00&to=2026-01-01T00:00", "at most 400 days"),
    ] {
        let refused = vera.request(Method::GET, &format!("/pairs/orders/lag?{query}"), None, &HTML).await;
        assert_eq!(refused.status, 422, "{query}");
        assert!(refused.text.contains(sentence), "{query}: {}", refused.text);
        assert!(refused.text.contains("Show lag"), "{query}: the form is there to be corrected");
    }
    let api = app.as_user("vera").await;
    for query in
        ["partition=3", "format=xml", "from=2026-11-19T03:00:00Z&to=2026-11-19T02:00:00Z", "source=mars"]
    {
        assert_eq!(
            api.get(&format!("{API}?{query}")).await.problem(),
            ("invalid-request".to_owned(), 422),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_recorded_the_page_teaches_what_will_be_there() {
    let app = TestApp::with_pair().await;
    let html = page(&app, "topic=no.such.topic").await;
    assert!(html.contains("no.such.topic was never recorded from eu-west to eu-central"), "{html}");
    let html = page(&app, "from=2026-01-01T00:00&to=2026-01-01T01:00").await;
    assert!(html.contains("Nothing was recorded of all topics in this time"), "{html}");
    sqlx::query("delete from recorder_stream").execute(&app.app.pool).await.unwrap();
    let html = page(&app, "").await;
    assert!(html.contains("Nothing is recorded yet from eu-west to eu-central"), "{html}");
    assert!(
        html.contains(
            "No run, no death of the source, no alarm and no topic that was made anew touches this time."
        ),
        "{html}"
    );
}
