//! `muster approvals …`: what waits for one's own decision.

use serde_json::{Value, json};

use super::{client::Client, commands::Approvals, plans, print, runs};

/// Lists, shows, approves and rejects.
pub(super) async fn approvals(client: &Client, command: Approvals) -> anyhow::Result<()> {
    match command {
        Approvals::List => {
            let row = |run: &Value| {
                let mut row =
                    ["number", "pair", "operation", "course"].map(|key| print::word(run, key)).to_vec();
                row.extend([print::word(&run["requested_by"], "name"), print::time(run, "decide_by")]);
                row.extend(["reason", "id"].map(|key| print::word(run, key)));
                row
            };
            let heads = ["NO", "PAIR", "OPERATION", "COURSE", "REQUESTED BY", "DECIDE BY", "REASON", "ID"];
            print::list(client, &client.pages("/api/v1/approvals", &[], None).await?, &heads, row);
            Ok(())
        }
        Approvals::Show { run } => {
            let run = client.get(&format!("/api/v1/runs/{run}")).await?;
            let plan = client.get(&format!("/api/v1/plans/{}", print::word(&run, "plan"))).await?;
            let difference = client.get(&plans::difference_of(&plan)).await?;
            if client.json {
                print::json(&json!({"run": run, "plan": plan, "difference": difference}));
                return Ok(());
            }
            println!("{} asks: {}", print::word(&run["requested_by"], "name"), print::word(&run, "reason"));
            println!("To be decided by {}.", print::time(&run, "decide_by"));
            plans::tell_plan(&plan);
            plans::tell_difference(&difference);
            Ok(())
        }
        // The hash of the plan that was read goes along: another one is refused.
        Approvals::Approve(said) => decide(client, &said.run.to_string(), "approve", &said.comment).await,
        Approvals::Reject(said) => decide(client, &said.run.to_string(), "reject", &said.comment).await,
    }
}

async fn decide(client: &Client, run: &str, verb: &str, comment: &str) -> anyhow::Result<()> {
    let read = client.get(&format!("/api/v1/runs/{run}")).await?;
    let vote = json!({"comment": comment, "plan_hash": read["plan_hash"]});
    runs::tell(client, &client.post(&format!("/api/v1/runs/{run}/{verb}"), &vote).await?);
    Ok(())
}
