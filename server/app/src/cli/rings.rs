//! `muster pairs rings`: what is kept of sources for the day they are dead, and what is in the way.

use serde_json::Value;

use super::{client::Client, print};

/// How looks at a pair's sources go.
pub(super) async fn show(client: &Client, pair: &str) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/rings")).await?;
    let row = |item: &Value| {
        let looked_at =
            if item["looked_at"].is_null() { "never".to_owned() } else { print::time(item, "looked_at") };
        vec![
            format!("{} → {}", print::word(item, "from"), print::word(item, "to")),
            looked_at,
            print::word(item, "unread"),
            print::word(item, "beyond"),
            trouble(item),
        ]
    };
    print::list(client, &reply, &["FLOW", "LOOKED AT", "NOT READABLE", "NO ROOM", "IN THE WAY"], row);
    if client.json {
        return Ok(());
    }
    let partitions = print::items(&reply).iter().flat_map(|item| item["partitions"].as_array()).flatten();
    let row = |one: &Value| {
        let of = |key: &str| print::word(one, key);
        vec![format!("{}-{}", of("topic"), of("partition")), print::time(one, "since"), of("because")]
    };
    let rows: Vec<Vec<String>> = partitions.map(row).collect();
    if !rows.is_empty() {
        println!();
        print::table(&["PARTITION", "NOT READABLE SINCE", "BECAUSE"], &rows);
    }
    Ok(())
}

/// Why looks fail as a whole, if they do.
fn trouble(item: &Value) -> String {
    for (key, what) in [("silent", "it does not answer"), ("failing", "looks fail")] {
        let trouble = &item[key];
        if !trouble.is_null() {
            let (since, because) = (print::time(trouble, "since"), print::word(trouble, "because"));
            return format!("since {since} {what}: {because}");
        }
    }
    String::new()
}
