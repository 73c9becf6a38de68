//! Signing in and out, and who one is.

use anyhow::Context as _;
use serde_json::json;

use super::{client::Client, kept, people, print, refused::Refused, terminal};
use crate::process::config::ClientConfig;

const SESSION: &str = "/api/v1/session";

/// `muster login`.
pub(super) async fn login(config: &ClientConfig, name: Option<String>) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name,
        None => terminal::line("Name: ")?,
    };
    let password = terminal::password("Password: ")?;
    let body = json!({"name": name, "password": password});
    let reply = Client::new(config)?.post(SESSION, &body).await?;
    let token = reply["token"].as_str().context("the server sent no token")?;
    let file = kept::keep(&config.url, token)?;
    println!("Signed in as {name} until {}; kept in {}.", print::time(&reply, "expires_at"), file.display());
    Ok(())
}

/// `muster logout`.
pub(super) async fn logout(config: &ClientConfig) -> anyhow::Result<()> {
    let signed_out = Client::new(config)?.delete(SESSION, &[]).await;
    let over = signed_out.as_ref().is_err_and(|error| Refused::with_code(error, "sign-in-required"));
    // A session given by MUSTER_TOKEN is not the one that is kept.
    let by_kept = config.token.is_none();
    if by_kept && over && kept::forget(&config.url)? {
        println!("The session was over already; it is not kept any more.");
        return Ok(());
    }
    signed_out?;
    if by_kept {
        kept::forget(&config.url)?;
    }
    println!("Signed out.");
    Ok(())
}

/// `muster whoami`.
pub(super) async fn whoami(client: &Client) -> anyhow::Result<()> {
    let reply = client.get(SESSION).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let grants: Vec<String> = reply["grants"].as_array().into_iter().flatten().map(people::grant).collect();
    let may = if grants.is_empty() { "no role".to_owned() } else { grants.join(", ") };
    println!("{}: {may}", print::word(&reply, "name"));
    Ok(())
}

/// `muster password`.
pub(super) async fn change_password(client: &Client) -> anyhow::Result<()> {
    let present = terminal::password("Present password: ")?;
    let new = terminal::new_password()?;
    let body = json!({"present": present, "password": new});
    client.put("/api/v1/session/password", &body).await?;
    println!("The new password counts from now on. Your other sessions have ended; API tokens have not.");
    Ok(())
}
