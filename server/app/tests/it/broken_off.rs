//! What breaks off in the middle is not called undone: nobody knows, and the answer says so.

use axum::{
    Router,
    http::{Method, StatusCode},
    routing::post,
};
use muster_app::{app::App, http::layers};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use crate::{session::Reply, test_app::TestApp};

/// Whoever commits a request of a run loses the connection while the database commits.
const BREAK_OFF: &str = "create function break_off() returns trigger language plpgsql as $$
    begin
        perform pg_terminate_backend(pg_backend_pid());
        perform pg_sleep(60);
        return null;
    end $$;
    create constraint trigger break_off after insert on audit_entry
    deferrable initially deferred for each row
    when (new.action = 'run.request') execute function break_off()";

#[track_caller]
fn away(answer: &Reply) -> (String, String) {
    assert_eq!(answer.problem(), ("database-unavailable".to_owned(), 503));
    let problem = answer.json();
    let word = |key: &str| problem[key].as_str().unwrap().to_owned();
    (word("detail"), word("next_step"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_at_the_commit_leaves_open_whether_it_was_done() {
    let app = TestApp::with_pair().await;
    let otto = app.as_user("otto").await;
    let plan = otto.post("/api/v1/pairs/orders/plans", crate::runs::quick()).await.done();
    let asked = json!({"plan": plan["id"], "reason": "brokers are slow"});
    sqlx::raw_sql(BREAK_OFF).execute(&app.app.pool).await.unwrap();

    let (detail, next) = away(&otto.post("/api/v1/runs", asked.clone()).await);
    assert!(detail.contains("It is not known whether what was asked for was done"), "{detail}");
    assert!(!detail.to_lowercase().contains("nothing was changed"), "{detail}");
    assert!(next.starts_with("Look at the state of what you acted on"), "{next}");
    let key = [("idempotency-key", "once")];
    let ask = async || otto.request(Method::POST, "/api/v1/runs", Some(asked.clone()), &key).await;
    let (detail, next) = away(&ask().await);
    assert!(detail.contains("It is not known"), "{detail}");
    assert!(next.starts_with("Repeat it with the same Idempotency-Key"), "{next}");
    // People read the same on a page.
    let fields = [("plan_hash", plan["hash"].as_str().unwrap()), ("reason", "brokers are slow")];
    let path = format!("/plans/{}/request", plan["id"].as_str().unwrap());
    let page = app.as_browser_of("otto").await.form(&path, &fields).await;
    assert_eq!(page.status, 503, "{}", page.text);
    assert!(page.text.contains("It is not known whether what was asked for was done"), "{}", page.text);

    sqlx::query("drop trigger break_off on audit_entry").execute(&app.app.pool).await.unwrap();
    let run = ask().await.done()["id"].clone();
    assert_eq!(ask().await.done()["id"], run);
    assert_eq!(otto.get("/api/v1/runs").await.done()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_begun_changed_nothing() {
    let app = TestApp::with_pair().await;
    let pool = PgPoolOptions::new().connect_lazy_with(app.connect_options());
    pool.close().await;
    let process = app.process(App { pool, ..app.app.clone() });
    let otto = app.as_user("otto").await.at(&process);
    let (detail, _) = away(&otto.post("/api/v1/pairs/orders/plans", crate::runs::quick()).await);
    assert_eq!(detail, "Muster's database does not answer. Nothing was changed.");
    let (detail, _) = away(&otto.get("/api/v1/pairs").await);
    assert_eq!(detail, "Muster's database does not answer.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_may_read_is_served_while_the_database_is_away() {
    let app = TestApp::new().await;
    let pool = PgPoolOptions::new().connect_lazy_with(app.connect_options());
    pool.close().await;
    let process = app.process(App { pool, ..app.app.clone() });
    // Whoever comes from an alert is signed in, as far as their browser knows.
    let otto = app.as_browser_of("otto").await.at(&process);
    for (path, part) in [("/runbooks", "the-database-does-not-answer"), ("/operating", "backup-and-restore")]
    {
        let page = otto.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(page.text.contains(&format!(" id=\"{part}\"")), "{path}: {}", page.text);
    }
    assert_eq!(otto.get(&muster_web::assets::asset_path("pages.css")).await.status, 200);
    let fleet = otto.get("/").await;
    assert_eq!(fleet.problem(), ("database-unavailable".to_owned(), 503));
    assert!(fleet.json()["next_step"].as_str().unwrap().ends_with("/runbooks."), "{}", fleet.text);
}

async fn breaks_off() -> StatusCode {
    panic!("a fault of the test")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_inside_leaves_it_open_too() {
    let app = TestApp::new().await;
    let router = Router::new().route("/act", post(breaks_off));
    let router = layers::wrap(router, &app.app, std::time::Duration::from_secs(75)).unwrap();
    let answer = app.as_user("otto").await.at(&router).post("/act", json!({})).await;
    assert_eq!(answer.problem(), ("internal".to_owned(), 500));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("it is not known whether it was made"), "{detail}");
    assert!(!detail.to_lowercase().contains("nothing was changed"), "{detail}");
}
