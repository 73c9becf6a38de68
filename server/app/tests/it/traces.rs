//! Spans of a run and its steps, as a collector gets them. Those of whole processes are in the tests of the binary.

use muster_app::process::{config::LogConfig, logs};
use serde_json::json;

use crate::{
    collector::{Collector, Span},
    test_app::TestApp,
};

// One thread: what spans go to is this thread's only.
#[tokio::test]
async fn a_run_and_each_of_its_steps_arrive_as_one_trace_with_the_id_of_the_run() {
    let app = TestApp::with_pair().await;
    let (_, run) = crate::runs::requested(&app).await;
    let act = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    app.as_user("abel").await.post(&act("approve"), json!({})).await.done();
    app.as_user("otto").await.post(&act("start"), json!({})).await.done();
    let collector = Collector::start();
    // Spans are of every level; lines are not what this is about.
    let config = LogConfig {
        log: "error".to_owned(),
        log_format: "text".to_owned(),
        otlp_endpoint: Some(collector.url.clone()),
    };
    let (subscriber, logs, troubles) = logs::prepare(&config);
    assert_eq!(troubles, Vec::<String>::new());
    let guard = tracing::subscriber::set_default(subscriber);
    app.engine.run_pending().await.unwrap();
    // Renewing the lease was in the span of the run, and is dropped by the runtime.
    tokio::task::yield_now().await;
    drop(guard);
    // Sends what is left.
    drop(logs);

    let spans = collector.spans();
    let (run_id, steps): (String, Vec<&Span>) =
        (run.to_string(), spans.iter().filter(|span| span.name == "step").collect());
    let of_run: Vec<&Span> = spans
        .iter()
        .filter(|span| span.name == "run" && span.attributes.get("run.id") == Some(&run_id))
        .collect();
    assert!(!of_run.is_empty() && steps.len() > 5, "{spans:#?}");
    for step in &steps {
        let parent = of_run.iter().find(|run| run.id == step.parent);
        assert_eq!(parent.map(|run| &run.trace), Some(&step.trace), "{step:#?}");
    }
    let names: Vec<&str> = steps.iter().map(|step| step.attributes["step.name"].as_str()).collect();
    assert!(names.contains(&"rehearse_translation"), "{names:?}");
    assert!(spans.iter().all(|span| span.service == "muster"), "{spans:#?}");
}
