//! What a process is set up with, read from the same description of the command line that set it: nothing can be set that is
//! not told, and whatever that description hides is told as set or not set.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, CommandFactory as _, parser::ValueSource};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cli::Cli;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Setting {
    /// Its variable of the environment.
    pub name: String,
    /// Its value; `set` of a secret; null when it is not set.
    pub value: Option<String>,
    /// Who said it: `default`, `environment` or `command line`; empty when it is not set.
    pub set_by: String,
    /// What it is.
    pub says: String,
}

/// Variables of the client commands, which say nothing about a server.
const OF_CLIENTS: [&str; 2] = ["MUSTER_URL", "MUSTER_TOKEN"];

/// Settings of a process that was started with these words, in the order of its help. Words that start none are none.
#[must_use]
pub fn read(words: impl IntoIterator<Item = OsString>) -> Vec<Setting> {
    let Ok(matches) = Cli::command().try_get_matches_from(words) else { return Vec::new() };
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let mut command = Cli::command();
    // Spreads the settings that hold for every command.
    command.build();
    let Some(command) = command.find_subcommand(name) else { return Vec::new() };
    let mut settings: Vec<Setting> =
        command.get_arguments().filter_map(|arg| setting(arg, matches)).collect();
    settings.push(key_in_environment(std::env::var_os("MUSTER_SECRETS_KEY").is_some()));
    settings
}

fn setting(arg: &Arg, matches: &ArgMatches) -> Option<Setting> {
    let name = arg.get_env()?.to_str()?;
    if OF_CLIENTS.contains(&name) {
        return None;
    }
    let id = arg.get_id().as_str();
    let given: Option<Vec<String>> =
        matches.get_raw(id).map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect());
    let value = given.map(|values| values.join(" ")).filter(|value| !value.is_empty());
    let set_by = match matches.value_source(id) {
        Some(ValueSource::DefaultValue) => "default",
        Some(ValueSource::EnvVariable) => "environment",
        Some(ValueSource::CommandLine) => "command line",
        Some(_) | None => "",
    };
    Some(Setting {
        name: name.to_owned(),
        set_by: if value.is_some() { set_by.to_owned() } else { String::new() },
        value: if arg.is_hide_env_values_set() { value.map(|_| "set".to_owned()) } else { value },
        says: first_sentence(&arg.get_help().map(ToString::to_string).unwrap_or_default()),
    })
}

/// It has no word on the command line, where others could read it.
fn key_in_environment(set: bool) -> Setting {
    Setting {
        name: "MUSTER_SECRETS_KEY".to_owned(),
        value: set.then(|| "set".to_owned()),
        set_by: if set { "environment".to_owned() } else { String::new() },
        says: "The key that seals stored credentials, instead of a file with it".to_owned(),
    }
}

fn first_sentence(help: &str) -> String {
    let help = help.replace('\n', " ");
    help.split_once(". ").map_or(help.trim_end_matches('.'), |(first, _)| first).replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Vec<Setting> {
        read(words.iter().map(OsString::from))
    }

    #[test]
    fn values_are_told_with_who_said_them_and_secrets_only_as_set() {
        let told = of(&[
            "muster",
            "serve",
            "--survey-seconds",
            "7",
            "--database-url",
            "postgres://muster:hunter2@db.internal/muster",
            "--webhook-secret",
            "hunter2",
        ]);
        let named = |name: &str| told.iter().find(|setting| setting.name == name).expect(name);
        assert_eq!(named("MUSTER_SURVEY_SECONDS").value.as_deref(), Some("7"));
        assert_eq!(named("MUSTER_SURVEY_SECONDS").set_by, "command line");
        assert_eq!(named("MUSTER_CLIENT_SECONDS").set_by, "default");
        for secret in ["DATABASE_URL", "MUSTER_WEBHOOK_SECRET"] {
            assert_eq!(named(secret).value.as_deref(), Some("set"), "{secret}");
        }
        assert!(!format!("{told:?}").contains("hunter2") && !format!("{told:?}").contains("db.internal"));
        assert!(told.iter().all(|setting| !setting.says.is_empty()), "{told:?}");
        assert!(told.iter().all(|setting| setting.name != "MUSTER_TOKEN"));
    }

    #[test]
    fn everything_that_looks_like_a_secret_is_hidden() {
        let mut command = Cli::command();
        command.build();
        for name in ["serve", "worker", "migrate", "doctor", "restored"] {
            let arguments = command.find_subcommand(name).expect(name).get_arguments();
            for arg in arguments.filter(|arg| arg.get_env().is_some()) {
                let variable = arg.get_env().and_then(|env| env.to_str()).unwrap_or_default();
                let looks = ["PASSWORD", "SECRET", "TOKEN", "KEY", "DATABASE_URL", "SMTP_URL"];
                let is_path = variable.ends_with("_FILE");
                let secret = looks.iter().any(|word| variable.contains(word)) && !is_path;
                assert!(!secret || arg.is_hide_env_values_set(), "{variable} would be shown");
            }
        }
    }
}
