//! Clusters: addresses and how to connect.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{ClusterDraft, flows::cluster_name, lines::Settings};
use crate::cluster::{ClusterSecrets, Sasl, Security, Tls};

/// Key stores and the like, which are files on the machine MirrorMaker 2 runs on.
const FILES: &str = "a file on MirrorMaker 2's machine: enter the certificates as PEM with the cluster";

pub(super) fn cluster(settings: &mut Settings, alias: &str) -> ClusterDraft {
    let mut keys = Keys { settings, alias };
    let bootstrap = keys.bootstrap();
    let mut secrets = ClusterSecrets::default();
    let (encrypted, authenticated) = keys.protocol();
    let tls = encrypted.then(|| keys.tls(&mut secrets));
    let sasl = if authenticated { keys.sasl(&mut secrets) } else { None };
    ClusterDraft {
        name: cluster_name(alias),
        alias: alias.to_owned(),
        bootstrap,
        security: Security { tls, sasl },
        secrets,
    }
}

struct Keys<'a> {
    settings: &'a mut Settings,
    alias: &'a str,
}

impl Keys<'_> {
    /// `alias.key`, else `key`.
    fn take(&mut self, key: &str, becomes: &str) -> Option<(String, String)> {
        let keys = [format!("{}.{key}", self.alias), key.to_owned()];
        self.settings.take(&keys, &format!("{becomes} of {}", self.alias))
    }

    fn bootstrap(&mut self) -> Vec<String> {
        let alias = self.alias;
        let keys = [format!("{alias}.bootstrap.servers")];
        let Some((key, value)) = self.settings.take(&keys, &format!("address of {alias}")) else {
            self.settings.refuse(
                "clusters",
                format!("`{alias}` has no address: add `{alias}.bootstrap.servers = host:port`"),
            );
            return Vec::new();
        };
        let servers: Vec<String> = super::flows::list(&value);
        if servers.is_empty() {
            self.settings
                .refuse(&key, "there is no address in it: write `host:port`, several separated by commas");
        }
        for server in &servers {
            if !is_address(server) {
                self.settings.refuse(&key, format!("`{server}` is not an address: write `host:port`"));
            }
        }
        servers
    }

    /// Whether the connection is encrypted, and whether it is authenticated by SASL.
    fn protocol(&mut self) -> (bool, bool) {
        let Some((key, value)) = self.take("security.protocol", "security") else { return (false, false) };
        match value.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                self.settings.refuse(&key, "write PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL");
                (false, false)
            }
        }
    }

    fn tls(&mut self, secrets: &mut ClusterSecrets) -> Tls {
        for (key, why) in [
            ("ssl.truststore.location", FILES),
            ("ssl.keystore.location", FILES),
            ("ssl.truststore.password", FILES),
            ("ssl.keystore.password", FILES),
            ("ssl.endpoint.identification.algorithm", "Muster always checks host names"),
        ] {
            for key in [format!("{}.{key}", self.alias), key.to_owned()] {
                self.settings.explain(&key, why);
            }
        }
        let ca_pem = self.pem("ssl.truststore.certificates", "certificate authorities");
        let client_cert_pem = self.pem("ssl.keystore.certificate.chain", "client certificate");
        secrets.client_key_pem = self.pem("ssl.keystore.key", "client key").map(SecretString::from);
        Tls { ca_pem, client_cert_pem }
    }

    fn pem(&mut self, key: &str, becomes: &str) -> Option<String> {
        let (key, value) = self.take(key, becomes)?;
        if !value.contains("-----BEGIN ") {
            self.settings.refuse(&key, "this is not PEM: it begins with `-----BEGIN`");
        } else if value.contains("ENCRYPTED PRIVATE KEY") {
            self.settings.refuse(
                &key,
                "the key is encrypted; Muster seals keys itself, so give it without a password",
            );
        }
        Some(value)
    }

    fn sasl(&mut self, secrets: &mut ClusterSecrets) -> Option<Sasl> {
        let Some((key, mechanism)) = self.take("sasl.mechanism", "SASL mechanism") else {
            self.settings
                .miss(format!("`{}` uses SASL and has no `{}.sasl.mechanism`", self.alias, self.alias));
            return None;
        };
        let mechanism = mechanism.to_ascii_uppercase();
        if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"].contains(&mechanism.as_str()) {
            let known = "Muster knows PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER";
            self.settings.refuse(&key, format!("{known}; register this cluster by hand with one of them"));
            return None;
        }
        let Some((key, jaas)) = self.take("sasl.jaas.config", "user and password") else {
            self.settings
                .miss(format!("`{}` uses SASL and has no `{}.sasl.jaas.config`", self.alias, self.alias));
            return None;
        };
        let Some(mut options) = jaas_options(&jaas) else {
            self.settings.refuse(&key, "write `….LoginModule required username=\"…\" password=\"…\";`");
            return None;
        };
        if mechanism == "OAUTHBEARER" {
            return self.oauth(&key, options, secrets);
        }
        let (Some(username), Some(password)) = (options.remove("username"), options.remove("password"))
        else {
            self.settings.refuse(&key, "it has no username or no password");
            return None;
        };
        secrets.password = Some(SecretString::from(password));
        Some(match mechanism.as_str() {
            "PLAIN" => Sasl::Plain { username },
            "SCRAM-SHA-256" => Sasl::ScramSha256 { username },
            _ => Sasl::ScramSha512 { username },
        })
    }

    fn oauth(
        &mut self,
        key: &str,
        mut options: BTreeMap<String, String>,
        secrets: &mut ClusterSecrets,
    ) -> Option<Sasl> {
        let url = self.take("sasl.oauthbearer.token.endpoint.url", "token endpoint").map(|(_, url)| url);
        let (Some(client_id), Some(secret), Some(token_url)) =
            (options.remove("clientId"), options.remove("clientSecret"), url)
        else {
            self.settings.refuse(key, "for OAUTHBEARER it needs clientId and clientSecret, and the file `sasl.oauthbearer.token.endpoint.url`");
            return None;
        };
        secrets.password = Some(SecretString::from(secret));
        let scope = options.remove("scope");
        let extension =
            |(key, value): (String, String)| Some((key.strip_prefix("extension_")?.to_owned(), value));
        let extensions = options.into_iter().filter_map(extension).collect();
        Some(Sasl::OauthBearer { client_id, token_url, scope, extensions })
    }
}

fn is_address(server: &str) -> bool {
    server.rsplit_once(':').is_some_and(|(host, port)| {
        let host = host.rsplit_once("://").map_or(host, |(_, host)| host);
        !host.is_empty()
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// The options of the one login module: `module flag key="value" key=value;`.
fn jaas_options(jaas: &str) -> Option<BTreeMap<String, String>> {
    let (module, rest) = jaas.trim().trim_end_matches(';').split_once(char::is_whitespace)?;
    let (_flag, mut rest) = rest.trim_start().split_once(char::is_whitespace)?;
    if !module.ends_with("LoginModule") {
        return None;
    }
    let mut options = BTreeMap::new();
    while !rest.trim_start().is_empty() {
        let (key, value) = rest.trim_start().split_once('=')?;
        let (value, left) = jaas_value(value.trim_start())?;
        options.insert(key.trim().to_owned(), value);
        rest = left;
    }
    Some(options)
}

fn jaas_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, &quoted[at + 1..])),
            _ => value.push(c),
        }
    }
    None
}
