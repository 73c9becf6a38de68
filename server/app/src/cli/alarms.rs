//! `muster alarms …`.

use muster_domain::alarm::{Lost, Since};
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
                vec![
                    print::word(alarm, "number"),
                    print::word(alarm, "pair"),
                    print::word(what, "code"),
                    state(alarm).to_owned(),
                    print::word(alarm, "opened_at"),
                    print::word(what, "said"),
                    print::word(alarm, "id"),
                ]
            };
            let heads = ["NO", "PAIR", "ALARM", "STATE", "OPENED", "WHAT", "ID"];
            print::list(client, &client.pages(&path, &query, Some(limit)).await?, &heads, row);
        }
        Alarms::Show { id } => tell(client, &client.get(&format!("/api/v1/alarms/{id}")).await?),
        Alarms::Acknowledge { id, comment } => {
            let body = json!({"comment": comment});
            tell(client, &client.post(&format!("/api/v1/alarms/{id}/acknowledge"), &body).await?);
        }
    }
    Ok(())
}

fn state(alarm: &Value) -> &'static str {
    match (alarm["ended"].is_null(), alarm["not_seen_because"] == "") {
        (false, _) => "ended",
        (true, true) => "open",
        (true, false) => "not seen again",
    }
}

/// One alarm: what, where, since when, what was lost, what to do.
fn tell(client: &Client, alarm: &Value) {
    if client.json {
        return print::json(alarm);
    }
    let what = &alarm["alarm"];
    let of = |key: &str| print::word(alarm, key);
    println!(
        "Alarm {} ({}) of {}, {}: {}, {}{}",
        of("number"),
        of("id"),
        of("pair"),
        print::word(what, "course"),
        print::word(what, "code"),
        state(alarm),
        if what["likely"] == true { ", likely and not proven" } else { "" }
    );
    println!("{}", print::word(what, "said"));
    println!("Since: {}", since(&what["since"]));
    println!("Lost: {}", lost(&what["lost"]));
    for place in listed(&what["places"]) {
        println!("Where: {} {}", print::word(place, "name"), print::word(place, "said"));
    }
    if what["more_places"].as_u64().is_some_and(|more| more > 0) {
        println!("Where: and {} more", what["more_places"]);
    }
    for fact in listed(&what["facts"]).iter().filter_map(Value::as_str) {
        println!("Concluded from: {}", print::harmless(fact));
    }
    if state(alarm) == "not seen again" {
        println!("Not seen again: {}", of("not_seen_because"));
    }
    let ended = &alarm["ended"];
    if ended.is_null() {
        println!("Next: {}", print::word(what, "next_step"));
        if let Some(command) = what["command"].as_str() {
            println!("Command: {}", print::harmless(command));
        }
    } else if ended["by"].is_null() {
        println!("Ended: {}, a survey showed that its cause is gone", print::time(ended, "at"));
    } else {
        let (at, by) = (print::time(ended, "at"), print::word(ended, "by"));
        println!("Ended: {at}, acknowledged by {by}: {}", print::word(ended, "comment"));
    }
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The interval it began in, in the words of the pages.
fn since(value: &Value) -> String {
    serde_json::from_value(value.clone()).map_or_else(|_| "unknown".to_owned(), |since: Since| since.said())
}

/// The interval of what was lost, in the words of the pages.
fn lost(value: &Value) -> String {
    serde_json::from_value(value.clone()).map_or_else(|_| "unknown".to_owned(), |lost: Lost| lost.said())
}
