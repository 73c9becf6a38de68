//! What was under way when the backup was made rests after `muster restored`, until a person has decided: nothing is done on either
//! cluster before that, whatever was done there since.

use std::{path::Path, process::Command, sync::Arc};

use axum::Router;
use muster_app::app::App;
use muster_domain::access::denies_writes_to_all;
use muster_operations::{
    ClientSource, Engine,
    engine::{EngineOptions, Hooks, Moment},
};
use muster_store::testing::TestDatabase;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Dir, back_up, confirmed, documented, muster, restore, words};
use crate::{muster::is_root, session::Session, test_app::TestApp};

/// Kills the worker at a moment of a step; before that another step may fail, so that the run goes back.
pub(super) struct Dies {
    at: (&'static str, Moment),
    fails: Option<&'static str>,
}

impl Hooks for Dies {
    fn kill_at(&self, step: &str, moment: Moment) -> bool {
        step == self.at.0 && moment == self.at.1
    }

    fn fail(&self, step: &str) -> bool {
        self.fails == Some(step)
    }
}

/// Writes are away, and the point of no return is not passed.
pub(super) const DRAINING: Dies = Dies { at: ("drain", Moment::AfterIntent), fails: None };
/// The point of no return is passed, and no side takes writes.
const NO_RETURN: Dies = Dies { at: ("unfence_standby", Moment::BeforeIntent), fails: None };
/// Writes are about to be given back.
const GOING_BACK: Dies =
    Dies { at: ("fence_source", Moment::AfterUndoIntent), fails: Some("mark_target_ends") };

/// A run whose worker has just died there.
pub(super) async fn left(app: &TestApp, dies: Dies) -> Uuid {
    let run = confirmed(app).await;
    app.engine.clone().with_hooks(Arc::new(dies)).run_pending().await.unwrap_err();
    run
}

/// Lets the lease of the worker that died run out: what waiting for it would do.
async fn expire_lease(database: &sqlx::PgPool) {
    let sql = "update run set lease_until = clock_timestamp() - interval '1 second'";
    sqlx::query(sql).execute(database).await.unwrap();
}

/// Muster on a database that was restored, over the clusters as they are.
struct Restored {
    engine: Engine,
    router: Router,
    // Dropped last: the database goes with it.
    database: TestDatabase,
}

impl Restored {
    async fn of(app: &TestApp, dir: &Dir) -> Self {
        let database = TestDatabase::empty().await;
        let url = restore(dir, &database);
        expire_lease(database.pool()).await;
        let parked = said(muster(&words(&documented("restored")), &url, &dir.0));
        let expected = "The brake is on now: nothing starts before somebody releases it.\nRun 1 (";
        assert!(parked.starts_with(expected), "{parked}");
        let again = said(muster(&words(&documented("restored")), &url, &dir.0));
        assert_eq!(
            again,
            "The brake was on already: nothing starts before somebody releases it.\nNo run had to be parked. What was done \
             after the backup is not known here: look at both clusters of each run before you decide on it; \
             `muster runbooks` says how (A run was restored from a backup).\n"
        );
        let clients: Arc<dyn ClientSource> = app.app.hands.clone();
        let options = EngineOptions { poll_ms: 10, retry_ms: 5, ..EngineOptions::default() };
        let engine =
            Engine::new(database.pool().clone(), clients, "restored".to_owned()).with_options(options);
        let router = app.process(App { pool: database.pool().clone(), ..app.app.clone() });
        Self { engine, router, database }
    }

