//! A run is watched on while the server is away.

use muster_app::process::serve::serve_http;
use muster_operations::decisions;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, Shell};
use crate::test_app::TestApp;

/// A server that is away at first: connections break, a proxy answers for it, its database is away. Then it serves.
async fn away_at_first(app: &TestApp) -> String {
    const BARE: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 7\r\nconnection: close\r\n\r\n<html/>";
    const PROBLEM: &str =
        r#"{"code": "database-unavailable", "detail": "d", "next_step": "n", "status": 503}"#;
    let problem = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{PROBLEM}",
        PROBLEM.len()
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = app.router().clone();
    tokio::spawn(async move {
        for answer in ["", BARE, &problem] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (mut head, mut part) = (Vec::new(), [0; 1024]);
            while !head.ends_with(b"\r\n\r\n") {
                let read = socket.read(&mut part).await.unwrap();
                head.extend_from_slice(&part[..read]);
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        serve_http(listener, router, PATIENCE, CancellationToken::new()).await
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_on_while_the_server_is_away() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let otto = Shell::of(&app, &away_at_first(&app).await, "otto").await;
    let watched = otto.run(["run", "watch", &run.to_string()]).await;
    assert_eq!(watched.code, 4, "{watched:?}");
    assert!(watched.out.contains("awaiting approval"), "{}", watched.out);
    assert!(watched.err.contains("no answer from"), "{}", watched.err);
    assert!(watched.err.contains("Asking again for 120 s"), "{}", watched.err);
    assert!(watched.err.contains("Muster answers again"), "{}", watched.err);
    // What does not pass by itself ends it.
    let gone = otto.run(["run", "watch", &uuid::Uuid::now_v7().to_string()]).await;
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("(not-found)"), "{}", gone.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_restored_run_no_act_is_offered_before_somebody_has_looked() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    let mut conn = app.app.pool.acquire().await.unwrap();
    decisions::park_restored(&mut conn).await.unwrap();
    drop(conn);
    let otto = Shell::of(&app, &app.serve().await, "otto").await;
    let watched = otto.run(["run", "watch", &run.to_string()]).await;
    assert_eq!(watched.code, 4, "{watched:?}");
    let next = "Next: look at both clusters, then do what `muster runbooks` says (A run was restored from a backup)\n";
    assert!(watched.out.ends_with(next), "{}", watched.out);
}
