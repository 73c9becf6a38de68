//! Bodies that are too large, clients that send nothing more, readers that never read.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::test_app::TestApp;

/// How long clients may be silent where they are: longer than a busy machine keeps one from saying what it is about to say.
const SILENCE: Duration = Duration::from_secs(3);
/// No answer may take longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_refused_whatever_they_are() {
    let app = TestApp::with_pair().await;
    let large = "x".repeat(10_000_000);
    let (otto, olga) = (app.as_user("otto").await, app.as_user("olga").await);
    let finding =
        otto.post("/api/v1/findings", json!({"pair": "orders", "text": large, "severity": "low"})).await;
    assert_eq!(finding.problem(), ("request-too-large".to_owned(), 413));
    let path = "/api/v1/pairs/import?team=core-platform";
    let import = olga.send(Method::POST, path, Some("text/plain"), large.clone(), &[]).await;
    assert_eq!(import.problem(), ("request-too-large".to_owned(), 413));
    let form = app.as_browser_of("olga").await.form("/pairs/import", &[("text", &large)]).await;
    assert_eq!(form.status, StatusCode::PAYLOAD_TOO_LARGE);
    for (action, entries) in [("finding.raise", 1), ("pair.import", 2)] {
        let audited = app.audited(action).await;
        assert_eq!(audited.len(), entries, "{action}");
        assert!(audited.iter().all(|entry| entry.2 == "refused"), "{audited:?}");
    }
}

async fn connect(url: &str) -> TcpStream {
    TcpStream::connect(url.trim_start_matches("http://")).await.unwrap()
}

/// All the server says until it closes the connection.
async fn until_closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // A connection that is reset is closed too.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    drop(read.expect("the server should close the connection"));
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_come_to_the_point_is_hung_up_on() {
    let app = TestApp::new().await;
    let url = app.serve_with(SILENCE).await;
    let silent = connect(&url).await;
    let mut dripping = connect(&url).await;
    dripping.write_all(b"GET /healthz HTTP/1.1\r\nhost: muster.test\r\nx-slow: ").await.unwrap();
    let (silent, dripping) = tokio::join!(until_closed(silent), until_closed(dripping));
    assert_eq!(silent, "");
    assert!(!dripping.contains(" 200 "), "{dripping}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_is_refused_and_audited() {
    let app = TestApp::with_pair().await;
    let url = app.serve_with(SILENCE).await;
    let token = app.token_of("otto").await;
    let mut stream = connect(&url).await;
    let head = format!(
        "POST /api/v1/findings HTTP/1.1\r\nhost: muster.test\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"pair\": "
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let said = until_closed(stream).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("\"code\":\"request-too-slow\""), "{said}");
    let entries = app.audited("finding.raise").await;
    assert_eq!(entries, [("otto".into(), "/api/v1/findings".into(), "refused".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_never_read_hold_up_nobody() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let url = app.serve().await;
    let token = app.token_of("otto").await;
    // Five times as many as there are connections to the database.
    let mut readers = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(&url).await;
        let head = format!(
            "GET /api/v1/runs/{run}/events HTTP/1.1\r\nhost: muster.test\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It has begun, and then nobody reads on.
        let begun = tokio::time::timeout(PATIENCE, stream.read_exact(&mut [0; 15])).await;
        begun.expect("the stream should begin").unwrap();
        readers.push(stream);
    }
    let asked = reqwest::Client::new().get(format!("{url}/api/v1/runs/{run}")).bearer_auth(&token).send();
    let reply = tokio::time::timeout(PATIENCE, asked).await.expect("others should be answered").unwrap();
    assert_eq!(reply.status(), 200);
    drop(readers);
}