    /// Starts what would carry runs on: it finds nothing to do, and does nothing on any cluster.
    async fn does_nothing(&self, app: &TestApp) {
        let (calls, picture) = (app.small.world.calls(), app.small.world.picture());
        assert_eq!(self.engine.run_pending().await.unwrap(), 0);
        assert_eq!(app.small.world.calls(), calls);
        assert_eq!(app.small.world.picture(), picture);
    }
}

/// What a command that succeeds prints.
pub(super) fn said(mut command: Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn act(run: Uuid, verb: &str) -> String {
    format!("/api/v1/runs/{run}/{verb}")
}

async fn shown(session: &Session<'_>, run: Uuid) -> Value {
    session.get(&format!("/api/v1/runs/{run}")).await.done()
}

/// How the run rests, what is told of it, and that the audit is whole with it.
async fn assert_parked(ada: &Session<'_>, run: Uuid, state: &str, was: &str) {
    let reason =
        "restored from a backup: what was done after it is not known here, so look at both clusters first";
    let rests = shown(ada, run).await;
    assert_eq!((&rests["state"], &rests["state_reason"]), (&json!(state), &json!(reason)));
    // Higher than any that applications can have been told of since.
    assert!(rests["epoch"].as_i64().unwrap() > 1000, "{rests:#}");
    let message =
        format!("Restored from a backup, in which it was {was}; nothing is done until somebody decides");
    let events = ada.get(&format!("/api/v1/runs/{run}/events?format=json")).await.done();
    let told = events["items"].as_array().unwrap().iter().filter(|event| event["message"] == message).count();
    assert_eq!(told, 1, "{events:#}");
    let entries = ada.get("/api/v1/audit?action=run.park").await.done();
    let entries = entries["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0]["content"];
    assert_eq!((&entry["actor"], &entry["object"]), (&json!("muster"), &json!(format!("run {run}"))));
    assert_eq!((&entry["outcome"], &entry["detail"]), (&json!("done"), &json!({"message": message})));
    let brake = ada.get("/api/v1/brake").await.done();
    assert_eq!((&brake["on"], &brake["by"]), (&json!(true), &json!("muster")));
    assert_eq!(brake["reason"], "the database was restored from a backup");
    assert_eq!(ada.get("/api/v1/audit?action=brake.put").await.done()["items"].as_array().unwrap().len(), 1);
    let verified = ada.get("/api/v1/audit/verify").await.done();
    assert_eq!(verified["whole"], true, "{verified:#}");
}

/// Whether nobody may write on a cluster.
fn is_fenced(app: &TestApp, cluster: &str) -> bool {
    let state = app.small.world.lock();
    let bindings = state.cluster(cluster).authorizer.bindings();
    bindings.iter().any(|binding| denies_writes_to_all(binding, "orders.placed"))
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_point_of_no_return_it_goes_back_when_somebody_says_so() {
    let app = TestApp::with_pair().await;
    let run = left(&app, DRAINING).await;
    let (ada, otto) = (app.as_user("ada").await, app.as_user("otto").await);
    let dir = Dir::new();
    back_up(&app, &dir);
    let restored = Restored::of(&app, &dir).await;
    restored.does_nothing(&app).await;
    assert_parked(&ada.at(&restored.router), run, "paused_by_operator", "running").await;
    assert!(is_fenced(&app, "eu-west"));

    let otto = otto.at(&restored.router);
    assert_eq!(otto.post(&act(run, "resume"), json!({})).await.problem(), ("brake-is-on".to_owned(), 409));
    otto.post(&act(run, "abort"), json!({"reason": "nobody writes anywhere"})).await.done();
    assert_eq!(restored.engine.run_pending().await.unwrap(), 1);
    let ended = shown(&otto, run).await;
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    assert!(!is_fenced(&app, "eu-west"));
    assert!(!app.small.world.verdict().two_writers);
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_point_of_no_return_it_goes_on_when_somebody_says_so() {
    let app = TestApp::with_pair().await;
    let run = left(&app, NO_RETURN).await;
    let (ada, otto, olga) = (app.as_user("ada").await, app.as_user("otto").await, app.as_user("olga").await);
    let dir = Dir::new();
    back_up(&app, &dir);
    let restored = Restored::of(&app, &dir).await;
    restored.does_nothing(&app).await;
    assert_parked(&ada.at(&restored.router), run, "paused_by_operator", "running").await;

    let (otto, olga) = (otto.at(&restored.router), olga.at(&restored.router));
    let refused = otto.post(&act(run, "abort"), json!({"reason": "back"})).await;
    assert_eq!(refused.problem(), ("past-point-of-no-return".to_owned(), 409));
    olga.delete("/api/v1/brake").await.done();
    restored.does_nothing(&app).await;
    otto.post(&act(run, "resume"), json!({})).await.done();
    assert_eq!(restored.engine.run_pending().await.unwrap(), 1);
    let ended = shown(&otto, run).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert!(!app.small.world.verdict().two_writers);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_its_way_back_it_is_stuck_until_somebody_tries_again() {
    let app = TestApp::with_pair().await;
    let run = left(&app, GOING_BACK).await;
    let (ada, otto) = (app.as_user("ada").await, app.as_user("otto").await);
    let was = shown(&ada, run).await;
    let why = was["state_reason"].as_str().unwrap();
    let dir = Dir::new();
    back_up(&app, &dir);
    let restored = Restored::of(&app, &dir).await;
    restored.does_nothing(&app).await;
    let ada = ada.at(&restored.router);
    assert_parked(&ada, run, "stuck", &format!("rolling back ({why})")).await;
    assert!(is_fenced(&app, "eu-west"));

    let otto = otto.at(&restored.router);
    otto.post(&act(run, "retry"), json!({"reason": "nobody writes anywhere"})).await.done();
    assert_eq!(restored.engine.run_pending().await.unwrap(), 1);
    let ended = shown(&otto, run).await;
    assert_eq!(ended["state"], "rolled_back", "{ended:#}");
    assert!(!is_fenced(&app, "eu-west"));
}

/// The run came to its end after the backup, so that going back now would let writes in on both sides.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_carried_out_since_is_closed_and_the_clusters_stay_as_they_are() {
    let app = TestApp::with_pair().await;
    let run = left(&app, DRAINING).await;
    let (ada, otto, olga) = (app.as_user("ada").await, app.as_user("otto").await, app.as_user("olga").await);
    let dir = Dir::new();
    back_up(&app, &dir);
    expire_lease(&app.app.pool).await;
    assert_eq!(app.engine.run_pending().await.unwrap(), 1);
    let truth = shown(&otto, run).await;
    assert_eq!(truth["state"], "succeeded", "{truth:#}");

    let restored = Restored::of(&app, &dir).await;
    restored.does_nothing(&app).await;
    assert_parked(&ada.at(&restored.router), run, "paused_by_operator", "running").await;
    let (otto, olga) = (otto.at(&restored.router), olga.at(&restored.router));
    let close = json!({"reason": "it had ended well; the report says so"});
    assert_eq!(otto.post(&act(run, "close"), close.clone()).await.problem().1, 403);
    let closed = olga.post(&act(run, "close"), close).await.done();
    assert_eq!(closed["state"], "closed_manually", "{closed:#}");
    restored.does_nothing(&app).await;
    assert!(!app.small.world.verdict().two_writers);
    let active = muster_store::runs::holding(&mut *restored.database.conn().await).await.unwrap();
    assert_eq!(active, []);
}

fn chown(path: &Path) {
    let done = Command::new("chown").args(["-R", "postgres"]).arg(path).status().unwrap();
    assert!(done.success(), "{}", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_a_private_postgres_too() {
    let app = TestApp::with_pair().await;
    let run = left(&app, NO_RETURN).await;
    let dir = Dir::new();
    back_up(&app, &dir);
    // What was there before is kept.
    let data = dir.0.join("data");
    std::fs::create_dir_all(data.join("pgdata")).unwrap();
    std::fs::write(data.join("pgdata/PG_VERSION"), "of another time").unwrap();
    if is_root() {
        chown(&dir.0);
    }
    dir.shell_of_postgres(&documented("restore-private"), &[("D", data.to_str().unwrap())]);
    assert_eq!(std::fs::read_to_string(data.join("pgdata.before/PG_VERSION")).unwrap(), "of another time");

    let restored = || {
        let mut command = muster(&words(&documented("restored")), "", &data);
        command.env_remove("DATABASE_URL");
        said(command)
    };
    let parked = restored();
    let expected = format!(
        "The brake is on now: nothing starts before somebody releases it.\nRun 1 ({run}), switchover of orders, eu-west → \
         eu-central: was running, past the point of no return; paused by operator now.\n1 run is parked. "
    );
    assert!(parked.starts_with(&expected), "{parked}");
    let again = restored();
    assert!(again.contains("\nNo run had to be parked. "), "{again}");
}

/// As somebody finds out who runs it without the settings of the service.
#[test]
fn without_a_database_nothing_is_parked_and_none_is_made() {
    let dir = Dir::new();
    let data = dir.0.join("data");
    let mut command = muster(&words(&documented("restored")), "", &data);
    let refused = command.env_remove("DATABASE_URL").output().unwrap();
    let expected = format!(
        "muster: DATABASE_URL is not set and there is no private PostgreSQL in {}, so nothing was done.",
        data.display()
    );
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&expected), "{said}");
    assert!(!data.exists());
}
