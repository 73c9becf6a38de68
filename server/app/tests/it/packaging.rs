//! What is shipped beside the binary says what the binary takes: settings and commands here, and what the files beside this one share;
//! what starts it, rights and runbooks there.

mod containers;
mod rights;
mod runbooks;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    time::Duration,
};

use clap::{CommandFactory as _, Parser as _};
use muster_app::cli::{Cli, Command};
use regex::Regex;

const OPERATING: &str = include_str!("../../../../docs/OPERATING.md");
const OBSERVING: &str = include_str!("../../../../docs/observability/README.md");
const RUNBOOKS: &str = include_str!("../../../../docs/RUNBOOKS.md");
const DOCKERFILE: &str = include_str!("../../../../docs/packaging/Dockerfile");
const UNIT: &str = include_str!("../../../../docs/packaging/muster.service");
const UNIT_SETTINGS: &str = include_str!("../../../../docs/packaging/muster.env");
const KUBERNETES: &str = include_str!("../../../../docs/packaging/kubernetes/muster.yaml");
const NETWORK: &str = include_str!("../../../../docs/packaging/kubernetes/network.yaml");
const COMPOSE: &str = include_str!("../../../../docker-compose.yml");
const README: &str = include_str!("../../../../README.md");
const API: &str = include_str!("../../../../docs/API.md");
const TRUTH: &str = include_str!("../../../../docs/TRUTH.md");

/// What a build is told.
const OF_THE_BUILD: &str = "MUSTER_COMMIT";

/// Every setting that has a variable, with what its help says.
fn settings() -> BTreeMap<String, String> {
    fn walk(command: &clap::Command, found: &mut BTreeMap<String, String>) {
        for arg in command.get_arguments() {
            if let Some(name) = arg.get_env().and_then(OsStr::to_str) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                found.insert(name.to_owned(), help);
            }
        }
        command.get_subcommands().for_each(|command| walk(command, found));
    }
    // Never on a command line, where others could read them.
    let never = [
        "MUSTER_SECRETS_KEY",
        "MUSTER_PASSWORD",
        "MUSTER_NEW_PASSWORD",
        "MUSTER_CONNECT_PASSWORD",
        "MUSTER_CONNECT_TOKEN",
        OF_THE_BUILD,
    ];
    let mut found = BTreeMap::from(never.map(|name| (name.to_owned(), String::new())));
    walk(&Cli::command(), &mut found);
    found
}

/// Parses a command line as the binary does.
#[track_caller]
fn parse(command: &str) -> Cli {
    let words = command.split_whitespace().map(|word| word.trim_matches('\''));
    Cli::try_parse_from(words).unwrap_or_else(|e| panic!("`{command}`: {e}"))
}

#[test]
fn every_setting_that_is_named_exists() {
    let settings = settings();
    let name = Regex::new(r"\b(MUSTER_[A-Z_]+|DATABASE_URL)\b").unwrap();
    let files = [
        ("OPERATING", OPERATING),
        ("observability", OBSERVING),
        ("RUNBOOKS", RUNBOOKS),
        ("Dockerfile", DOCKERFILE),
        ("muster.service", UNIT),
        ("muster.env", UNIT_SETTINGS),
        ("kubernetes", KUBERNETES),
        ("network policy", NETWORK),
        ("docker-compose", COMPOSE),
        ("README", README),
        ("API", API),
        ("TRUTH", TRUTH),
    ];
    for (file, text) in files {
        for found in name.find_iter(text) {
            assert!(settings.contains_key(found.as_str()), "{file} names {}", found.as_str());
        }
    }
}

#[test]
fn surveys_come_before_the_last_one_counts_for_nothing_whatever_is_set() {
    let with = |seconds: &str| Cli::try_parse_from(["muster", "worker", "--survey-seconds", seconds]);
    for (set, seconds) in [("1", 1), ("5", 5), ("20", 20), ("21", 20), ("3600", 20)] {
        let Command::Worker(config) = with(set).unwrap().command else { panic!("another command") };
        assert_eq!(config.survey.period(), Duration::from_secs(seconds), "{set}");
        match config.survey.shortened() {
            None => assert_eq!(set, seconds.to_string(), "it is as set"),
            Some(why) => {
                let both = format!("pairs are surveyed every {seconds} s, not every {set} s");
                assert!(why.starts_with(&both) && set != seconds.to_string(), "{why}");
            }
        }
    }
    for refused in ["0", "often"] {
        assert!(with(refused).is_err(), "{refused}");
    }
}

#[test]
fn every_setting_that_exists_is_told() {
    let name = Regex::new(r"\b(MUSTER_[A-Z_]+|DATABASE_URL)\b").unwrap();
    let told: BTreeSet<&str> = name.find_iter(OPERATING).map(|found| found.as_str()).collect();
    for setting in settings().keys().filter(|setting| *setting != OF_THE_BUILD) {
        assert!(told.contains(setting.as_str()), "docs/OPERATING.md says nothing of {setting}");
    }
}

#[test]
fn every_command_of_the_documents_is_one() {
    // In a block of commands, at its beginning, behind a pipe or as the service's user; or between backquotes with everything
    // it needs.
    let block = Regex::new(r"(?m)^    (?:.*\| |as_muster )?(muster [^#|\n]+)").unwrap();
    let quoted =
        Regex::new(r"`(muster (?:doctor|restored|migrate|worker|serve --help|brake [^`]+|audit verify))`")
            .unwrap();
    let mut seen = 0;
    for text in [OPERATING, OBSERVING, RUNBOOKS, API] {
        for found in block.captures_iter(text).chain(quoted.captures_iter(text)) {
            let command = found[1].trim();
            seen += 1;
            if !command.ends_with("--help") {
                parse(command);
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}
