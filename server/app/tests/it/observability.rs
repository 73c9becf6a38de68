//! Dashboard, alert rules and their runbooks name what there is.

use std::{collections::BTreeSet, time::Duration};

use muster_app::{
    loops::memory::Memory,
    process::telemetry::{self, LoopName},
};
use muster_domain::{alarm::AlarmCode, ids::PairName, notification::Severity};
use muster_store::leases;
use regex::Regex;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::TestApp;

const DASHBOARD: &str = include_str!("../../../../docs/observability/dashboard.json");
const ALERTS: &str = include_str!("../../../../docs/observability/alerts.yml");
const README: &str = include_str!("../../../../docs/observability/README.md");
const RUNBOOKS: &str = include_str!("../../../../docs/RUNBOOKS.md");

/// Names of figures in a text, without what a histogram adds.
fn named(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bmuster_[a-z0-9_]+[a-z]\b").unwrap();
    let rooms = ["muster_kafka", "muster_app"];
    name.find_iter(text)
        .map(|found| found.as_str())
        .filter(|name| !rooms.contains(name))
        .map(|name| {
            ["_bucket", "_count", "_sum"].iter().fold(name, |name, end| name.trim_end_matches(end)).to_owned()
        })
        .collect()
}

/// Names of figures of real scrapes: with a run that ended and one that waits, loops, lag in time, a message that waits
/// and a schedule.
async fn scraped() -> BTreeSet<String> {
    let app = TestApp::with_pair().await;
    crate::notifications::webhook(&app, "bot", "https://bot.example").await;
    let quarterly =
        json!({"pair": "orders", "cadence": {"every": "cron", "expression": "0 9 15 2,5,8,11 *"}});
    app.as_user("olga").await.post("/api/v1/schedules", quarterly).await.done();
    app.app.telemetry.loops.begin(LoopName::Engine, Duration::from_secs(60)).turned(true);
    app.as_user("vera").await.get("/api/v1/pairs").await.done();
    observe_with_history(&app).await;
    crate::alarms::alarm(&app).await;
    let mut text = telemetry::scrape(&app.app).await;
    let run = started(&app).await;
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/confirm"), json!({})).await.done();
    text.push_str(&telemetry::scrape(&app.app).await);
    app.engine.run_pending().await.unwrap();
    // No application of this world writes, so nobody sees the first write on the other side.
    sqlx::query("update run set outcome = jsonb_set(outcome, '{write_unavailability_ms}', '1855')")
        .execute(&app.app.pool)
        .await
        .unwrap();
    text.push_str(&telemetry::scrape(&app.app).await);
    text.push_str(&telemetry::scrape(&crate::canaries::measured().await.app).await);
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Lag in time is known only to whoever has watched for a while.
async fn observe_with_history(app: &TestApp) {
    let pair = PairName::new("orders").unwrap();
    let mut memory = Memory::default();
    for _ in 0..3 {
        let mut conn = app.app.pool.acquire().await.unwrap();
        let lease =
            leases::claim(&mut conn, &leases::survey_lease(&pair), "test", 60.0).await.unwrap().unwrap();
        drop(conn);
        app.surveys.observe(&pair, lease.epoch, &mut memory).await.unwrap();
    }
}

/// A run that waits for its driver.
async fn started(app: &TestApp) -> Uuid {
    let (_, run) = crate::runs::requested(app).await;
    app.as_user("abel").await.post(&format!("/api/v1/runs/{run}/approve"), json!({})).await.done();
    app.as_user("otto").await.post(&format!("/api/v1/runs/{run}/start"), json!({})).await.done();
    app.engine.run_pending().await.unwrap();
    run
}

fn rules() -> Vec<Value> {
    let alerts: Value = serde_yaml_ng::from_str(ALERTS).unwrap();
    let groups = alerts["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_the_documents_name_is_scraped_and_every_scraped_one_is_documented() {
    let scraped = scraped().await;
    for (what, text) in [("dashboard", DASHBOARD), ("alerts", ALERTS), ("README", README)] {
        let unknown: Vec<String> = named(text).difference(&scraped).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new(), "in the {what}");
    }
    let undocumented: Vec<String> = scraped.difference(&named(README)).cloned().collect();
    assert_eq!(undocumented, Vec::<String>::new());
}

#[test]
fn every_alert_says_what_is_wrong_and_how_bad_it_is() {
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        assert!(
            !named(rule["expr"].as_str().unwrap()).is_empty() || name == "MusterGone",
            "{name} asks for nothing"
        );
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for note in ["summary", "description"] {
            assert!(rule["annotations"][note].as_str().is_some_and(|text| text.len() > 10), "{name}: {note}");
        }
    }
    assert!(names.len() >= 10, "{names:?}");
}

