//! What a command asks for again: a password, when it was not shown for a while who is there; an answer that was lost. And what it
//! refuses: to write over what somebody else has edited.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{Method, StatusCode},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use muster_app::process::serve::serve_http;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, Shell, grow_late};
use crate::test_app::TestApp;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve_http(listener, router, PATIENCE, CancellationToken::new()));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_needs_somebody_who_is_there_asks_for_the_password_and_is_done() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (ada, olga) = (Shell::of(&app, &url, "ada").await, Shell::of(&app, &url, "olga").await);
    let file = |name: &str, body: Value| ada.file(name, &body.to_string());
    let cluster = file("west.json", json!({"name": "west", "bootstrap": ["b1:9092"]}));
    let moved = file("moved.json", json!({"region": "us"}));
    let grants = json!([{"role": "viewer", "team": null}]);
    let person =
        file("nora.json", json!({"name": "nora", "password": "horse battery staple", "grants": grants}));
    let disabled = file("disabled.json", json!({"disabled": true}));
    let shows = file("shows.json", json!({"show_payload": true}));
    let lines = [
        (&ada, "ada", format!("clusters create {cluster}")),
        (&ada, "ada", format!("clusters edit west {moved}")),
        (&ada, "ada", format!("people create {person}")),
        (&ada, "ada", format!("people edit nora {disabled}")),
        (&ada, "ada", "tokens create robot --days 1".to_owned()),
        (&olga, "olga", format!("pairs edit orders {shows}")),
    ];
    for (shell, who, line) in &lines {
        grow_late(&app, who).await;
        let alone = shell.run_alone(line.split(' ')).await;
        assert_eq!((alone.code, alone.out.as_str()), (1, ""), "{line}");
        assert!(alone.err.contains("(reauthentication-needed)"), "{line}: {}", alone.err);
        assert!(alone.err.contains("there is no terminal to ask for the password on: set MUSTER_PASSWORD"));
        shell.muster(line).await.done();
    }
    assert_eq!(app.audited("session.reauthenticate").await.len(), lines.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_is_not_asked_for_a_password() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let olga = Shell::of(&app, &url, "olga").await;
    let made: Value =
        serde_json::from_str(&olga.muster("tokens create robot --days 1").await.done()).unwrap();
    let mut robot = Shell::of(&app, &url, "nobody").await;
    robot.token = Some(made["token"].as_str().unwrap().to_owned());
    let (_, run) = crate::runs::requested(&app).await;
    let line = format!("run break-glass {run} --pair orders --reason alone");
    let refused = robot.muster(&line).await;
    assert!(refused.code == 1 && refused.err.contains("an API token does not show that"), "{refused:?}");
    assert!(app.audited("session.reauthenticate").await.is_empty());
}

/// A server on which somebody else edits clusters just before each edit arrives.
async fn edited_meanwhile(app: &TestApp) -> String {
    let pool = app.app.pool.clone();
    let edit = move |request: Request, next: Next| {
        let pool = pool.clone();
        async move {
            if request.method() == Method::PATCH {
                sqlx::query("update cluster set version = version + 1").execute(&pool).await.unwrap();
            }
            next.run(request).await
        }
    };
    serve(app.router().clone().layer(from_fn(edit))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_writes_over_nothing_that_somebody_else_has_edited() {
    let app = TestApp::with_pair().await;
    let ada = Shell::of(&app, &edited_meanwhile(&app).await, "ada").await;
    let file = ada.file("edit.json", &json!({"region": "us"}).to_string());
    let refused = ada.muster(&format!("clusters edit eu-west {file}")).await;
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("edited by somebody else since it was read"), "{}", refused.err);
    assert!(refused.err.contains("Look at it as it is now (`show`)"), "{}", refused.err);

    let ada = Shell::of(&app, &app.serve().await, "ada").await;
    let shown: Value = serde_json::from_str(&ada.muster("clusters show eu-west").await.done()).unwrap();
    assert_ne!(shown["region"], "us");
    let file = ada.file("edit.json", &json!({"region": "us"}).to_string());
    let read = format!("clusters edit eu-west {file} --if-version {}", shown["version"]);
    ada.muster(&read).await.done();
    // Who read it before that edit is told.
    let stale = ada.muster(&read).await;
    assert!(stale.code == 1 && stale.err.contains("(edited-in-between)"), "{stale:?}");
    ada.muster(&format!("clusters edit eu-west {file}")).await.done();
}

/// A server whose answers to the first two posts are lost when all is done: a proxy answers instead, then the connection breaks.
async fn losing_answers(app: &TestApp) -> String {
    let posts = Arc::new(AtomicUsize::new(0));
    let lose = move |request: Request, next: Next| {
        let posts = Arc::clone(&posts);
        async move {
            let before = match *request.method() == Method::POST {
                true => posts.fetch_add(1, Ordering::SeqCst),
                false => usize::MAX,
            };
            let answer = next.run(request).await;
            match before {
                0 => StatusCode::BAD_GATEWAY.into_response(),
                1 => {
                    let cut = Err::<Bytes, _>(io::Error::other("the connection breaks"));
                    Response::new(Body::from_stream(stream::iter([cut])))
                }
                _ => answer,
            }
        }
    };
    serve(app.router().clone().layer(from_fn(lose))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_made_once_though_its_answer_is_lost() {
    let app = TestApp::with_pair().await;
    let otto = Shell::of(&app, &losing_answers(&app).await, "otto").await;
    let raised = otto.run(["findings", "raise", "orders", "--text", "DNS is cached"]).await;
    assert_eq!(raised.code, 0, "{raised:?}");
    assert_eq!(raised.err.matches("It may have been done: asking again").count(), 2, "{}", raised.err);
    let made: Value = serde_json::from_str(&raised.out).unwrap();
    let listed: Value = serde_json::from_str(&otto.muster("findings list --json").await.done()).unwrap();
    let ids: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect();
    assert_eq!(ids, [&made["id"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_answers_at_all_nothing_is_asked_again() {
    let app = TestApp::new().await;
    let shell = Shell::of(&app, "http://127.0.0.1:9", "otto").await;
    let nobody = shell.run(["findings", "raise", "orders", "--text", "DNS is cached"]).await;
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("no answer from http://127.0.0.1:9"), "{}", nobody.err);
    assert!(!nobody.err.contains("asking again"), "{}", nobody.err);
}
