//! Many follow one run: each is told everything once and in order, however late it comes and however slowly it reads.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use muster_app::app::App;
use muster_domain::hash::sha256_hex;
use muster_store::{
    run_events::{self, NewEvent},
    tokens,
};
use serde_json::json;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    session::Session,
    test_app::{TestApp, id},
};

const EVENTS: i64 = 240;

async fn open(app: &TestApp, run: Uuid, token: &str) -> Body {
    let request = Request::get(format!("/api/v1/runs/{run}/events"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, "text/event-stream");
    app.begin(request.body(Body::empty()).unwrap()).await.into_body()
}

fn read(body: Body) -> JoinHandle<String> {
    tokio::spawn(
        async move { String::from_utf8(to_bytes(body, 10_000_000).await.unwrap().to_vec()).unwrap() },
    )
}

async fn write(pool: &PgPool, run: Uuid) -> i64 {
    let mut tx = muster_store::begin(pool).await.unwrap();
    let detail = json!({});
    let event = NewEvent { epoch: 0, step: Some("drain"), kind: "note", message: "still going", detail };
    let number = run_events::append(&mut tx, run, &event).await.unwrap();
    tx.commit().await.unwrap();
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_everything_once_in_order() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let listening = CancellationToken::new();
    let listens = tokio::spawn(app.app.watch.clone().listen(app.app.pool.clone(), listening.clone()));
    let token = app.token_of("vera").await;
    let mut followers = vec![read(open(&app, run, &token).await)];
    // Nobody reads this one before the end.
    let slow = open(&app, run, &token).await;
    let mut last = 0;
    while last < EVENTS {
        last = write(&app.app.pool, run).await;
        if last % 10 == 0 {
            followers.push(read(open(&app, run, &token).await));
        }
    }
    app.as_user("abel")
        .await
        .post(&format!("/api/v1/runs/{run}/reject"), json!({"comment": "no"}))
        .await
        .done();
    followers.push(read(slow));
    let ended: i64 = sqlx::query_scalar("select last_event from run where id = $1")
        .bind(run)
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    let expected: Vec<String> = (1..=ended).map(|number| number.to_string()).collect();
    for follower in followers {
        let told = tokio::time::timeout(Duration::from_secs(60), follower).await.expect("it ends").unwrap();
        let ids: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        assert_eq!(ids, expected);
        assert!(told.ends_with("event: end\ndata: {}\n\n"), "{told}");
    }
    listening.cancel();
    listens.await.unwrap();
}

/// An API token of somebody, and its id.
async fn token(app: &TestApp, who: &str, name: &str) -> (Uuid, String) {
    let (token, secret) = (Uuid::now_v7(), format!("muster_{name}"));
    let mut conn = app.app.pool.acquire().await.unwrap();
    let hash = sha256_hex(secret.as_bytes());
    tokens::insert(&mut conn, token, name, id(who), &hash, &[], 3600.0).await.unwrap();
    (token, format!("Bearer {secret}"))
}

/// What a stream that was cut off had told.
async fn cut_off(follower: JoinHandle<String>, why: &str) -> String {
    let told = tokio::time::timeout(Duration::from_secs(60), follower).await;
    let told = told.unwrap_or_else(|_| panic!("{why}: the stream goes on")).unwrap();
    assert!(!told.contains("event: end"), "{why}: {told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_no_longer_is_told_no_more() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let process = app.process(App { look_again: Duration::from_millis(20), ..app.app.clone() });
    let api = format!("/api/v1/runs/{run}/events");
    #[expect(clippy::async_yields_async, reason = "the stream is followed while other things happen")]
    let follow = async |session: Session<'_>, path: &str| {
        let session = session.at(&process);
        let begun = session.knock(Method::GET, path, None, &[("accept", "text/event-stream")]).await;
        assert_eq!(begun.status(), 200);
        read(begun.into_body())
    };
    let stays = follow(app.as_user("otto").await, &api).await;
    let ada = app.as_user("ada").await;

    let mira = app.as_user("mira").await;
    let streams = [
        follow(app.as_user("mira").await, &api).await,
        follow(app.as_browser_of("mira").await, &format!("/runs/{run}/events")).await,
    ];
    mira.delete("/api/v1/sessions").await;
    for (stream, what) in streams.into_iter().zip(["her sessions ended", "her browser's session ended"]) {
        cut_off(stream, what).await;
    }

    let (made, bearer) = token(&app, "anna", "annas").await;
    let stream = follow(Session::new(&app, Some(("authorization", bearer))), &api).await;
    assert_eq!(ada.delete(&format!("/api/v1/tokens/{made}")).await.status, 204);
    cut_off(stream, "the token was revoked").await;

    let (_, bearer) = token(&app, "vera", "veras").await;
    let stream = follow(Session::new(&app, Some(("authorization", bearer))), &api).await;
    ada.patch("/api/v1/users/vera", json!({"grants": []})).await.done();
    cut_off(stream, "she has no role of this team any more").await;

    let (_, bearer) = token(&app, "abel", "abels").await;
    let stream = follow(Session::new(&app, Some(("authorization", bearer))), &api).await;
    ada.patch("/api/v1/users/abel", json!({"disabled": true})).await.done();
    let told = cut_off(stream, "he is disabled").await;
    let last = write(&app.app.pool, run).await;
    assert!(!told.contains(&format!("id: {last}\n")), "{told}");

    // Whoever may still read was told all of it.
    app.as_user("anna")
        .await
        .post(&format!("/api/v1/runs/{run}/reject"), json!({"comment": "no"}))
        .await
        .done();
    let told = tokio::time::timeout(Duration::from_secs(60), stays).await.expect("it ends").unwrap();
    assert!(told.contains(&format!("id: {last}\n")), "{told}");
    assert!(told.ends_with("event: end\ndata: {}\n\n"), "{told}");
}
