//! A process that loses a pair's lease and gets it back goes on from what is kept by then, not from what it remembers; and it does not lose it
//! to another one for being slow.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_app::loops::survey::{Held, Occasion, SurveyLoop, Turned};
use muster_domain::{
    ids::PairName,
    lag::{EndsAt, ends_of},
    pair::{Direction, Side},
    recorder::Kind,
};
use muster_kafka::double::{Fault, Health, When};
use muster_operations::{ClientSource, OperationError, PairClients};
use muster_store::{leases, recorder, surveys};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{processes::until, test_app::TestApp};

const FORWARD: Direction = Direction { from: Side::A };

fn name() -> PairName {
    PairName::new("orders").unwrap()
}

/// One process that observes pairs, with what it holds of this one.
struct Process {
    surveys: SurveyLoop,
    held: Option<Held>,
}

impl Process {
    /// Of several over one database.
    fn of(app: &TestApp, worker: &str) -> Self {
        Self { surveys: SurveyLoop { worker: worker.to_owned(), ..app.surveys.clone() }, held: None }
    }

    async fn turn(&mut self) -> Turned {
        self.surveys.turn(&name(), &mut self.held, Occasion::Due, &CancellationToken::new()).await.unwrap()
    }

    /// A turn of the one that observes the pair, some time after the last; the ends it saw, if the source answered.
    async fn observe(&mut self, app: &TestApp) -> Option<EndsAt> {
        app.small.world.ticks(20);
        assert_eq!(self.turn().await, Turned::Observed);
        let mut conn = app.app.pool.acquire().await.unwrap();
        let survey = surveys::latest(&mut conn, &name()).await.unwrap().unwrap();
        ends_of(&app.small.pair.flows[0], &survey)
    }

    /// It is told to stop, as at an upgrade.
    async fn stop(self, app: &TestApp) {
        let mut conn = app.app.pool.acquire().await.unwrap();
        assert_eq!(leases::release_all(&mut conn, &self.surveys.worker).await.unwrap(), ["survey:orders"]);
    }
}

/// Whoever has the lease stands still for longer than it lasts.
async fn lease_runs_out(app: &TestApp) {
    let sql = "update lease set until = clock_timestamp() - interval '1 second'";
    assert_eq!(sqlx::query(sql).execute(&app.app.pool).await.unwrap().rows_affected(), 1);
}

/// Pair, people and clusters, and nobody who observes any more.
async fn nobody_observes() -> TestApp {
    let app = TestApp::with_pair().await;
    let mut conn = app.app.pool.acquire().await.unwrap();
    leases::release_all(&mut conn, "test").await.unwrap();
    drop(conn);
    app
}

fn make_topic(app: &TestApp, topic: &str) {
    let mut state = app.small.world.lock();
    for cluster in ["eu-west", "eu-central"] {
        state.cluster_mut(cluster).create_topic(topic, 2).unwrap();
    }
}

/// The ends of every survey as the flight recorder has them.
async fn recorded(app: &TestApp, since: &EndsAt) -> Vec<EndsAt> {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let pair = name();
    recorder::recent_ends(&mut conn, (&pair, FORWARD), since.0, (120, 1_000_000)).await.unwrap().reaches
}

async fn seal_all(app: &TestApp) {
    let mut conn = app.app.pool.acquire().await.unwrap();
    let stream = recorder::find_stream(&mut conn, &name(), FORWARD, Kind::Partitions).await.unwrap().unwrap();
    let later = Utc::now() + TimeDelta::minutes(10);
    while recorder::seal(&mut conn, stream, Kind::Partitions, later).await.unwrap() {}
    let sql = "select count(*) from recorder_open where stream = $1";
    let left: i64 = sqlx::query_scalar(sql).bind(stream).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(left, 0);
}

