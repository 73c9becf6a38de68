//! Taking credentials out of what Connect tells. It returns `sasl.jaas.config` with the password in clear
//! (mm2-verified, correction 18), so nothing of a config leaves this room before it went through here.
//!
//! All of SASL counts as a credential, besides what does everywhere.

use std::collections::BTreeMap;

use muster_domain::credentials::{REDACTED, is_secret_key, is_secret_value};

/// A copy of a config that may be shown, stored and logged.
#[must_use]
pub fn redact_config(config: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    config
        .iter()
        .map(|(key, value)| {
            let shown = if is_secret(key, value) { REDACTED.to_owned() } else { value.clone() };
            (key.clone(), shown)
        })
        .collect()
}

/// A text of Connect (error message, first line of a stack trace) without any credential that the config holds.
#[must_use]
pub fn redact_text(text: &str, config: &BTreeMap<String, String>) -> String {
    let mut clean = text.to_owned();
    for (key, value) in config {
        if !is_secret(key, value) {
            continue;
        }
        clean = clean.replace(value.as_str(), REDACTED);
        // A JAAS line holds the password between quotes, and messages may cite the password alone.
        for quoted in value.split('"').skip(1).step_by(2).filter(|quoted| quoted.len() >= 4) {
            clean = clean.replace(quoted, REDACTED);
        }
    }
    clean
}

fn is_secret(key: &str, value: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !value.is_empty() && (is_of_sasl(&key) || is_secret_key(&key) || is_secret_value(value))
}

/// All of `sasl.…` under any prefix, but for the mechanism's name, which people need to see.
fn is_of_sasl(key: &str) -> bool {
    key.split('.').any(|part| part == "sasl") && !key.ends_with("sasl.mechanism")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAAS: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"mm2\" password=\"hunter22\";";

    fn config(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_credential_of_a_connector_config_is_hidden() {
        let secret = [
            ("sasl.jaas.config", JAAS),
            ("source.cluster.sasl.jaas.config", JAAS),
            ("target.cluster.sasl.jaas.config", JAAS),
            ("producer.override.sasl.jaas.config", JAAS),
            ("source.cluster.sasl.password", "x1"),
            ("source.cluster.sasl.username", "x2"),
            ("source.cluster.sasl.client.callback.handler.class", "x3"),
            ("target.cluster.sasl.oauthbearer.client.credentials.client.secret", "x4"),
            ("target.cluster.ssl.keystore.password", "x5"),
            ("target.cluster.ssl.truststore.password", "x6"),
            ("target.cluster.ssl.key.password", "x7"),
            ("target.cluster.ssl.keystore.key", "x8"),
            ("SOURCE.CLUSTER.SSL.KEY.PASSWORD", "x9"),
            ("schema.registry.basic.auth.user.info", "u:x10"),
            ("basic.auth.credentials.source", "x11"),
            ("aws.secret.access.key", "x12"),
            ("confluent.api.key", "x13"),
            ("metrics.push.token", "x14"),
            ("client.private.key", "x15"),
            ("transforms.encrypt.key", "x16"),
            ("metrics.push.url", "https://me:x17@metrics.example:8443/push"),
            ("some.plugin.setting", JAAS),
            ("some.plugin.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"),
            ("jdbc.url", "jdbc:postgresql://db/x?user=a&password=x18"),
        ];
        for (key, value) in redact_config(&config(&secret)) {
            assert_eq!(value, REDACTED, "{key}");
        }
    }

    #[test]
    fn what_people_need_to_see_stays() {
        let harmless = config(&[
            ("connector.class", "org.apache.kafka.connect.mirror.MirrorSourceConnector"),
            ("key.converter", "org.apache.kafka.connect.converters.ByteArrayConverter"),
            ("source.cluster.alias", "A"),
            ("source.cluster.bootstrap.servers", "a:9092,b:9092"),
            ("source.cluster.sasl.mechanism", "SCRAM-SHA-512"),
            ("source.cluster.security.protocol", "SASL_SSL"),
            ("topics", r"orders\..*,payments\..*"),
            ("offset-syncs.topic.location", "target"),
            ("metrics.push.url", "https://metrics.example:8443/a@b:c"),
            ("sasl.password", ""),
        ]);
        assert_eq!(redact_config(&harmless), harmless);
    }

    #[test]
    fn messages_do_not_cite_credentials() {
        let config = config(&[("source.cluster.sasl.jaas.config", JAAS), ("topics", "orders")]);
        let message = format!("Invalid value {JAAS} for orders; login with hunter22 failed");
        assert_eq!(
            redact_text(&message, &config),
            "Invalid value [redacted] for orders; login with [redacted] failed"
        );
    }
}
