//! The standing canary on the doubles, turn by turn, and through the front.

mod asked;
mod not_written;
mod processes;
mod seen;

use std::time::Duration;

use muster_app::{
    loops::canary::{CanaryLoop, CanaryMemory, Turned},
    process::telemetry::Beat,
};
use muster_domain::{ids::PairName, survey::ConnectorRole};
use muster_kafka::double::Fault;
use serde_json::{Value, json};

use crate::test_app::TestApp;

const TOPIC: &str = "orders.canary";
const BOUND_MS: u64 = 60_000;

fn name() -> PairName {
    PairName::new("orders").unwrap()
}

fn carrier(app: &TestApp, worker: &str) -> CanaryLoop {
    CanaryLoop {
        pool: app.app.pool.clone(),
        clients: app.app.hands.clone(),
        worker: worker.to_owned(),
        beat: Beat::default(),
    }
}

/// A Muster whose pair has a canary that is due every five seconds, observed.
async fn with_canary() -> TestApp {
    let app = TestApp::with_pair().await;
    let edit = json!({"canary_topic": TOPIC, "canary_seconds": 5});
    app.as_user("olga").await.patch("/api/v1/pairs/orders", edit).await.done();
    app.observe("orders").await;
    app
}

/// The same after its records were seen.
pub(crate) async fn measured() -> TestApp {
    let app = with_canary().await;
    let mut memory = CanaryMemory::default();
    for _ in 0..2 {
        turn(&app, &mut memory).await;
    }
    app
}

/// One turn by the process that observes the pair.
async fn turn(app: &TestApp, memory: &mut CanaryMemory) -> Turned {
    carrier(app, "test").turn(&name(), memory).await.unwrap()
}

async fn canary(app: &TestApp) -> Value {
    app.as_user("vera").await.get("/api/v1/pairs/orders/canary").await.done()
}

async fn check(app: &TestApp) -> (String, String) {
    app.observe("orders").await;
    let readiness = app.as_user("vera").await.get("/api/v1/pairs/orders/readiness").await.done();
    let found = readiness["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["code"] == "canary")
        .unwrap()
        .clone();
    (found["status"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
}

/// Clusters on which a canary was written, one for each record.
fn written(app: &TestApp) -> Vec<String> {
    let state = app.small.world.lock();
    let writes = state.journal.iter().filter(|call| call.verb == "write" && call.object.starts_with(TOPIC));
    writes.map(|call| call.place.clone()).collect()
}

/// As if everything that is kept had happened so many seconds earlier, the last turn excepted: time passes, the loop lives.
async fn time_passes(app: &TestApp, seconds: i64) {
    let sql = "update canary set body = body
        || case when body -> 'since' = 'null' then '{}'
            else jsonb_build_object('since', (body ->> 'since')::timestamptz - make_interval(secs => $1)) end
        || case when body -> 'outstanding' = 'null' then '{}'
            else jsonb_build_object('outstanding', body -> 'outstanding' || jsonb_build_object(
                'since', (body -> 'outstanding' ->> 'since')::timestamptz - make_interval(secs => $1))) end
        || case when body -> 'seen' = 'null' then '{}'
            else jsonb_build_object('seen', body -> 'seen' || jsonb_build_object(
                'seen_at', (body -> 'seen' ->> 'seen_at')::timestamptz - make_interval(secs => $1))) end";
    sqlx::query(sql).bind(seconds as f64).execute(&app.app.pool).await.unwrap();
}

/// As if the newest record had been seen so many seconds before the last turn ended, however slow this machine is.
async fn not_seen_for(app: &TestApp, seconds: i64) {
    let sql = "update canary set body = body || jsonb_build_object(
            'since', (body ->> 'turned_at')::timestamptz - interval '1 hour',
            'seen', body -> 'seen' || jsonb_build_object(
                'seen_at', (body ->> 'turned_at')::timestamptz - make_interval(secs => $1)))
        where body -> 'seen' <> 'null'";
    sqlx::query(sql).bind(seconds as f64).execute(&app.app.pool).await.unwrap();
}
