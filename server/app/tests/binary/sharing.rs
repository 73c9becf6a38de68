//! Several processes on one PostgreSQL that is not Muster's: `migrate`, `serve` and `worker`.

use muster_store::testing::TestDatabase;
use sqlx::ConnectOptions as _;

use crate::muster::{Dir, PASSWORD, Running, muster, run};

/// Its address as `DATABASE_URL` has it.
pub(crate) fn url_of(database: &TestDatabase) -> String {
    database.connect_options().to_url_lossy().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_brings_the_schema_up_to_date_and_stops() {
    let database = TestDatabase::empty().await;
    let migrate = || run(muster(&["migrate"]).env("DATABASE_URL", url_of(&database)));
    for _ in 0..2 {
        let (code, out, err) = migrate();
        assert_eq!((code, out.as_str()), (0, "The schema is up to date.\n"), "{err}");
    }
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(database.pool()).await.unwrap();
    assert_eq!(runs, 0);
}

/// Beside a service somebody forgot the settings of: the database is elsewhere.
#[test]
fn migrate_makes_no_database() {
    let dir = Dir::new();
    let (code, _, err) = run(&mut muster(&["migrate", "--data-dir", dir.data().to_str().unwrap()]));
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("there is no private PostgreSQL in") && err.contains("so nothing was done"),
        "{err}"
    );
    assert!(!dir.data().join("pgdata").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_worker_share_a_database_and_both_stop_cleanly() {
    let database = TestDatabase::empty().await;
    let dir = Dir::new();
    let of = |command: &str| {
        let mut command = muster(&[command, "--data-dir", dir.data().to_str().unwrap()]);
        command.env("DATABASE_URL", url_of(&database)).env("MUSTER_ADMIN_PASSWORD", PASSWORD);
        command
    };
    let serving = Running::serve(of("serve"));
    let mut working = Running::start(&mut of("worker"));
    working.wait_for("Muster works without pages and API");
    serving.sign_in("admin").await;
    assert!(!dir.data().join("pgdata").exists(), "DATABASE_URL was given, so no PostgreSQL was made");
    working.stop();
    serving.signal("INT");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
}

/// In a rolling upgrade a process of the version before may be started again after the schema went on.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_on_a_schema_that_is_newer_than_itself() {
    let database = TestDatabase::new().await;
    let dir = Dir::new();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'of the next version', true, ''::bytea, 0)",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
    command.env("DATABASE_URL", url_of(&database)).env("MUSTER_ADMIN_PASSWORD", PASSWORD);
    let serving = Running::serve(command);
    serving.sign_in("admin").await;
    serving.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_refuses_to_start() {
    let database = TestDatabase::empty().await;
    let (dir, other) = (Dir::new(), Dir::new());
    let of = |dir: &Dir| {
        let mut command = muster(&["serve", "--data-dir", dir.data().to_str().unwrap()]);
        command.env("DATABASE_URL", url_of(&database));
        command
    };
    Running::serve(of(&dir)).stop();
    let (code, _, err) = run(of(&other).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code, 1);
    assert!(err.contains("muster: the secrets key does not fit the database: "), "{err}");
}

#[test]
fn a_stop_while_it_waits_for_its_database_is_a_clean_one() {
    let dir = Dir::new();
    for command in ["serve", "worker"] {
        let mut command = muster(&[command, "--data-dir", dir.data().to_str().unwrap()]);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").env("MUSTER_LISTEN", "127.0.0.1:0");
        let mut waiting = Running::start(&mut command);
        waiting.wait_for("the database does not answer yet");
        waiting.stop();
    }
}
