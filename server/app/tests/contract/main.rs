//! The API keeps what its description says, whatever it is sent: Schemathesis makes requests of the OpenAPI document of the
//! real `muster serve`, over a database in which people have worked.
//!
//! `./dev test` brings Schemathesis along; `MUSTER_SCHEMATHESIS` names another `st`, `MUSTER_SCHEMATHESIS_SEED` another seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../binary/muster.rs"]
#[expect(dead_code, reason = "this test needs less of it than those of the binary")]
mod muster;
#[path = "../it/session.rs"]
#[expect(dead_code, reason = "this test needs less of it than those of the router")]
mod session;
#[path = "../it/test_app.rs"]
#[expect(dead_code, reason = "this test needs less of it than those of the router")]
mod test_app;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use muster_domain::people::{Grant, Role};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use uuid::Uuid;

use crate::{
    muster::{Dir, Running, muster},
    test_app::TestApp,
};

/// The same requests every time, unless another one is asked for.
const SEED: &str = "20261124";

/// Somebody who may do everything, so that requests reach the handlers.
const EVERYTHING: &str = "everybody";

#[tokio::test(flavor = "multi_thread")]
async fn no_request_gets_an_answer_the_description_does_not_know() {
    let app = TestApp::with_pair().await;
    let token = add_somebody_who_may_do_everything(&app).await;
    let ids = let_people_work(&app).await;
    let dir = Dir::new();
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("DATABASE_URL", app.app.pool.connect_options().to_url_lossy().to_string());
    command.env("MUSTER_WRITES_PER_MINUTE", "1000000");
    command.env("MUSTER_SECRETS_KEY", STANDARD.encode([7_u8; 32]));
    let serving = Running::serve(command);

    let seed = std::env::var("MUSTER_SCHEMATHESIS_SEED").unwrap_or_else(|_| SEED.to_owned());
    let config = config(&dir, &token, &ids);
    // What removes things comes last, or there would be nothing left to ask about.
    let passes: [&[&str]; 3] = [
        &["--phases", "coverage"],
        &["--max-examples", "20", "--exclude-method", "DELETE"],
        &["--max-examples", "20", "--include-method", "DELETE"],
    ];
    for (pass, arguments) in passes.iter().enumerate() {
        let mut command = std::process::Command::new(schemathesis());
        command.arg("--no-color");
        if pass == 0 {
            command.env("PYTHONPATH", here()).env("SCHEMATHESIS_HOOKS", "nobody");
        } else {
            command.arg("--config-file").arg(&config);
        }
        command.arg("run").arg(format!("{}/api/openapi.json", serving.url)).args(["--seed", &seed]);
        command.args(*arguments).current_dir(&dir.0);
        let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
        assert!(status.success(), "Schemathesis found something; see above (seed {seed}, pass {pass})");
    }
    let log = serving.stop();
    let errors: Vec<&str> =
        log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).collect();
    assert_eq!(errors, Vec::<&str>::new());
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}

/// The configuration with what exists here.
fn config(dir: &Dir, token: &str, ids: &[(&str, String)]) -> PathBuf {
    let mut text = include_str!("schemathesis.toml").replace("${TOKEN}", token);
    for (name, id) in ids {
        text = text.replace(&format!("${{{}}}", name.to_uppercase()), id);
    }
    assert!(!text.contains("${"), "{text}");
    // Not under the name it would find by itself: nobody has no token.
    let file = dir.0.join("asking.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn schemathesis() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/schemathesis/bin/st");
    let st = std::env::var_os("MUSTER_SCHEMATHESIS").map_or(installed, PathBuf::from);
    assert!(st.exists(), "Schemathesis is not at {}: `./dev test` installs it", st.display());
    st
}

/// An API token of theirs: it cannot be ended by a request of the session's.
async fn add_somebody_who_may_do_everything(app: &TestApp) -> String {
    let roles = [Role::Owner, Role::Operator, Role::Approver, Role::Viewer, Role::Admin];
    let grants = roles.map(|role| Grant { role, team: None });
    let mut conn = app.app.pool.acquire().await.unwrap();
    muster_store::people::insert(&mut conn, test_app::id(EVERYTHING), EVERYTHING, EVERYTHING, None, &grants)
        .await
        .unwrap();
    let asked = json!({"name": "contract", "days": 1});
    let made = app.as_user(EVERYTHING).await.post("/api/v1/tokens", asked).await.done();
    made["token"].as_str().unwrap().to_owned()
}

/// A run that ended and one that waits, a schedule, findings, a channel: something under every kind of address.
async fn let_people_work(app: &TestApp) -> Vec<(&'static str, String)> {
    let (otto, abel, olga) =
        (app.as_user("otto").await, app.as_user("abel").await, app.as_user("olga").await);
    let asked = json!({"to": "eu-central", "rules": {"confirm_before_fence": false, "group_drain_seconds": 1,
        "catch_up_seconds": 10, "max_write_outage_seconds": 20, "transaction_grace_ms": 20, "resume_watch_seconds": 5}});
    let plan = otto.post("/api/v1/pairs/orders/plans", asked).await.done();
    let reason = json!({"plan": plan["id"], "reason": "brokers are slow"});
    let run = id(&otto.post("/api/v1/runs", reason).await.done());
    abel.post(&format!("/api/v1/runs/{run}/approve"), json!({"comment": "go"})).await.done();
    otto.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    let ended = otto.get(&format!("/api/v1/runs/{run}")).await.done();
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    let schedule = json!({"pair": "orders", "drill": "readiness_drill", "lead_days": 1,
        "cadence": {"every": "cron", "expression": "0 9 1 1 *"}});
    let schedule = olga.post("/api/v1/schedules", schedule).await.done();
    let finding =
        json!({"pair": "orders", "run": run, "text": "clients kept the old address", "severity": "low"});
    let finding = otto.post("/api/v1/findings", finding).await.done();
    let channel = json!({"team": app.team, "name": "room", "kind": "email", "events": ["ended"],
        "recipients": ["oncall@example.com"]});
    let channel = olga.post("/api/v1/channels", channel).await.done();
    let made = [("plan", &plan), ("schedule", &schedule), ("finding", &finding), ("channel", &channel)];
    let mut ids: Vec<(&str, String)> = made.map(|(name, value)| (name, id(value).to_string())).to_vec();
    ids.push(("run", run.to_string()));
    ids
}

fn id(value: &Value) -> Uuid {
    value["id"].as_str().unwrap().parse().unwrap()
}
