//! Signing in at Connect, and what it means not to be let in. What is signed in with is in no error.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use muster_domain::{connect_credentials::ConnectSignIn, credentials::REDACTED};
use reqwest::{RequestBuilder, Url};
use secrecy::ExposeSecret as _;

use super::{call::UNTOLD, entrance::REST};
use crate::ReplicationErrorKind;

/// Where people enter it.
const PAGE: &str = "“Sign in at Connect”";

/// What a client tells Connect of who asks.
pub(super) enum SignIn {
    /// Nothing: nothing is kept.
    Nothing,
    /// Nothing: what is kept is for another address.
    Elsewhere {
        /// Which.
        address: String,
    },
    /// The user and the password in the address itself, from before such addresses were refused.
    InAddress,
    /// What is kept for it.
    Kept(ConnectSignIn),
}

impl SignIn {
    /// By what stands in the address.
    pub(super) fn of(base: &Url) -> Self {
        match base.username().is_empty() && base.password().is_none() {
            true => Self::Nothing,
            false => Self::InAddress,
        }
    }

    /// Whether something is tried that whoever is asked may count.
    pub(super) fn tries(&self) -> bool {
        match self {
            Self::Nothing | Self::Elsewhere { .. } => false,
            Self::InAddress | Self::Kept(_) => true,
        }
    }

    /// Puts it on a request; what stands in the address is put there by the HTTP client.
    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Kept(ConnectSignIn::Basic { username, password }) => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Self::Kept(ConnectSignIn::Bearer { token }) => request.bearer_auth(token.expose_secret()),
            Self::Nothing | Self::Elsewhere { .. } | Self::InAddress => request,
        }
    }

    /// What came back, without what was sent; not to be let in with what it means and what to do.
    pub(super) fn explain(&self, kind: ReplicationErrorKind) -> ReplicationErrorKind {
        let ReplicationErrorKind::Status { status, message } = &kind else { return kind };
        let (status, message) = (*status, self.hide(message));
        let meaning = match status {
            401 => self.not_known(),
            403 => self.not_allowed(),
            _ => return ReplicationErrorKind::Status { status, message },
        };
        let answer = match message == UNTOLD {
            true => status.to_string(),
            false => format!("{status} ({message})"),
        };
        ReplicationErrorKind::NotLetIn { status, answer, meaning }
    }

    fn not_known(&self) -> String {
        let rest = REST.as_secs();
        match self {
            Self::Nothing => format!(
                "it asks for a user and a password, or for a token, and nothing is kept for this address; an owner of the pair enters \
                 it under {PAGE}"
            ),
            Self::Elsewhere { address } => elsewhere("it asks who Muster is", address),
            Self::InAddress => format!(
                "it does not take the user and the password in the address; an owner of the pair gives the address without them, and \
                 enters them under {PAGE}. Until then it is asked once in {rest} s"
            ),
            Self::Kept(ConnectSignIn::Basic { username, .. }) => format!(
                "it does not take the user `{username}` with the password that is kept; an owner of the pair enters it anew under \
                 {PAGE}. Until then it is asked once in {rest} s, so that the user is not locked out there"
            ),
            Self::Kept(ConnectSignIn::Bearer { .. }) => format!(
                "it does not take the token that is kept, which may have run out; an owner of the pair enters another under {PAGE}. \
                 Until then it is asked once in {rest} s"
            ),
        }
    }

    fn not_allowed(&self) -> String {
        let who = match self {
            Self::Nothing => {
                return format!(
                    "it does not do this for everybody, and nothing is kept for this address to sign in with; an owner of the pair \
                     enters it under {PAGE}"
                );
            }
            Self::Elsewhere { address } => return elsewhere("it does not do this for everybody", address),
            Self::InAddress => "the user in the address".to_owned(),
            Self::Kept(ConnectSignIn::Basic { username, .. }) => format!("the user `{username}`"),
            Self::Kept(ConnectSignIn::Bearer { .. }) => "who has the token that is kept".to_owned(),
        };
        format!("it does not let {who} do this; give them the right in Connect, or in what is before it")
    }

    /// A text of whoever was asked may cite what they were sent.
    fn hide(&self, text: &str) -> String {
        let Self::Kept(sign_in) = self else { return text.to_owned() };
        let secret = sign_in.secret().expose_secret();
        if secret.is_empty() {
            return text.to_owned();
        }
        let text = match sign_in.username() {
            Some(username) => text.replace(&STANDARD.encode(format!("{username}:{secret}")), REDACTED),
            None => text.to_owned(),
        };
        text.replace(secret, REDACTED)
    }
}

fn elsewhere(what: &str, address: &str) -> String {
    format!(
        "{what}, and what is kept to sign in with was entered for {address} and is sent nowhere else; an owner of the pair enters it \
         for this address under {PAGE}"
    )
}
