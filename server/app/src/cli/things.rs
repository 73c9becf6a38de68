//! Signing in, audit and brake from the command line.

use std::process::ExitCode;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::{Client, keep_session},
    commands::{Audit, Brake},
    print, terminal,
};
use crate::config::ClientConfig;

/// `muster login`.
pub(super) async fn login(config: &ClientConfig, name: Option<String>) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name,
        None => terminal::line("Name: ")?,
    };
    let password = terminal::password("Password: ")?;
    let body = json!({"name": name, "password": password});
    let reply = Client::new(config)?.post("/api/v1/session", &body).await?;
    let token = reply["token"].as_str().context("the server sent no token")?;
    let file = keep_session(&config.url, token)?;
    println!("Signed in as {name} until {}; kept in {}.", print::time(&reply, "expires_at"), file.display());
    Ok(())
}

/// `muster audit …`.
pub(super) async fn audit(client: &Client, command: Audit) -> anyhow::Result<ExitCode> {
    match command {
        Audit::List { actor, action, object, limit } => {
            let query = [("actor", actor), ("action", action), ("object", object)];
            let row = |e: &Value| {
                let entry = &e["content"];
                let mut row = vec![print::word(entry, "number"), print::time(entry, "at")];
                row.extend(["actor", "action", "object", "outcome"].map(|key| print::word(entry, key)));
                row
            };
            print::list(
                client,
                &client.pages("/api/v1/audit", &query, Some(limit)).await?,
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
