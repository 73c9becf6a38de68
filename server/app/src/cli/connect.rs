//! `muster pairs connect…`: what Muster signs in with at the Connect of a pair's flows. Secrets come from the terminal or from the
//! environment, never from the command line, where others could read them.

use serde_json::{Value, json};

use super::{client::Client, print, terminal};

/// What is kept of each flow.
pub(super) async fn show(client: &Client, pair: &str) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/connect")).await?;
    let row = |flow: &Value| {
        let kept = &flow["kept"];
        let url = flow["connect_url"].as_str().map_or_else(|| "not attached".to_owned(), print::harmless);
        let (signs_in, entered) = match kept.is_null() {
            true => ("without signing in".to_owned(), "-".to_owned()),
            false => (signs_in(kept), print::time(kept, "entered_at")),
        };
        let elsewhere = match kept["sent"].as_bool() {
            Some(false) => format!("not sent: entered for {}", print::word(kept, "address")),
            Some(true) | None => String::new(),
        };
        let course = format!("{} → {}", print::word(flow, "from"), print::word(flow, "to"));
        vec![course, url, signs_in, entered, elsewhere]
    };
    print::list(client, &reply, &["FLOW", "CONNECT", "IS ASKED", "ENTERED", ""], row);
    Ok(())
}

fn signs_in(kept: &Value) -> String {
    match kept["username"].as_str() {
        Some(user) => format!("as {}", print::harmless(user)),
        None => "with a token".to_owned(),
    }
}

/// Enters a user and a password, or a token where no user is given.
pub(super) async fn enter(
    client: &Client,
    pair: &str,
    from: &str,
    user: Option<String>,
) -> anyhow::Result<()> {
    let body = match user {
        Some(user) => json!({"password": terminal::connect_password(&user)?, "username": user}),
        None => json!({"token": terminal::connect_token()?}),
    };
    let reply = client.put(&format!("/api/v1/pairs/{pair}/connect/{from}"), &body).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let kept = &reply["kept"];
    println!(
        "Muster signs in {} at {} from now on, for the flow {} → {}.",
        signs_in(kept),
        print::word(kept, "address"),
        print::word(&reply, "from"),
        print::word(&reply, "to")
    );
    Ok(())
}

/// Forgets it.
pub(super) async fn remove(client: &Client, pair: &str, from: &str) -> anyhow::Result<()> {
    client.delete(&format!("/api/v1/pairs/{pair}/connect/{from}"), &[]).await?;
    println!("Connect is asked without signing in from now on, for the flow of {pair} from {from}.");
    Ok(())
}
