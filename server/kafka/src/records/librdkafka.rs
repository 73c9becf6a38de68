//! librdkafka for one cluster: its configuration from [`Security`], its tokens, and its errors in our words.

use std::sync::Arc;

use muster_domain::cluster::{Cluster, ClusterSecrets};
use rdkafka::{
    ClientConfig, ClientContext,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    error::{KafkaError as RdError, RDKafkaErrorCode},
    producer::FutureProducer,
};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use crate::{
    broker_error::{UNKNOWN_TOPIC_OR_PARTITION, broker_error},
    connecting::{sasl::Credentials, token::TokenSource, transport::Deadline},
    error::KafkaErrorKind,
    options::ClientOptions,
    records::{group_share::GroupShare, trouble::Trouble},
};

/// A producer with our context.
pub(crate) type Producer = FutureProducer<Context>;

/// What librdkafka is told where no token could be fetched for it. Why is kept beside, for it repeats this as a failed authentication.
const NO_TOKEN: &str = "its endpoint gave none";

/// What librdkafka calls back for.
pub(crate) struct Context {
    cluster: String,
    tokens: Option<(Arc<TokenSource>, Handle)>,
    options: ClientOptions,
    /// Why it cannot connect.
    pub(crate) trouble: Arc<Trouble>,
}

impl Context {
    fn new(
        cluster: &Cluster,
        credentials: &Credentials,
        options: ClientOptions,
        runtime: Handle,
    ) -> Result<Self, KafkaErrorKind> {
        let tokens = match credentials {
            Credentials::Bearer { source, extensions } if extensions.is_empty() => {
                Some((Arc::clone(source), runtime))
            }
            Credentials::Bearer { .. } => {
                // rdkafka hands librdkafka a token without extensions.
                let what = "writing records or sharing work with SASL extensions";
                return Err(KafkaErrorKind::Unsupported(what.to_owned()));
            }
            Credentials::None | Credentials::Password { .. } => None,
        };
        Ok(Self { cluster: cluster.name.to_string(), tokens, options, trouble: Arc::default() })
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(cluster = %self.cluster, facility, "librdkafka: {message}");
    }

    fn error(&self, error: RdError, reason: &str) {
        let kind = kind_of(&error, reason);
        tracing::debug!(cluster = %self.cluster, "librdkafka on `{}`: {kind}", self.cluster);
        self.trouble.complain(kind);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let (source, runtime) = self.tokens.as_ref().ok_or("no token source is configured")?;
        // Called on librdkafka's polling thread, never on a thread of the runtime.
        let deadline = Deadline::after(self.options.connect_deadline());
        let token = match runtime.block_on(source.token(deadline)) {
            Ok(token) => token,
            Err(why) => {
                tracing::debug!(cluster = %self.cluster, "librdkafka on `{}` gets no token: {why}", self.cluster);
                self.trouble.has_no_token(why);
                return Err(NO_TOKEN.into());
            }
        };
        self.trouble.has_token();
        Ok(OAuthToken {
            token: token.value.expose_secret().to_owned(),
            principal_name: source.client_id().to_owned(),
            lifetime_ms: token.expires_at_ms,
        })
    }
}

/// Creates a producer: idempotent, acks=all. Blocks while it reads keys and authorities.
pub(crate) fn create_producer(
    cluster: &Cluster,
    secrets: &ClusterSecrets,
    credentials: &Credentials,
    options: ClientOptions,
    runtime: Handle,
) -> Result<(Producer, Arc<Trouble>), KafkaErrorKind> {
    let mut config = base_config(cluster, secrets, credentials, options);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // Few records, each waited for; what was not delivered in time must not arrive minutes later.
        .set("linger.ms", "0")
        .set("message.timeout.ms", options.call_deadline_ms.max(1000).to_string());
    let context = Context::new(cluster, credentials, options, runtime)?;
    let trouble = Arc::clone(&context.trouble);
    let producer = config.create_with_context(context).map_err(|e| kind_of(&e, ""))?;
    Ok((producer, trouble))
}

/// Joins a consumer group that only shares work. Blocks while it reads keys and authorities.
pub(crate) fn join_group(
    (cluster, secrets, credentials): (&Cluster, &ClusterSecrets, &Credentials),
    options: ClientOptions,
    runtime: Handle,
    (group, topics): (&str, &[String]),
) -> Result<GroupShare, KafkaErrorKind> {
    let config = base_config(cluster, secrets, credentials, options);
    let context = Context::new(cluster, credentials, options, runtime.clone())?;
    let _runtime = runtime.enter();
    GroupShare::join(config, context, group, topics)
}

