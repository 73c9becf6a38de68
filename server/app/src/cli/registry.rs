//! Clusters and schedules from the command line.

use std::{io::Read as _, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    client::Client,
    commands::{ById, Change, Clusters, Named, Schedules},
    print,
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

pub(super) async fn edit(client: &Client, path: &str, change: &Change) -> anyhow::Result<()> {
    print::json(&client.edit(path, &read_json(&change.file)?, change.version.if_version).await?);
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
        Clusters::Show(Named { name }) => {
            print::json(&client.get(&format!("/api/v1/clusters/{name}")).await?)
        }
        Clusters::Create { file } => {
            print::json(&client.post("/api/v1/clusters", &read_json(&file)?).await?);
        }
        Clusters::Edit { name, change } => {
            edit(client, &format!("/api/v1/clusters/{name}"), &change).await?;
        }
        Clusters::Check(Named { name }) => {
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
        Clusters::Delete(Named { name }) => {
            client.delete(&format!("/api/v1/clusters/{name}"), &[]).await?;
            println!("Cluster {name} is forgotten.");
        }
    }
    Ok(())
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
        Schedules::Show(ById { id }) => print::json(&client.get(&path(id)).await?),
        Schedules::Create { file } => {
            print::json(&client.post("/api/v1/schedules", &read_json(&file)?).await?);
        }
        Schedules::Edit { id, change } => edit(client, &path(id), &change).await?,
        Schedules::Delete(ById { id }) => {
            client.delete(&path(id), &[]).await?;
            println!("Schedule {id} is removed; what came due of it stays.");
        }
        Schedules::Calendar { team } => {
            print!("{}", client.text("/api/v1/calendar.ics", &[("team", team)]).await?);
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
