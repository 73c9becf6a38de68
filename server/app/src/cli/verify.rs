//! `muster verify`: evidence checked offline. Speaks to nobody.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use muster_domain::evidence::{Checked, check_audit, check_proof, check_report};

use super::{print, registry::read};

/// Checks a file and says line by line what holds; 1 when something does not.
pub(super) fn verify(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let checked = check(&read(file)?)?;
    if json {
        print::json(&serde_json::to_value(&checked)?);
    } else {
        for one in &checked {
            println!("{}  {}: {}", if one.holds { "ok  " } else { "FAIL" }, one.what, one.found);
        }
    }
    let whole = checked.iter().all(|one| one.holds);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A report or a proof is one JSON object, an export of the audit one a line.
fn check(text: &str) -> anyhow::Result<Vec<Checked>> {
    if let Ok(file) = serde_json::from_str::<serde_json::Value>(text) {
        if file.get("format").is_some() {
            return Ok(check_report(&file));
        }
        if file.get("proof_format").is_some() {
            return Ok(check_proof(&file));
        }
    }
    check_audit(text)
        .map_err(|line| {
            anyhow::anyhow!(
                "line {line} is no entry of an audit, and the file is neither a report nor a proof"
            )
        })
        .context("nothing to verify")
}
