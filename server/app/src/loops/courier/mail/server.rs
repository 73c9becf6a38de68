//! The mail server of the settings: where it is, how the way there is encrypted, and who Muster is there.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lettre::transport::smtp::{
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, Certificate, TlsParameters},
    extension::ClientId,
};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::trouble;
use crate::loops::courier::NotSent;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Shown instead of the address, which may hold a password.
const FORMS: &str = "MUSTER_SMTP_URL cannot be used; it is smtps://user:password@host:465, \
     smtp://user:password@host:587?tls=required or, without a password, smtp://host:25";
/// Ports of RFC 8314 and RFC 5321.
const FROM_THE_START: u16 = 465;
const SUBMISSION: u16 = 587;
const RELAY: u16 = 25;
/// What every certificate in PEM begins with.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// How the way to it is encrypted.
enum Encryption {
    /// Not at all: to a relay near by, without a password.
    None,
    /// By STARTTLS if it is offered, which whoever is on the way can prevent; without a password.
    IfOffered(TlsParameters),
    /// By STARTTLS, or nothing is sent.
    Required(TlsParameters),
    /// From the first byte.
    FromTheStart(TlsParameters),
}

/// See the module.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    /// The password, and every form it crosses the network in: a server may repeat what it was told.
    secrets: Vec<SecretString>,
    /// What Muster calls itself there.
    hello: ClientId,
}

impl Server {
    /// The server at an address, trusting an authority besides those of the system.
    pub(super) fn read(url: &SecretString, authority: Option<&Path>) -> anyhow::Result<Self> {
        // The error of the parser would show the address.
        let url = Url::parse(url.expose_secret()).map_err(|_| anyhow::anyhow!(FORMS))?;
        let host = url.host_str().filter(|host| !host.is_empty()).context(FORMS)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (encryption, usual_port) = encryption(&url, &host, authority)?;
        let clear = matches!(encryption, Encryption::None | Encryption::IfOffered(_));
        if url.password().is_some() && clear {
            bail!("MUSTER_SMTP_URL would send its password unencrypted: use smtps://, or ?tls=required");
        }
        let (credentials, secrets) = match url.password() {
            Some(password) => {
                let (user, password) = (decoded(url.username())?, decoded(password)?);
                let secrets = forms_of(&user, &password);
                (Some(Credentials::new(user, password)), secrets)
            }
            None => (None, Vec::new()),
        };
        let hello = match url.path().trim_matches('/') {
            "" => ClientId::default(),
            name => ClientId::Domain(name.to_owned()),
        };
        Ok(Self { port: url.port().unwrap_or(usual_port), host, encryption, credentials, secrets, hello })
    }

    /// A conversation up to where mail may be handed over: encrypted as the settings ask, and signed in.
    ///
    /// # Errors
    /// Why not. Neither mail nor password were sent when the way is not encrypted as it has to be.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, NotSent> {
        let (at_once, later, required) = match &self.encryption {
            Encryption::None => (None, None, false),
            Encryption::IfOffered(tls) => (None, Some(tls), false),
            Encryption::Required(tls) => (None, Some(tls), true),
            Encryption::FromTheStart(tls) => (Some(tls.clone()), None, false),
        };
        let place = (self.host.as_str(), self.port);
        let connected =
            AsyncSmtpConnection::connect_tokio1(place, Some(CONNECT_WITHIN), &self.hello, at_once, None)
                .await;
        let mut server = connected.map_err(|e| trouble::not_connected(&e))?;
        if let Some(tls) = later {
            if server.can_starttls() {
                let encrypted = server.starttls(tls.clone(), &self.hello).await;
                encrypted.map_err(|e| trouble::not_connected(&e))?;
            } else if required {
                return Err(trouble::no_starttls());
            }
        }
        if let Some(credentials) = &self.credentials {
            let signed_in = server.auth(DEFAULT_MECHANISMS, credentials).await;
            signed_in.map_err(|e| trouble::not_signed_in(&e))?;
        }
        Ok(server)
    }

    /// What the server said, without what it must not repeat.
    pub(super) fn without_secrets(&self, said: &str) -> String {
        let hide = |said: String, secret: &SecretString| said.replace(secret.expose_secret(), "[hidden]");
        self.secrets.iter().fold(said.to_owned(), hide)
    }
}