/// What stands before the address of Muster in the rules, until it is put there.
const RUNBOOKS_AT: &str = "https://muster.example.org/runbooks#";

/// The parts of the runbooks that alerts lead to.
fn led_to() -> BTreeSet<String> {
    let part = |rule: &Value| {
        let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
        runbook.strip_prefix(RUNBOOKS_AT).unwrap_or_else(|| panic!("{runbook}")).to_owned()
    };
    rules().iter().map(part).collect()
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let (_, when_one_fires) = RUNBOOKS.split_once("\n## When an alert fires\n").unwrap();
    let section = when_one_fires.split("\n## ").next().unwrap();
    let heading = Regex::new("(?m)^### (.+)$").unwrap();
    let said: BTreeSet<String> = heading.captures_iter(section).map(|found| anchor(&found[1])).collect();
    assert_eq!(led_to(), said);
    // The address they are told to put there.
    assert!(README.contains(&format!("sed 's|{}|", RUNBOOKS_AT.trim_end_matches("/runbooks#"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alert_leads_to_is_served() {
    let app = TestApp::new().await;
    let page = app.as_user("nobody").await.get("/runbooks").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for part in led_to() {
        assert!(page.text.contains(&format!(" id=\"{part}\"")), "#{part}");
    }
}

#[test]
fn alarms_of_silent_loss_alert_as_loud_as_they_are_told() {
    let quiet: BTreeSet<&str> = AlarmCode::ALL
        .into_iter()
        .filter(|code| code.severity() != Severity::Critical)
        .map(AlarmCode::as_str)
        .collect();
    let rules = rules();
    for (alert, severity, codes) in
        [("MusterSilentLoss", "critical", "code!~\""), ("MusterSilentLossWarning", "warning", "code=~\"")]
    {
        let rule = rules.iter().find(|rule| rule["alert"] == alert).unwrap();
        assert_eq!(rule["labels"]["severity"], severity);
        let (_, listed) = rule["expr"].as_str().unwrap().split_once(codes).unwrap();
        let listed: BTreeSet<&str> = listed.split('"').next().unwrap().split('|').collect();
        assert_eq!(listed, quiet, "{alert}");
    }
}

/// As Markdown viewers make it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

#[test]
fn every_panel_asks_the_chosen_data_source_and_says_what_it_shows() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let variables: BTreeSet<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["name"].as_str().unwrap())
        .collect();
    let used = Regex::new(r"\$\{?([a-z]+)").unwrap();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{title}: its id is there twice");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            for variable in used.captures_iter(expression) {
                assert!(variables.contains(&variable[1]), "{title}: {expression}");
            }
        }
    }
}

/// Both as Prometheus itself reads them: the rules, and what is expected of them over time.
#[test]
fn prometheus_takes_the_alert_rules_and_they_fire_as_told() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join(".cache/promtool/usr/bin/promtool");
    let promtool = if own.exists() { own } else { "promtool".into() };
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let checked = std::process::Command::new(&promtool)
            .args(arguments)
            .current_dir(root.join("docs/observability"))
            .output()
            .unwrap_or_else(|e| panic!("{}: {e}; ./dev test brings it", promtool.display()));
        let said = [checked.stdout, checked.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(checked.status.success(), "promtool {arguments:?}: {said:?}");
    }
}
