//! What was lost, from the command line.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{client::Client, print};

/// `muster pairs loss`.
pub(super) async fn show(client: &Client, pair: &str, at: Option<DateTime<Utc>>) -> anyhow::Result<()> {
    // `Z`, since a `+` in an address is a space.
    let at = at.map(|at| format!("?at={}", at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
    let reply = client.get(&format!("/api/v1/pairs/{pair}/loss{}", at.unwrap_or_default())).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let loss = &reply["loss"];
    if loss.is_null() {
        println!("No source of pair {pair} was found dead by then.");
        return Ok(());
    }
    println!(
        "{}, found not to answer at {}.",
        print::word(&reply, "course"),
        print::word(loss, "noticed_at")
    );
    let mut rows = vec![row("all topics", loss, &loss["total"], &loss["truth"]["records"])];
    for topic in loss["topics"].as_array().into_iter().flatten() {
        rows.push(row(&print::word(topic, "topic"), topic, &topic["lost"], &topic["truth"]));
        for partition in topic["partitions"].as_array().into_iter().flatten() {
            let name = format!("  partition {}", partition["partition"]);
            rows.push(row(&name, &Value::Null, &partition["lost"], &partition["truth"]));
        }
    }
    print::table(&["LOST", "OWNER", "AT LEAST", "AT MOST", "SECONDS AT MOST", "IT WAS"], &rows);
    println!("{}", print::word(loss, "method"));
    if !loss["truth"].is_null() {
        println!("{}", print::word(&loss["truth"], "method"));
    }
    Ok(())
}

fn row(name: &str, of: &Value, lost: &Value, truth: &Value) -> Vec<String> {
    let number = |value: &Value| value.as_i64().map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let seconds = lost["ms_at_most"].as_f64().map(|ms| format!("{:.1}", ms / 1000.0));
    vec![
        name.to_owned(),
        of["owner"].as_str().unwrap_or_default().to_owned(),
        number(&lost["records_at_least"]),
        number(&lost["records_at_most"]),
        seconds.unwrap_or_else(|| "unknown".to_owned()),
        // Offsets are counted, and markers are among them.
        match truth.as_i64() {
            Some(records) if records > 0 => format!("at most {records}"),
            Some(_) | None => number(truth),
        },
    ]
}