async fn losses(app: &TestApp) -> Vec<(DateTime<Utc>, bool)> {
    let sql = "select seen_at, settled from loss order by seen_at";
    sqlx::query_as(sql).fetch_all(&app.app.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_recorded_reads_back_as_each_saw_it_and_no_topic_takes_anothers_place() {
    let app = nobody_observes().await;
    let (mut one, mut two) = (Process::of(&app, "one"), Process::of(&app, "two"));
    let mut saw = Vec::new();
    for _ in 0..3 {
        saw.extend(one.observe(&app).await);
    }
    assert_eq!(two.turn().await, Turned::SomebodyElse);

    lease_runs_out(&app).await;
    // In the order of names they come the other way round.
    make_topic(&app, "orders.zinc");
    for _ in 0..2 {
        saw.extend(two.observe(&app).await);
    }
    assert_eq!(one.turn().await, Turned::SomebodyElse);
    two.stop(&app).await;
    make_topic(&app, "orders.antimony");
    for _ in 0..2 {
        saw.extend(one.observe(&app).await);
    }

    assert_eq!(saw.len(), 7);
    let grown = |at: usize| saw[at].1.values().sum::<i64>();
    assert!((1..7).all(|at| grown(at) > grown(at - 1)), "each survey has other ends: {saw:?}");
    assert_eq!(recorded(&app, &saw[0]).await, saw, "not sealed yet");
    seal_all(&app).await;
    assert_eq!(recorded(&app, &saw[0]).await, saw, "sealed for good");
}

/// The same when the topic that somebody else saw first is gone again: nothing in the database stands in the way of its number.
#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_a_topic_that_came_and_went_meanwhile_is_given_to_no_other() {
    let app = nobody_observes().await;
    let (mut one, mut two) = (Process::of(&app, "one"), Process::of(&app, "two"));
    let mut saw = Vec::from_iter(one.observe(&app).await);
    lease_runs_out(&app).await;
    make_topic(&app, "orders.brief");
    saw.extend(two.observe(&app).await);
    two.stop(&app).await;
    {
        let mut state = app.small.world.lock();
        for cluster in ["eu-west", "eu-central"] {
            state.cluster_mut(cluster).topics.remove("orders.brief").unwrap();
        }
    }
    make_topic(&app, "orders.lasting");
    saw.extend(one.observe(&app).await);
    // Of a topic that is gone nothing is read back.
    let mut left = saw.clone();
    left[1].1.retain(|key, _| key.topic != "orders.brief");
    assert_eq!(recorded(&app, &saw[0]).await, left);
    let has = |at: usize, topic: &str| saw[at].1.keys().any(|key| key.topic == topic);
    let seen = [0, 1, 2].map(|at| (has(at, "orders.brief"), has(at, "orders.lasting")));
    assert_eq!(seen, [(false, false), (true, false), (false, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_death_is_one_loss_whoever_observes_when() {
    let app = nobody_observes().await;
    let (mut one, mut two) = (Process::of(&app, "one"), Process::of(&app, "two"));
    for _ in 0..2 {
        one.observe(&app).await.unwrap();
    }
    lease_runs_out(&app).await;
    two.observe(&app).await.unwrap();
    let (last_seen, _) = two.observe(&app).await.unwrap();
    app.small.world.set_health("eu-west", Health::Dead);
    assert_eq!(two.observe(&app).await, None);
    assert_eq!(losses(&app).await, [(last_seen, false)]);

    two.stop(&app).await;
    for _ in 0..2 {
        assert_eq!(one.observe(&app).await, None);
    }
    assert_eq!(losses(&app).await, [(last_seen, false)], "it is the same death");
    app.small.world.point_producers("eu-central");
    app.small.world.set_health("eu-west", Health::Up);
    for _ in 0..4 {
        one.observe(&app).await.unwrap();
    }
    assert_eq!(losses(&app).await, [(last_seen, true)], "and settled once");
}

/// The losses as they are kept: when each was written, and what it says.
async fn kept(app: &TestApp) -> Vec<(DateTime<Utc>, String)> {
    let sql = "select at, body::text from loss order by seen_at";
    sqlx::query_as(sql).fetch_all(&app.app.pool).await.unwrap()
}

/// What was recorded before a time is older than anybody looks back.
async fn long_ago(app: &TestApp, before: DateTime<Utc>) {
    let sql = "update recorder_open set at = at - interval '30 minutes' where at < $1";
    let moved = sqlx::query(sql).bind(before).execute(&app.app.pool).await.unwrap();
    assert!(moved.rows_affected() > 0);
}

/// One process has seen the source written to and notices that it is dead; nobody writes in the minutes before.
async fn loss_of_a_source_that_was_written_to(
    app: &TestApp,
) -> (DateTime<Utc>, Vec<(DateTime<Utc>, String)>) {
    let (mut one, mut two) = (Process::of(app, "one"), Process::of(app, "two"));
    for _ in 0..2 {
        one.observe(app).await.unwrap();
    }
    app.small.world.point_producers("");
    app.small.world.ticks(50);
    lease_runs_out(app).await;
    let (first, _) = two.observe(app).await.unwrap();
    let (last_seen, _) = two.observe(app).await.unwrap();
    app.small.world.set_health("eu-west", Health::Dead);
    for _ in 0..2 {
        assert_eq!(two.observe(app).await, None);
    }
    let said = app.as_user("vera").await.get("/api/v1/pairs/orders/loss").await.done();
    let most = said["loss"]["total"]["records_at_most"].as_i64();
    assert!(most > Some(0), "something may have been written after the last look: {said:#}");
    long_ago(app, first).await;
    (last_seen, kept(app).await)
}

/// Whoever takes the pair over reads back the quiet minutes only.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_that_was_stated_stands_whoever_takes_over_and_however_little_is_read_back() {
    let app = nobody_observes().await;
    let (last_seen, said) = loss_of_a_source_that_was_written_to(&app).await;
    assert_eq!(losses(&app).await, [(last_seen, false)]);
    let mut three = Process::of(&app, "three");
    lease_runs_out(&app).await;
    for _ in 0..2 {
        assert_eq!(three.observe(&app).await, None);
    }
    assert_eq!(kept(&app).await, said, "it is not even written again");

    // And one that reads nothing back: it died longer ago.
    let forget = "delete from recorder_open; delete from recorder_block;";
    sqlx::raw_sql(forget).execute(&app.app.pool).await.unwrap();
    let mut four = Process::of(&app, "four");
    lease_runs_out(&app).await;
    assert_eq!(four.observe(&app).await, None);
    assert_eq!(kept(&app).await, said);
    // Topics are listed in between, and no leader answers: it is the same death.
    app.small.world.lock().cluster_mut("eu-west").frozen = [1, 2].into();
    app.small.world.set_health("eu-west", Health::Up);
    assert_eq!(four.turn().await, Turned::Observed);
    app.small.world.set_health("eu-west", Health::Dead);
    assert_eq!(four.observe(&app).await, None);
    let bodies =
        |kept: Vec<(DateTime<Utc>, String)>| kept.into_iter().map(|(_, body)| body).collect::<Vec<_>>();
    assert_eq!(bodies(kept(&app).await), bodies(said));

    app.small.world.lock().cluster_mut("eu-west").frozen.clear();
    app.small.world.set_health("eu-west", Health::Up);
    for _ in 0..4 {
        four.observe(&app).await.unwrap();
    }
    assert_eq!(losses(&app).await, [(last_seen, true)], "and settled once");
}

/// Nobody else has written: it would be known less for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_failed_keeps_the_lease_and_what_is_remembered() {
    let app = nobody_observes().await;
    let mut one = Process::of(&app, "one");
    let lease = leases::survey_lease(&name());
    let epoch = async || {
        let mut conn = app.app.pool.acquire().await.unwrap();
        leases::held_by(&mut conn, &lease, "one", 0.0).await.unwrap().map(|(epoch, _)| epoch)
    };
    for _ in 0..2 {
        one.observe(&app).await.unwrap();
    }
    let before = epoch().await;
    assert!(before.is_some());
    sqlx::query("alter table survey rename to out_of_reach").execute(&app.app.pool).await.unwrap();
    let failed = one.surveys.turn(&name(), &mut one.held, Occasion::Due, &CancellationToken::new()).await;
    assert!(failed.is_err(), "{failed:?}");
    sqlx::query("alter table out_of_reach rename to survey").execute(&app.app.pool).await.unwrap();
    sqlx::query("delete from recorder_open").execute(&app.app.pool).await.unwrap();
    one.observe(&app).await.unwrap();
    assert_eq!(epoch().await, before);
    let lag = app.as_user("vera").await.get("/api/v1/pairs/orders/lag").await.done();
    let rpo = &lag["items"][0]["rpo"];
    assert!(rpo["records_at_most"].is_number(), "told from ends it saw before: {lag:#}");
}

/// Hands that are slow: whoever asks for clients waits until somebody lets them go on.
struct Slow {
    clients: Arc<dyn ClientSource>,
    asked: Notify,
    goes_on: Notify,
}

#[async_trait]
impl ClientSource for Slow {
    async fn pair_clients(&self, pair: &PairName) -> Result<PairClients, OperationError> {
        self.asked.notify_one();
        self.goes_on.notified().await;
        self.clients.pair_clients(pair).await
    }
}

/// Often enough that no test waits for it long.
const OFTEN: Duration = Duration::from_millis(5);

async fn is_held(app: &TestApp) -> bool {
    let mut conn = app.app.pool.acquire().await.unwrap();
    leases::get(&mut conn, &leases::survey_lease(&name())).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_that_takes_longer_than_its_lease_is_kept_and_nobody_else_takes_one_meanwhile() {
    let app = nobody_observes().await;
    let (mut one, mut two) = (Process::of(&app, "one"), Process::of(&app, "two"));
    let clients = Arc::clone(&app.surveys.clients);
    let slow = Arc::new(Slow { clients, asked: Notify::new(), goes_on: Notify::new() });
    one.surveys.clients = Arc::clone(&slow) as Arc<dyn ClientSource>;
    one.surveys.renew_every = OFTEN;
    let meanwhile = async {
        slow.asked.notified().await;
        for _ in 0..3 {
            lease_runs_out(&app).await;
            until("its lease is renewed", async || is_held(&app).await).await;
            assert_eq!(two.turn().await, Turned::SomebodyElse);
        }
        slow.goes_on.notify_one();
    };
    let (turned, ()) = tokio::join!(one.turn(), meanwhile);
    assert_eq!(turned, Turned::Observed);
    assert!(one.held.is_some() && two.held.is_none());
}

/// It may be the only one whose survey hangs.
#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_lease_while_a_survey_is_taken_ends_it_and_remembers_nothing() {
    let app = nobody_observes().await;
    let (mut one, mut two) = (Process::of(&app, "one"), Process::of(&app, "two"));
    one.observe(&app).await.unwrap();
    one.surveys.renew_every = OFTEN;
    app.small.world.faults(|faults| faults.fail("describe_cluster", 1, When::Before, Fault::Hang));
    let meanwhile = async {
        app.small.world.hung().await;
        let mut conn = app.app.pool.acquire().await.unwrap();
        assert_eq!(leases::release_all(&mut conn, "one").await.unwrap(), ["survey:orders"]);
        drop(conn);
        assert_eq!(two.turn().await, Turned::Observed);
    };
    let (turned, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(60), one.turn()), meanwhile);
    assert_eq!(turned.expect("its survey never ends by itself"), Turned::SomebodyElse);
    assert!(one.held.is_none() && two.held.is_some());
}
