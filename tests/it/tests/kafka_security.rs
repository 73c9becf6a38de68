//! Every way to authenticate, on a real broker, for the admin client and the record mover alike; and what people get
//! wrong, each with the error that says so.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::Result;
use muster_domain::{
    cluster::{Cluster, ClusterSecrets, Sasl, Security, Tls},
    ids::ClusterName,
    topic::TopicPartition,
};
use muster_kafka::{
    ClientOptions, ClusterAdmin, Isolation, KafkaAdmin, KafkaErrorKind, KafkaMover, ReadRange, RecordMover,
    mover::NewRecord,
};
use muster_lab::{SecurityDescription, SecurityLab};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_client_and_mover_speak_every_listener() -> Result<()> {
    let lab = SecurityLab::start().await?;
    let ways = Ways(lab.describe());
    for (name, way) in ways.that_work() {
        let began = Instant::now();
        check_admin_and_mover(&way, ways.0).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        println!("{name}: ok in {:?}", began.elapsed());
    }
    for (name, way, expected) in ways.that_fail() {
        let (admin, mover) = errors_of(&way, ways.0).await;
        println!("{name}:\n    {admin}\n    {mover}");
        assert!(expected(&admin), "{name}, admin client: {admin:?}");
        assert!(expected(&mover), "{name}, mover: {mover:?}");
        let secret = [&ways.0.password, &ways.0.client_secret, "not-the-password"];
        assert!(
            secret.iter().all(|secret| !format!("{admin} {mover}").contains(*secret)),
            "{name} tells a secret"
        );
    }
    tokens_are_shared_and_probes_sign_in(&lab).await;
    Ok(())
}

/// One address with settings and secrets.
#[derive(Debug, Clone)]
struct Way {
    bootstrap: String,
    security: Security,
    secrets: ClusterSecrets,
}

impl Way {
    fn cluster(&self, id: Option<&str>) -> Cluster {
        Cluster {
            name: ClusterName::new("secured").unwrap(),
            bootstrap: vec![self.bootstrap.clone()],
            security: self.security.clone(),
            probe: None,
            expected_cluster_id: id.map(str::to_owned),
            region: String::new(),
            version: 1,
            updated_at: chrono::Utc::now(),
        }
    }

    fn admin(&self, id: Option<&str>) -> KafkaAdmin {
        KafkaAdmin::new(&self.cluster(id), &self.secrets, ClientOptions::default())
    }

    fn mover(&self, id: Option<&str>) -> KafkaMover {
        KafkaMover::new(&self.cluster(id), &self.secrets, ClientOptions::default())
    }
}

type Expected = fn(&KafkaErrorKind) -> bool;

struct Ways<'a>(&'a SecurityDescription);

impl Ways<'_> {
    fn tls(&self, authority: &Path) -> Tls {
        Tls { ca_pem: Some(std::fs::read_to_string(authority).unwrap()), client_cert_pem: None }
    }

    fn trusted(&self) -> Option<Tls> {
        Some(self.tls(&self.0.ca_pem))
    }

    fn sasls(&self) -> [Sasl; 4] {
        let username = self.0.user.clone();
        [
            Sasl::Plain { username: username.clone() },
            Sasl::ScramSha256 { username: username.clone() },
            Sasl::ScramSha512 { username },
            Sasl::OauthBearer {
                client_id: self.0.client_id.clone(),
                token_url: self.0.token_url.clone(),
                scope: Some("kafka".to_owned()),
                extensions: BTreeMap::new(),
            },
        ]
    }

    fn way(&self, bootstrap: &str, tls: Option<Tls>, sasl: Option<Sasl>) -> Way {
        let password = match &sasl {
            Some(Sasl::OauthBearer { .. }) => &self.0.client_secret,
            Some(Sasl::Plain { .. } | Sasl::ScramSha256 { .. } | Sasl::ScramSha512 { .. }) | None => {
                &self.0.password
            }
        };
        let secrets = ClusterSecrets { password: Some(password.clone().into()), ..ClusterSecrets::default() };
        Way { bootstrap: bootstrap.to_owned(), security: Security { tls, sasl }, secrets }
    }

    fn mtls(&self) -> Way {
        let mut way = self.way(&self.0.mtls, self.trusted(), None);
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        way.security.tls.as_mut().unwrap().client_cert_pem = Some(read(&self.0.client_cert_pem));
        way.secrets.client_key_pem = Some(read(&self.0.client_key_pem).into());
        way
    }

    fn that_work(&self) -> Vec<(String, Way)> {
        let mut ways = vec![
            ("PLAINTEXT".to_owned(), self.way(&self.0.plaintext, None, None)),
            ("TLS".to_owned(), self.way(&self.0.ssl, self.trusted(), None)),
            ("mTLS".to_owned(), self.mtls()),
        ];
        for sasl in self.sasls() {
            let name = sasl.mechanism();
            let plain = self.way(&self.0.sasl_plaintext, None, Some(sasl.clone()));
            ways.push((format!("{name} without TLS"), plain));
            ways.push((format!("{name} over TLS"), self.way(&self.0.sasl_ssl, self.trusted(), Some(sasl))));
        }
        ways
    }

    fn that_fail(&self) -> Vec<(String, Way, Expected)> {
        let other = Some(self.tls(&self.0.other_ca_pem));
        let scram = || Some(Sasl::ScramSha512 { username: self.0.user.clone() });
        let is_tls: Expected = |kind| matches!(kind, KafkaErrorKind::Tls(_));
        let is_refused: Expected = |kind| matches!(kind, KafkaErrorKind::Authentication(_));
        let mut ways: Vec<(String, Way, Expected)> = vec![
            (
                "expired certificate".to_owned(),
                self.way(&self.0.ssl_expired, self.trusted(), None),
                |kind| matches!(kind, KafkaErrorKind::Tls(text) if text.starts_with("the broker's certificate has expired")),
            ),
            (
                "unknown authority".to_owned(),
                self.way(&self.0.ssl, other, None),
                |kind| matches!(kind, KafkaErrorKind::Tls(text) if text.contains("authority that is not trusted")),
            ),
            ("mTLS without a certificate".to_owned(), self.way(&self.0.mtls, self.trusted(), None), is_tls),
            (
                "TLS on a plaintext port".to_owned(),
                self.way(&self.0.plaintext, self.trusted(), None),
                |kind| matches!(kind, KafkaErrorKind::Tls(text) if text.contains("is this a port without TLS?")),
            ),
            ("plaintext on a TLS port".to_owned(), self.way(&self.0.ssl, None, None), |kind| {
                // Brokers answer with a TLS alert or hang up, by version.
                matches!(kind, KafkaErrorKind::NotKafka(_) | KafkaErrorKind::Connection(_))
                    && kind.to_string().contains("TLS")
            }),
            (
                "no sign-in".to_owned(),
                self.way(&self.0.sasl_plaintext, None, None),
                |kind| matches!(kind, KafkaErrorKind::Connection(text) if text.contains("a listener that wants a sign-in")),
            ),
            ("sign-in where none is".to_owned(), self.way(&self.0.plaintext, None, scram()), is_refused),
        ];
        for sasl in self.sasls() {
            let name = format!("{} with a wrong secret", sasl.mechanism());
            let mut way = self.way(&self.0.sasl_ssl, self.trusted(), Some(sasl));
            way.secrets.password = Some("not-the-password".to_owned().into());
            ways.push((name, way, is_refused));
        }
        ways
    }
}

