//! The private PostgreSQL: it comes up, survives being killed in every way, and says what is wrong. Runs as root (it
//! then switches to `postgres`) or as anybody else.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use muster_store::{
    migrate,
    private_postgres::{PrivatePostgres, PrivatePostgresError, PrivatePostgresOptions},
    testing::private_server,
};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection, PgPool};

/// Set for the child process of `a_muster_that_is_killed_takes_postgres_with_it`: the data directory.
const HELPER: &str = "MUSTER_TEST_PRIVATE_POSTGRES";

async fn wait_until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !met().await {
        assert!(Instant::now() < deadline, "not within 120 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL)
        .expect("the process should be there to kill");
}

fn lives(pid: i32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// A directory of this test's own; removed at the end if the test passed.
fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("muster-pg-{name}-{}", std::process::id()))
}

async fn setting(pool: &PgPool, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(pool).await.expect("a setting")
}

#[tokio::test]
async fn it_is_durable_private_and_not_root() {
    let server = private_server().await;
    let postgres = server.postgres.as_ref().unwrap();
    let pool = PgPool::connect_with(postgres.connect_options()).await.unwrap();
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
    ] {
        assert_eq!(setting(&pool, name).await, value, "{name}");
    }
    for inside in ["", "pgdata", "socket"] {
        let meta = std::fs::metadata(server.data_dir.join(inside)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o700, "{inside}");
        assert_ne!(meta.uid(), 0, "{inside}");
    }
    let process = std::fs::metadata(format!("/proc/{}", postgres.pid().unwrap())).unwrap();
    assert_ne!(process.uid(), 0, "postgres never runs as root");
    migrate(&pool).await.unwrap();
}

#[tokio::test]
async fn what_is_committed_survives_a_stop_and_a_new_start() {
    let mut server = private_server().await;
    let postgres = server.postgres.take().unwrap();
    let pid = postgres.pid().unwrap();
    let mut conn = PgConnection::connect_with(&postgres.connect_options()).await.unwrap();
    sqlx::raw_sql("create table kept as select 7 as n").execute(&mut conn).await.unwrap();
    postgres.stop().await.unwrap();
    assert!(!lives(pid));
    // One that does not stop for that is told to stop at once, and recovers at its next start.
    let log = std::fs::read_to_string(server.data_dir.join("postgres.log")).unwrap();
    assert!(log.contains("received fast shutdown request"), "{log}");
    assert!(!log.contains("received immediate shutdown request"), "a connected client holds it up: {log}");

    let postgres = PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)).await.unwrap();
    let mut conn = PgConnection::connect_with(&postgres.connect_options()).await.unwrap();
    let n: i32 = sqlx::query_scalar("select n from kept").fetch_one(&mut conn).await.unwrap();
    assert_eq!(n, 7);
    server.postgres = Some(postgres);
}

#[tokio::test]
async fn a_postmaster_that_is_killed_is_started_again_and_recovers() {
    let server = private_server().await;
    let postgres = server.postgres.as_ref().unwrap();
    let pool = PgPool::connect_with(postgres.connect_options()).await.unwrap();
    sqlx::raw_sql("create table kept as select 7 as n").execute(&pool).await.unwrap();
    let killed = postgres.pid().unwrap();
    kill(killed);
    wait_until("the pool answers again", async || {
        sqlx::query_scalar::<_, i32>("select n from kept").fetch_one(&pool).await.is_ok_and(|n| n == 7)
            && postgres.pid().is_some_and(|pid| pid != killed)
    })
    .await;
}

#[tokio::test]
async fn a_second_muster_on_the_same_directory_is_told_who_has_it() {
    let server = private_server().await;
    let refused = PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)).await.unwrap_err();
    let expected =
        format!("another muster (process {}) already runs on the data directory", std::process::id());
    assert!(refused.to_string().starts_with(&expected), "{refused}");
}

#[tokio::test]
async fn a_directory_of_another_major_version_is_refused_untouched() {
    let mut server = private_server().await;
    server.postgres.take().unwrap().stop().await.unwrap();
    let version = server.data_dir.join("pgdata/PG_VERSION");
    let real = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, "11\n").unwrap();
    let refused = PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)).await.unwrap_err();
    let expected = format!("was made by PostgreSQL 11, but only PostgreSQL {}", real.trim());
    assert!(refused.to_string().contains(&expected), "{refused}");
    std::fs::write(&version, real).unwrap();
    server.postgres =
        Some(PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)).await.unwrap());
}

#[tokio::test]
async fn missing_binaries_and_users_and_bad_paths_are_said_plainly() {
    let dir = directory("refused");
    let options = || PrivatePostgresOptions::new(&dir);
    let nowhere = PrivatePostgresOptions { bin_dir: Some("/nowhere".into()), ..options() };
    let refused = PrivatePostgres::start(nowhere).await.unwrap_err().to_string();
    assert!(refused.starts_with("no PostgreSQL 14 or later was found (/nowhere): install it"), "{refused}");
    let nobody = PrivatePostgresOptions { user: Some("no-such-user".to_owned()), ..options() };
    let refused = PrivatePostgres::start(nobody).await.unwrap_err().to_string();
    assert!(refused.contains("no user `no-such-user`"), "{refused}");
    let root = PrivatePostgresOptions { user: Some("root".to_owned()), ..options() };
    let refused = PrivatePostgres::start(root).await.unwrap_err().to_string();
    assert!(refused.contains("PostgreSQL never runs as root"), "{refused}");
    let long = PrivatePostgresOptions::new(dir.join("x".repeat(100)));
    let refused = PrivatePostgres::start(long).await.unwrap_err().to_string();
    assert!(refused.contains("too long for the Unix socket"), "{refused}");
    drop(std::fs::remove_dir_all(&dir));
}

