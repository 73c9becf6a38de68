//! Notification channels from the command line.

use serde_json::{Value, json};

use super::{
    client::Client,
    commands::{ById, Channels},
    print,
    registry::{edit, read_json},
};

/// `muster channels …`.
pub(super) async fn channels(client: &Client, command: Channels) -> anyhow::Result<()> {
    let path = |id| format!("/api/v1/channels/{id}");
    match command {
        Channels::List => {
            let row = |channel: &Value| {
                let enabled = if channel["enabled"] == true { "on" } else { "off" };
                let mut row = ["team", "name", "kind"].map(|key| print::word(channel, key)).to_vec();
                row.extend([enabled.to_owned(), print::word(channel, "host"), print::word(channel, "id")]);
                row
            };
            let heads = ["TEAM", "CHANNEL", "KIND", "", "HOST", "ID"];
            print::list(client, &client.pages("/api/v1/channels", &[], None).await?, &heads, row);
        }
        Channels::Show(ById { id }) => print::json(&client.get(&path(id)).await?),
        Channels::Create { file } => {
            print::json(&client.post("/api/v1/channels", &read_json(&file)?).await?);
        }
        Channels::Edit { id, change } => edit(client, &path(id), &change).await?,
        Channels::Delete(ById { id }) => {
            client.delete(&path(id), &[]).await?;
            println!("Channel {id} is removed.");
        }
        Channels::Test(ById { id }) => {
            client.post(&format!("{}/test", path(id)), &json!({})).await?;
            println!("A test is on its way: `muster channels deliveries {id}` says whether it arrived.");
        }
        Channels::Deliveries { id, limit } => {
            let row = |delivery: &Value| {
                let mut row = vec![print::time(delivery, "at")];
                row.extend(
                    ["event", "state", "attempts", "last_error"].map(|key| print::word(delivery, key)),
                );
                row
            };
            let heads = ["AT", "EVENT", "STATE", "ATTEMPTS", "LAST ERROR"];
            let sent = client.pages(&format!("{}/deliveries", path(id)), &[], Some(limit)).await?;
            print::list(client, &sent, &heads, row);
        }
    }
    Ok(())
}