async fn check_admin_and_mover(way: &Way, lab: &SecurityDescription) -> Result<()> {
    let found = way.admin(None).describe_cluster().await?;
    anyhow::ensure!(found.cluster_id == lab.cluster_id, "another cluster: {}", found.cluster_id);
    let id = Some(lab.cluster_id.as_str());
    let topics = way.admin(id).topics(None).await?;
    anyhow::ensure!(topics.iter().any(|topic| topic.name == lab.topic), "the topic is not visible");

    let mover = way.mover(id);
    let partition = TopicPartition::new(&lab.topic, 0);
    let record =
        NewRecord { key: None, value: Some("over this listener".into()), timestamp: 1_700_000_000_000 };
    let offsets = mover.write(&partition, vec![record], 10_000).await?;
    let range = ReadRange { partition: partition.clone(), from: offsets[0], until: offsets[0] + 1 };
    let read = mover.read(&[range], Isolation::ReadCommitted, 10_000).await?;
    anyhow::ensure!(read[&partition][0].value.as_deref() == Some(b"over this listener"), "read {read:?}");
    Ok(())
}

async fn errors_of(way: &Way, lab: &SecurityDescription) -> (KafkaErrorKind, KafkaErrorKind) {
    let began = Instant::now();
    let admin = way.admin(None).describe_cluster().await.unwrap_err().kind;
    let range = ReadRange { partition: TopicPartition::new(&lab.topic, 0), from: 0, until: 1 };
    let mover = way.mover(None).read(&[range], Isolation::ReadCommitted, 300_000).await.unwrap_err().kind;
    // A refusal is not waited for until the bound.
    assert!(began.elapsed().as_secs() < 60, "it took {:?}", began.elapsed());
    (admin, mover)
}

/// One admin client asks for one token, whatever it does; and the probe signs in with credentials of its own.
async fn tokens_are_shared_and_probes_sign_in(lab: &SecurityLab) {
    let ways = Ways(lab.describe());
    let bearer = ways.sasls()[3].clone();
    let before = lab.tokens_issued();
    let admin = ways.way(&ways.0.sasl_ssl, ways.trusted(), Some(bearer)).admin(Some(&ways.0.cluster_id));
    for _ in 0..3 {
        admin.list_groups().await.unwrap();
    }
    assert_eq!(lab.tokens_issued() - before, 1);

    let way = ways.way(&ways.0.sasl_plaintext, None, Some(ways.sasls()[1].clone()));
    let mut cluster = way.cluster(Some(&ways.0.cluster_id));
    cluster.probe = Some(muster_domain::cluster::ProbePrincipal { username: "nobody".to_owned() });
    let secrets = ClusterSecrets { probe_password: Some("x".to_owned().into()), ..way.secrets };
    let admin = KafkaAdmin::new(&cluster, &secrets, ClientOptions::default());
    admin.list_groups().await.unwrap();
    let error = admin.probe_write_fence(std::slice::from_ref(&ways.0.topic)).await.unwrap_err();
    assert!(matches!(error.kind, KafkaErrorKind::Authentication(_)), "{error}");
}
