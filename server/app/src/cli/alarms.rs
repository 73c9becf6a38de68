//! `muster alarms …`.

use serde_json::{Value, json};

use super::{client::Client, commands::Alarms, print};

/// Lists, shows and acknowledges alarms of silent loss.
pub(super) async fn alarms(client: &Client, command: Alarms) -> anyhow::Result<()> {
    match command {
        Alarms::List { pair, all, code, limit } => {
            let query = [("open", (!all).then(|| "true".to_owned())), ("code", code)];
            let path = pair
                .map_or_else(|| "/api/v1/alarms".to_owned(), |pair| format!("/api/v1/pairs/{pair}/alarms"));
            let row = |alarm: &Value| {
                let what = &alarm["alarm"];
                let state = match (alarm["ended"].is_null(), alarm["not_seen_because"] == "") {
                    (false, _) => "ended",
                    (true, true) => "open",
                    (true, false) => "not seen again",
                };
                vec![
                    print::word(alarm, "number"),
                    print::word(alarm, "pair"),
                    print::word(what, "code"),
                    state.to_owned(),
                    print::word(alarm, "opened_at"),
                    print::word(what, "said"),
                    print::word(alarm, "id"),
                ]
            };
            let heads = ["NO", "PAIR", "ALARM", "STATE", "OPENED", "WHAT", "ID"];
            print::list(client, &client.pages(&path, &query, Some(limit)).await?, &heads, row);
        }
        Alarms::Show { id } => print::json(&client.get(&format!("/api/v1/alarms/{id}")).await?),
        Alarms::Acknowledge { id, comment } => {
            let body = json!({"comment": comment});
            print::json(&client.post(&format!("/api/v1/alarms/{id}/acknowledge"), &body).await?);
        }
    }
    Ok(())
}
