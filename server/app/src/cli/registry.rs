//! Clusters, pairs, people, teams and tokens from the command line.

use std::{io::Read as _, path::Path};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::Client,
    commands::{Clusters, Pairs, People, Schedules, Teams, Tokens},
    losses, print,
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

async fn edit(client: &Client, path: &str, file: &Path) -> anyhow::Result<()> {
    print::json(&client.send(Method::PATCH, path, Some(&read_json(file)?)).await?);
    Ok(())
}

/// `muster clusters …`.
pub(super) async fn clusters(client: &Client, command: Clusters) -> anyhow::Result<()> {
    match command {
        Clusters::List => {
            let reply = client.get("/api/v1/clusters").await?;
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
pub(super) async fn pairs(client: &Client, command: Pairs) -> anyhow::Result<()> {
    match command {
        Pairs::List => {
            let reply = client.get("/api/v1/pairs").await?;
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
            let reply = client.post("/api/v1/pairs/import", &body).await?;
            if client.json {
                print::json(&reply);
                return Ok(());
            }
            for pair in reply["pairs"].as_array().into_iter().flatten() {
                println!("Imported pair {}.", print::word(pair, "name"));
            }
            for line in reply["unused"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                println!("Kept, not used by Muster: {line}");
            }
        }
        Pairs::Check { name } => {
            let reply = client.get(&format!("/api/v1/pairs/{name}/readiness")).await?;
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
        }
        Pairs::Loss { name, at } => losses::show(client, &name, at).await?,
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
            print::list(client, &client.get("/api/v1/schedules").await?, &heads, row);
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
        Schedules::Due { pair } => {
            let row = |due: &Value| {
                let mut row = vec![print::word(due, "pair"), print::time(due, "due")];
                row.extend(["standing", "run_state", "run", "trouble"].map(|key| print::word(due, key)));
                row
            };
            let heads = ["PAIR", "DUE", "STANDING", "STATE", "RUN", ""];
            print::list(client, &client.list("/api/v1/occurrences", &[("pair", pair)]).await?, &heads, row);
        }
    }
    Ok(())
}

/// `muster people …`.
pub(super) async fn people(client: &Client, command: People) -> anyhow::Result<()> {
    match command {
        People::List => {
            let row = |user: &Value| {
                let grants: Vec<String> =
                    user["grants"].as_array().into_iter().flatten().map(grant).collect();
                let may = if user["disabled_at"].is_null() { "may sign in" } else { "disabled" };
                vec![print::word(user, "name"), may.to_owned(), grants.join(", ")]
            };
            print::list(client, &client.get("/api/v1/users").await?, &["NAME", "", "ROLES"], row);
        }
        People::Show { name } => print::json(&client.get(&format!("/api/v1/users/{name}")).await?),
        People::Create { file } => print::json(&client.post("/api/v1/users", &read_json(&file)?).await?),
        People::Edit { name, file } => edit(client, &format!("/api/v1/users/{name}"), &file).await?,
    }
    Ok(())
}

/// A role with the team it holds for.
fn grant(grant: &Value) -> String {
    match grant["team"].as_str() {
        Some(team) => format!("{} of {team}", print::word(grant, "role")),
        None => print::word(grant, "role"),
    }
}

/// `muster teams …`.
pub(super) async fn teams(client: &Client, command: Teams) -> anyhow::Result<()> {
    match command {
        Teams::List => {
            let row = |team: &Value| ["name", "description"].map(|key| print::word(team, key)).to_vec();
            print::list(client, &client.get("/api/v1/teams").await?, &["TEAM", "DESCRIPTION"], row);
        }
        Teams::Create { name, description } => {
            let body = json!({"name": name, "description": description});
            print::json(&client.post("/api/v1/teams", &body).await?);
        }
    }
    Ok(())
}

/// `muster tokens …`.
pub(super) async fn tokens(client: &Client, command: Tokens) -> anyhow::Result<()> {
    match command {
        Tokens::List => {
            let row = |token: &Value| {
                let scopes: Vec<&str> =
                    token["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let scopes = if scopes.is_empty() { "all".to_owned() } else { scopes.join(",") };
                let (id, name) = (print::word(token, "id"), print::word(token, "name"));
                vec![id, name, scopes, print::time(token, "expires_at")]
            };
            print::list(client, &client.get("/api/v1/tokens").await?, &["ID", "NAME", "SCOPES", "ENDS"], row);
        }
        Tokens::Create { name, days, scopes } => {
            let body = json!({"name": name, "days": days, "scopes": scopes});
            print::json(&client.post("/api/v1/tokens", &body).await?);
        }
        Tokens::Revoke { id } => {
            client.send(Method::DELETE, &format!("/api/v1/tokens/{id}"), None).await?;
            println!("Token {id} opens nothing any more.");
        }
    }
    Ok(())
}
