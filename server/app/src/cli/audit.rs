//! `muster audit …`.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    client::{Client, time},
    commands::{Audit, Entries},
    print,
};

/// Lists, checks and copies the audit.
pub(super) async fn audit(client: &Client, command: Audit) -> anyhow::Result<ExitCode> {
    match command {
        Audit::List(entries) => list(client, entries).await.map(|()| ExitCode::SUCCESS),
        Audit::Verify => {
            let reply = client.get("/api/v1/audit/verify").await?;
            print::json(&reply);
            Ok(if reply["whole"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Audit::Export => {
            client.copy("/api/v1/audit/export", std::io::stdout()).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn list(client: &Client, entries: Entries) -> anyhow::Result<()> {
    let query = [
        ("actor", entries.actor),
        ("action", entries.action),
        ("object", entries.object),
        ("outcome", entries.outcome),
        ("since", entries.since.map(time)),
        ("until", entries.until.map(time)),
    ];
    let row = |e: &Value| {
        let entry = &e["content"];
        let mut row = vec![print::word(entry, "number"), print::time(entry, "at")];
        row.extend(["actor", "action", "object", "outcome"].map(|key| print::word(entry, key)));
        row
    };
    let heads = ["NO", "AT", "ACTOR", "ACTION", "OBJECT", "OUTCOME"];
    print::list(client, &client.pages("/api/v1/audit", &query, Some(entries.limit)).await?, &heads, row);
    Ok(())
}
