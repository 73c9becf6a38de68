//! Every listener of the security lab lets the right client in and nobody else; librdkafka is the client.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use muster_lab::{SecurityDescription, SecurityLab};
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

struct Tokens {
    token: Option<String>,
}

impl ClientContext for Tokens {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let token = self.token.clone().ok_or("no token")?;
        Ok(OAuthToken {
            token,
            principal_name: "muster".to_owned(),
            lifetime_ms: muster_lab::now_ms() + 60_000,
        })
    }
}

impl ProducerContext for Tokens {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::message::DeliveryResult<'_>, (): ()) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listener_lets_the_right_client_in_and_nobody_else() -> Result<()> {
    let lab = SecurityLab::start().await?;
    let is = lab.describe().clone();
    let token = fetch_token(&is, &is.client_secret).await?;
    ensure!(fetch_token(&is, "wrong").await.is_err(), "a wrong client secret got a token");
    let ca = is.ca_pem.display().to_string();

    // All at once: a client that is refused takes seconds to give up.
    let attempts = cases(&is, &ca).into_iter().map(|(name, bootstrap, protocol, settings, welcome)| {
        let token = settings.iter().any(|(_, value)| value == "OAUTHBEARER").then(|| token.clone());
        let is = is.clone();
        async move { (name, enter(&is, &bootstrap, protocol, &settings, token).await, welcome) }
    });
    for (name, entered, welcome) in join_all(attempts).await {
        ensure!(entered.is_ok() == welcome, "{name}: {entered:?}\n{}", lab.log_tail());
    }
    let forged = token[..token.len() - 4].to_owned() + "AAAA";
    let oauth = [("sasl.mechanism", "OAUTHBEARER".to_owned())];
    let entered = enter(&is, &is.sasl_plaintext, "sasl_plaintext", &oauth, Some(forged)).await;
    ensure!(entered.is_err(), "a forged token got in");
    ensure!(lab.tokens_issued() == 1, "{} tokens were counted", lab.tokens_issued());
    Ok(())
}

type Case = (String, String, &'static str, Vec<(&'static str, String)>, bool);

fn cases(is: &SecurityDescription, ca: &str) -> Vec<Case> {
    let trust = |file: &str| ("ssl.ca.location", file.to_owned());
    let certificate = [
        ("ssl.certificate.location", is.client_cert_pem.display().to_string()),
        ("ssl.key.location", is.client_key_pem.display().to_string()),
    ];
    let mut cases: Vec<Case> = vec![
        ("plaintext".to_owned(), is.plaintext.clone(), "plaintext", vec![], true),
        ("tls".to_owned(), is.ssl.clone(), "ssl", vec![trust(ca)], true),
        (
            "tls, another authority".to_owned(),
            is.ssl.clone(),
            "ssl",
            vec![trust(&is.other_ca_pem.display().to_string())],
            false,
        ),
        ("expired server".to_owned(), is.ssl_expired.clone(), "ssl", vec![trust(ca)], false),
        ("tls on a plaintext port".to_owned(), is.plaintext.clone(), "ssl", vec![trust(ca)], false),
        ("mtls without a certificate".to_owned(), is.mtls.clone(), "ssl", vec![trust(ca)], false),
        ("mtls".to_owned(), is.mtls.clone(), "ssl", [vec![trust(ca)], certificate.to_vec()].concat(), true),
    ];
    for (bootstrap, protocol) in [(&is.sasl_plaintext, "sasl_plaintext"), (&is.sasl_ssl, "sasl_ssl")] {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
            for (password, welcome) in [(is.password.as_str(), true), ("wrong", false)] {
                if mechanism == "OAUTHBEARER" && !welcome {
                    continue;
                }
                let mut settings = vec![trust(ca), ("sasl.mechanism", mechanism.to_owned())];
                if mechanism != "OAUTHBEARER" {
                    settings.push(("sasl.username", is.user.clone()));
                    settings.push(("sasl.password", password.to_owned()));
                }
                let name = format!("{protocol} {mechanism}, welcome {welcome}");
                cases.push((name, bootstrap.clone(), protocol, settings, welcome));
            }
        }
    }
    cases
}

/// Connects and asks for the cluster id.
async fn enter(
    is: &SecurityDescription,
    bootstrap: &str,
    protocol: &str,
    settings: &[(&str, String)],
    token: Option<String>,
) -> Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("security.protocol", protocol);
    for (key, value) in
        settings.iter().filter(|(key, _)| protocol.contains("ssl") || !key.starts_with("ssl."))
    {
        config.set(*key, value);
    }
    let (cluster_id, topic) = (is.cluster_id.clone(), is.topic.clone());
    tokio::task::spawn_blocking(move || {
        let producer: BaseProducer<Tokens> = config.create_with_context(Tokens { token })?;
        // Serves the token callback, which librdkafka asks for at once.
        producer.poll(Duration::from_millis(200));
        producer.client().fetch_metadata(Some(&topic), Duration::from_secs(4))?;
        let found = producer.client().fetch_cluster_id(Duration::from_secs(4)).context("no cluster id")?;
        ensure!(found == cluster_id, "another cluster answered: {found}");
        Ok(())
    })
    .await?
}

async fn fetch_token(is: &SecurityDescription, secret: &str) -> Result<String> {
    let form =
        [("grant_type", "client_credentials"), ("client_id", &is.client_id), ("client_secret", secret)];
    let http = reqwest::Client::builder().no_proxy().build()?;
    let reply: serde_json::Value =
        http.post(&is.token_url).form(&form).send().await?.error_for_status()?.json().await?;
    Ok(reply["access_token"].as_str().context("no access_token")?.to_owned())
}