fn base_config(
    cluster: &Cluster,
    secrets: &ClusterSecrets,
    credentials: &Credentials,
    options: ClientOptions,
) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", "muster")
        .set("bootstrap.servers", cluster.bootstrap.join(","))
        .set("security.protocol", cluster.security.protocol())
        // The names may have moved to another cluster meanwhile: never look them up again on its own.
        .set("metadata.recovery.strategy", "none")
        .set("allow.auto.create.topics", "false")
        .set("socket.connection.setup.timeout.ms", options.connect_deadline_ms.max(1000).to_string())
        .set("socket.timeout.ms", options.call_deadline_ms.max(1000).to_string())
        .set("reconnect.backoff.ms", "20")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(tls) = &cluster.security.tls {
        if let Some(pem) = &tls.ca_pem {
            config.set("ssl.ca.pem", pem);
        }
        if let (Some(chain), Some(key)) = (&tls.client_cert_pem, &secrets.client_key_pem) {
            config.set("ssl.certificate.pem", chain).set("ssl.key.pem", key.expose_secret());
        }
    }
    match credentials {
        Credentials::None => {}
        Credentials::Password { mechanism, username, password } => {
            config
                .set("sasl.mechanism", *mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose_secret());
        }
        Credentials::Bearer { .. } => {
            config.set("sasl.mechanism", "OAUTHBEARER");
        }
    }
    config
}

/// librdkafka's error in our words. Positive codes are the broker's own.
pub(crate) fn kind_of(error: &RdError, reason: &str) -> KafkaErrorKind {
    let Some(code) = error.rdkafka_error_code() else { return KafkaErrorKind::Protocol(error.to_string()) };
    let text = if reason.is_empty() { code.to_string() } else { reason.to_owned() };
    #[expect(clippy::wildcard_enum_match_arm, reason = "librdkafka has more than 150 codes")]
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            KafkaErrorKind::Authentication(text)
        }
        RDKafkaErrorCode::SSL => KafkaErrorKind::Tls(text),
        // What fails in the handshake is told as a broken connection first.
        RDKafkaErrorCode::BrokerTransportFailure if text.contains("SSL_HANDSHAKE") => {
            KafkaErrorKind::Tls(text)
        }
        RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::MessageTimedOut
        | RDKafkaErrorCode::OperationTimedOut => KafkaErrorKind::Connection(text),
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition => {
            broker_error(UNKNOWN_TOPIC_OR_PARTITION, None)
        }
        other => match i16::try_from(other as i32) {
            Ok(code @ 1..) => broker_error(code, None),
            Ok(_) | Err(_) => KafkaErrorKind::Protocol(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tokio::net::TcpListener;

    use super::*;

    /// What librdkafka says when its callback fails, in words of 2.12.
    fn refused(why: &dyn std::error::Error) -> String {
        format!("Failed to acquire SASL OAUTHBEARER token: {why}")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_endpoint_that_is_away_is_named_and_not_called_a_failed_authentication() {
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = gone.local_addr().expect("it is bound");
        drop(gone);
        let url = format!("http://somebody:hidden@{address}/token?key=hidden");
        let source = Arc::new(TokenSource::new("muster", SecretString::from("s3cret"), &url, None));
        let context = Context {
            cluster: "west".to_owned(),
            tokens: Some((source, Handle::current())),
            options: ClientOptions::default(),
            trouble: Arc::default(),
        };
        let trouble = Arc::clone(&context.trouble);
        // As librdkafka calls it: never on a thread of the runtime.
        let called = tokio::task::spawn_blocking(move || {
            let why = context.generate_oauth_token(None).err().expect("no token is there");
            context.error(RdError::Global(RDKafkaErrorCode::Authentication), &refused(&*why));
        });
        called.await.expect("it does not panic");
        let told = trouble.told().expect("it complained");
        let text = told.to_string();
        assert!(matches!(told, KafkaErrorKind::Connection(_)), "it may pass: {text}");
        assert!(text.contains(&format!("no token could be fetched from http://{address}/token: ")), "{text}");
        assert!(
            text.ends_with(
                "; librdkafka says: Failed to acquire SASL OAUTHBEARER token: its endpoint gave none"
            ),
            "{text}"
        );
        assert!(!text.contains("hidden") && !text.contains("s3cret"), "{text}");
    }
}
