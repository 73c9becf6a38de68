//! `muster settings`: what the installation is and is set to.

use serde_json::Value;

use super::{client::Client, print};

/// Shows it.
pub(super) async fn settings(client: &Client) -> anyhow::Result<()> {
    let reply = client.get("/api/v1/settings").await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    let (database, key) = (&reply["database"], &reply["secrets_key"]);
    println!("Muster {} at {}", print::word(&reply, "version"), print::word(&reply, "public_url"));
    println!(
        "PostgreSQL {}, {} bytes at {}, migration {}",
        print::word(database, "version"),
        print::word(database, "bytes"),
        print::time(database, "bytes_at"),
        print::word(database, "migration")
    );
    for process in reply["processes"].as_array().into_iter().flatten() {
        let [name, pairs, runs] = ["name", "pairs", "runs"].map(|key| print::word(process, key));
        println!("Process {name} observes {pairs} pairs and carries out {runs} runs.");
    }
    if key["fits"] != true {
        println!(
            "The secrets key {} is not the one credentials are sealed with ({}).",
            print::word(key, "id"),
            print::word(key, "sealed_with")
        );
    }
    let row = |setting: &Value| {
        let value = setting["value"].as_str().unwrap_or("(not set)").to_owned();
        vec![print::word(setting, "name"), value, print::word(setting, "set_by")]
    };
    let rows: Vec<Vec<String>> = reply["settings"].as_array().into_iter().flatten().map(row).collect();
    print::table(&["SETTING", "VALUE", "SAID BY"], &rows);
    Ok(())
}
