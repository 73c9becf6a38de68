//! Lag from the command line.

use serde_json::Value;

use super::{
    client::{Client, time},
    commands::Lag,
    print,
};

/// Stretches of a table that a person reads.
const POINTS: usize = 30;

/// `muster pairs lag`.
pub(super) async fn show(client: &Client, asked: Lag) -> anyhow::Result<()> {
    if !asked.history {
        return now(client, &asked.name).await;
    }
    let path = format!("/api/v1/pairs/{}/lag/explorer", asked.name);
    let for_people = !client.json && !asked.csv;
    let query = [
        ("source", asked.source),
        ("topic", asked.topic),
        ("partition", asked.partition.map(|number| number.to_string())),
        ("from", asked.from.map(time)),
        ("to", asked.to.map(time)),
        ("points", for_people.then(|| POINTS.to_string())),
        ("format", Some(if asked.csv { "csv" } else { "json" }.to_owned())),
    ];
    if asked.csv {
        print!("{}", client.text(&path, &query).await?);
        return Ok(());
    }
    let reply = client.list(&path, &query).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    over_time(&reply);
    Ok(())
}

/// As last observed.
async fn now(client: &Client, pair: &str) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/lag")).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    println!("As survey {} saw it at {}:", reply["survey"], print::time(&reply, "at"));
    let mut rows = Vec::new();
    for flow in print::items(&reply) {
        let from = print::word(&flow["direction"], "from");
        rows.push(row(&format!("all from {from}"), &flow["worst_records"], &flow["worst_ms"], &flow["rpo"]));
        for (topic, lag) in flow["topics"].as_object().into_iter().flatten() {
            rows.push(row(&format!("  {topic}"), &lag["records"], &lag["ms"], &lag["rpo"]));
        }
    }
    print::table(&["LAG", "RECORDS", "CLASS", "TIME", "WOULD BE LOST", "WRITES OF AT MOST"], &rows);
    for flow in print::items(&reply) {
        let from = print::word(&flow["direction"], "from");
        let open = number(&flow["in_open_transactions"]);
        println!("all from {from}, offsets in or behind open transactions: {open}");
    }
    Ok(())
}

fn row(name: &str, records: &Value, ms: &Value, rpo: &Value) -> Vec<String> {
    let lost = format!("{} to {}", number(&rpo["records_at_least"]), number(&rpo["records_at_most"]));
    let (records, class) = (number(&records["value"]), print::word(records, "class"));
    vec![
        name.to_owned(),
        records,
        class,
        print::duration(&ms["value"]),
        lost,
        print::duration(&rpo["ms_at_most"]),
    ]
}

fn over_time(reply: &Value) {
    let of = reply["topic"].as_str().map_or_else(|| "all topics".to_owned(), |_| print::word(reply, "topic"));
    println!("{} → {}, {of}:", print::word(reply, "source"), print::word(reply, "target"));
    // A whole flow is told all the same; what is left out of it is not in this table.
    if reply["too_many"] == true && print::items(reply).is_empty() {
        println!(
            "{} partitions are too many for this time: choose a topic, or a time of at most {}.",
            reply["partitions"],
            print::duration(&reply["longest_ms"])
        );
    }
    let rows: Vec<Vec<String>> = print::items(reply)
        .iter()
        .map(|item| {
            let (records, ms) = (&item["records"], &item["ms"]);
            // By the hour it is told of the whole flow, beside its items.
            let mut hours = reply["rpo_course"].as_array().into_iter().flatten();
            let hour = hours.find(|hour| hour["at"] == item["at"]);
            let rpo = hour.unwrap_or(&item["rpo"]);
            let unknown = item["unknown"].as_u64().unwrap_or_default();
            let missing =
                if unknown == 0 { String::new() } else { format!("{unknown} of {}", item["partitions"]) };
            vec![
                print::time(item, "at"),
                number(&records["p50"]),
                number(&records["p99"]),
                number(&records["worst"]),
                print::word(records, "class"),
                print::duration(&ms["worst"]),
                print::duration(&rpo["ms_at_most"]),
                missing,
            ]
        })
        .collect();
    let heads =
        ["BEGIN", "MEDIAN", "P99", "WORST, RECORDS", "CLASS", "WORST, TIME", "RPO AT MOST", "NOT KNOWN OF"];
    print::table(&heads, &rows);
    for gap in reply["gaps"].as_array().into_iter().flatten() {
        let why = print::word(gap, "why").replace('_', " ");
        println!("Not known from {} to {}: {why}", print::time(gap, "from"), print::time(gap, "to"));
    }
}

fn number(value: &Value) -> String {
    value.as_i64().map_or_else(|| "unknown".to_owned(), |n| n.to_string())
}
