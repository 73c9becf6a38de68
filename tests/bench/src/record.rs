//! Keeping results: one section per benchmark in docs/benchmarks.md, replaced by each run.

use std::path::Path;

use anyhow::{Context, Result};

use crate::{figures::Bench, machine};

const FILE: &str = "docs/benchmarks.md";
const HEAD: &str = "\
# Benchmarks

What Muster costs, measured by `./dev bench NAME` beside what people use today. Each section is written by a run of that
benchmark and replaced by the next. Whatever stands here was measured on the machine named; nothing is quoted.
";

/// Writes the benchmark's section.
pub(crate) fn keep(bench: &Bench) -> Result<()> {
    let file = Path::new(FILE);
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(error).context(format!("read {FILE}")),
    };
    let after = replace(&before, bench.name, &section(bench)?);
    std::fs::write(file, after).with_context(|| format!("write {FILE}: run it from the repository's root"))
}

fn section(bench: &Bench) -> Result<String> {
    let date = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC");
    let versions: Vec<String> =
        bench.versions.iter().map(|(what, version)| format!("{what} {version}")).collect();
    Ok(format!(
        "## {}\n\n{}\n\n{}\n- machine: {} (load before: {:.2}, at the end: {:.2})\n- measured: {date}\n- versions: {}\n",
        bench.name,
        bench.how.join("\n"),
        bench.table(),
        machine::describe()?,
        bench.load_before,
        machine::load()?,
        versions.join(", "),
    ))
}

/// Puts a section in place of the one with the same heading, or at the end.
fn replace(text: &str, name: &str, section: &str) -> String {
    let heading = format!("## {name}\n");
    let Some(start) = text.find(&heading) else {
        return format!("{}\n\n{section}", text.trim_end());
    };
    let rest = &text[start + heading.len()..];
    match rest.find("\n## ") {
        Some(next) => format!("{}{section}{}", &text[..start], &rest[next..]),
        None => format!("{}{section}", &text[..start]),
    }
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn a_section_is_appended_and_then_replaced_alone() {
        let one = replace("# Benchmarks\n", "survey", "## survey\n\nfirst\n");
        assert_eq!(one, "# Benchmarks\n\n## survey\n\nfirst\n");
        let two = replace(&one, "switchover", "## switchover\n\nfirst\n");
        assert_eq!(two, "# Benchmarks\n\n## survey\n\nfirst\n\n## switchover\n\nfirst\n");
        let again = replace(&two, "survey", "## survey\n\nsecond\n");
        assert_eq!(again, "# Benchmarks\n\n## survey\n\nsecond\n\n## switchover\n\nfirst\n");
        let last = replace(&again, "switchover", "## switchover\n\nsecond\n");
        assert_eq!(last, "# Benchmarks\n\n## survey\n\nsecond\n\n## switchover\n\nsecond\n");
    }
}
