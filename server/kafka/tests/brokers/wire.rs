//! What comes over the wire when all is not well: each case has its own error and none hangs, panics or allocates
//! what a peer claims.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, MetadataResponse, RequestKind, ResponseKind};
use muster_domain::cluster::{ClusterSecrets, Sasl, Tls};
use muster_kafka::{
    ClientOptions, ClusterAdmin, KafkaAdmin, KafkaErrorKind,
    synthetic::{Brokers, Reply, World, cluster_at, frame},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A port that answers whatever is said to it with these bytes and then, unless it `stays`, closes.
async fn peer_that_says(bytes: &'static [u8], stays: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                assert!(stream.read(&mut heard).await.unwrap() > 0);
                stream.write_all(bytes).await.unwrap();
                if stays {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    port
}

/// For what ends at a deadline, and for what may.
fn quick() -> ClientOptions {
    ClientOptions { call_deadline_ms: 400, connect_deadline_ms: 300, ..ClientOptions::default() }
}

/// For what must be told without waiting for a deadline: no machine is so slow that one of these passes first.
fn patient() -> ClientOptions {
    ClientOptions { call_deadline_ms: 60_000, connect_deadline_ms: 60_000, ..ClientOptions::default() }
}

/// For what ends at the deadline of the connection, well before that of the call.
fn quick_to_connect() -> ClientOptions {
    ClientOptions { connect_deadline_ms: 300, ..patient() }
}

async fn error_with(port: u16, options: ClientOptions) -> KafkaErrorKind {
    let admin = KafkaAdmin::new(&cluster_at(port), &ClusterSecrets::default(), options);
    admin.describe_cluster().await.unwrap_err().kind
}

async fn error_at(port: u16) -> KafkaErrorKind {
    error_with(port, patient()).await
}

fn not_kafka(text: &str) -> KafkaErrorKind {
    KafkaErrorKind::NotKafka(text.to_owned())
}

#[tokio::test]
async fn http_on_the_port_is_named() {
    let port = peer_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await;
    assert_eq!(error_at(port).await, not_kafka("it answers HTTP"));
}

#[tokio::test]
async fn tls_on_a_plaintext_port_is_named() {
    // A TLS alert: handshake failure.
    let port = peer_that_says(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28], false).await;
    assert_eq!(error_at(port).await, not_kafka("it speaks TLS; switch TLS on for this cluster"));
}

#[tokio::test]
async fn garbage_and_oversized_frames_are_refused() {
    let port = peer_that_says(&[0x7F; 64], true).await;
    assert_eq!(error_at(port).await, not_kafka("a frame of 2139062143 bytes exceeds the cap of 100000000"));
    let port = peer_that_says(&[0, 0, 0, 1, 9], true).await;
    assert_eq!(error_at(port).await, not_kafka("a frame of 1 bytes is too small"));
}

#[tokio::test]
async fn an_answer_to_another_question_ends_the_connection() {
    let port = peer_that_says(&[0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 0, 0], true).await;
    let KafkaErrorKind::NotKafka(text) = error_at(port).await else { panic!("expected NotKafka") };
    assert_eq!(text, "an answer carries correlation id Some(7) instead of 1297416193");
}

#[tokio::test]
async fn a_truncated_answer_is_a_protocol_error() {
    let world = World::default().with_script(|_, request, version| match request {
        RequestKind::Metadata(_) => {
            // The third question on the connection, or the second: both ids are tried.
            let whole = frame(
                0x4D55_0002,
                ApiKey::Metadata,
                version,
                &ResponseKind::Metadata(MetadataResponse::default()),
            );
            let mut cut = BytesMut::from(&whole[..whole.len() - 3]);
            let size = u32::try_from(cut.len() - 4).unwrap();
            cut[..4].copy_from_slice(&size.to_be_bytes());
            Reply::Raw(cut.freeze())
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let error = brokers.admin_with(patient()).describe_cluster().await.unwrap_err();
    assert!(
        matches!(&error.kind, KafkaErrorKind::Protocol(text) if text.starts_with("unreadable response")),
        "{error}"
    );
}

#[tokio::test]
async fn a_frame_that_stops_halfway_ends_at_the_deadline() {
    let port = peer_that_says(&[0, 1, 0, 0, 0x4D, 0x55, 0, 1], true).await;
    assert_eq!(error_with(port, quick_to_connect()).await, KafkaErrorKind::Timeout(300));
}

#[tokio::test]
async fn a_peer_that_accepts_and_hangs_costs_the_connect_deadline_once() {
    // The system completes connections to it; they wait here until they are counted.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(error_with(port, quick_to_connect()).await, KafkaErrorKind::Timeout(300));
    listener.accept().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it is not tried again");
}

#[tokio::test]
async fn nobody_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let hour = ClientOptions { call_deadline_ms: 3_600_000, connect_deadline_ms: 3_600_000, ..patient() };
    let told = tokio::time::timeout(Duration::from_secs(60), error_with(port, hour));
    let kind = told.await.expect("nobody waits for the deadline");
    assert!(matches!(&kind, KafkaErrorKind::Connection(text) if text.contains("refused")), "{kind}");
}

#[tokio::test]
async fn a_broker_that_hangs_in_a_call_is_left_behind() {
    let hung = AtomicBool::new(false);
    let world =
        World::default().with_topic("t0", &[0, 1]).with_script(move |node, request, _| match request {
            // The connection is deaf from then on; a new one is served.
            RequestKind::ListOffsets(_) if node == 1 && !hung.swap(true, Ordering::Relaxed) => Reply::Hang,
            _ => Reply::Usual,
        });
    let brokers = Brokers::start(2, world).await;
    let admin = brokers.admin_with(ClientOptions { call_deadline_ms: 3_000, ..ClientOptions::default() });
    let partitions = [0, 1].map(|p| muster_domain::topic::TopicPartition::new("t0", p));
    let offsets = admin.offsets(&partitions, muster_kafka::OffsetSpec::End).await.unwrap();
    assert_eq!(*offsets[&partitions[0]].as_ref().unwrap(), 100);
    assert_eq!(offsets[&partitions[1]].as_ref().unwrap_err().kind, KafkaErrorKind::Timeout(3_000));
    // The connection that missed its deadline is replaced: the next look does not wait behind the hanging one.
    admin.topics(None).await.unwrap();
    let offsets = admin.offsets(&partitions, muster_kafka::OffsetSpec::End).await.unwrap();
    assert_eq!(partitions.map(|at| *offsets[&at].as_ref().unwrap()), [100, 101]);
}

#[tokio::test]
async fn callers_that_give_up_leave_the_connection_in_order() {
    let world = World { latency: Duration::from_millis(30), ..World::default() }.with_topic("t0", &[0]);
    let brokers = Brokers::start(1, world).await;
    let admin = brokers.admin();
    admin.topics(None).await.unwrap();
    for _ in 0..20 {
        let asked = brokers.seen(ApiKey::Metadata).len();
        let heard = async {
            while brokers.seen(ApiKey::Metadata).len() == asked {
                tokio::task::yield_now().await;
            }
        };
        // Whatever is answered was heard before, and that is looked at first.
        tokio::select! {
            biased;
            () = heard => {}
            _ = admin.topics(None) => panic!("answered before it was heard"),
        }
    }
    assert_eq!(admin.topics(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_questions_travel_together() {
    let world = World { latency: Duration::from_secs(1), ..World::default() }.with_topic("t0", &[0]);
    let brokers = Brokers::start(1, world).await;
    let options = ClientOptions { call_deadline_ms: 40_000, ..patient() };
    let admin = brokers.admin_with(options);
    admin.topics(None).await.unwrap();
    let all = (0..50).map(|_| admin.topics(None));
    for answer in futures_util::future::join_all(all).await {
        answer.expect("one after another they would take 50 s, past the deadline");
    }
}

#[tokio::test]
async fn a_connection_that_broke_between_calls_is_replaced() {
    let world = World::default().with_topic("t0", &[0]);
    let first = Brokers::start(1, world).await;
    let admin = first.admin();
    admin.topics(None).await.unwrap();
    // The broker closes the connection in the middle of a later call; a look is simply asked again.
    let closing = World::default().with_script({
        let closed = std::sync::atomic::AtomicBool::new(false);
        move |_, request, _| match request {
            RequestKind::ListGroups(_) if !closed.swap(true, std::sync::atomic::Ordering::Relaxed) => {
                Reply::Close
            }
            _ => Reply::Usual,
        }
    });
    let brokers = Brokers::start(1, closing).await;
    assert_eq!(brokers.admin().list_groups().await.unwrap(), vec![]);
    assert_eq!(brokers.seen(ApiKey::ListGroups).len(), 2);
}

#[tokio::test]
async fn tls_towards_a_plaintext_broker_is_a_tls_error() {
    let brokers = Brokers::start(1, World::default()).await;
    let mut cluster = brokers.cluster();
    cluster.security.tls = Some(Tls { ca_pem: Some(self_signed()), client_cert_pem: None });
    let error =
        KafkaAdmin::new(&cluster, &ClusterSecrets::default(), quick()).describe_cluster().await.unwrap_err();
    // The synthetic broker waits for the rest of what it takes for a huge frame; a real one closes.
    assert!(matches!(error.kind, KafkaErrorKind::Tls(_) | KafkaErrorKind::Timeout(_)), "{error}");
    let port = peer_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await;
    cluster.bootstrap = vec![format!("127.0.0.1:{port}")];
    let error = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), patient())
        .describe_cluster()
        .await
        .unwrap_err();
    assert!(
        matches!(&error.kind, KafkaErrorKind::Tls(text) if text.contains("does not speak TLS")),
        "{error}"
    );
}

#[tokio::test]
async fn unusable_settings_show_at_the_first_call_without_any_connection() {
    let mut cluster = cluster_at(1);
    cluster.security.sasl = Some(Sasl::ScramSha512 { username: "muster".to_owned() });
    let kind = |cluster| async move {
        KafkaAdmin::new(&cluster, &ClusterSecrets::default(), quick())
            .describe_cluster()
            .await
            .unwrap_err()
            .kind
    };
    assert_eq!(
        kind(cluster.clone()).await,
        KafkaErrorKind::Authentication("no password is recorded".to_owned())
    );
    cluster.security.tls = Some(Tls { ca_pem: Some("no pem".to_owned()), client_cert_pem: None });
    assert_eq!(
        kind(cluster.clone()).await,
        KafkaErrorKind::Tls("the authority bundle holds no PEM certificate".to_owned())
    );
    cluster.security.tls = Some(Tls { ca_pem: Some(self_signed()), client_cert_pem: Some(self_signed()) });
    assert_eq!(
        kind(cluster.clone()).await,
        KafkaErrorKind::Tls("a client certificate is set but its private key is not".to_owned())
    );
    cluster.security = muster_domain::cluster::Security::PLAINTEXT;
    cluster.bootstrap = vec!["kafka-1".to_owned()];
    assert_eq!(kind(cluster).await, KafkaErrorKind::Connection("`kafka-1` is not host:port".to_owned()));
}

#[tokio::test]
async fn the_most_telling_error_of_several_addresses_is_kept() {
    let http = peer_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await;
    let mut cluster = cluster_at(1);
    cluster.bootstrap.push(format!("127.0.0.1:{http}"));
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), patient());
    assert_eq!(admin.describe_cluster().await.unwrap_err().kind, not_kafka("it answers HTTP"));
    // And one good address is enough.
    let brokers = Brokers::start(1, World::default().with_topic("t0", &[0])).await;
    cluster.bootstrap.extend(brokers.cluster().bootstrap);
    let admin = KafkaAdmin::new(&cluster, &ClusterSecrets::default(), patient());
    let names = BTreeSet::from(["t0".to_owned(), "absent".to_owned()]);
    assert_eq!(admin.topics(Some(&names)).await.unwrap().len(), 1);
}

/// Bytes that a peer may send are never trusted: whatever they are, the result is an error or an answer in time.
#[tokio::test]
async fn random_bytes_never_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..400 {
        let mut bytes = BytesMut::new();
        for _ in 0..24 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.put_u64(state);
        }
        // A plausible frame and the right correlation id, then noise.
        bytes[..8].copy_from_slice(&[0, 0, 0, 188, 0x4D, 0x55, 0, 1]);
        let said: &'static [u8] = Box::leak(Bytes::from(bytes).to_vec().into_boxed_slice());
        let port = peer_that_says(said, false).await;
        error_with(port, quick()).await;
    }
}

fn self_signed() -> String {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem()
}