/// How the way is encrypted, and the port that is usual for it.
fn encryption(url: &Url, host: &str, authority: Option<&Path>) -> anyhow::Result<(Encryption, u16)> {
    let asked: Vec<String> =
        url.query_pairs().filter(|(key, _)| key == "tls").map(|(_, value)| value.into_owned()).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    Ok(match (url.scheme(), asked.as_slice()) {
        ("smtps", [] | ["required"]) => (Encryption::FromTheStart(trust(host, authority)?), FROM_THE_START),
        ("smtp", ["required"]) => (Encryption::Required(trust(host, authority)?), SUBMISSION),
        ("smtp", ["opportunistic"]) => (Encryption::IfOffered(trust(host, authority)?), SUBMISSION),
        ("smtp", []) => (Encryption::None, RELAY),
        _ => bail!(FORMS),
    })
}

/// Whose certificates are taken: the system's authorities, and one that is named.
fn trust(host: &str, authority: Option<&Path>) -> anyhow::Result<TlsParameters> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = authority {
        let at = || format!("MUSTER_SMTP_CA_FILE, {}", file.display());
        let pem = std::fs::read(file).with_context(|| format!("could not read {}", at()))?;
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            bail!("{} holds no certificate (PEM)", at());
        }
        let certificate = Certificate::from_pem(&pem).with_context(|| format!("{} is not PEM", at()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().context("TLS to the mail server of MUSTER_SMTP_URL cannot be set up")
}

fn decoded(part: &str) -> anyhow::Result<String> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| anyhow::anyhow!(FORMS))?;
    Ok(text.into_owned())
}

/// A password as AUTH PLAIN and AUTH LOGIN send it, and as it is.
fn forms_of(user: &str, password: &str) -> Vec<SecretString> {
    let plain = STANDARD.encode(format!("\0{user}\0{password}"));
    let forms = [plain, STANDARD.encode(password), password.to_owned()];
    forms.into_iter().filter(|form| !form.is_empty()).map(SecretString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Server, String> {
        Server::read(&SecretString::from(url), None).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn a_password_is_never_for_a_way_that_may_be_clear() {
        for url in [
            "smtp://user:hunter2@mail.example:25",
            "smtp://user:hunter2@mail.example?tls=opportunistic",
            "smtp://user:hunter2@mail.example?tls=opportunistic&tls=required",
            "smtp://user:hunter2@mail.example?TLS=required",
            "smtps://user:hunter2@mail.example?tls=none",
            "http://user:hunter2@mail.example",
            "smtp://",
        ] {
            let refused = read(url).err().unwrap_or_else(|| panic!("{url}"));
            assert!(refused.contains("MUSTER_SMTP_URL") && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn ports_are_the_usual_ones_and_hosts_may_be_addresses() {
        let place = |url: &str| read(url).map(|server| (server.host, server.port)).unwrap();
        assert_eq!(place("smtps://u:p@mail.example"), ("mail.example".to_owned(), 465));
        assert_eq!(place("smtp://u:p@mail.example?tls=required"), ("mail.example".to_owned(), 587));
        assert_eq!(place("smtp://mail.example"), ("mail.example".to_owned(), 25));
        assert_eq!(place("smtps://u:p@[::1]:4650"), ("::1".to_owned(), 4650));
    }

    #[test]
    fn what_a_server_repeats_of_the_password_is_hidden() {
        let server = read("smtps://muster:p%40ss%2Fw%C3%B6rd@mail.example").unwrap();
        let plain = STANDARD.encode("\0muster\0p@ss/wörd");
        let said = server.without_secrets(&format!("535 no: AUTH PLAIN {plain} (p@ss/wörd)"));
        assert_eq!(said, "535 no: AUTH PLAIN [hidden] ([hidden])");
    }
}
