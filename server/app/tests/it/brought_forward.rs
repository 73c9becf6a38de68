//! Surveys that are brought forward, since a connection to a cluster of the pair was closed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use muster_app::{loops::survey::SurveyLoop, standing::lag_history::LagHistory};
use muster_domain::{ids::PairName, pair::Side, readiness::CheckStatus, survey::Survey};
use muster_kafka::double::Health;
use muster_operations::survey::take_survey;
use muster_store::surveys;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    notifications::{webhook, written},
    processes::until,
    recorder::loss,
    test_app::TestApp,
};

/// The pair is observed by the loop until this is stopped.
struct Observed<'a> {
    app: &'a TestApp,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl<'a> Observed<'a> {
    /// By the process that has its lease, once a period.
    async fn every(app: &'a TestApp, period: Duration) -> Self {
        let before = newest(app).await.number;
        let shutdown = CancellationToken::new();
        let surveys = SurveyLoop { period, ..app.surveys.clone() };
        let this = Self { app, running: tokio::spawn(surveys.run(shutdown.clone())), shutdown };
        this.reaches(before + 1).await;
        this
    }

    async fn reaches(&self, number: i64) {
        until(&format!("survey {number}"), async || newest(self.app).await.number >= number).await;
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}

async fn newest(app: &TestApp) -> Survey {
    let mut conn = app.app.pool.acquire().await.unwrap();
    surveys::latest(&mut conn, &PairName::new("orders").unwrap()).await.unwrap().unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_stated_long_before_the_next_survey_is_due() {
    let app = TestApp::with_pair().await;
    let observed = Observed::every(&app, HOUR).await;
    let alive = newest(&app).await;
    assert!(!alive.brought_forward && alive.sides.a.cluster.value().is_some());
    app.small.world.set_health("eu-west", Health::Dead);
    observed.reaches(alive.number + 1).await;
    observed.stop().await;
    let dead = newest(&app).await;
    assert!(dead.brought_forward && dead.sides.a.cluster.value().is_none());
    let said = loss(&app).await;
    assert!(said["loss"]["total"]["records_at_most"].is_number(), "{said:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_a_living_cluster_closes_brings_a_look_and_nothing_else() {
    let app = TestApp::with_pair().await;
    let observed = Observed::every(&app, HOUR).await;
    let before = newest(&app).await.number;
    app.small.world.lock().cluster_mut("eu-central").close_connections();
    observed.reaches(before + 1).await;
    observed.stop().await;
    let after = newest(&app).await;
    assert!(after.brought_forward && after.sides.a.cluster.value().is_some());
    assert!(after.sides.b.cluster.value().is_some());
    let said = loss(&app).await;
    assert!(said["loss"].is_null(), "{said:#}");
}

/// Nothing is copied any more, but that takes a survey that is due to say.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_on_its_way_in_the_moment_before_it_is_told_nobody() {
    let app = TestApp::with_pair().await;
    webhook(&app, "bot", "https://a.example").await;
    app.small.world.ticks(20);
    app.small.west_to_central.flow().batch = 0;
    // It sees what was copied until now, and after it nothing is.
    let observed = Observed::every(&app, HOUR).await;
    let before = newest(&app).await.number;
    let states: Value = sqlx::query_scalar("select states from readiness where pair = 'orders'")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    let worst =
        states.as_object().unwrap().values().filter_map(|word| CheckStatus::parse(word.as_str()?)).max();
    assert!(worst < Some(CheckStatus::Unknown), "else nothing would be worse: {states:#}");
    // Not what the first survey of all could not tell.
    let told = "update readiness set told_status = $1, better_since = null where pair = 'orders'";
    sqlx::query(told).bind(worst.unwrap().as_str()).execute(&app.app.pool).await.unwrap();
    app.small.world.ticks(20);
    app.small.world.lock().cluster_mut("eu-central").close_connections();
    observed.reaches(before + 1).await;
    observed.stop().await;
    let sql = "select states ->> 'flow-moving' from readiness where pair = 'orders'";
    let moving = async || -> String { sqlx::query_scalar(sql).fetch_one(&app.app.pool).await.unwrap() };
    assert!(newest(&app).await.brought_forward);
    assert_eq!(moving().await, "unknown");
    assert!(!written(&app).await.contains(&"readiness_worse".to_owned()), "{:?}", written(&app).await);

    app.small.world.ticks(20);
    app.observe("orders").await;
    assert_eq!(moving().await, "critical");
    assert!(written(&app).await.contains(&"readiness_worse".to_owned()), "{:?}", written(&app).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_closed_all_the_time_bring_forward_one_survey_a_period() {
    let app = TestApp::with_pair().await;
    let observed = Observed::every(&app, Duration::from_secs(3)).await;
    let mut seen = vec![newest(&app).await];
    until("two that were brought forward, and one after them", async || {
        app.small.world.lock().cluster_mut("eu-west").close_connections();
        let survey = newest(&app).await;
        if seen.last().is_some_and(|last| last.number < survey.number) {
            seen.push(survey);
        }
        let early = seen.iter().filter(|survey| survey.brought_forward).count();
        early >= 2 && seen.last().is_some_and(|last| !last.brought_forward)
    })
    .await;
    observed.stop().await;
    let told: Vec<(i64, bool)> = seen.iter().map(|survey| (survey.number, survey.brought_forward)).collect();
    assert!(told.windows(2).all(|two| two[1].0 == two[0].0 + 1), "each was seen: {told:?}");
    assert!(!told.windows(2).any(|two| two[0].1 && two[1].1), "never two in a row: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_fast_is_written_is_not_told_from_the_moment_before_it() {
    let app = TestApp::with_pair().await;
    let pair = &app.small.pair;
    let clients = app.surveys.clients.pair_clients(&pair.name).await.unwrap();
    let mut taken: Vec<Survey> = Vec::new();
    for (number, ms) in (1..).zip([0, 1_000, 6_000]) {
        app.small.world.ticks(20);
        let at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        taken.push(take_survey(&clients, number, at).await);
    }
    let pace = |surveys: &[&Survey]| {
        let mut history = LagHistory::default();
        surveys.iter().for_each(|survey| history.remember(pair, survey));
        history.past(Side::A).pace.clone()
    };
    let early = Survey { brought_forward: true, ..taken[1].clone() };
    let passed_over = pace(&[&taken[0], &early, &taken[2]]);
    assert_eq!(passed_over, pace(&[&taken[0], &taken[2]]), "the whole time counts");
    assert_ne!(passed_over, pace(&[&taken[0], &taken[1], &taken[2]]), "records were written in it");
}
