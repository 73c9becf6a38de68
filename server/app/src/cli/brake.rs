//! `muster brake …`: the global stop.

use serde_json::json;

use super::{client::Client, commands::Brake, print};

const BRAKE: &str = "/api/v1/brake";

/// Shows it, puts it on, releases it.
pub(super) async fn brake(client: &Client, command: Brake) -> anyhow::Result<()> {
    let reply = match command {
        Brake::Show => client.get(BRAKE).await?,
        Brake::Set { reason } => client.put(BRAKE, &json!({"reason": reason})).await?,
        Brake::Release => client.delete(BRAKE, &[]).await?,
    };
    print::json(&reply);
    Ok(())
}
