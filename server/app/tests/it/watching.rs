//! Many follow one run: each is told everything once and in order, however late it comes and however slowly it reads.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use muster_store::run_events::{self, NewEvent};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::test_app::TestApp;

const EVENTS: i64 = 240;

async fn open(app: &TestApp, run: Uuid, token: &str) -> Body {
    let request = Request::get(format!("/api/v1/runs/{run}/events"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, "text/event-stream");
    app.begin(request.body(Body::empty()).unwrap()).await.into_body()
}

fn read(body: Body) -> tokio::task::JoinHandle<String> {
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
