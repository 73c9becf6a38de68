//! `muster proofs …`: what comparing the records of both sides shows.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};

use super::{client::Client, commands::Proofs, print};

/// Exit code of a proof that is done and says that something would not go on exactly, or is not the same.
const NOT_EXACT: u8 = 3;

/// Lists, asks, shows and stops.
pub(super) async fn proofs(client: &Client, command: Proofs) -> anyhow::Result<ExitCode> {
    match command {
        Proofs::List { pair, kind, limit } => {
            let path = format!("/api/v1/pairs/{pair}/proofs");
            let reply = client.pages(&path, &[("kind", kind)], Some(limit)).await?;
            let row = |proof: &Value| {
                let mut row =
                    ["number", "kind", "from", "to", "state"].map(|key| print::word(proof, key)).to_vec();
                row.push(print::time(proof, "asked_at"));
                row.extend(["sentence", "id"].map(|key| print::word(proof, key)));
                row
            };
            let heads = ["NO", "KIND", "FROM", "TO", "STATE", "ASKED", "RESULT", "ID"];
            print::list(client, &reply, &heads, row);
            Ok(ExitCode::SUCCESS)
        }
        Proofs::Translation { pair, from, wait } => {
            let body = json!({"kind": "translation", "from": from});
            let asked = client.post(&format!("/api/v1/pairs/{pair}/proofs"), &body).await?;
            if wait { follow(client, &print::word(&asked, "id")).await } else { Ok(tell(client, &asked)) }
        }
        Proofs::Content { pair, from, topic, since, until, sample, confidence, mb_per_second, wait } => {
            let sample =
                sample.map(|percent| json!({"differing": percent / 100.0, "confidence": confidence / 100.0}));
            let content = json!({
                "topics": topic, "since": since, "until": until, "sample": sample, "mb_per_second": mb_per_second
            });
            let body = json!({"kind": "content", "from": from, "content": content});
            let asked = client.post(&format!("/api/v1/pairs/{pair}/proofs"), &body).await?;
            if wait { follow(client, &print::word(&asked, "id")).await } else { Ok(tell(client, &asked)) }
        }
        Proofs::Show { proof } => Ok(tell(client, &client.get(&format!("/api/v1/proofs/{proof}")).await?)),
        Proofs::Record { pair, proof, topic, partition, offset, side } => {
            let body = json!({"topic": topic, "partition": partition, "offset": offset, "side": side});
            let path = format!("/api/v1/pairs/{pair}/proofs/{proof}/record");
            record(client, &client.post(&path, &body).await?);
            Ok(ExitCode::SUCCESS)
        }
        Proofs::Stop { proof } => {
            Ok(tell(client, &client.post(&format!("/api/v1/proofs/{proof}/cancel"), &json!({})).await?))
        }
    }
}

