//! What this installation is and is set to, for its admins: where each thing is changed, and never a secret.

use askama::Template;
use chrono::{DateTime, Utc};

use crate::{
    chrome::Chrome,
    format,
    parts::{Mark, Notice, Tone},
};

/// One setting of the process that answers.
#[derive(Debug, Clone)]
pub struct SettingSeen {
    /// Its variable.
    pub name: String,
    /// Its value, `set` of a secret; none when it is not set.
    pub value: Option<String>,
    /// Who said it.
    pub set_by: String,
    /// What it is.
    pub says: String,
}

/// A process that holds something.
#[derive(Debug, Clone)]
pub struct ProcessSeen {
    /// As it names itself.
    pub name: String,
    /// Pairs it observes.
    pub pairs: i64,
    /// Runs it carries out.
    pub runs: i64,
}

/// What the page tells.
#[derive(Debug, Clone)]
pub struct InstallationSeen<'a> {
    /// Version of Muster.
    pub version: &'a str,
    /// Address people type.
    pub public_url: &'a str,
    /// Version of PostgreSQL.
    pub postgres: &'a str,
    /// Whether Muster runs it itself.
    pub private: bool,
    /// Bytes on disk.
    pub bytes: i64,
    /// When that was.
    pub bytes_at: DateTime<Utc>,
    /// Number of the newest migration.
    pub migration: i64,
    /// When it was applied.
    pub migrated_at: DateTime<Utc>,
    /// Processes at work.
    pub processes: &'a [ProcessSeen],
    /// Id of this process's key.
    pub key: &'a str,
    /// Id of the key credentials are sealed with.
    pub sealed_with: Option<&'a str>,
    /// Of whom passwords are taken.
    pub passwords_of: &'a str,
    /// The identity provider: what people call it, and its issuer.
    pub provider: Option<(&'a str, &'a str)>,
    /// How long what is kept.
    pub retention: &'a [(String, String)],
    /// Bounds nobody sets.
    pub limits: &'a [(String, String)],
    /// Settings.
    pub settings: &'a [SettingSeen],
}

#[derive(Debug)]
struct ProcessRow {
    name: String,
    does: String,
}

#[derive(Debug)]
struct SettingRow {
    name: String,
    value: String,
    set: bool,
    set_by: String,
    says: String,
}

/// `GET /settings`.
#[derive(Debug, Template)]
#[template(path = "pages/settings.html")]
pub struct SettingsPage {
    chrome: Chrome,
    key_notice: Option<Notice>,
    facts: Vec<(&'static str, String)>,
    sign_in: Vec<(&'static str, String)>,
    processes: Vec<ProcessRow>,
    key: Mark,
    retention: Vec<(String, String)>,
    limits: Vec<(String, String)>,
    settings: Vec<SettingRow>,
}

impl SettingsPage {
    /// An installation as the process that answers sees it.
    #[must_use]
    pub fn new(chrome: Chrome, seen: &InstallationSeen<'_>) -> Self {
        Self {
            key_notice: key_notice(seen),
            facts: facts(seen),
            sign_in: sign_in(seen),
            processes: seen.processes.iter().map(process_row).collect(),
            key: key_mark(seen),
            retention: seen.retention.to_vec(),
            limits: seen.limits.to_vec(),
            settings: seen.settings.iter().map(setting_row).collect(),
            chrome: chrome.titled("Settings"),
        }
    }
}

fn facts(seen: &InstallationSeen<'_>) -> Vec<(&'static str, String)> {
    let run_by = if seen.private { "run by Muster itself" } else { "external" };
    vec![
        ("Version of Muster", seen.version.to_owned()),
        ("Address people type", seen.public_url.to_owned()),
        ("Database", format!("PostgreSQL {}, {run_by}", seen.postgres)),
        ("Size of the database", format!("{} at {}", bytes(seen.bytes), format::time(seen.bytes_at))),
        ("Newest migration", format!("{}, applied {}", seen.migration, format::date_time(seen.migrated_at))),
    ]
}

/// `840 MB`: sizes of disks are told in powers of ten.
fn bytes(bytes: i64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        1_000_000_000.. => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

fn sign_in(seen: &InstallationSeen<'_>) -> Vec<(&'static str, String)> {
    vec![
        ("Passwords", format!("taken of {}", seen.passwords_of)),
        (
            "Identity provider",
            match seen.provider {
                Some((label, issuer)) => format!("{label}, {issuer}"),
                None => "none is set up".to_owned(),
            },
        ),
    ]
}

fn process_row(process: &ProcessSeen) -> ProcessRow {
    let of = |n: i64, one| format::count(usize::try_from(n).unwrap_or_default(), one);
    let does = match (process.pairs, process.runs) {
        (pairs, 0) => format!("observes {}", of(pairs, "pair")),
        (0, runs) => format!("carries out {}", of(runs, "run")),
        (pairs, runs) => format!("observes {}, carries out {}", of(pairs, "pair"), of(runs, "run")),
    };
    ProcessRow { name: process.name.clone(), does }
}

fn fits(seen: &InstallationSeen<'_>) -> bool {
    seen.sealed_with.is_none_or(|sealed| sealed == seen.key)
}

fn key_mark(seen: &InstallationSeen<'_>) -> Mark {
    match seen.sealed_with {
        None => Mark::new(Tone::Idle, format!("{}: nothing is sealed yet", seen.key)),
        Some(_) if fits(seen) => Mark::new(Tone::Ok, format!("{} opens what is sealed", seen.key)),
        Some(sealed) => Mark::new(Tone::Bad, format!("{} here, sealed with {sealed}", seen.key)),
    }
}

fn key_notice(seen: &InstallationSeen<'_>) -> Option<Notice> {
    (!fits(seen)).then(|| {
        Notice::new(
            Tone::Bad,
            "The secrets key was rotated since this process started.",
            "It opens no credentials any more: restart every process with the new key.",
        )
    })
}

fn setting_row(setting: &SettingSeen) -> SettingRow {
    SettingRow {
        name: setting.name.clone(),
        value: setting.value.clone().unwrap_or_else(|| "not set".to_owned()),
        set: setting.value.is_some(),
        set_by: setting.set_by.clone(),
        says: setting.says.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_one_unit() {
        assert_eq!([9_400_000, 840_000, 12_345_678_901].map(bytes), ["9 MB", "840 kB", "12.3 GB"]);
    }
}
