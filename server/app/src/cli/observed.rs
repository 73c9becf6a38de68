//! What was last observed of a pair, from the command line.

use serde_json::Value;

use super::{client::Client, print};

/// `muster pairs check`.
pub(super) async fn check(client: &Client, pair: &str) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/readiness")).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let mut rows = Vec::new();
    for check in print::items(&reply) {
        rows.push(["status", "code", "reason"].map(|key| print::word(check, key)).to_vec());
        let next = check["next_step"].as_str().unwrap_or_default();
        if !next.is_empty() {
            rows.push(vec![String::new(), String::new(), format!("→ {next}")]);
        }
    }
    print::table(&["STATUS", "CHECK", "REASON"], &rows);
    Ok(())
}

/// `muster pairs changes`.
pub(super) async fn changes(client: &Client, pair: &str, limit: u32) -> anyhow::Result<()> {
    let path = format!("/api/v1/pairs/{pair}/readiness/changes");
    let row = |change: &Value| {
        let status = |key: &str, none: &str| match change[key].is_null() {
            true => none.to_owned(),
            false => print::word(change, key),
        };
        let (at, check) = (print::time(change, "at"), print::word(change, "check"));
        vec![at, check, status("from", "new"), status("to", "gone"), print::word(change, "reason")]
    };
    let heads = ["AT", "CHECK", "FROM", "TO", "REASON"];
    print::list(client, &client.pages(&path, &[], Some(limit)).await?, &heads, row);
    Ok(())
}

/// `muster pairs topics`.
pub(super) async fn topics(client: &Client, pair: &str) -> anyhow::Result<()> {
    let heads = ["CLUSTER", "TOPIC", "PARTITIONS", "OFFSETS", "NOT IN SYNC", "TROUBLE"];
    each_side(client, pair, "topics", &heads, |topic| {
        let partitions = topic["partitions"].as_array().map_or(&[][..], Vec::as_slice);
        // A sum is known only where each part is.
        let offsets = |partition: &Value| Some(partition["end"].as_i64()? - partition["start"].as_i64()?);
        let held = partitions.iter().map(offsets).sum::<Option<i64>>();
        let lacking = |p: &&Value| p["in_sync"].as_i64() < p["replicas"].as_i64();
        let trouble = partitions.iter().map(|p| print::word(p, "trouble")).find(|said| !said.is_empty());
        vec![
            partitions.len().to_string(),
            held.map_or_else(|| "unknown".to_owned(), |count| count.to_string()),
            partitions.iter().filter(lacking).count().to_string(),
            trouble.unwrap_or_default(),
        ]
    })
    .await
}

/// `muster pairs groups`.
pub(super) async fn groups(client: &Client, pair: &str) -> anyhow::Result<()> {
    let heads = ["CLUSTER", "GROUP", "KIND", "STATE", "MEMBERS", "PARTITIONS WITH A POSITION"];
    each_side(client, pair, "groups", &heads, |group| {
        let topics = group["offsets"].as_object().into_iter().flatten();
        let positions: usize = topics.filter_map(|(_, of)| of.as_object()).map(serde_json::Map::len).sum();
        vec![
            print::word(group, "kind"),
            print::word(group, "state"),
            group["members"].as_array().map_or(0, Vec::len).to_string(),
            positions.to_string(),
        ]
    })
    .await
}

/// What each cluster of a pair showed, one row for each thing; of one that could not be read why.
async fn each_side(
    client: &Client,
    pair: &str,
    what: &str,
    heads: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/{what}")).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let clusters = client.get(&format!("/api/v1/pairs/{pair}")).await?;
    println!("As a survey saw them at {}:", print::time(&reply, "at"));
    let (mut rows, mut unknown) = (Vec::new(), Vec::new());
    for side in ["a", "b"] {
        let cluster = print::word(&clusters["clusters"], side);
        let Some(found) = reply[side]["value"].as_object() else {
            unknown.push(format!("Not known of {cluster}: {}", print::word(&reply[side], "reason")));
            continue;
        };
        for (name, of) in found {
            let mut cells = vec![cluster.clone(), print::harmless(name)];
            cells.extend(row(of));
            rows.push(cells);
        }
    }
    print::table(heads, &rows);
    for said in unknown {
        println!("{said}");
    }
    Ok(())
}
