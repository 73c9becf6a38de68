//! Every line logged for a request or a run has its id, in whatever room it was logged.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tracing::Level;

use crate::test_app::TestApp;

/// What was logged by this thread, a JSON document a line.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(crate) fn capture(&self, most: Level) -> tracing::subscriber::DefaultGuard {
        let (lines, json) = (self.clone(), tracing_subscriber::fmt().json().flatten_event(true));
        tracing::subscriber::set_default(
            json.with_max_level(most).with_writer(move || lines.clone()).finish(),
        )
    }

    /// Everything, as it was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of our own rooms and of the database's statements.
    fn ours(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| {
                let target = line["target"].as_str().unwrap();
                target.starts_with("muster") || target == "sqlx::query"
            })
            .collect()
    }
}

fn has(line: &Value, field: &str, value: &str) -> bool {
    line["spans"].as_array().is_some_and(|spans| spans.iter().any(|span| span[field] == value))
}

// One thread: the subscriber is this thread's only.
#[tokio::test]
async fn lines_of_a_request_have_its_id_whatever_level_is_logged() {
    for most in [Level::DEBUG, Level::ERROR] {
        let app = TestApp::with_pair().await;
        let otto = app.as_user("otto").await;
        sqlx::query("drop table survey").execute(&app.app.pool).await.unwrap();
        let lines = Lines::default();
        let guard = lines.capture(most);
        let answer = otto
            .request(
                axum::http::Method::GET,
                "/api/v1/pairs/orders/topics",
                None,
                &[("x-request-id", "from-the-proxy")],
            )
            .await;
        drop(guard);
        assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (500, "from-the-proxy"));
        let ours = lines.ours();
        assert!(ours.iter().any(|line| line["level"] == "ERROR"), "{ours:#?}");
        for line in &ours {
            assert!(has(line, "request.id", "from-the-proxy"), "{line:#}");
        }
    }
}

#[tokio::test]
async fn lines_of_a_run_have_its_id_and_those_of_a_step_its_name() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let act = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    app.as_user("abel").await.post(&act("approve"), json!({})).await.done();
    app.as_user("otto").await.post(&act("start"), json!({})).await.done();
    let lines = Lines::default();
    let guard = lines.capture(Level::INFO);
    app.engine.run_pending().await.unwrap();
    drop(guard);
    let ours = lines.ours();
    assert!(ours.len() > 10, "{ours:#?}");
    for line in &ours {
        assert!(has(line, "run.id", &run.to_string()), "{line:#}");
        if let Some(step) = line["step"].as_str() {
            assert!(has(line, "step.name", step), "{line:#}");
        }
    }
}
