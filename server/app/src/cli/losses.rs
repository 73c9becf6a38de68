//! What was lost, from the command line.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    client::{Client, time},
    print,
};

/// `muster pairs loss`.
pub(super) async fn show(
    client: &Client,
    pair: &str,
    at: Option<DateTime<Utc>>,
    source: Option<String>,
    csv: bool,
) -> anyhow::Result<()> {
    let path = format!("/api/v1/pairs/{pair}/loss");
    let format = if csv { "csv" } else { "json" };
    let query = [("at", at.map(time)), ("source", source), ("format", Some(format.to_owned()))];
    if csv {
        print!("{}", client.text(&path, &query).await?);
        return Ok(());
    }
    let reply = client.list(&path, &query).await?;
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
    let truth = &loss["truth"];
    let mut rows = vec![row("all topics", loss, &loss["total"], (&truth["records"], &truth["ms"]))];
    for topic in loss["topics"].as_array().into_iter().flatten() {
        let truth = (&topic["truth"], &topic["truth_ms"]);
        rows.push(row(&print::word(topic, "topic"), topic, &topic["lost"], truth));
        for partition in topic["partitions"].as_array().into_iter().flatten() {
            let name = format!("  partition {}", partition["partition"]);
            let truth = (&partition["truth"], &partition["truth_ms"]);
            rows.push(row(&name, topic, &partition["lost"], truth));
        }
    }
    print::table(&HEADS, &rows);
    if reply["topics_removed"] == true {
        println!("Nothing was lost. What was said of each topic is not kept any more.");
    }
    println!("{}", print::word(loss, "method"));
    if !loss["truth"].is_null() {
        println!("{}", print::word(&loss["truth"], "method"));
    } else if let Some(waits) = loss["waits_for_leaders"].as_u64().filter(|waits| *waits > 0) {
        println!(
            "It answers again. The true figure waits for {waits} of its partitions, still without a leader."
        );
    }
    Ok(())
}

/// `muster pairs losses`.
pub(super) async fn list(
    client: &Client,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    pair: Option<String>,
) -> anyhow::Result<()> {
    let query = [("from", from.map(time)), ("to", to.map(time)), ("pair", pair)];
    let reply = client.list("/api/v1/losses", &query).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    if print::items(&reply).is_empty() {
        let (from, to) = (print::time(&reply, "from"), print::time(&reply, "to"));
        println!("No source was found dead between {from} and {to}.");
        return Ok(());
    }
    let mut rows = Vec::new();
    for owner in reply["owners"].as_array().into_iter().flatten() {
        rows.push(row("all of the owner", owner, &owner["lost"], (&owner["truth"], &Value::Null)));
        for loss in print::items(&reply).iter().filter(|loss| loss["owner"] == owner["owner"]) {
            let [pair, source, target] = ["pair", "source", "target"].map(|key| print::word(loss, key));
            let name = format!("  {pair}, {source} → {target}, {}", print::time(loss, "noticed_at"));
            let truth = &loss["truth"];
            rows.push(row(&name, loss, &loss["total"], (&truth["records"], &truth["ms"])));
        }
    }
    print::table(&HEADS, &rows);
    Ok(())
}

const HEADS: [&str; 7] =
    ["LOST", "OWNER", "AT LEAST", "AT MOST", "SECONDS AT LEAST", "SECONDS AT MOST", "IT WAS"];

fn row(name: &str, of: &Value, lost: &Value, (truth, truth_ms): (&Value, &Value)) -> Vec<String> {
    let number = |value: &Value| value.as_i64().map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    let seconds = |key: &str| {
        let seconds = lost[key].as_f64().map(|ms| format!("{:.1}", ms / 1000.0));
        seconds.unwrap_or_else(|| "unknown".to_owned())
    };
    vec![
        name.to_owned(),
        print::word(of, "owner"),
        number(&lost["records_at_least"]),
        number(&lost["records_at_most"]),
        seconds("ms_at_least"),
        seconds("ms_at_most"),
        // Offsets are counted, and markers are among them.
        match (truth.as_i64(), truth_ms.as_f64()) {
            (Some(records), Some(ms)) if records > 0 => {
                format!("at most {records}, of the last {:.1} s", ms / 1000.0)
            }
            (Some(records), None) if records > 0 => format!("at most {records}"),
            (Some(_) | None, _) => number(truth),
        },
    ]
}
