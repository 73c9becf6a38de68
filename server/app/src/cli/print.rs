//! How replies are printed: a table for people, JSON for programs.

use serde_json::Value;

/// Prints JSON.
pub(super) fn json(value: &Value) {
    println!("{value:#}");
}

/// Prints rows under heads, columns as wide as they need.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) {
    let width = |i: usize| {
        rows.iter()
            .filter_map(|row| row.get(i))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(heads[i].len())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(heads.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
    if rows.is_empty() {
        println!("(none)");
    }
}

/// The text of a member; words of the API's enums are written with spaces.
pub(super) fn word(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(text) => harmless(text),
        Value::Null => "unknown".to_owned(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

/// Text others wrote, without what a terminal would obey: an escape sequence could hide or fake lines.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// A time to the second, as the API has it: always UTC.
pub(super) fn time(value: &Value, key: &str) -> String {
    let text = word(value, key);
    match text.split_once('.') {
        Some((seconds, _)) if text.ends_with('Z') => format!("{seconds}Z"),
        Some(_) | None => text,
    }
}

/// What was found and what to do about it, as two sentences.
pub(super) fn finding(finding: &Value) -> String {
    let reason = word(finding, "reason");
    let end = if reason.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{reason}{end} {}", word(finding, "next_step"))
}

/// The items of a list reply.
pub(super) fn items(value: &Value) -> &[Value] {
    value["items"].as_array().map_or(&[], Vec::as_slice)
}

/// Milliseconds as people say them.
pub(super) fn duration(value: &Value) -> String {
    value.as_i64().map_or_else(|| "unknown".to_owned(), muster_domain::duration::duration)
}

/// A list as a table, or the whole reply as JSON.
pub(super) fn list(
    client: &super::client::Client,
    reply: &Value,
    heads: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) {
    if client.json {
        json(reply);
        return;
    }
    let rows: Vec<Vec<String>> = items(reply).iter().map(row).collect();
    table(heads, &rows);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_others_wrote() {
        let finding = json!({"text": "slow\u{1b}[2J\r\nRun 7: succeeded\u{9b}0m"});
        assert_eq!(word(&finding, "text"), "slow\\u{1b}[2J\\r\\nRun 7: succeeded\\u{9b}0m");
    }
}
