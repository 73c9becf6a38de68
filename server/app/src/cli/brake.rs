//! `muster brake …`: the global stop.

use serde_json::{Value, json};

use super::{client::Client, commands::Brake, print};

const BRAKE: &str = "/api/v1/brake";

/// Shows it, puts it on, releases it.
pub(super) async fn brake(client: &Client, command: Brake) -> anyhow::Result<()> {
    let reply = match command {
        Brake::Show => client.get(BRAKE).await?,
        Brake::Set { reason } => client.put(BRAKE, &json!({"reason": reason})).await?,
        Brake::Release => client.delete(BRAKE, &[]).await?,
    };
    if client.json {
        print::json(&reply);
    } else {
        println!("{}", said(&reply));
    }
    Ok(())
}

/// The brake as it is. What does not say that it is released is on.
fn said(brake: &Value) -> String {
    if brake["on"] == false {
        return "The brake is released: runs may start.".to_owned();
    }
    format!(
        "The brake is on since {}, by {}: {}\nNo run starts; those under way stop at their next step boundary.",
        print::time(brake, "since"),
        print::word(brake, "by"),
        print::word(brake, "reason")
    )
}
