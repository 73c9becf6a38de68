//! Every problem code is documented, and every documented one exists.

use std::{collections::BTreeSet, path::Path};

use muster_app::http::codes;

fn sources(dir: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn codes_in_sources() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    sources(&root.join("src"), &mut texts);
    sources(&root.join("../operations/src"), &mut texts);
    sources(&root.join("../domain/src"), &mut texts);
    let made = regex::Regex::new(r#"(?:Problem|Failure|Self)::new\(\s*"([a-z-]+)""#).unwrap();
    texts.iter().flat_map(|text| made.captures_iter(text).map(|found| found[1].to_owned())).collect()
}

#[test]
fn every_problem_code_has_a_status_and_an_anchor() {
    let docs = include_str!("../../../../docs/API.md");
    let listed: BTreeSet<String> = codes::CODES.iter().map(|code| code.code.to_owned()).collect();
    assert_eq!(codes_in_sources(), listed, "http/codes.rs and the sources differ");
    for code in &listed {
        assert!(docs.contains(&format!("### {code}\n")), "docs/API.md has no section `### {code}`");
    }
    for heading in docs.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(listed.contains(heading), "docs/API.md documents `{heading}`, which nothing answers");
    }
}
