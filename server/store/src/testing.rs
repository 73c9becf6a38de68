//! Databases for tests: real PostgreSQL, a fresh database with the current schema for each test, in a few
//! milliseconds.
//!
//! On the server `MUSTER_TEST_DATABASE_URL` names (a superuser's), or else on a private one that the first test of a
//! process starts and that dies with the process. The schema is migrated once into a template; each test's database is
//! a copy of it, removed when the [`TestDatabase`] is dropped.

mod server;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;

pub use server::{PrivateServer, private_server};

use crate::database::{migrations_hash, run_migrations};

/// Databases of tests that were killed are removed by later ones when they are older than this.
const LEFT_OVER_AFTER_SECONDS: u64 = 3600;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A database of one test's own.
#[derive(Debug)]
pub struct TestDatabase {
    pool: PgPool,
    admin: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// A fresh database with the current schema.
    ///
    /// # Panics
    /// When there is no PostgreSQL to test on; the message says why.
    pub async fn new() -> Self {
        Self::create(true).await
    }

    /// A fresh database without any schema.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub async fn empty() -> Self {
        Self::create(false).await
    }

    async fn create(migrated: bool) -> Self {
        let admin = server::admin_options().await;
        let template = match migrated {
            true => TEMPLATE.get_or_init(|| make_template(&admin)).await.as_str(),
            false => "template0",
        };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster_test_{seconds}_{}_{number}", std::process::id());
        execute(&admin, &format!("create database {name} template {template}")).await;
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(admin.clone().database(&name));
        Self { pool, admin, name }
    }

    /// A pool of connections to it.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of the pool.
    ///
    /// # Panics
    /// When there is none.
    pub async fn conn(&self) -> PoolConnection<Postgres> {
        self.pool.acquire().await.expect("the test's database should answer")
    }

    /// How to connect to it.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.admin.clone().database(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A thread, because a runtime cannot be entered from within another.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime
                    .block_on(try_execute(&admin, &format!("drop database if exists {name} with (force)")))
                    .ok();
            }
        });
        // What is left over is removed by a later run.
        drop(removed.join());
    }
}

/// The template for this build's migrations, made by whoever comes first, of all processes on that server.
async fn make_template(admin: &PgConnectOptions) -> String {
    let name = format!("muster_template_{}", &migrations_hash()[..16]);
    let mut conn = PgConnection::connect_with(admin).await.expect("the test server should answer");
    raw(&mut conn, "select pg_advisory_lock(7304712)").await;
    remove_left_over(&mut conn).await;
    let exists =
        format!("do $$ begin assert exists (select from pg_database where datname = '{name}'); end $$");
    if sqlx::raw_sql(AssertSqlSafe(exists)).execute(&mut conn).await.is_err() {
        // Under another name until it is complete, in case this process dies meanwhile.
        let unfinished = format!("{name}_unfinished");
        raw(&mut conn, &format!("drop database if exists {unfinished} with (force)")).await;
        raw(&mut conn, &format!("create database {unfinished} template template0")).await;
        let mut inside = PgConnection::connect_with(&admin.clone().database(&unfinished))
            .await
            .expect("the template should answer");
        run_migrations(&mut inside).await.expect("the migrations should apply");
        inside.close().await.expect("the template's connection should close");
        raw(&mut conn, &format!("alter database {unfinished} rename to {name}")).await;
        // Nobody connects, or copying it would have to wait.
        raw(&mut conn, &format!("alter database {name} with allow_connections false")).await;
    }
    conn.close().await.expect("the test server's connection should close");
    name
}

async fn remove_left_over(conn: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar("select datname::text from pg_database where datname like 'muster\\_test\\_%'")
            .fetch_all(&mut *conn)
            .await
            .expect("the test server should list its databases");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    for name in names {
        let made = name.split('_').nth(2).and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or(now);
        if made + LEFT_OVER_AFTER_SECONDS < now {
            raw(conn, &format!("drop database if exists {name} with (force)")).await;
        }
    }
}

async fn raw(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap_or_else(|e| panic!("`{sql}` failed: {e}"));
}

async fn execute(admin: &PgConnectOptions, sql: &str) {
    try_execute(admin, sql).await.unwrap_or_else(|e| panic!("`{sql}` failed: {e}"));
}

async fn try_execute(admin: &PgConnectOptions, sql: &str) -> Result<(), sqlx::Error> {
    let mut conn = PgConnection::connect_with(admin).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    conn.close().await
}
