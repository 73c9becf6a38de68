//! What is asked of the person at the terminal.

use std::io::{IsTerminal as _, Write as _};

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
    secret("MUSTER_PASSWORD", prompt)
}

/// The password they want from now on: `MUSTER_NEW_PASSWORD`, or else typed twice without being shown.
///
/// # Errors
/// When there is no terminal to ask on, or not the same was typed.
pub(super) fn new_password() -> anyhow::Result<String> {
    const VARIABLE: &str = "MUSTER_NEW_PASSWORD";
    let new = secret(VARIABLE, "New password: ")?;
    let again = secret(VARIABLE, "New password, once more: ")?;
    anyhow::ensure!(new == again, "Two different passwords were typed. Nothing was changed: try again.");
    Ok(new)
}

/// The password of a user of Connect: `MUSTER_CONNECT_PASSWORD`, or else typed without being shown.
///
/// # Errors
/// When there is no terminal to ask on.
pub(super) fn connect_password(user: &str) -> anyhow::Result<String> {
    secret("MUSTER_CONNECT_PASSWORD", &format!("Password of {user} at Connect: "))
}

/// A token for Connect: `MUSTER_CONNECT_TOKEN`, or else typed without being shown.
///
/// # Errors
/// When there is no terminal to ask on.
pub(super) fn connect_token() -> anyhow::Result<String> {
    secret("MUSTER_CONNECT_TOKEN", "Token for Connect: ")
}

fn secret(variable: &str, prompt: &str) -> anyhow::Result<String> {
    if let Ok(secret) = std::env::var(variable) {
        return Ok(secret);
    }
    let nobody = || format!("there is no terminal to ask for the password on: set {variable}");
    // Who does not see that they are asked does not answer, and a pipeline would wait for ever.
    anyhow::ensure!(std::io::stderr().is_terminal(), nobody());
    rpassword::prompt_password(prompt).with_context(nobody)
}
