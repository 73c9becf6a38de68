//! `muster pairs …`: pairs as they are set up. What was observed and recorded of them is told elsewhere.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{
    canaries,
    client::Client,
    commands::{Named, Pairs},
    comparisons, connect, differences, lag, losses, observed, print, recorded,
    registry::{edit, read, read_json},
    rings,
};

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
        Pairs::Show(Named { name }) => print::json(&client.get(&format!("/api/v1/pairs/{name}")).await?),
        Pairs::Create { file } => print::json(&client.post("/api/v1/pairs", &read_json(&file)?).await?),
        Pairs::Edit { name, change } => {
            edit(client, &format!("/api/v1/pairs/{name}"), &change).await?;
        }
        Pairs::Delete(Named { name }) => {
            client.delete(&format!("/api/v1/pairs/{name}"), &[]).await?;
            println!("Pair {name} is removed; its runs and audit entries stay.");
        }
        Pairs::Import { file, team, name } => {
            let body = json!({"text": read(&file)?, "team": team, "name": name});
            let reply = client.post("/api/v1/pairs/import", &body).await?;
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
        Pairs::Connect { name } => connect::show(client, &name).await?,
        Pairs::ConnectEnter { name, from, user, bearer } => {
            connect::enter(client, &name, &from, user.filter(|_| !bearer)).await?;
        }
        Pairs::ConnectRemove { name, from } => connect::remove(client, &name, &from).await?,
        Pairs::Differences { name, kind, who, by } => {
            differences::differences(client, &name, kind, who, by).await?;
        }
        Pairs::Check(Named { name }) => observed::check(client, &name).await?,
        Pairs::Changes { name, limit } => observed::changes(client, &name, limit).await?,
        Pairs::Survey(Named { name }) => {
            print::json(&client.get(&format!("/api/v1/pairs/{name}/survey")).await?);
        }
        Pairs::Topics(Named { name }) => observed::topics(client, &name).await?,
        Pairs::Groups(Named { name }) => observed::groups(client, &name).await?,
        Pairs::Positions { name, group, at, source } => {
            recorded::positions(client, &name, group, at, source).await?;
        }
        Pairs::Facts { name, kind, at, cluster } => {
            recorded::facts(client, &name, kind, at, cluster).await?;
        }
        Pairs::Rto(Named { name }) => comparisons::trend(client, &name).await?,
        Pairs::Lag(asked) => lag::show(client, asked).await?,
        Pairs::Loss { name, at, source, csv } => losses::show(client, &name, at, source, csv).await?,
        Pairs::Losses { from, to, pair } => losses::list(client, from, to, pair).await?,
        Pairs::Rings(Named { name }) => rings::show(client, &name).await?,
        Pairs::Canary { name, now } => return canaries::show(client, &name, now).await,
    }
    Ok(ExitCode::SUCCESS)
}
