//! The PostgreSQL that tests run on.

use std::{
    fs::File,
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{FlockOperation, flock, statvfs};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OnceCell;

use crate::private_postgres::{PrivatePostgres, PrivatePostgresOptions, running_postmaster};

const PREFIX: &str = "muster-test-pg-";
const MEMORY: &str = "/dev/shm";
const ENOUGH_MEMORY: u64 = 2 * 1024 * 1024 * 1024;

/// Shared by the tests of this process. Never dropped: it ends with the process, and its directory is removed by the
/// next one.
static SHARED: OnceCell<PrivatePostgres> = OnceCell::const_new();
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// How to connect to the test server's maintenance database.
pub(super) async fn admin_options() -> PgConnectOptions {
    if let Ok(url) = std::env::var("MUSTER_TEST_DATABASE_URL") {
        return PgConnectOptions::from_str(&url)
            .expect("MUSTER_TEST_DATABASE_URL should be a PostgreSQL address");
    }
    let server = SHARED
        .get_or_init(|| async {
            remove_left_over();
            let options = PrivatePostgresOptions {
                durable: false,
                ..PrivatePostgresOptions::new(fresh_directory(&fast_base()))
            };
            PrivatePostgres::start(options).await.unwrap_or_else(|e| panic!("no PostgreSQL to test on: {e}"))
        })
        .await;
    server.connect_options()
}

/// A private PostgreSQL of one test's own, to be crashed at will. Durable as in production.
#[derive(Debug)]
pub struct PrivateServer {
    /// The server; taken out to stop it.
    pub postgres: Option<PrivatePostgres>,
    /// Where its data is.
    pub data_dir: PathBuf,
}

/// Starts a private PostgreSQL of one test's own.
///
/// # Panics
/// When there is none to start.
pub async fn private_server() -> PrivateServer {
    let data_dir = fresh_directory(&std::env::temp_dir());
    let postgres = PrivatePostgres::start(PrivatePostgresOptions::new(&data_dir))
        .await
        .unwrap_or_else(|e| panic!("no PostgreSQL to test on: {e}"));
    PrivateServer { postgres: Some(postgres), data_dir }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // Told to stop here and waited for below; what does not go away in time is removed by a later run.
        drop(self.postgres.take());
        for _ in 0..500 {
            if running_postmaster(&self.data_dir.join("pgdata")).is_none() {
                drop(std::fs::remove_dir_all(&self.data_dir));
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Memory, where there is enough of it: a database is a thousand small files, and making them is what a test waits for
/// (measured: a third of the time on disk).
fn fast_base() -> PathBuf {
    let memory = Path::new(MEMORY);
    match statvfs(memory) {
        Ok(stat) if stat.f_bavail.saturating_mul(stat.f_frsize) > ENOUGH_MEMORY => memory.to_owned(),
        Ok(_) | Err(_) => std::env::temp_dir(),
    }
}

/// A directory nobody has used, short enough for a socket.
fn fresh_directory(base: &Path) -> PathBuf {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    base.join(format!("{PREFIX}{}-{number}", std::process::id()))
}

/// Removes directories of test processes that are gone.
fn remove_left_over() {
    let bases = [PathBuf::from(MEMORY), std::env::temp_dir()];
    for entry in bases.iter().filter_map(|base| std::fs::read_dir(base).ok()).flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_left_over(&entry.path()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

fn is_left_over(directory: &Path) -> bool {
    // No lock file: a process has just made the directory, or somebody is removing it.
    let Ok(lock) = File::open(directory.join("lock")) else { return false };
    flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        && running_postmaster(&directory.join("pgdata")).is_none()
}
