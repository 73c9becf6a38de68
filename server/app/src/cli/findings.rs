//! `muster findings …`.

use serde_json::{Value, json};

use super::{client::Client, commands::Findings, print};

/// Lists, shows, raises and closes findings.
pub(super) async fn findings(client: &Client, command: Findings) -> anyhow::Result<()> {
    match command {
        Findings::List { pair, open, severity, text, limit } => {
            let query = [
                ("pair", pair),
                ("open", open.then(|| "true".to_owned())),
                ("severity", severity),
                ("text", text),
            ];
            let row = |finding: &Value| {
                let state = if finding["closed"].is_null() { "open" } else { "closed" };
                let mut row = ["number", "pair", "severity"].map(|key| print::word(finding, key)).to_vec();
                row.push(state.to_owned());
                row.extend(["owner", "due", "text", "id"].map(|key| print::word(finding, key)));
                row
            };
            let heads = ["NO", "PAIR", "SEVERITY", "STATE", "OWNER", "DUE", "FINDING", "ID"];
            let found = client.pages("/api/v1/findings", &query, Some(limit)).await?;
            print::list(client, &found, &heads, row);
        }
        Findings::Show { id } => print::json(&client.get(&format!("/api/v1/findings/{id}")).await?),
        Findings::Raise { pair, text, severity, owner, due, run, link } => {
            let body = json!({"pair": pair, "text": text, "severity": severity, "owner": owner, "due": due,
                "run": run, "link": link});
            print::json(&client.post("/api/v1/findings", &body).await?);
        }
        Findings::Close { id, resolution, retest } => {
            let body = json!({"closed": {"resolution": resolution, "retest": retest}});
            print::json(
                &client.send(reqwest::Method::PATCH, &format!("/api/v1/findings/{id}"), Some(&body)).await?,
            );
        }
    }
    Ok(())
}
