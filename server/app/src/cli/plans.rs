//! Plans from the command line.

use serde_json::{Map, Value, json};

use super::{
    client::Client,
    commands::{NewPlan, OfPlan, Plan},
    print,
};

/// `muster plan …`.
pub(super) async fn plan(client: &Client, asked: Plan) -> anyhow::Result<()> {
    match asked.command {
        None => make(client, asked.new).await,
        Some(OfPlan::Show { plan }) => {
            let plan = client.get(&format!("/api/v1/plans/{plan}")).await?;
            if client.json {
                print::json(&plan);
            } else {
                tell_plan(&plan);
            }
            Ok(())
        }
        Some(OfPlan::Difference { plan }) => {
            let difference = client.get(&format!("/api/v1/plans/{plan}/difference")).await?;
            if client.json {
                print::json(&difference);
            } else {
                tell_difference(&difference);
            }
            Ok(())
        }
    }
}

async fn make(client: &Client, new: NewPlan) -> anyhow::Result<()> {
    let mut rules = Map::new();
    rules.insert("confirm_before_fence".to_owned(), json!(!new.unattended));
    for (rule, word) in [("if_unproven", new.if_unproven), ("consumers", new.consumers)] {
        if let Some(word) = word {
            rules.insert(rule.to_owned(), json!(word));
        }
    }
    if let Some(seconds) = new.max_write_outage_seconds {
        rules.insert("max_write_outage_seconds".to_owned(), json!(seconds));
    }
    let body = json!({"operation": new.operation, "to": new.to, "drill": new.drill, "rules": rules});
    let pair = new.pair.unwrap_or_default();
    let made = client.post(&format!("/api/v1/pairs/{pair}/plans"), &body).await?;
    if client.json {
        print::json(&made);
        return Ok(());
    }
    tell_plan(&made);
    tell_difference(&client.get(&difference_of(&made)).await?);
    Ok(())
}

/// Where the server says what differs between a plan and the one approved before it.
pub(super) fn difference_of(plan: &Value) -> String {
    format!("/api/v1/plans/{}/difference", print::word(plan, "id"))
}

/// What is new since people last said yes.
pub(super) fn tell_difference(difference: &Value) {
    let with = &difference["compared_with"];
    if with.is_null() {
        println!("No such plan was approved before: read it whole.");
        return;
    }
    println!(
        "Compared with the plan approved at {} (run {}):",
        print::time(with, "approved_at"),
        with["run_number"]
    );
    let changes = difference["changes"].as_array().map_or(&[][..], Vec::as_slice);
    for change in changes {
        println!("  {}", print::word(change, "says"));
    }
    if changes.is_empty() {
        println!("  Nothing changed.");
    }
}

/// A plan as people read it.
pub(super) fn tell_plan(made: &Value) {
    let prediction = &made["prediction"];
    println!(
        "Plan {} of {} ({})",
        print::word(made, "id"),
        print::word(&made["content"], "pair"),
        print::word(made, "hash")
    );
    let basis = print::word(prediction, "basis");
    match prediction["total_ms"].as_i64() {
        Some(_) => println!(
            "Writes away about {}, whole run about {} ({basis})",
            print::duration(&prediction["write_unavailability_ms"]),
            print::duration(&prediction["total_ms"]),
        ),
        None => println!("How long writes are away: {basis}"),
    }
    let steps = made["content"]["steps"].as_array().cloned().unwrap_or_default();
    let rows: Vec<Vec<String>> = steps
        .iter()
        .map(|step| {
            vec![
                print::word(step, "phase"),
                print::word(step, "title"),
                if step["expected_ms"].is_null() {
                    String::new()
                } else {
                    print::duration(&step["expected_ms"])
                },
            ]
        })
        .collect();
    print::table(&["PHASE", "STEP", "ABOUT"], &rows);
    for (kind, findings) in [("Blocked", &made["blockers"]), ("Warning", &made["warnings"])] {
        for finding in findings.as_array().into_iter().flatten() {
            println!("{kind} ({}): {}", print::word(finding, "code"), print::finding(finding));
        }
    }
}