#[tokio::test]
async fn root_runs_it_as_whoever_owns_the_data() {
    if !rustix::process::geteuid().is_root() {
        // Only root switches users.
        return;
    }
    let dir = directory("owned");
    let of = |user: Option<&str>| PrivatePostgresOptions {
        user: user.map(str::to_owned),
        ..PrivatePostgresOptions::new(&dir)
    };
    PrivatePostgres::start(of(Some("nobody"))).await.unwrap().stop().await.unwrap();
    let owner = |inside: &str| std::fs::metadata(dir.join(inside)).unwrap().uid();
    let nobody = owner("pgdata");
    assert_ne!(nobody, 0);
    let postgres = PrivatePostgres::start(of(None)).await.unwrap();
    let process = std::fs::metadata(format!("/proc/{}", postgres.pid().unwrap())).unwrap();
    assert_eq!(process.uid(), nobody);
    postgres.stop().await.unwrap();
    for inside in ["", "pgdata", "socket"] {
        assert_eq!(owner(inside), nobody, "{inside}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_directory_the_user_cannot_enter_is_named() {
    if !rustix::process::geteuid().is_root() {
        // Only root switches users, so only root can be stopped by this.
        return;
    }
    let home = directory("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let refused = PrivatePostgres::start(PrivatePostgresOptions::new(home.join("data"))).await.unwrap_err();
    assert!(
        matches!(&refused, PrivatePostgresError::Unreachable { directory, .. } if *directory == home),
        "{refused}"
    );
    std::fs::remove_dir_all(&home).unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let mut server = private_server().await;
    server.postgres.take().unwrap().stop().await.unwrap();
    let config = server.data_dir.join("pgdata/postgresql.conf");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{good}\nno_such_setting = on\n")).unwrap();
    let refused = PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)).await.unwrap_err();
    assert!(matches!(refused, PrivatePostgresError::NotReady { .. }), "{refused}");
    assert!(
        refused.to_string().contains("unrecognized configuration parameter \"no_such_setting\""),
        "{refused}"
    );
}

/// Where nobody collects a server that has ended (a busy or missing init), the next one would take it for alive.
#[tokio::test]
async fn a_server_that_ended_and_was_not_collected_is_waited_for() {
    let mut server = private_server().await;
    server.postgres.take().unwrap().stop().await.unwrap();
    let program = server.data_dir.join("postgres");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut ended = Command::new(&program).spawn().unwrap();
    let stat = format!("/proc/{}/stat", ended.id());
    wait_until("it has ended", async || std::fs::read_to_string(&stat).unwrap().contains(") Z")).await;
    std::fs::write(server.data_dir.join("pgdata/postmaster.pid"), format!("{}\n", ended.id())).unwrap();
    let start = tokio::spawn(PrivatePostgres::start(PrivatePostgresOptions::new(&server.data_dir)));
    let still = tokio::time::timeout(Duration::from_millis(500), async {
        while !start.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    still.await.expect_err("the start should wait");
    ended.wait().unwrap();
    let log = std::fs::read_to_string(server.data_dir.join("postgres.log")).unwrap();
    assert!(!log.contains("already exists"), "it was not waited for: {log}");
    start.await.unwrap().unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn an_initdb_that_died_halfway_is_begun_again() {
    let dir = directory("halfway");
    std::fs::create_dir_all(dir.join("pgdata.unfinished/base")).unwrap();
    let postgres = PrivatePostgres::start(PrivatePostgresOptions::new(&dir)).await.unwrap();
    postgres.stop().await.unwrap();
    assert!(!dir.join("pgdata.unfinished").exists());
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Not a test: the process that the next one kills. It starts the server, says its pid, and stays.
#[tokio::test]
async fn helper() {
    let Some(dir) = std::env::var_os(HELPER) else { return };
    let postgres = PrivatePostgres::start(PrivatePostgresOptions::new(dir)).await.unwrap();
    println!("postgres runs as {}", postgres.pid().unwrap());
    std::future::pending::<()>().await;
}

fn start_helper(dir: &PathBuf) -> (Child, i32) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "helper", "--nocapture"])
        .env(HELPER, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper should start");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let pid = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("postgres runs as ").and_then(|(_, pid)| pid.parse().ok()))
        .expect("the helper should say the pid");
    (child, pid)
}

#[tokio::test]
async fn a_muster_that_is_killed_takes_postgres_with_it_and_the_next_one_comes_up() {
    let dir = directory("killed");
    for round in 0..3 {
        let (mut muster, postgres) = start_helper(&dir);
        assert!(lives(postgres));
        muster.kill().unwrap();
        muster.wait().unwrap();
        if round == 0 {
            wait_until("postgres is gone", async || !lives(postgres)).await;
        } else if lives(postgres) {
            // Both at once: a postmaster.pid is left behind, and the next start recovers from the log.
            kill(postgres);
        }
    }
    // At once, while the last one may still be going down.
    let postgres = PrivatePostgres::start(PrivatePostgresOptions::new(&dir)).await.unwrap();
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}
