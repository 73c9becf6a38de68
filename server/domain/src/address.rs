//! Addresses of other services, and the user and password one may have in it. Addresses are shown to whoever may read, put into
//! commands and kept in the audit, so those are refused, and hidden where they were let in before.

use std::{borrow::Cow, ops::Range};

use crate::credentials::REDACTED;

/// Whether an address of the web has a user or a password in it: `https://user:password@host`.
#[must_use]
pub fn holds_credentials(address: &str) -> bool {
    user_info(address).is_some()
}

/// An address as it may be shown.
#[must_use]
pub fn shown(address: &str) -> Cow<'_, str> {
    match user_info(address) {
        Some(hidden) => Cow::Owned([&address[..hidden.start], REDACTED, &address[hidden.end..]].concat()),
        None => Cow::Borrowed(address),
    }
}

/// Where the user and the password are. What browsers and HTTP clients forgive is read as they read it: any number of slashes
/// of either kind, and line ends among them.
fn user_info(address: &str) -> Option<Range<usize>> {
    let after_scheme = &address[address.find(':')? + 1..];
    let authority = after_scheme.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let from = address.len() - authority.len();
    let end = authority.find(['/', '\\', '?', '#']).unwrap_or(authority.len());
    authority[..end].rfind('@').map(|at| from..from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_are_found_and_hidden() {
        for (address, said) in [
            ("https://me:hunter2@hooks.example/a", "https://[redacted]@hooks.example/a"),
            ("http://hunter2@connect:8083", "http://[redacted]@connect:8083"),
            ("http://me:hunter@2@connect:8083/?x=@", "http://[redacted]@connect:8083/?x=@"),
            ("http://me:hunter2@[fd00::1]:8083", "http://[redacted]@[fd00::1]:8083"),
            ("http:me:hunter2@connect", "http:[redacted]@connect"),
            ("https:///me:hunter2@connect", "https:///[redacted]@connect"),
            ("https://\t\\me:hunter2@connect", "https://\t\\[redacted]@connect"),
            ("http://me:hunter2@:x", "http://[redacted]@:x"),
        ] {
            assert!(holds_credentials(address), "{address}");
            assert_eq!(shown(address), said);
            assert_eq!(shown(said), said, "what is hidden stays so");
        }
    }

    #[test]
    fn an_address_without_them_stays_as_it_is() {
        for address in [
            "http://connect:8083",
            "https://hooks.example/a@b:c",
            "https://hooks.example?to=me:you@there",
            "https://hooks.example#@",
            "https://hooks.example\\@path",
            "connect",
            "",
        ] {
            assert!(!holds_credentials(address), "{address}");
            assert_eq!(shown(address), address);
        }
    }
}
