//! The sessions that `muster login` keeps, one for each server, readable by their owner only.

use std::{collections::BTreeMap, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use anyhow::Context as _;

/// The session kept for a server.
pub(super) fn session_of(url: &str) -> Option<String> {
    all().remove(server(url))
}

/// Keeps a session for a server.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn keep(url: &str, token: &str) -> anyhow::Result<PathBuf> {
    let mut sessions = all();
    sessions.insert(server(url).to_owned(), token.to_owned());
    write(&sessions)
}

/// Forgets the session of a server; false when none was kept.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn forget(url: &str) -> anyhow::Result<bool> {
    let mut sessions = all();
    let was_kept = sessions.remove(server(url)).is_some();
    if was_kept {
        write(&sessions)?;
    }
    Ok(was_kept)
}

fn server(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn file() -> PathBuf {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    config.or_else(home).unwrap_or_default().join("muster/sessions.json")
}

fn all() -> BTreeMap<String, String> {
    std::fs::read_to_string(file()).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Written anew beside and moved over: never readable by others, never half written.
fn write(sessions: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    let file = file();
    std::fs::create_dir_all(file.parent().context("no directory to keep the session in")?)?;
    let fresh = file.with_extension("new");
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    out.write_all(serde_json::to_string_pretty(sessions)?.as_bytes())?;
    std::fs::rename(&fresh, &file)?;
    Ok(file)
}
