//! Documents name files and tests that are there.

use std::{fs, path::Path};

use regex::Regex;

/// The tests that hold the invariants, of docs/ARCHITECTURE.md.
fn named() -> Vec<String> {
    let text = include_str!("../../../../docs/ARCHITECTURE.md");
    let (_, table) = text.split_once("| invariant | test |").unwrap();
    let names = Regex::new("`([^`]+)`").unwrap();
    let tests = table.lines().filter_map(|line| line.split('|').nth(2));
    tests.flat_map(|cell| names.captures_iter(cell).map(|name| name[1].to_owned())).collect()
}

/// All Rust below a directory, as one text.
fn source(dir: &Path, all: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_holds_an_invariant_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = String::new();
    for dir in ["server", "web", "tests"] {
        source(&root.join(dir), &mut all);
    }
    let function = Regex::new("^[a-z]+(_[a-z]+){2,}$").unwrap();
    let (mut files, mut functions) = (0, 0);
    for name in named() {
        if name.contains("/tests/") {
            // Crates of the server are named without their directory.
            let there = [root.join("server").join(&name), root.join(&name), root.join(format!("{name}.rs"))];
            assert!(there.iter().any(|path| path.exists()), "docs/ARCHITECTURE.md names {name}");
            files += 1;
        } else if let Some(last) = name.rsplit("::").next()
            && function.is_match(last)
        {
            assert!(all.contains(&format!("fn {last}(")), "docs/ARCHITECTURE.md names the test {name}");
            functions += 1;
        }
    }
    assert!(files > 20 && functions > 5, "{files} files and {functions} tests found in the table");
}

#[test]
fn every_part_of_the_runbooks_that_people_are_sent_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let runbooks = fs::read_to_string(root.join("docs/RUNBOOKS.md")).unwrap();
    let mut all = String::new();
    for dir in ["server/app/src", "server/domain/src", "server/operations/src", "web/src"] {
        source(&root.join(dir), &mut all);
    }
    let sent = Regex::new(r#"(?:`muster |/)runbooks\b[^("\n]*\(([A-Z][^)\n]+)\)"#).unwrap();
    let parts: Vec<&str> = sent.captures_iter(&all).map(|found| found.get(1).unwrap().as_str()).collect();
    for part in &parts {
        let there = runbooks
            .lines()
            .any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == *part);
        assert!(there, "docs/RUNBOOKS.md has no part {part}");
    }
    assert!(parts.len() >= 3, "{parts:?}");
}