/// Waits until a proof has ended.
async fn follow(client: &Client, id: &str) -> anyhow::Result<ExitCode> {
    loop {
        let proof = client.get(&format!("/api/v1/proofs/{id}")).await?;
        if !proof["ended_at"].is_null() {
            return Ok(tell(client, &proof));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn tell(client: &Client, proof: &Value) -> ExitCode {
    if client.json {
        print::json(proof);
    } else {
        let said = ["sentence", "reason"]
            .map(|key| print::word(proof, key))
            .into_iter()
            .find(|said| !said.is_empty());
        println!(
            "Proof {} ({}) of {}, {}: {}",
            print::word(proof, "number"),
            print::word(proof, "id"),
            print::word(proof, "pair"),
            print::word(proof, "state"),
            said.unwrap_or_default()
        );
        groups(&proof["result"]["groups"]);
        topics(&proof["result"]["topics"]);
    }
    let summary = &proof["result"]["summary"];
    let all_exact = match proof["kind"].as_str() {
        // One from before may be called the same though nothing was compared.
        Some("content") => {
            let agrees = ["same", "same_in_part", "second_copies"];
            summary["verdict"].as_str().is_some_and(|verdict| agrees.contains(&verdict))
                && summary["found"]["matched"].as_u64().is_some_and(|matched| matched > 0)
        }
        // Of a dead source nobody knows what groups read after they were looked at last.
        _ if !proof["result"]["dead_source"].is_null() => false,
        _ => summary["reprocess"] == 0 && summary["cannot_say"] == 0,
    };
    match proof["state"].as_str() {
        Some("done") if !all_exact => ExitCode::from(NOT_EXACT),
        Some("failed" | "cancelled") => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// A record on each side where it stands.
fn record(client: &Client, told: &Value) {
    if client.json {
        return print::json(told);
    }
    for item in told["items"].as_array().into_iter().flatten() {
        let of = |key: &str| print::word(item, key);
        println!(
            "{}-{} @ {} on {}: {}",
            of("topic"),
            of("partition"),
            of("offset"),
            of("cluster"),
            of("state")
        );
        let record = &item["record"];
        if record.is_null() {
            println!("  {}", of("reason"));
            continue;
        }
        if item["committed"] == false {
            println!("  its transaction was aborted, or is still open");
        }
        let time =
            if record["timestamp"].is_null() { "none".to_owned() } else { print::word(record, "timestamp") };
        println!("  time: {time} ({})", print::word(record, "timestamp_type"));
        println!("  key: {}", excerpt(&record["key"]));
        println!("  value: {}", excerpt(&record["value"]));
        for header in record["headers"].as_array().into_iter().flatten() {
            println!("  header {}: {}", excerpt(&header["name"]), excerpt(&header["value"]));
        }
        if record["headers_cut"] != 0 {
            println!("  {} further headers are cut", record["headers_cut"]);
        }
    }
}

/// Bytes with how they are written.
fn excerpt(excerpt: &Value) -> String {
    let of = |key: &str| print::word(excerpt, key);
    match (excerpt.is_null(), excerpt["bytes"].as_i64(), excerpt["cut"].as_i64()) {
        (true, ..) => "null".to_owned(),
        (_, Some(0), _) => "empty".to_owned(),
        (_, _, Some(0)) => format!("{} ({} bytes, {})", of("shown"), of("bytes"), of("written")),
        _ => {
            let (shown, bytes, written, cut) = (of("shown"), of("bytes"), of("written"), of("cut"));
            format!("{shown} ({bytes} bytes, {written}; {cut} of them are cut)")
        }
    }
}

fn groups(groups: &Value) {
    let Some(groups) = groups.as_object() else { return };
    let rows: Vec<Vec<String>> = groups.iter().map(|(name, group)| row(name, group)).collect();
    print::table(&["GROUP", "THERE IT", "PARTITIONS", "MM2 READS AGAIN", "MM2 SKIPS"], &rows);
}

fn topics(topics: &Value) {
    let Some(topics) = topics.as_object() else { return };
    let row = |(name, topic): (&String, &Value)| {
        let of = |key: &str| print::word(&topic["found"], key);
        let mut row = vec![name.clone(), print::word(topic, "verdict").replace('_', " ")];
        row.extend(
            ["matched", "missing", "extra", "out_of_order", "duplicates", "before", "pending"].map(of),
        );
        row
    };
    let rows: Vec<Vec<String>> = topics.iter().map(row).collect();
    let heads = [
        "TOPIC",
        "THERE",
        "COMPARED",
        "MISSING",
        "FOREIGN",
        "OUT OF ORDER",
        "TWICE",
        "OLDER",
        "NOT COPIED YET",
    ];
    print::table(&heads, &rows);
}

fn row(name: &str, group: &Value) -> Vec<String> {
    let verdict = &group["verdict"];
    let said = match verdict["verdict"].as_str() {
        Some("exactly") => "goes on exactly".to_owned(),
        Some("reprocesses") => format!("reads at most {} again", verdict["at_most"]),
        _ => format!("cannot be told: {}", print::word(verdict, "because")),
    };
    let of = |key: &str| print::word(&group["mirrored"], key);
    vec![name.to_owned(), said, print::word(group, "positions"), of("reprocess"), of("skip")]
}
