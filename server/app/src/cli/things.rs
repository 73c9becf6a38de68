//! Signing in, clusters, pairs, audit and brake from the command line.

use std::{
    io::{IsTerminal as _, Read as _, Write as _},
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Client, keep_session},
    commands::{Audit, Brake, Clusters, Pairs},
    print,
};
use crate::config::ClientConfig;

/// `muster login`.
pub(super) async fn login(config: &ClientConfig, name: Option<String>) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name,
        None => ask("Name: ", true)?,
    };
    let password = match std::env::var("MUSTER_PASSWORD") {
        Ok(password) => password,
        Err(_) => ask("Password: ", false)?,
    };
    let body = json!({"name": name, "password": password});
    let reply = Client::new(config)?.post("/api/v1/session", &body).await?;
    let token = reply["token"].as_str().context("the server sent no token")?;
    let file = keep_session(&config.url, token)?;
    println!("Signed in as {name} until {}; kept in {}.", print::time(&reply, "expires_at"), file.display());
    Ok(())
}

/// Asks on the terminal, without echo for passwords.
fn ask(prompt: &str, echo: bool) -> anyhow::Result<String> {
    let hide = !echo && std::io::stdin().is_terminal();
    let stty = |mode: &str| Command::new("stty").arg(mode).status();
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    if hide {
        stty("-echo")?;
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    if hide {
        stty("echo")?;
        eprintln!();
    }
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))
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
            list(client, &reply, &["CLUSTER", "PROTOCOL", "BOOTSTRAP", "CLUSTER ID"], row);
        }
        Clusters::Show { name } => print::json(&client.get(&format!("/api/v1/clusters/{name}")).await?),
        Clusters::Create { file } => {
            let body: Value = serde_json::from_str(&read(&file)?).context("the file is not JSON")?;
            print::json(&client.post("/api/v1/clusters", &body).await?);
        }
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
            list(
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
            list(client, &reply, &["PAIR", "TEAM", "CLUSTERS", "READINESS"], row);
        }
        Pairs::Show { name } => print::json(&client.get(&format!("/api/v1/pairs/{name}")).await?),
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
    }
    Ok(())
}

/// `muster audit …`.
pub(super) async fn audit(client: &Client, command: Audit) -> anyhow::Result<ExitCode> {
    match command {
        Audit::List { actor, action, object, limit } => {
            let query = [
                ("actor", actor),
                ("action", action),
                ("object", object),
                ("limit", Some(limit.to_string())),
            ];
            let row = |e: &Value| {
                let entry = &e["content"];
                let mut row = vec![print::word(entry, "number"), print::time(entry, "at")];
                row.extend(["actor", "action", "object", "outcome"].map(|key| print::word(entry, key)));
                row
            };
            list(
                client,
                &client.list("/api/v1/audit", &query).await?,
                &["NO", "AT", "ACTOR", "ACTION", "OBJECT", "OUTCOME"],
                row,
            );
            Ok(ExitCode::SUCCESS)
        }
        Audit::Verify => {
            let reply = client.get("/api/v1/audit/verify").await?;
            print::json(&reply);
            Ok(if reply["whole"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// `muster brake …`.
pub(super) async fn brake(client: &Client, command: Brake) -> anyhow::Result<()> {
    let reply = match command {
        Brake::Show => client.get("/api/v1/brake").await?,
        Brake::Set { reason } => {
            client.send(Method::PUT, "/api/v1/brake", Some(&json!({"reason": reason}))).await?
        }
        Brake::Release => client.send(Method::DELETE, "/api/v1/brake", None).await?,
    };
    print::json(&reply);
    Ok(())
}

fn list(client: &Client, reply: &Value, heads: &[&str], row: impl Fn(&Value) -> Vec<String>) {
    if client.json {
        print::json(reply);
        return;
    }
    let rows: Vec<Vec<String>> = print::items(reply).iter().map(row).collect();
    print::table(heads, &rows);
}
