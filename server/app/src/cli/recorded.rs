//! What the flight recorder kept of a pair, from the command line.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    client::{Client, time},
    print,
};

/// `muster pairs positions`.
pub(super) async fn positions(
    client: &Client,
    pair: &str,
    group: String,
    at: Option<DateTime<Utc>>,
    source: Option<String>,
) -> anyhow::Result<()> {
    let query = [("group", Some(group)), ("at", at.map(time)), ("source", source)];
    let reply = client.list(&format!("/api/v1/pairs/{pair}/positions"), &query).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let (group, source) = (print::word(&reply, "group"), print::word(&reply, "source"));
    let taken = print::time(&reply, "taken_at");
    match reply["resolution"].as_str() {
        None => {
            println!("Nothing is kept of where {group} stood on {source} at {}.", print::time(&reply, "at"));
            return Ok(());
        }
        Some("survey") => println!("{group} on {source}, as a survey saw it at {taken}:"),
        Some(_) => println!("{group} on {source}, in the hour from {taken} on:"),
    }
    let row = |item: &Value| {
        ["topic", "partition", "position", "lowest", "highest"].map(|key| print::word(item, key)).to_vec()
    };
    let rows: Vec<Vec<String>> = print::items(&reply).iter().map(row).collect();
    print::table(&["TOPIC", "PARTITION", "POSITION", "LOWEST", "HIGHEST"], &rows);
    Ok(())
}

/// `muster pairs facts`.
pub(super) async fn facts(
    client: &Client,
    pair: &str,
    kind: String,
    at: Option<DateTime<Utc>>,
    cluster: Option<String>,
) -> anyhow::Result<()> {
    let query = [("kind", Some(kind)), ("at", at.map(time)), ("cluster", cluster)];
    let reply = client.list(&format!("/api/v1/pairs/{pair}/facts"), &query).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let (kind, cluster) = (print::word(&reply, "kind"), print::word(&reply, "cluster"));
    if reply["since"].is_null() {
        println!("The {kind} of {cluster} had not been read by {}.", print::time(&reply, "at"));
        return Ok(());
    }
    if reply["left_out"] == true {
        let until = match reply["until"].is_null() {
            true => "they are kept whole again with the first survey of tomorrow (UTC)".to_owned(),
            false => format!("they were kept whole again at {}", print::time(&reply, "until")),
        };
        let since = print::time(&reply, "since");
        println!(
            "The {kind} of {cluster} are not known of then: from {since} on changes were left out, those of the day had taken too much room; {until}."
        );
        return Ok(());
    }
    let until = match reply["until"].is_null() {
        true => "they are so still, as far as they could be read".to_owned(),
        false => format!("seen to be others at {}", print::time(&reply, "until")),
    };
    println!("The {kind} of {cluster}, seen so first at {}; {until}:", print::time(&reply, "since"));
    print::json(&reply["body"]);
    Ok(())
}
