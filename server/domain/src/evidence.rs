//! Checking evidence away from Muster: the file of a run's report, or an export of the audit.
//!
//! A hash shows that a file is whole, not who made it: whoever can change the file can write another hash into it. What it is
//! worth is decided by comparing that hash with the one Muster shows, or with one kept elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    audit::{AuditEntry, GENESIS, verify_chain},
    hash::hash_json,
};

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// What.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

fn checked(what: &str, holds: bool, found: String) -> Checked {
    Checked { what: what.to_owned(), holds, found }
}

/// Checks the file of a report as it is written, so that also what this version of Muster does not know of is covered.
#[must_use]
pub fn check_report(report: &Value) -> Vec<Checked> {
    let told = report["hash"].as_str().unwrap_or_default().to_owned();
    let mut bare = report.clone();
    bare["hash"] = Value::String(String::new());
    let whole = hash_json(&bare).unwrap_or_default();
    let plan = hash_json(&report["plan"]["content"]).unwrap_or_default();
    let approved = report["run"]["plan_hash"].as_str().unwrap_or_default();
    let votes = report["approvals"].as_array().map(Vec::as_slice).unwrap_or_default();
    let strange = votes.iter().filter(|vote| vote["plan_hash"].as_str() != Some(approved)).count();
    let numbers: Vec<i64> = report["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|event| event["number"].as_i64())
        .collect();
    let gaps = numbers.iter().zip(1_i64..).find(|(number, expected)| *number != expected);
    vec![
        checked(
            "the file is whole",
            whole == told,
            format!("its content has the hash {whole}, it says {told}"),
        ),
        checked(
            "the plan is the one the run was for",
            plan == approved,
            format!("the plan has the hash {plan}, the run names {approved}"),
        ),
        checked(
            "every decision was on this plan",
            strange == 0,
            format!("{} decisions, {strange} on another plan", votes.len()),
        ),
        checked(
            "no event is missing",
            gaps.is_none() && !numbers.is_empty(),
            match gaps {
                None => format!("{} events, numbered without a gap", numbers.len()),
                Some((number, expected)) => format!("event {expected} is missing: {number} follows"),
            },
        ),
    ]
}

/// Checks the file of a proof as it is written.
#[must_use]
pub fn check_proof(proof: &Value) -> Vec<Checked> {
    let told = proof["hash"].as_str().unwrap_or_default().to_owned();
    let mut bare = proof.clone();
    bare["hash"] = Value::String(String::new());
    let whole = hash_json(&bare).unwrap_or_default();
    let state = proof["state"].as_str().unwrap_or("unknown");
    vec![
        checked(
            "the file is whole",
            whole == told,
            format!("its content has the hash {whole}, it says {told}"),
        ),
        checked("the proof has come to its end", state == "done", format!("it is {state}")),
    ]
}

/// Checks an export of the audit: one entry a line, from the first one on.
///
/// # Errors
/// The number of the line that is no entry, from 1.
pub fn check_audit(text: &str) -> Result<Vec<Checked>, usize> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for (line, at) in text.lines().zip(1_usize..).filter(|(line, _)| !line.trim().is_empty()) {
        entries.push(serde_json::from_str(line).map_err(|_| at)?);
    }
    let (holds, found) = match verify_chain((0, GENESIS), &entries) {
        Ok((number, hash)) => (number > 0, format!("{number} entries; the last one has the hash {hash}")),
        Err(broken) => (false, broken.to_string()),
    };
    Ok(vec![checked("the chain is whole", holds, found)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        let content = json!({"pair": "orders"});
        let plan_hash = hash_json(&content).expect("JSON");
        let mut report = json!({
            "format": 1, "run": {"plan_hash": plan_hash}, "plan": {"content": content}, "hash": "",
            "approvals": [{"plan_hash": plan_hash}], "events": [{"number": 1}, {"number": 2}], "of_a_later_version": 7,
        });
        report["hash"] = json!(hash_json(&report).expect("JSON"));
        report
    }

    fn broken(report: &Value) -> Vec<String> {
        check_report(report).into_iter().filter(|c| !c.holds).map(|c| c.what).collect()
    }

    #[test]
    fn a_report_that_was_touched_is_found_out() {
        assert_eq!(broken(&report()), [""; 0]);
        let with = |pointer: &str, value: Value| {
            let mut report = report();
            *report.pointer_mut(pointer).expect("there") = value;
            broken(&report)
        };
        assert_eq!(with("/of_a_later_version", json!(8)), ["the file is whole"]);
        let plan = with("/plan/content/pair", json!("payments"));
        assert_eq!(plan, ["the file is whole", "the plan is the one the run was for"]);
        let vote = with("/approvals/0/plan_hash", json!("another"));
        assert_eq!(vote, ["the file is whole", "every decision was on this plan"]);
        assert_eq!(with("/events", json!([{"number": 2}])), ["the file is whole", "no event is missing"]);
        assert_eq!(broken(&json!({})).len(), 3, "a file that says nothing proves nothing");
    }
}
