//! `muster pairs canary`: end to end, measured.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{client::Client, print};

/// Exit code of records that were asked for and not all seen.
const NOT_SEEN: u8 = 3;

/// How the canaries of a pair stand; or one now.
pub(super) async fn show(client: &Client, pair: &str, now: bool) -> anyhow::Result<ExitCode> {
    let path = format!("/api/v1/pairs/{pair}/canary");
    if now {
        return ask(client, &path).await;
    }
    let reply = client.get(&path).await?;
    if reply["topic"].is_null() && !client.json {
        println!("Pair {pair} has no canary.");
        return Ok(ExitCode::SUCCESS);
    }
    let row = |item: &Value| {
        let value = match item["class"].as_str() {
            Some("exact") => print::duration(&item["end_to_end_ms"]),
            Some("stale") => format!("was {}", print::duration(&item["end_to_end_ms"])),
            _ => "unknown".to_owned(),
        };
        vec![
            course(item),
            print::word(item, "partition"),
            print::word(item, "state").replace('_', " "),
            value,
            print::duration(&item["hour"]["p99_ms"]),
            print::duration(&item["age_ms"]),
            print::word(item, "outstanding"),
            print::word(item, "reason"),
        ]
    };
    let heads =
        ["FLOW", "PARTITION", "STATE", "END TO END", "P99 OF AN HOUR", "SEEN AGO", "NOT SEEN", "REASON"];
    print::list(client, &reply, &heads, row);
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &Client, path: &str) -> anyhow::Result<ExitCode> {
    let reply = client.post(path, &json!({})).await?;
    let row = |item: &Value| {
        vec![
            course(item),
            print::word(item, "partition"),
            print::duration(&item["end_to_end_ms"]),
            print::word(item, "reason"),
        ]
    };
    print::list(client, &reply, &["FLOW", "PARTITION", "END TO END", "REASON"], row);
    Ok(if reply["all_seen"] == true { ExitCode::SUCCESS } else { ExitCode::from(NOT_SEEN) })
}

fn course(item: &Value) -> String {
    format!("{} → {}", print::word(item, "from"), print::word(item, "to"))
}
