//! What was observed and recorded, and what the installation is, by command: tables for people, the whole reply for programs.

use serde_json::Value;

use super::Shell;
use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_observed_of_a_pair_is_read_by_command() {
    let app = TestApp::with_pair().await;
    let vera = Shell::of(&app, &app.serve().await, "vera").await;
    let survey: Value = serde_json::from_str(&vera.muster("pairs survey orders").await.done()).unwrap();
    assert_eq!((&survey["pair"], &survey["number"]), (&"orders".into(), &2.into()));
    let topics = vera.muster("pairs topics orders").await.done();
    assert!(topics.starts_with("As a survey saw them at ") && topics.contains("NOT IN SYNC"), "{topics}");
    let row = |line: &&str| line.starts_with("eu-west ") && line.contains(" orders.placed ");
    assert_eq!(topics.lines().filter(row).count(), 1, "{topics}");
    let kept = "select group_id from recorder_track where group_id <> '' order by number";
    let group: String = sqlx::query_scalar(kept).fetch_one(&app.app.pool).await.unwrap();
    let groups = vera.muster("pairs groups orders").await.done();
    assert!(groups.contains("PARTITIONS WITH A POSITION") && groups.contains(&group), "{groups}");
    let changes = vera.muster("pairs changes orders --limit 3").await.done();
    assert!(changes.starts_with("AT ") && changes.lines().count() == 4, "{changes}");

    let stands = vera.run(["pairs", "positions", "orders", "--group", &group]).await.done();
    assert!(stands.starts_with(&format!("{group} on eu-west, as a survey saw it at ")), "{stands}");
    let nobody = vera.muster("pairs positions orders --group nobody").await.done();
    assert!(nobody.starts_with("Nothing is kept of where nobody stood on eu-west at "), "{nobody}");
    let configs = vera.muster("pairs facts orders").await.done();
    assert!(configs.starts_with("The configs of eu-west, seen so first at "), "{configs}");
    assert!(configs.contains("they are so still") && configs.contains("orders.placed"), "{configs}");
    let never =
        vera.muster("pairs facts orders --kind acls --cluster eu-central --at 2020-01-01T00:00:00Z").await;
    assert_eq!(never.done(), "The acls of eu-central had not been read by 2020-01-01T00:00:00Z.\n");
    let elsewhere = Shell::of(&app, &vera.url, "outis").await.muster("pairs survey orders").await;
    assert!(elsewhere.code == 1 && elsewhere.err.contains("(forbidden)"), "{elsewhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_installation_is_set_to_is_read_by_command() {
    let app = TestApp::with_pair().await;
    let url = app.serve().await;
    let (ada, vera) = (Shell::of(&app, &url, "ada").await, Shell::of(&app, &url, "vera").await);
    let settings = ada.muster("settings").await.done();
    assert!(settings.starts_with(concat!("Muster ", env!("CARGO_PKG_VERSION"), " at http://muster.test\n")));
    assert!(settings.contains("MUSTER_LISTEN") && settings.contains("SAID BY"), "{settings}");
    let refused = vera.muster("settings").await;
    assert!(refused.code == 1 && refused.err.contains("(forbidden)"), "{refused:?}");
    assert_eq!(ada.muster("whoami").await.done(), "ada: admin\n");
    assert_eq!(vera.muster("whoami").await.done(), format!("vera: viewer of {}\n", app.team));
    let calendar = vera.muster("schedules calendar").await.done();
    assert!(calendar.starts_with("BEGIN:VCALENDAR\r\n"), "{calendar}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_read_and_acknowledged_by_command() {
    let app = TestApp::with_pair().await;
    crate::alarms::alarm(&app).await;
    let otto = Shell::of(&app, &app.serve().await, "otto").await;
    let id = crate::alarms::ALARM.to_string();
    let shown = otto.run(["alarms", "show", &id]).await.done();
    let lines: Vec<&str> = shown.lines().collect();
    let head = format!("({id}) of orders, eu-west → eu-central: replication-hole, open");
    assert!(lines[0].ends_with(&head), "{shown}");
    assert!(
        lines[2].starts_with("Since: before ") && lines[2].ends_with(" when Muster first looked"),
        "{shown}"
    );
    assert_eq!(
        [&lines[1..2], &lines[3..]].concat(),
        [
            "Records of `orders.placed` were removed from `eu-west` before they were copied.",
            "Lost: at most 700 records",
            "Where: orders.placed-0 offsets 1000 to 1699",
            "Concluded from: The first offset is past the last one copied.",
            "Next: Look whether they can be written again.",
            "Command: kafka-configs.sh --describe",
        ]
    );
    let json: Value =
        serde_json::from_str(&otto.run(["alarms", "show", &id, "--json"]).await.done()).unwrap();
    assert_eq!((&json["id"], &json["alarm"]["lost"]["at_most"]), (&id.as_str().into(), &700.into()));
    let told = otto.run(["alarms", "acknowledge", &id, "--comment", "test orders"]).await;
    assert!(told.done().ends_with(", acknowledged by otto: test orders\n"));
}
