//! `muster findings …`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    client::Client,
    commands::{ById, FindingEdit, Findings},
    print,
};

/// Lists, shows, raises, changes, closes and opens findings.
pub(super) async fn findings(client: &Client, command: Findings) -> anyhow::Result<()> {
    match command {
        Findings::List { pair, run, open, severity, owner, text, limit } => {
            let query = [
                ("pair", pair),
                ("run", run.map(|run| run.to_string())),
                ("open", open.then(|| "true".to_owned())),
                ("severity", severity),
                ("owner", owner),
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
        Findings::Show(ById { id }) => print::json(&client.get(&path(id)).await?),
        Findings::Raise { pair, text, severity, owner, due, run, link } => {
            let body = json!({"pair": pair, "text": text, "severity": severity, "owner": owner, "due": due,
                "run": run, "link": link});
            print::json(&client.post("/api/v1/findings", &body).await?);
        }
        Findings::Edit(edit) => change(client, edit).await?,
        Findings::Close { id, resolution, retest, version } => {
            let body = json!({"closed": {"resolution": resolution, "retest": retest}});
            print::json(&client.edit(&path(id), &body, version.if_version).await?);
        }
        Findings::Reopen { id, version } => {
            print::json(&client.edit(&path(id), &json!({"closed": null}), version.if_version).await?);
        }
    }
    Ok(())
}

fn path(id: Uuid) -> String {
    format!("/api/v1/findings/{id}")
}

/// What is not given stays as it is; a due date is taken away by null.
async fn change(client: &Client, edit: FindingEdit) -> anyhow::Result<()> {
    let mut body = Map::new();
    let words = [("severity", edit.severity), ("owner", edit.owner), ("due", edit.due), ("link", edit.link)];
    for (member, word) in words {
        if let Some(word) = word {
            body.insert(member.to_owned(), word.into());
        }
    }
    if edit.no_due {
        body.insert("due".to_owned(), Value::Null);
    }
    anyhow::ensure!(
        !body.is_empty(),
        "Nothing is to be changed: give --severity, --owner, --due, --no-due or --link."
    );
    print::json(&client.edit(&path(edit.id), &Value::Object(body), edit.version.if_version).await?);
    Ok(())
}
