//! What kind of program a session is used with, in words, from what the program calls itself.

use woothee::parser::{Parser, WootheeResult};

/// `Firefox on Linux`, `the muster command`; what is not known is said as it was sent, and never taken for more than that:
/// anybody can call their program anything.
pub(crate) fn client_words(user_agent: &str) -> String {
    let sent = user_agent.trim();
    if sent.is_empty() {
        return "a program that does not say what it is".to_owned();
    }
    if let Some(version) = sent.strip_prefix("muster/") {
        return format!("muster {version}, the command line");
    }
    // Browsers only: what is taken for one of many crawlers is better known by what it calls itself.
    let browser = |found: &WootheeResult<'_>| ["pc", "smartphone", "mobilephone"].contains(&found.category);
    match Parser::new().parse(sent).filter(browser) {
        Some(found) if found.os == "UNKNOWN" => found.name.to_owned(),
        Some(found) => format!("{} on {}", found.name, found.os),
        None => sent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_said_in_words_and_an_unknown_one_as_it_calls_itself() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
        assert_eq!(client_words(firefox), "Firefox on Linux");
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
        assert_eq!(client_words(chrome), "Chrome on Windows 10");
        assert_eq!(client_words("muster/0.1.0"), "muster 0.1.0, the command line");
        assert_eq!(client_words("backup-bot/2"), "backup-bot/2");
        assert_eq!(client_words(" "), "a program that does not say what it is");
        assert_eq!(client_words(&"x".repeat(200)).len(), 60);
    }
}
