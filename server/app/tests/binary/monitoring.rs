//! Monitoring of a process: logs as JSON, the second listener, and a worker that has no other.

use serde_json::Value;

use crate::muster::{Dir, PASSWORD, Running, muster, run};

fn serve(dir: &Dir) -> std::process::Command {
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("MUSTER_ADMIN_PASSWORD", PASSWORD).env("MUSTER_METRICS_LISTEN", "127.0.0.1:0");
    command
}

/// The address in the line that tells of the second listener.
fn monitoring_url(running: &mut Running) -> String {
    let line = running.wait_for("figures for monitoring are at");
    let end = line.find("/metrics").unwrap();
    let begin = line[..end].rfind("http://").unwrap();
    line[begin..end].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_listener_tells_of_a_process_that_lives() {
    let dir = Dir::new();
    let mut serving = Running::serve(serve(&dir));
    let url = monitoring_url(&mut serving);
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("/readyz").await.0, 200);
    assert_eq!(get("/").await.0, 404);
    let (_, figures) = get("/metrics").await;
    for name in ["surveys", "engine", "schedules", "notifications", "housekeeping"] {
        assert!(
            figures.contains(&format!("muster_loop_last_success_timestamp_seconds{{loop=\"{name}\"}}")),
            "{figures}"
        );
    }
    let first = reqwest::get(format!("{}/metrics", serving.url)).await.unwrap();
    assert_eq!(first.status(), 401, "the first listener asks who it is");
    serving.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_each_line_is_a_document_and_those_of_a_request_have_its_id() {
    let dir = Dir::new();
    let mut command = serve(&dir);
    command.env("MUSTER_LOG_FORMAT", "json").env("MUSTER_LOG", "info,muster_app=debug");
    let mut serving = Running::start(command.args(["--listen", "127.0.0.1:0"]));
    let line: Value = serde_json::from_str(&serving.wait_for("Muster serves http")).unwrap();
    let url = format!("http://{}", line["address"].as_str().unwrap());
    let asked =
        reqwest::Client::new().get(format!("{url}/api/v1/pairs")).header("x-request-id", "from-the-proxy");
    assert_eq!(asked.send().await.unwrap().status(), 401);
    let line: Value = serde_json::from_str(&serving.wait_for("from-the-proxy")).unwrap();
    assert_eq!((&line["message"], &line["status"]), (&Value::from("answered"), &Value::from(401)));
    assert_eq!(line["spans"][0]["request.id"], "from-the-proxy");
    serving.signal("TERM");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
}

#[test]
fn a_taken_monitoring_address_is_said_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = Dir::new();
    let (code, _, err) =
        run(serve(&dir).env("MUSTER_METRICS_LISTEN", &address).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code, 1);
    assert!(err.contains(&format!("muster: could not listen on {address} (MUSTER_METRICS_LISTEN)")), "{err}");
    assert!(!dir.data().exists(), "nothing was made");
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_traces_says_that_it_sends_none() {
    let dir = Dir::new();
    let mut serving = Running::serve({
        let mut command = serve(&dir);
        command.env("MUSTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
        command
    });
    serving.wait_for("this build is without the feature `otlp`");
    serving.stop();
}
