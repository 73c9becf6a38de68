//! TLS and sessions: certificates that must not be trusted, both sides' certificates, librdkafka as a second client of
//! the same listener, sessions that end.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind, SaslAuthenticateResponse};
use muster_domain::cluster::{Cluster, ClusterSecrets, Sasl, Tls};
use muster_kafka::{
    ClientOptions, ClusterAdmin, KafkaAdmin, KafkaErrorKind,
    synthetic::{Brokers, CLUSTER_ID, Reply, World},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rdkafka::{ClientConfig, producer::BaseProducer, producer::Producer};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, PEM.
    fn sign(&self, name: &str, expired: bool) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }

    /// A server with that certificate, asking for a client's when told.
    fn server(&self, (certificate, key): (String, String), ask_client: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if ask_client {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

async fn brokers_with(tls: Arc<ServerConfig>) -> Brokers {
    Brokers::start(1, World { tls: Some(tls), ..World::default() }).await
}

fn trusting(brokers: &Brokers, authority: &Authority) -> Cluster {
    let mut cluster = brokers.cluster();
    cluster.security.tls = Some(Tls { ca_pem: Some(authority.pem.clone()), client_cert_pem: None });
    cluster
}

async fn ask(cluster: &Cluster, secrets: &ClusterSecrets) -> Result<String, KafkaErrorKind> {
    let admin = KafkaAdmin::new(cluster, secrets, ClientOptions::default());
    admin.describe_cluster().await.map(|found| found.cluster_id).map_err(|error| error.kind)
}

async fn tls_error(cluster: &Cluster, secrets: &ClusterSecrets) -> String {
    match ask(cluster, secrets).await {
        Err(KafkaErrorKind::Tls(text)) => text,
        other => panic!("expected a TLS error, got {other:?}"),
    }
}

#[tokio::test]
async fn certificates_that_must_not_be_trusted_each_say_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let none = ClusterSecrets::default();
    let good = brokers_with(authority.server(authority.sign("127.0.0.1", false), false)).await;
    assert_eq!(ask(&trusting(&good, &authority), &none).await, Ok(CLUSTER_ID.to_owned()));
    let unknown = tls_error(&trusting(&good, &other), &none).await;
    assert_eq!(unknown, "the broker's certificate is signed by an authority that is not trusted here");
    let mut system = trusting(&good, &authority);
    system.security.tls = Some(Tls::default());
    tls_error(&system, &none).await;

    let expired = brokers_with(authority.server(authority.sign("127.0.0.1", true), false)).await;
    let text = tls_error(&trusting(&expired, &authority), &none).await;
    assert!(text.starts_with("the broker's certificate has expired"), "{text}");

    let elsewhere = brokers_with(authority.server(authority.sign("kafka.example", false), false)).await;
    let text = tls_error(&trusting(&elsewhere, &authority), &none).await;
    assert!(text.starts_with("the broker's certificate is for another host name"), "{text}");
}

#[tokio::test]
async fn a_broker_that_wants_a_client_certificate_gets_it_and_refuses_others() {
    let (authority, other) = (Authority::new(), Authority::new());
    let brokers = brokers_with(authority.server(authority.sign("127.0.0.1", false), true)).await;
    let with = |signer: &Authority| {
        let (certificate, key) = signer.sign("muster", false);
        let mut cluster = trusting(&brokers, &authority);
        cluster.security.tls.as_mut().unwrap().client_cert_pem = Some(certificate);
        (cluster, ClusterSecrets { client_key_pem: Some(key.into()), ..ClusterSecrets::default() })
    };
    let (cluster, secrets) = with(&authority);
    assert_eq!(ask(&cluster, &secrets).await, Ok(CLUSTER_ID.to_owned()));
    let (cluster, secrets) = with(&other);
    let text = tls_error(&cluster, &secrets).await;
    assert!(text.starts_with("the broker refused the handshake"), "{text}");
    let text = tls_error(&trusting(&brokers, &authority), &ClusterSecrets::default()).await;
    assert!(text.starts_with("the broker refused the handshake"), "{text}");
}

/// The synthetic broker is ours on both ends of our own tests: another implementation must agree that it is TLS and
/// Kafka.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librdkafka_accepts_the_same_listener() {
    let authority = Authority::new();
    let tls = authority.server(authority.sign("127.0.0.1", false), true);
    // No telemetry (71), which librdkafka would subscribe to.
    let world = World { tls: Some(tls), caps: HashMap::from([(71, -1)]), ..World::default() };
    let brokers = Brokers::start(1, world).await;
    let (certificate, key) = authority.sign("muster", false);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers.cluster().bootstrap.join(","))
        .set("security.protocol", "SSL")
        .set("ssl.ca.pem", &authority.pem)
        .set("ssl.certificate.pem", certificate)
        .set("ssl.key.pem", key);
    let found = tokio::task::spawn_blocking(move || {
        let client: BaseProducer = config.create().unwrap();
        client.client().fetch_metadata(None, Duration::from_secs(5)).unwrap();
        client.client().fetch_cluster_id(Duration::from_secs(5))
    });
    assert_eq!(found.await.unwrap().as_deref(), Some(CLUSTER_ID));
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends_and_no_call_notices() {
    let world = World::default().with_script(|_, request, _| match request {
        RequestKind::SaslHandshake(_) => Reply::with(ResponseKind::SaslHandshake(Default::default())),
        RequestKind::SaslAuthenticate(_) => {
            let session = SaslAuthenticateResponse::default().with_session_lifetime_ms(250);
            Reply::with(ResponseKind::SaslAuthenticate(session))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let mut cluster = brokers.cluster();
    cluster.security.sasl = Some(Sasl::Plain { username: "muster".to_owned() });
    let secrets = ClusterSecrets { password: Some("m".to_owned().into()), ..ClusterSecrets::default() };
    let admin = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default());
    let began = std::time::Instant::now();
    while brokers.seen(ApiKey::SaslAuthenticate).len() < 3 {
        admin.topics(None).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(60), "the session was never renewed");
    }
    // Renewed at 80 % of 250 ms, twice.
    assert!(began.elapsed() > Duration::from_millis(390), "{:?}", began.elapsed());
}
