//! The REST client itself.

use std::collections::BTreeMap;

use muster_replication::{ReplicationErrorKind, connect::ConnectClient};

use crate::fake_connect::{FakeConnect, SOURCE};

#[tokio::test]
async fn credentials_in_the_address_are_sent_and_never_shown() {
    let connect = FakeConnect::start().await;
    // base64 of `muster:p@ss`
    connect.lock().day.authorization = Some("Basic bXVzdGVyOnBAc3M=".to_owned());
    let url = connect.url.replace("http://", "http://muster:p%40ss@");
    let client = ConnectClient::new(&url).expect("an address");
    client.root().await.expect("let in");
    assert!(!format!("{client:?} {}", client.shown()).contains("ss@"));
    connect.lock().day.authorization = Some("Basic other".to_owned());
    let error = client.root().await.expect_err("shut out");
    assert_eq!(
        error.to_string(),
        format!(
            "ask the worker who it is ({}): Connect answered 401 (User cannot access the resource.) and did nothing: it does not \
             take the user and the password in the address; an owner of the pair gives the address without them, and enters them \
             under “Sign in at Connect”. Until then it is asked once in 30 s",
            connect.url
        )
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_names_no_credentials() {
    let client = ConnectClient::new("http://muster:secret@127.0.0.1:9").expect("an address");
    let error = client.status("x").await.expect_err("nobody listens");
    assert!(matches!(error.kind, ReplicationErrorKind::Unreachable(_)), "{error}");
    assert!(error.may_pass());
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn addresses_that_cannot_be_are_refused_without_being_cited() {
    for address in ["", "connect:8083", "ftp://muster:secret@connect", "http://", "http://muster:secret@:x"] {
        let error = ConnectClient::new(address).map(|client| client.shown().to_owned()).expect_err(address);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn connectors_are_created_stopped_and_an_existing_one_does_not_pass() {
    let connect = FakeConnect::start().await;
    let client = ConnectClient::new(&connect.url).expect("an address");
    let config = BTreeMap::from([("connector.class".to_owned(), "x".to_owned())]);
    client.create("a/b->c d", &config, false).await.expect("created");
    assert_eq!(client.status("a/b->c d").await.expect("found").tasks, []);
    let again = client.create(SOURCE, &config, false).await.expect_err("it exists");
    assert!(!again.may_pass(), "{again}");
    client.delete_offsets(SOURCE).await.expect("deleted");
}

#[tokio::test]
async fn answers_that_are_not_connects_are_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { "<html>hello</html>" }))
        .fallback(|| async { (axum::http::StatusCode::NOT_FOUND, "<html>nothing here</html>") });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = ConnectClient::new(&url).expect("an address");
    let page = client.root().await.expect_err("a web page");
    assert!(matches!(page.kind, ReplicationErrorKind::Unreadable(_)), "{page}");
    let proxy = client.status("x").await.expect_err("a proxy's 404");
    assert!(matches!(proxy.kind, ReplicationErrorKind::Status { status: 404, .. }), "{proxy}");
}

#[tokio::test]
async fn connections_are_kept_between_calls() {
    let connect = FakeConnect::start().await;
    let client = ConnectClient::new(&connect.url).expect("an address");
    client.root().await.expect("there");
    for _ in 0..50 {
        client.status(SOURCE).await.expect("there");
    }
    // One that is not back yet when the next call begins is not waited for.
    let peers = connect.lock().peers.len();
    assert!((1..10).contains(&peers), "{peers} connections");
}
