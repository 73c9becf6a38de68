//! Settings of a file as they may be shown.

use crate::credentials::{REDACTED, is_secret_key, is_secret_value};

/// Addresses and names that merely contain one of the words.
const HARMLESS: [&str; 2] = ["token.endpoint.url", "sasl.mechanism"];

/// A value as it may be shown.
pub(super) fn shown(key: &str, value: &str) -> String {
    if !value.is_empty() && (names_secret(key) || is_secret_value(value)) {
        REDACTED.to_owned()
    } else {
        value.to_owned()
    }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !HARMLESS.iter().any(|harmless| key.ends_with(harmless)) && is_secret_key(&key)
}

/// A line that could not be read, without what follows its first separator if that may be a credential.
pub(super) fn shown_line(line: &str) -> String {
    let line = line.trim();
    match line.find(['=', ':', ' ', '\t']) {
        Some(at) if shown(&line[..at], &line[at..]) == REDACTED => format!("{}={REDACTED}", &line[..at]),
        Some(_) | None => line.to_owned(),
    }
}
