//! What Muster signs in with at the Connect of a flow. It is for one address and is sent nowhere else: whoever may edit a pair could
//! otherwise have it sent to themselves.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use crate::pair::Side;

/// Longest user name, password or token, in bytes: few servers take longer headers.
const LONGEST: usize = 4096;

/// How Connect is told who asks.
#[derive(Debug, Clone)]
pub enum ConnectSignIn {
    /// HTTP basic authentication.
    Basic {
        /// User name; shown to whoever may read the pair.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A token in the header, `Authorization: Bearer`.
    Bearer {
        /// The token.
        token: SecretString,
    },
}

impl ConnectSignIn {
    /// The user, if it has one.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Basic { username, .. } => Some(username),
            Self::Bearer { .. } => None,
        }
    }

    /// What is sealed.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Basic { password, .. } => password,
            Self::Bearer { token } => token,
        }
    }

    /// Whether it can be sent at all.
    ///
    /// # Errors
    /// What it has to be, as a sentence; what was given is not repeated.
    pub fn check(&self) -> Result<(), &'static str> {
        let fits = |text: &str| (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control);
        match self {
            // A colon would end the user name (RFC 7617).
            Self::Basic { username, .. } if !fits(username) || username.contains(':') => {
                Err("A user name of Connect has at most 4096 bytes, no colon and no control characters.")
            }
            Self::Basic { password, .. } if !fits(password.expose_secret()) => {
                Err("A password of Connect has at most 4096 bytes and no control characters.")
            }
            Self::Bearer { token }
                if !fits(token.expose_secret())
                    || !token.expose_secret().chars().all(|c| c.is_ascii_graphic()) =>
            {
                Err("A token has at most 4096 letters, digits and signs of ASCII, and no spaces.")
            }
            Self::Basic { .. } | Self::Bearer { .. } => Ok(()),
        }
    }
}

/// What opens one address.
#[derive(Debug, Clone)]
pub struct ConnectCredentials {
    /// Scheme, host and port they were entered for: `http://connect:8083`.
    pub address: String,
    /// How Connect is told who asks.
    pub sign_in: ConnectSignIn,
}

/// All of what is kept for the Connect of a flow that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCredentials {
    /// The side the flow's records come from.
    pub from: Side,
    /// See [`ConnectCredentials::address`].
    pub address: String,
    /// The user; none when a token is kept.
    pub username: Option<String>,
    /// When they were entered.
    pub entered_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(username: &str, password: &str) -> ConnectSignIn {
        ConnectSignIn::Basic { username: username.to_owned(), password: password.into() }
    }

    fn bearer(token: &str) -> ConnectSignIn {
        ConnectSignIn::Bearer { token: token.into() }
    }

    #[test]
    fn what_no_header_can_hold_is_refused_and_not_repeated() {
        let long = "x".repeat(LONGEST + 1);
        for wrong in [
            basic("", "hunter2"),
            basic("mus:ter", "hunter2"),
            basic("mus\nter", "hunter2"),
            basic(&long, "hunter2"),
            basic("muster", ""),
            basic("muster", "hunter2\r\nX-Other: 1"),
            basic("muster", &long),
            bearer(""),
            bearer("hunter2 hunter2"),
            bearer("hunter2\n"),
            bearer("hünter2"),
            bearer(&long),
        ] {
            let said = wrong.check().expect_err("it cannot be sent");
            assert!(!said.contains("hunter2") && !said.contains("xxx"), "{said}");
        }
        for right in [basic("muster", "hunter2"), basic("mu ster", "p: ä ss"), bearer("eyJh.b-c_d~e+/=")] {
            assert_eq!(right.check(), Ok(()), "{right:?}");
        }
    }

    #[test]
    fn no_secret_is_in_what_is_printed_of_it() {
        for sign_in in [basic("muster", "hunter2"), bearer("hunter2")] {
            let credentials = ConnectCredentials { address: "http://connect:8083".to_owned(), sign_in };
            assert!(!format!("{credentials:?}").contains("hunter2"), "{credentials:?}");
        }
    }
}
