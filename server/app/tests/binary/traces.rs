//! A process that sends traces, and one whose collector is away.

use std::{net::TcpListener, time::Duration};

use crate::{
    collector::Collector,
    muster::{Dir, PASSWORD, Running, muster},
};

fn serve(dir: &Dir, endpoint: &str) -> Running {
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("MUSTER_ADMIN_PASSWORD", PASSWORD).env("MUSTER_OTLP_ENDPOINT", endpoint);
    Running::serve(command)
}

/// Asks for something; how it was answered.
async fn ask(serving: &Running) -> u16 {
    let asked = reqwest::Client::new().get(format!("{}/api/v1/pairs", serving.url));
    let answer = asked.header("x-request-id", "from-the-proxy").send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_of_a_request_arrives_at_the_collector_before_the_process_ends() {
    let collector = Collector::start();
    let dir = Dir::new();
    let serving = serve(&dir, &collector.url);
    assert_eq!(ask(&serving).await, 401);
    serving.stop();
    let spans = collector.spans();
    let named = |span: &&crate::collector::Span| {
        span.attributes.get("request.id").is_some_and(|id| id == "from-the-proxy")
    };
    let span = spans.iter().find(named).unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!((span.service.as_str(), span.name.as_str()), ("muster", "request"));
    assert_eq!(span.attributes["path"], "/api/v1/pairs");
    assert_eq!((span.trace.len(), span.id.len()), (16, 8), "{span:?}");
    assert!(span.parent.iter().all(|byte| *byte == 0), "nothing is above it: {span:?}");
    assert!(spans.iter().all(|span| span.service == "muster"), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_holds_nothing_up() {
    // Nobody listens on the one; on the other connections are made and nobody ever takes them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoints = ["http://127.0.0.1:1".to_owned(), format!("http://{}", silent.local_addr().unwrap())];
    for endpoint in endpoints {
        let dir = Dir::new();
        let mut serving = serve(&dir, &endpoint);
        let asked = async {
            for _ in 0..50 {
                assert_eq!(ask(&serving).await, 401);
            }
        };
        // A silent collector is given 10 s; requests that each waited for it would take more than 8 minutes.
        let answered = tokio::time::timeout(Duration::from_secs(240), asked).await;
        answered.unwrap_or_else(|_| panic!("requests wait for {endpoint}"));
        serving.wait_for("does not take traces; they are lost until it does");
        let ready = reqwest::get(format!("{}/readyz", serving.url)).await.unwrap();
        assert_eq!(ready.status(), 200, "{endpoint}");
        // What is still to be sent does not keep it.
        serving.signal("TERM");
        let (code, log) = serving.ended();
        assert_eq!(code, Some(0), "{endpoint}: {log}");
        assert_eq!(log.matches("does not take traces").count(), 1, "{log}");
    }
}

#[test]
fn an_endpoint_that_is_no_address_is_said_and_no_reason_to_end() {
    let dir = Dir::new();
    let mut serving = serve(&dir, "collector:4318");
    serving.wait_for("no traces are sent: MUSTER_OTLP_ENDPOINT `collector:4318` is no address");
    serving.stop();
}
