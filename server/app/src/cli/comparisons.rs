//! What runs measured: two of them side by side, and all of a pair beside its objective.

use serde_json::Value;
use uuid::Uuid;

use super::{client::Client, print};

/// `muster run compare`.
pub(super) async fn compare(client: &Client, run: Uuid, with: Uuid) -> anyhow::Result<()> {
    let query = [("with", Some(with.to_string()))];
    let reply = client.list(&format!("/api/v1/runs/{run}/compare"), &query).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    println!("First {}, second {}:", print::word(&reply, "first"), print::word(&reply, "second"));
    let figures = reply["figures"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = figures
        .map(|figure| {
            let of = |key: &str| measured(&figure[key], print::word(figure, "counts") == "milliseconds");
            vec![print::word(figure, "name").replace('_', " "), of("first"), of("second")]
        })
        .collect();
    print::table(&["FIGURE", "FIRST", "SECOND"], &rows);
    let step = |of: &Value| match of.is_null() {
        true => "no such step".to_owned(),
        false => {
            format!("{}, {}", print::word(of, "state").replace('_', " "), measured(&of["took_ms"], true))
        }
    };
    let steps = reply["steps"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = steps
        .map(|of| {
            vec![print::word(of, "phase"), print::word(of, "title"), step(&of["first"]), step(&of["second"])]
        })
        .collect();
    print::table(&["PHASE", "STEP", "FIRST", "SECOND"], &rows);
    Ok(())
}

/// `muster pairs rto`.
pub(super) async fn trend(client: &Client, pair: &str) -> anyhow::Result<()> {
    let reply = client.get(&format!("/api/v1/pairs/{pair}/rto")).await?;
    if client.json {
        print::json(&reply);
        return Ok(());
    }
    println!("The RTO objective is {} s.", reply["rto_objective_seconds"]);
    let row = |run: &Value| {
        let kind = if run["drill"] == true { "drill" } else { "for real" };
        vec![
            print::word(run, "number"),
            print::time(run, "started_at"),
            kind.to_owned(),
            print::word(run, "state").replace('_', " "),
            measured(&run["rto_ms"], true),
            measured(&run["write_unavailability_ms"], true),
            measured(&run["lost_records"], false),
            print::word(run, "run"),
        ]
    };
    let rows: Vec<Vec<String>> = print::items(&reply).iter().map(row).collect();
    let heads = ["RUN", "STARTED", "KIND", "STATE", "WITHOUT PEOPLE", "WITHOUT WRITES", "LOST", "ID"];
    print::table(&heads, &rows);
    Ok(())
}

/// A figure of a run: null is not measured, never zero.
fn measured(figure: &Value, is_time: bool) -> String {
    match (figure.is_null(), is_time) {
        (true, _) => "not measured".to_owned(),
        (false, true) => print::duration(figure),
        (false, false) => figure.to_string(),
    }
}
