//! A session ends for want of use, and what an open page does by itself is no use.

use axum::http::Method;
use serde_json::json;

use crate::{
    session::{Reply, Session},
    test_app::{TestApp, id},
};

/// What htmx sends with what it asks for.
const BY_SCRIPT: [(&str, &str); 2] = [("accept", "text/html"), ("hx-request", "true")];
const BY_BROWSER: [(&str, &str); 1] = [("accept", "text/html")];

/// Makes the last use of vera's sessions so many minutes older.
async fn rest(app: &TestApp, minutes: i32) {
    let sql = "update session set last_seen_at = last_seen_at - make_interval(mins => $1) where user_id = $2";
    sqlx::query(sql).bind(minutes).bind(id("vera")).execute(&app.app.pool).await.unwrap();
}

/// Whether vera's session counts as used in the last minutes.
async fn used(app: &TestApp) -> bool {
    let sql =
        "select last_seen_at > clock_timestamp() - interval '30 minutes' from session where user_id = $1";
    sqlx::query_scalar(sql).bind(id("vera")).fetch_one(&app.app.pool).await.unwrap()
}

async fn get(browser: &Session<'_>, path: &str, headers: &[(&str, &str)]) -> Reply {
    browser.request(Method::GET, path, None, headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_that_reads_itself_again_does_not_keep_its_session() {
    let app = TestApp::with_pair().await;
    let vera = app.as_browser_of("vera").await;
    let by_itself: [(&str, &[(&str, &str)]); 5] = [
        ("/", &BY_SCRIPT),
        ("/pairs/orders?hours=24", &BY_SCRIPT),
        ("/?by=itself", &BY_BROWSER),
        ("/alarms?by=itself", &BY_BROWSER),
        ("/pairs/orders?hours=24&by=itself", &BY_BROWSER),
    ];
    rest(&app, 100).await;
    for (path, headers) in by_itself {
        let page = get(&vera, path, headers).await;
        assert_eq!(page.status, 200, "it is shown while the session lasts: {path}: {}", page.text);
        assert!(!used(&app).await, "{path}");
        let marked = page.text.matches("by=itself").count();
        assert_eq!(marked, 1, "its links and forms are not marked: {path}: {}", page.text);
    }
    rest(&app, 20).await;
    for (path, headers) in by_itself {
        let page = get(&vera, path, headers).await;
        assert_eq!(page.status, 303, "{path}: {}", page.text);
        assert!(page.header("location").starts_with("/sign-in"), "{path}: {}", page.header("location"));
        assert!(
            !page.header("location").contains("itself"),
            "who signs in is there: {}",
            page.header("location")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_on_a_page_keeps_their_session() {
    let app = TestApp::with_pair().await;
    let vera = app.as_browser_of("vera").await;
    for path in ["/", "/pairs/orders", "/runs?text=by+itself", "/account"] {
        rest(&app, 110).await;
        assert_eq!(get(&vera, path, &BY_BROWSER).await.status, 200, "{path}");
        assert!(used(&app).await, "{path}");
    }
    // A form is somebody's, whatever it is sent by, and also one they may not send.
    rest(&app, 110).await;
    let form = vera
        .send(
            Method::POST,
            "/pairs/orders/translation?by=itself",
            Some("application/x-www-form-urlencoded"),
            "from=".to_owned(),
            &[("accept", "text/html"), ("sec-fetch-site", "same-origin"), ("hx-request", "true")],
        )
        .await;
    assert_eq!(form.status, 403, "{}", form.text);
    assert!(used(&app).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_asks_keeps_its_session() {
    let app = TestApp::with_pair().await;
    let vera = app.as_user("vera").await;
    rest(&app, 110).await;
    assert_eq!(vera.get("/api/v1/session").await.done()["name"], json!("vera"));
    assert!(used(&app).await);
}
