//! Signing in: SASL handshake, then the mechanism's own exchange.

use std::{collections::BTreeMap, io::Cursor, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest},
    protocol::StrBytes,
};
use muster_domain::cluster::{ClusterSecrets, Sasl};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::{
    broker_error::broker_error,
    connecting::{connection::Connection, token::TokenSource, transport::Deadline},
    error::KafkaErrorKind,
};

/// Most iterations of SCRAM that are gone along with, a fraction of a second's worth.
const MOST_ITERATIONS: u64 = 200_000;
/// Most that Kafka lets a user's password be made with.
const KAFKAS_MOST: u64 = 16_384;

/// What to sign in with.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// Not at all.
    None,
    /// PLAIN or SCRAM.
    Password { mechanism: &'static str, username: String, password: SecretString },
    /// OAUTHBEARER.
    Bearer { source: Arc<TokenSource>, extensions: BTreeMap<String, String> },
}

impl Credentials {
    /// Muster's own principal, or with `probe` the same mechanism for another user.
    pub(crate) fn new(
        sasl: Option<&Sasl>,
        secrets: &ClusterSecrets,
        probe: Option<&str>,
    ) -> Result<Self, KafkaErrorKind> {
        let Some(sasl) = sasl else { return Ok(Self::None) };
        let (secret, what) = match probe {
            None => (&secrets.password, "password"),
            Some(_) => (&secrets.probe_password, "probe principal's password"),
        };
        let password =
            secret.clone().ok_or_else(|| KafkaErrorKind::Authentication(format!("no {what} is recorded")))?;
        let mechanism = sasl.mechanism();
        Ok(match sasl {
            Sasl::Plain { username } | Sasl::ScramSha256 { username } | Sasl::ScramSha512 { username } => {
                Self::Password { mechanism, username: probe.unwrap_or(username).to_owned(), password }
            }
            Sasl::OauthBearer { client_id, token_url, scope, extensions } => Self::Bearer {
                source: Arc::new(TokenSource::new(
                    probe.unwrap_or(client_id),
                    password,
                    token_url,
                    scope.as_deref(),
                )),
                extensions: extensions.clone(),
            },
        })
    }
}

/// Signs in on a fresh connection and notes when the session must be renewed.
///
/// KIP-368 lets a client renew the session on the same connection, but nothing else may be sent meanwhile. Here the
/// connection is replaced at 80 % of the session's life instead: requests in flight finish undisturbed on the old one.
pub(crate) async fn sign_in(
    connection: &Connection,
    credentials: &Credentials,
    deadline: Deadline,
) -> Result<(), KafkaErrorKind> {
    let lifetime_ms = match credentials {
        Credentials::None => return Ok(()),
        Credentials::Password { mechanism, username, password } => {
            shake_hands(connection, mechanism, deadline).await?;
            exchange_password(connection, mechanism, username, password, deadline).await?
        }
        Credentials::Bearer { source, extensions } => {
            let token = source.token(deadline).await?;
            shake_hands(connection, "OAUTHBEARER", deadline).await?;
            present_token(connection, token.value.expose_secret(), extensions, deadline).await?
        }
    };
    if let Ok(lifetime_ms @ 1..) = u64::try_from(lifetime_ms) {
        connection.set_renew_at(Instant::now() + Duration::from_millis(lifetime_ms / 5 * 4));
    }
    Ok(())
}

async fn shake_hands(
    connection: &Connection,
    mechanism: &'static str,
    deadline: Deadline,
) -> Result<(), KafkaErrorKind> {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = connection.call(1, &request, deadline).await?;
    if answer.error_code == 0 {
        return Ok(());
    }
    let offered: Vec<&str> = answer.mechanisms.iter().map(|name| &**name).collect();
    Err(KafkaErrorKind::Authentication(if offered.is_empty() {
        format!("{mechanism}: {}; does this listener use SASL?", broker_error(answer.error_code, None))
    } else {
        format!("the broker does not offer {mechanism}, only {}", offered.join(", "))
    }))
}

