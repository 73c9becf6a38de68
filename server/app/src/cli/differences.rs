//! What applications would find different on the other side of a pair, from the command line: by cause, or by who is affected.

use serde_json::Value;

use super::{client::Client, commands::DifferencesBy, print};

/// `muster pairs differences`.
pub(super) async fn differences(
    client: &Client,
    pair: &str,
    kind: Option<String>,
    who: Option<String>,
    by: DifferencesBy,
) -> anyhow::Result<()> {
    let path = format!("/api/v1/pairs/{pair}/differences");
    let query = vec![("kind", kind), ("who", who)];
    let reply = match by {
        DifferencesBy::Cause => client.list(&path, &query).await?,
        DifferencesBy::Who => all_by_who(client, &path, query).await?,
    };
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    match by {
        DifferencesBy::Cause => tell_differences(&reply),
        DifferencesBy::Who => tell_by_who(&reply),
    }
    Ok(())
}

/// Everybody who is affected, page by page; all else as the first page has it.
async fn all_by_who(
    client: &Client,
    path: &str,
    mut query: Vec<(&str, Option<String>)>,
) -> anyhow::Result<Value> {
    query.extend([("by", Some("who".to_owned())), ("limit", Some("200".to_owned()))]);
    let mut reply = client.list(path, &query).await?;
    let mut after = reply["by_who"]["next"].as_str().map(str::to_owned);
    let mut affected = print::items(&reply["by_who"]).to_vec();
    while after.is_some() {
        let mut more = query.clone();
        more.push(("after", after));
        let page = client.list(path, &more).await?;
        affected.extend_from_slice(print::items(&page["by_who"]));
        after = page["by_who"]["next"].as_str().map(str::to_owned);
    }
    if let Some(by_who) = reply["by_who"].as_object_mut() {
        by_who.remove("next");
        by_who.insert("items".to_owned(), affected.into());
    }
    Ok(reply)
}

/// Differences as people read them: each cause with what it does and what to do.
fn tell_differences(reply: &Value) {
    for (n, of) in ways(reply).enumerate() {
        if n > 0 {
            println!();
        }
        tell_direction(of);
    }
}

/// This direction, and the other where both sides are active.
fn ways(reply: &Value) -> impl Iterator<Item = &Value> {
    std::iter::once(reply).chain(Some(&reply["back"]).filter(|back| !back.is_null()))
}

/// The same under each whom it affects.
fn tell_by_who(reply: &Value) {
    for of in ways(reply) {
        println!("From {} to {}:", print::word(of, "active"), print::word(of, "standby"));
        tell_not_compared(of);
    }
    let by = &reply["by_who"];
    let causes = |key: &str| by[key].as_array().map_or(&[][..], Vec::as_slice);
    for (said, causes) in [("Everybody", causes("everybody")), ("Not known who", causes("not_known"))] {
        if !causes.is_empty() {
            println!("\n{said}:");
            tell_causes(causes);
        }
    }
    for one in print::items(by) {
        let (kind, name) = (print::word(one, "kind"), print::word(one, "name"));
        println!("\n{name} ({kind}):");
        let shown = one["causes"].as_array().map_or(&[][..], Vec::as_slice);
        tell_causes(shown);
        let more = one["count"].as_u64().unwrap_or_default().saturating_sub(shown.len() as u64);
        if more > 0 {
            println!("And {more} more; --who with this name tells them by cause.");
        }
    }
    if print::items(by).is_empty() {
        println!("\nNo principal and no group is known to be affected.");
    }
}

fn tell_direction(reply: &Value) {
    println!("From {} to {}:", print::word(reply, "active"), print::word(reply, "standby"));
    tell_causes(print::items(reply));
    tell_not_compared(reply);
    for part in reply["earlier"].as_array().into_iter().flatten() {
        let (what, at) = (print::word(part, "what"), print::time(part, "at"));
        match part["differences"].as_array().map_or(&[][..], Vec::as_slice) {
            [] => println!("As of {at}, when it could be compared last: {what}: nothing to tell."),
            causes => {
                println!("As of {at}, when it could be compared last: {what}:");
                tell_causes(causes);
            }
        }
    }
}

fn tell_not_compared(reply: &Value) {
    for part in reply["not_compared"].as_array().into_iter().flatten() {
        println!("Not compared: {}: {}", print::word(part, "what"), print::word(part, "reason"));
    }
}

fn tell_causes(causes: &[Value]) {
    let mut rows = Vec::new();
    for cause in causes {
        rows.push(["weight", "kind", "says"].map(|key| print::word(cause, key)).to_vec());
        // Of those by who is affected each says it of itself.
        if cause["as_of"].is_string() {
            let then = format!("as last compared at {}", print::time(cause, "as_of"));
            rows.push(vec![String::new(), String::new(), then]);
        }
        for key in ["consequence", "next_step"] {
            rows.push(vec![String::new(), String::new(), format!("→ {}", print::word(cause, key))]);
        }
    }
    print::table(&["WEIGHT", "KIND", "DIFFERENCE"], &rows);
}
