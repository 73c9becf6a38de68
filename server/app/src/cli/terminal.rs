//! What is asked of the person at the terminal.

use std::io::Write as _;

use anyhow::Context as _;

/// A line of theirs.
///
/// # Errors
/// When nobody is there to answer.
pub(super) fn line(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Their password: `MUSTER_PASSWORD`, or else typed without being shown.
///
/// # Errors
/// When there is no terminal to ask on.
pub(super) fn password(prompt: &str) -> anyhow::Result<String> {
    match std::env::var("MUSTER_PASSWORD") {
        Ok(password) => Ok(password),
        Err(_) => rpassword::prompt_password(prompt)
            .context("there is no terminal to ask for the password on: set MUSTER_PASSWORD"),
    }
}