async fn exchange_password(
    connection: &Connection,
    mechanism: &'static str,
    username: &str,
    password: &SecretString,
    deadline: Deadline,
) -> Result<i64, KafkaErrorKind> {
    let broken =
        |what: &dyn std::fmt::Display| KafkaErrorKind::Authentication(format!("{mechanism}: {what}"));
    let config = SASLConfig::with_credentials(None, username.to_owned(), password.expose_secret().to_owned())
        .map_err(|e| broken(&e))?;
    let name = Mechname::parse(mechanism.as_bytes()).map_err(|e| broken(&e))?;
    let mut session = SASLClient::new(config).start_suggested(&[name]).map_err(|e| broken(&e))?;
    let mut received: Option<Bytes> = None;
    let mut lifetime_ms = 0;
    loop {
        let mut out = Cursor::new(Vec::new());
        // A server that cannot prove that it knows the password, too, fails here.
        let state = session.step(received.as_deref(), &mut out).map_err(|e| broken(&e))?;
        let out = out.into_inner();
        if !state.is_running() && out.is_empty() {
            return Ok(lifetime_ms);
        }
        let answer = authenticate(connection, Bytes::from(out), deadline).await?;
        lifetime_ms = answer.session_lifetime_ms;
        if !state.is_running() {
            return Ok(lifetime_ms);
        }
        expect_few_iterations(&answer.auth_bytes).map_err(|e| broken(&e))?;
        received = Some(answer.auth_bytes);
    }
}

/// Who has not proven anything yet chooses how often SCRAM hashes the password (`i=4096` in its first message): two billion times would
/// take this thread an hour.
fn expect_few_iterations(said: &[u8]) -> Result<(), String> {
    let counts = said.split(|byte| *byte == b',').filter_map(|part| part.strip_prefix(b"i="));
    let mut counts = counts.filter_map(|count| std::str::from_utf8(count).ok()?.parse::<u64>().ok());
    match counts.find(|count| *count > MOST_ITERATIONS) {
        None => Ok(()),
        Some(count) => Err(format!(
            "the broker asks for {count} iterations, and Kafka sets {KAFKAS_MOST} at most: Muster does not hash a password more than \
             {MOST_ITERATIONS} times. Look whether this is the broker it should be"
        )),
    }
}

/// RFC 7628; Kafka's extensions (KIP-342) are key-value pairs behind the token.
async fn present_token(
    connection: &Connection,
    token: &str,
    extensions: &BTreeMap<String, String>,
    deadline: Deadline,
) -> Result<i64, KafkaErrorKind> {
    let mut message = format!("n,,\u{1}auth=Bearer {token}\u{1}");
    for (key, value) in extensions {
        message.push_str(&format!("{key}={value}\u{1}"));
    }
    message.push('\u{1}');
    let answer = authenticate(connection, Bytes::from(message), deadline).await?;
    if answer.auth_bytes.is_empty() {
        return Ok(answer.session_lifetime_ms);
    }
    // The broker said no, with a JSON of its own; the protocol wants one more message before it says so in its code.
    let said = String::from_utf8_lossy(&answer.auth_bytes).into_owned();
    authenticate(connection, Bytes::from_static(b"\x01"), deadline).await?;
    Err(KafkaErrorKind::Authentication(format!("OAUTHBEARER: the broker refused the token: {said}")))
}

async fn authenticate(
    connection: &Connection,
    bytes: Bytes,
    deadline: Deadline,
) -> Result<SaslAuthenticateResponse, KafkaErrorKind> {
    let version = connection.versions().map_or(Ok(0), |known| known.pick::<SaslAuthenticateRequest>(None))?;
    let request = SaslAuthenticateRequest::default().with_auth_bytes(bytes);
    let answer = connection.call(version, &request, deadline).await?;
    match answer.error_code {
        0 => Ok(answer),
        code => Err(KafkaErrorKind::Authentication(match &answer.error_message {
            Some(message) if !message.is_empty() => message.to_string(),
            _ => broker_error(code, None).to_string(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_makes_muster_hash_for_an_hour() {
        let said = |count: &str| expect_few_iterations(format!("r=abc,s=c2FsdA==,i={count}").as_bytes());
        assert_eq!((said("4096"), said("16384"), said("200000")), (Ok(()), Ok(()), Ok(())));
        for many in ["200001", "+2000000000", "4294967295", "18446744073709551615"] {
            let refused = said(many).expect_err(many);
            assert!(refused.contains("iterations"), "{refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn fuzz_no_bytes_of_a_server_make_it_panic(said: Vec<u8>) {
            let _ = expect_few_iterations(&said);
        }
    }
}
