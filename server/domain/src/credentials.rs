//! Which settings are credentials. Prefers hiding a harmless value to showing a secret one.

/// What stands in the place of a credential.
pub const REDACTED: &str = "[redacted]";

/// Words that make a key a credential wherever they stand in it.
const SECRET_WORDS: [&str; 14] = [
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
    "apikey",
    "user.info",
    "keystore.key",
];

/// Whether a key, in lower case, says that its value is a credential.
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    SECRET_WORDS.iter().any(|word| key.contains(word)) || key.ends_with(".key") || key == "key"
}

/// Whether a value gives itself away under an innocent key: a JAAS line, a private key, an address with a password.
#[must_use]
pub fn is_secret_value(value: &str) -> bool {
    let address_with_password = value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    address_with_password
        || value.contains("LoginModule")
        || value.contains("PRIVATE KEY-----")
        || value.to_ascii_lowercase().contains("password=")
}
