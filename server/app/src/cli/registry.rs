//! Clusters, pairs and schedules from the command line.

use std::{io::Read as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    canaries,
    client::Client,
    commands::{Clusters, Pairs, Schedules},
    lag, losses, print,
};

/// A file's text, or what comes in.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
}

pub(super) fn read_json(file: &Path) -> anyhow::Result<Value> {
    serde_json::from_str(&read(file)?).context("the file is not JSON")
}

pub(super) async fn edit(client: &Client, path: &str, file: &Path) -> anyhow::Result<()> {
    print::json(&client.send(Method::PATCH, path, Some(&read_json(file)?)).await?);
    Ok(())
}

/// `muster clusters …`.
pub(super) async fn clusters(client: &Client, command: Clusters) -> anyhow::Result<()> {
    match command {
        Clusters::List => {
            let reply = client.pages("/api/v1/clusters", &[], None).await?;
            let row = |c: &Value| {
                let bootstrap = c["bootstrap"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let bootstrap = bootstrap.collect::<Vec<_>>().join(",");
                vec![
                    print::word(c, "name"),
                    print::word(c, "protocol"),
                    bootstrap,
                    print::word(c, "expected_cluster_id"),
                ]
            };
            print::list(client, &reply, &["CLUSTER", "PROTOCOL", "BOOTSTRAP", "CLUSTER ID"], row);
        }
        Clusters::Show { name } => print::json(&client.get(&format!("/api/v1/clusters/{name}")).await?),
        Clusters::Create { file } => {
            print::json(&client.post("/api/v1/clusters", &read_json(&file)?).await?);
        }
        Clusters::Edit { name, file } => edit(client, &format!("/api/v1/clusters/{name}"), &file).await?,
        Clusters::Check { name } => {
            let reply = client.post(&format!("/api/v1/clusters/{name}/check"), &json!({})).await?;
            let row = |right: &Value| {
                let held = &right["held"];
                let why = held["error"].as_str().or(held["reason"].as_str()).unwrap_or_default().to_owned();
                vec![
                    print::word(held, "held"),
                    print::word(right, "right"),
                    print::word(right, "needed_for"),
                    why,
                ]
            };
            if !client.json {
                println!("Cluster id {}", print::word(&reply, "cluster_id"));
            }
            let rights = json!({"items": reply["rights"]});
            print::list(
                client,
                if client.json { &reply } else { &rights },
                &["HELD", "RIGHT", "NEEDED FOR", ""],
                row,
            );
        }
        Clusters::Delete { name } => {
            client.send(Method::DELETE, &format!("/api/v1/clusters/{name}"), None).await?;
            println!("Cluster {name} is forgotten.");
        }
    }
    Ok(())
}

/// `muster pairs …`.
pub(super) async fn pairs(client: &Client, command: Pairs) -> anyhow::Result<ExitCode> {
    match command {
        Pairs::List => {
            let reply = client.pages("/api/v1/pairs", &[], None).await?;
            let row = |p: &Value| {
                let ends =
                    format!("{} / {}", print::word(&p["clusters"], "a"), print::word(&p["clusters"], "b"));
                vec![print::word(p, "name"), print::word(p, "team"), ends, print::word(p, "readiness")]
            };
            print::list(client, &reply, &["PAIR", "TEAM", "CLUSTERS", "READINESS"], row);
        }
        Pairs::Show { name } => print::json(&client.get(&format!("/api/v1/pairs/{name}")).await?),
        Pairs::Create { file } => print::json(&client.post("/api/v1/pairs", &read_json(&file)?).await?),
        Pairs::Edit { name, file } => edit(client, &format!("/api/v1/pairs/{name}"), &file).await?,
        Pairs::Delete { name } => {
            client.send(Method::DELETE, &format!("/api/v1/pairs/{name}"), None).await?;
            println!("Pair {name} is removed; its runs and audit entries stay.");
        }
        Pairs::Import { file, team, name } => {
            let body = json!({"text": read(&file)?, "team": team, "name": name});
            let reply = client.post_as_person("/api/v1/pairs/import", &body).await?;
            if client.json {
                print::json(&reply);
                return Ok(ExitCode::SUCCESS);
            }
            for pair in reply["pairs"].as_array().into_iter().flatten() {
                println!("Imported pair {}.", print::word(pair, "name"));
            }
            for line in reply["unused"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                println!("Kept, not used by Muster: {line}");
            }
        }
        Pairs::Differences { name, who } => {
            let reply = client.list(&format!("/api/v1/pairs/{name}/differences"), &[("who", who)]).await?;
            if client.json {
                print::json(&reply);
                return Ok(ExitCode::SUCCESS);
            }
            tell_differences(&reply);
        }
        Pairs::Check { name } => {
            let reply = client.get(&format!("/api/v1/pairs/{name}/readiness")).await?;
            if client.json {
                print::json(&reply);
                return Ok(ExitCode::SUCCESS);
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
        }
        Pairs::Lag(asked) => lag::show(client, asked).await?,
        Pairs::Loss { name, at, csv } => losses::show(client, &name, at, csv).await?,
        Pairs::Losses { from, to } => losses::list(client, from, to).await?,
        Pairs::Canary { name, now } => return canaries::show(client, &name, now).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// `muster schedules …`.
pub(super) async fn schedules(client: &Client, command: Schedules) -> anyhow::Result<()> {
    let path = |id| format!("/api/v1/schedules/{id}");
    match command {
        Schedules::List => {
            let row = |schedule: &Value| {
                let cadence = &schedule["cadence"];
                let how =
                    cadence["expression"].as_str().map_or_else(|| "every quarter".to_owned(), str::to_owned);
                let next =
                    schedule["next"].get(0).map_or_else(|| "-".to_owned(), |next| print::time(next, "due"));
                vec![
                    print::word(schedule, "pair"),
                    how,
                    print::word(schedule, "zone"),
                    next,
                    print::word(schedule, "id"),
                ]
            };
            let heads = ["PAIR", "HOW OFTEN", "ZONE", "NEXT DUE", "ID"];
            print::list(client, &client.pages("/api/v1/schedules", &[], None).await?, &heads, row);
        }
        Schedules::Show { id } => print::json(&client.get(&path(id)).await?),
        Schedules::Create { file } => {
            print::json(&client.post("/api/v1/schedules", &read_json(&file)?).await?);
        }
        Schedules::Edit { id, file } => edit(client, &path(id), &file).await?,
        Schedules::Delete { id } => {
            client.send(Method::DELETE, &path(id), None).await?;
            println!("Schedule {id} is removed; what came due of it stays.");
        }
        Schedules::Due { pair, limit } => {
            let row = |due: &Value| {
                let mut row = vec![print::word(due, "pair"), print::time(due, "due")];
                let why = if due["skipped"] == "" { "trouble" } else { "skipped" };
                row.extend(["standing", "run_state", "run", why].map(|key| print::word(due, key)));
                row
            };
            let heads = ["PAIR", "DUE", "STANDING", "STATE", "RUN", ""];
            let due = client.pages("/api/v1/occurrences", &[("pair", pair)], Some(limit)).await?;
            print::list(client, &due, &heads, row);
        }
    }
    Ok(())
}

/// Differences as people read them: each cause with what it does and what to do.
fn tell_differences(reply: &Value) {
    println!("From {} to {}:", print::word(reply, "active"), print::word(reply, "standby"));
    let mut rows = Vec::new();
    for cause in print::items(reply) {
        rows.push(["weight", "kind", "says"].map(|key| print::word(cause, key)).to_vec());
        for key in ["consequence", "next_step"] {
            rows.push(vec![String::new(), String::new(), format!("→ {}", print::word(cause, key))]);
        }
    }
    print::table(&["WEIGHT", "KIND", "DIFFERENCE"], &rows);
    for part in reply["not_compared"].as_array().into_iter().flatten() {
        println!("Not compared: {}: {}", print::word(part, "what"), print::word(part, "reason"));
    }
}
