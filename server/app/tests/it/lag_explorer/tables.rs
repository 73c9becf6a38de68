//! The lag over time as a table and on the command line: a line a stretch, and an empty cell for what is not known.

use axum::http::Method;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use muster_kafka::double::Health;
use serde_json::Value;

use super::{API, explored};
use crate::{cli::Shell, test_app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_has_a_line_a_stretch_and_an_empty_cell_for_what_is_not_known() {
    let app = TestApp::with_pair().await;
    app.small.world.set_health("eu-west", Health::Dead);
    app.observe("orders").await;
    let vera = app.as_user("vera").await;
    let to = (Utc::now() + TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let from = (Utc::now() - TimeDelta::minutes(2)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let path = format!("{API}?topic=orders.placed&points=1&from={from}&to={to}");
    let csv = vera.request(Method::GET, &path, None, &[("accept", "text/csv")]).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"lag-orders.csv\"");
    let partitions = vera.get(&path).await.done()["items"][0]["partitions"].clone();
    // The one stretch may reach beyond what has been: its line does not.
    let expected = |csv: &str| {
        let exported = column(csv, "exported_at").remove(0);
        let end = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let until = end(&to).min(end(&exported)).to_rfc3339_opts(SecondsFormat::AutoSi, true);
        format!(
            "at,until,partitions,unknown,why,records_p50,records_p90,records_p99,records_worst,records_class,records_total,\
             ms_p50,ms_p90,ms_p99,ms_worst,ms_class,rpo_records_at_least,rpo_records_at_most,rpo_ms_at_least,rpo_ms_at_most,\
             rpo_class,surveys,surveys_unknown,partitions_exact,partitions_tight,partitions_lower_bound,partitions_stale,\
             partitions_unknown,objective_ms,age_ms,exported_at,pair,source,target,topic,partition\n\
             {from},{until},{partitions},{partitions},source_not_read,,,,,unknown,,,,,,unknown,,,,,unknown,"
        )
    };
    let expected_here = expected(&csv.text);
    assert!(csv.text.starts_with(&expected_here), "{} does not begin with {expected_here}", csv.text);
    assert!(csv.text.ends_with("Z,orders,eu-west,eu-central,orders.placed,\n"), "{}", csv.text);
    let again = vera.get(&format!("{path}&format=csv")).await.text;
    assert!(again.starts_with(&expected(&again)), "the address says it as well: {again}");
}

/// A column of a table, line by line.
pub(super) fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let number = lines.next().unwrap().split(',').position(|head| head == name).unwrap();
    lines.map(|line| line.split(',').nth(number).unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_has_a_line_for_each_time_in_which_nothing_was_recorded_and_none_beyond_the_present() {
    let app = TestApp::with_pair().await;
    let to = Utc::now() + TimeDelta::minutes(10);
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let from = text(to - TimeDelta::minutes(40));
    let query = format!("points=20&from={from}&to={}", text(to));
    let csv = app.as_user("vera").await.get(&format!("{API}?{query}&format=csv")).await.text;
    let found = explored(&app, &query).await;
    let gaps: Vec<&Value> = found["gaps"].as_array().unwrap().iter().collect();
    assert_eq!(gaps[0]["why"], "not_recorded", "{found:#}");
    let rows = |name| column(&csv, name);
    let gap = rows("why").iter().position(|why| why == "not_recorded").unwrap_or_else(|| panic!("{csv}"));
    let at = |text: &String| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    assert_eq!(at(&rows("at")[gap]), at(&from), "{csv}");
    assert_eq!(rows("until")[gap], gaps[0]["to"].as_str().unwrap(), "{csv}");
    for (name, nothing) in [
        ("partitions", "0"),
        ("unknown", "0"),
        ("records_worst", ""),
        ("records_class", "unknown"),
        ("ms_class", "unknown"),
        ("rpo_ms_at_most", ""),
        ("rpo_class", "unknown"),
        ("source", "eu-west"),
    ] {
        assert_eq!(rows(name)[gap], nothing, "{name}: {csv}");
    }
    let stretches = rows("why").iter().filter(|why| *why != "not_recorded").count();
    assert_eq!(stretches, found["items"].as_array().unwrap().len(), "{csv}");
    for (until, exported) in rows("until").iter().zip(rows("exported_at")) {
        assert!(at(until) <= at(&exported), "{csv}");
    }
    let mut sorted = rows("at");
    sorted.sort_by_key(at);
    assert_eq!(sorted, rows("at"), "in the order of time");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_lag_now_and_over_time() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let vera = Shell::of(&app, &url, "vera").await;
    let now = vera.muster("pairs lag orders").await.done();
    assert!(now.contains("  orders.placed") && now.contains("WOULD BE LOST"), "{now}");
    let open = now.split_once("all from a, offsets in or behind open transactions: ").expect("it is told").1;
    assert!(open.lines().next().is_some_and(|offsets| offsets.parse::<u64>().is_ok()), "{now}");
    let over = vera.muster("pairs lag orders --history --topic orders.placed").await.done();
    assert!(
        over.starts_with("eu-west → eu-central, orders.placed:\n") && over.contains("WORST, RECORDS"),
        "{over}"
    );
    let csv = vera.muster("pairs lag orders --history --csv").await.done();
    assert!(csv.starts_with("at,until,partitions,") && csv.lines().count() > 1, "{csv}");
    let json = vera.muster("pairs lag orders --history --json").await.done();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["pair"], "orders");
}
