//! People, sessions, teams and tokens from the command line.

use serde_json::{Value, json};

use super::{
    client::Client,
    commands::{Named, People, Sessions, Teams, Tokens},
    print,
    registry::{edit, read_json},
};

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
            print::list(
                client,
                &client.pages("/api/v1/users", &[], None).await?,
                &["NAME", "", "ROLES"],
                row,
            );
        }
        People::Show { name } => print::json(&client.get(&format!("/api/v1/users/{name}")).await?),
        People::Create { file } => print::json(&client.post("/api/v1/users", &read_json(&file)?).await?),
        People::Edit { name, change } => {
            edit(client, &format!("/api/v1/users/{name}"), &change).await?;
        }
    }
    Ok(())
}

/// A role with the team it holds for.
pub(super) fn grant(grant: &Value) -> String {
    match grant["team"].as_str() {
        Some(team) => format!("{} of {team}", print::word(grant, "role")),
        None => print::word(grant, "role"),
    }
}

/// `muster sessions …`.
pub(super) async fn sessions(client: &Client, command: Sessions) -> anyhow::Result<()> {
    match command {
        Sessions::List { user } => {
            let row = |session: &Value| {
                let this = if session["this"] == true { "this one" } else { "" };
                vec![
                    print::word(session, "id"),
                    print::word(session, "user_agent"),
                    print::word(session, "address"),
                    print::time(session, "begun_at"),
                    print::time(session, "last_used_at"),
                    this.to_owned(),
                ]
            };
            let heads = ["ID", "CLIENT", "FROM", "BEGUN", "LAST USED", ""];
            let all = client.pages("/api/v1/sessions", &[("user", user)], None).await?;
            print::list(client, &all, &heads, row);
        }
        Sessions::End { id } => {
            client.delete(&format!("/api/v1/sessions/{id}"), &[]).await?;
            println!("Session {id} has ended.");
        }
        Sessions::EndAll { user } => {
            client.delete("/api/v1/sessions", &[("user", user.clone())]).await?;
            match user {
                Some(user) => println!("All sessions of {user} have ended."),
                None => println!("All your other sessions have ended."),
            }
        }
    }
    Ok(())
}

/// `muster teams …`.
pub(super) async fn teams(client: &Client, command: Teams) -> anyhow::Result<()> {
    let team = |name: &str| format!("/api/v1/teams/{name}");
    match command {
        Teams::List => {
            let row = |team: &Value| ["name", "description"].map(|key| print::word(team, key)).to_vec();
            let all = client.pages("/api/v1/teams", &[], None).await?;
            print::list(client, &all, &["TEAM", "DESCRIPTION"], row);
        }
        Teams::Show(Named { name }) => print::json(&client.get(&team(&name)).await?),
        Teams::Edit { name, description, version } => {
            let body = json!({"description": description});
            print::json(&client.edit(&team(&name), &body, version.if_version).await?);
        }
        Teams::Delete(Named { name }) => {
            client.delete(&team(&name), &[]).await?;
            println!("Team {name} is removed.");
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
            let all = client.pages("/api/v1/tokens", &[], None).await?;
            print::list(client, &all, &["ID", "NAME", "SCOPES", "ENDS"], row);
        }
        Tokens::Create { name, days, scopes } => {
            let body = json!({"name": name, "days": days, "scopes": scopes});
            print::json(&client.post("/api/v1/tokens", &body).await?);
        }
        Tokens::Revoke { id } => {
            client.delete(&format!("/api/v1/tokens/{id}"), &[]).await?;
            println!("Token {id} opens nothing any more.");
        }
    }
    Ok(())
}
