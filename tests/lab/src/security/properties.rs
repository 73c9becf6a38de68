//! The property file of the security broker: seven listeners, four SASL mechanisms.

use std::path::Path;

use anyhow::{Context, Result};

use super::certificates::Certificates;
use super::token_endpoint::{AUDIENCE, ISSUER};
use crate::broker::SMALL_AND_QUICK;
use crate::principals::{ADMIN, MUSTER};

/// Listener name and security protocol.
const LISTENERS: [(&str, &str); 7] = [
    // SASL, not PLAINTEXT: the controller would be ANONYMOUS there, and ANONYMOUS must not be a super user here.
    ("CONTROLLER", "SASL_PLAINTEXT"),
    ("PLAINTEXT", "PLAINTEXT"),
    ("SSL", "SSL"),
    ("MTLS", "SSL"),
    ("EXPIRED", "SSL"),
    ("SASL_PLAINTEXT", "SASL_PLAINTEXT"),
    ("SASL_SSL", "SASL_SSL"),
];

/// Addresses by listener name.
#[derive(Debug)]
pub(super) struct Listeners {
    addresses: Vec<(&'static str, String)>,
}

/// Passwords made for one security lab.
#[derive(Debug)]
pub(super) struct Passwords {
    pub(super) admin: String,
    pub(super) muster: String,
    pub(super) client_secret: String,
}

impl Passwords {
    /// Fresh ones.
    pub(super) fn make() -> Self {
        let fresh = || uuid::Uuid::new_v4().simple().to_string();
        Self { admin: fresh(), muster: fresh(), client_secret: fresh() }
    }
}

impl Listeners {
    /// One port for each listener.
    pub(super) fn at(ports: &[u16]) -> Self {
        let addresses =
            LISTENERS.iter().zip(ports).map(|((name, _), port)| (*name, format!("127.0.0.1:{port}")));
        Self { addresses: addresses.collect() }
    }

    /// `host:port` of the listener `name`.
    pub(super) fn address(&self, name: &str) -> Result<String> {
        let found = self.addresses.iter().find(|(known, _)| *known == name);
        found.map(|(_, address)| address.clone()).with_context(|| format!("no listener {name}"))
    }
}

/// The whole file.
pub(super) fn write(
    dir: &Path,
    listeners: &Listeners,
    certificates: &Certificates,
    passwords: &Passwords,
    keys: &Path,
) -> String {
    let mut lines = common_lines(dir, listeners, certificates);
    lines.push("listener.name.controller.sasl.enabled.mechanisms=PLAIN".to_owned());
    lines.push(plain_line("controller", passwords));
    for listener in ["sasl_plaintext", "sasl_ssl"] {
        lines.extend(sasl_lines(listener, passwords, keys));
    }
    lines.push("listener.name.mtls.ssl.client.auth=required".to_owned());
    let expired = certificates.expired_store.display();
    lines.push("listener.name.expired.ssl.keystore.type=PEM".to_owned());
    lines.push(format!("listener.name.expired.ssl.keystore.location={expired}"));
    format!("{}\n{SMALL_AND_QUICK}", lines.join("\n"))
}

fn common_lines(dir: &Path, listeners: &Listeners, certificates: &Certificates) -> Vec<String> {
    let listed: Vec<String> =
        listeners.addresses.iter().map(|(name, address)| format!("{name}://{address}")).collect();
    let protocols: Vec<String> =
        LISTENERS.iter().map(|(name, protocol)| format!("{name}:{protocol}")).collect();
    let controller = listeners.addresses.first().map(|(_, address)| address.as_str()).unwrap_or_default();
    vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        format!("controller.quorum.bootstrap.servers={controller}"),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("listeners={}", listed.join(",")),
        format!("advertised.listeners={}", listed.join(",")),
        format!("listener.security.protocol.map={}", protocols.join(",")),
        "inter.broker.listener.name=SASL_PLAINTEXT".to_owned(),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
        "sasl.mechanism.inter.broker.protocol=PLAIN".to_owned(),
        "sasl.mechanism.controller.protocol=PLAIN".to_owned(),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        format!("super.users=User:{ADMIN};User:{MUSTER}"),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={}", certificates.server_store.display()),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={}", certificates.ca.display()),
        "ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT".to_owned(),
        format!("log.dirs={}", dir.join("security-data").display()),
    ]
}

fn sasl_lines(listener: &str, passwords: &Passwords, keys: &Path) -> Vec<String> {
    let of = |key: &str, value: &str| format!("listener.name.{listener}.{key}={value}");
    let oauth = "org.apache.kafka.common.security.oauthbearer";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    vec![
        plain_line(listener, passwords),
        of("scram-sha-256.sasl.jaas.config", scram),
        of("scram-sha-512.sasl.jaas.config", scram),
        of("oauthbearer.sasl.jaas.config", &format!("{oauth}.OAuthBearerLoginModule required;")),
        of(
            "oauthbearer.sasl.server.callback.handler.class",
            &format!("{oauth}.OAuthBearerValidatorCallbackHandler"),
        ),
        of("oauthbearer.sasl.oauthbearer.jwks.endpoint.url", &format!("file://{}", keys.display())),
        of("oauthbearer.sasl.oauthbearer.expected.audience", AUDIENCE),
        of("oauthbearer.sasl.oauthbearer.expected.issuer", ISSUER),
    ]
}

fn plain_line(listener: &str, passwords: &Passwords) -> String {
    let (admin, muster) = (&passwords.admin, &passwords.muster);
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    format!(
        "listener.name.{listener}.plain.sasl.jaas.config={module} username=\"{ADMIN}\" password=\"{admin}\" \
         user_{ADMIN}=\"{admin}\" user_{MUSTER}=\"{muster}\";"
    )
}
