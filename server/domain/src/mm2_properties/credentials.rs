//! Which settings are credentials. Prefers hiding a harmless value to showing a secret one.

/// What stands in the place of a credential.
pub(super) const REDACTED: &str = "[redacted]";

const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "jaas",
    "private.key",
    "access.key",
    "api.key",
    "user.info",
    "keystore.key",
];

/// Addresses and names that merely contain one of the words.
const HARMLESS: [&str; 2] = ["token.endpoint.url", "sasl.mechanism"];

/// A value as it may be shown.
pub(super) fn shown(key: &str, value: &str) -> String {
    if !value.is_empty() && (is_secret_key(key) || is_secret_value(value)) {
        REDACTED.to_owned()
    } else {
        value.to_owned()
    }
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !HARMLESS.iter().any(|harmless| key.ends_with(harmless))
        && (SECRET_WORDS.iter().any(|word| key.contains(word)) || key.ends_with(".key") || key == "key")
}

/// A value that gives itself away under an innocent key.
fn is_secret_value(value: &str) -> bool {
    let authority =
        value.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(rest));
    let user_with_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    user_with_password
        || value.contains("LoginModule")
        || value.contains("PRIVATE KEY-----")
        || value.to_ascii_lowercase().contains("password=")
}

/// A line that could not be read, without what follows its first separator if that may be a credential.
pub(super) fn shown_line(line: &str) -> String {
    let line = line.trim();
    match line.find(['=', ':', ' ', '\t']) {
        Some(at) if shown(&line[..at], &line[at..]) == REDACTED => format!("{}={REDACTED}", &line[..at]),
        Some(_) | None => line.to_owned(),
    }
}
