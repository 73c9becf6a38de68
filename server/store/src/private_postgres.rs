//! Muster's own PostgreSQL, for when no `DATABASE_URL` is given: the system's binaries, run as a child.
//!
//! It is the system of record, so nothing is traded for speed: fsync and data checksums are on. It can be reached
//! through a Unix socket in a private directory only, so no password is needed. It dies with Muster, even by
//! `kill -9`, and comes back by PostgreSQL's own crash recovery. It is never downloaded, never upgraded behind
//! anybody's back and never run as root. Several Muster processes share an external PostgreSQL instead.
//!
//! Under the data directory: `pgdata` (the cluster), `socket`, `postgres.log` and `lock` (held while Muster runs).

mod binaries;
mod child;
mod directory;
mod owner;

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use child::{Child, ChildState};
use directory::Prepared;
#[cfg(feature = "testing")]
pub(crate) use directory::running_postmaster;

/// Name of the superuser and of the database.
const NAME: &str = "muster";

/// Recovery after a crash reads all of the log since the last checkpoint, which may take a while on a slow disk.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// How often a server that is starting may exit before that counts as failure. After `kill -9` of a postmaster its
/// children may hold the shared memory for a moment longer.
const EXITS_WHILE_STARTING: u32 = 5;

/// What to start.
#[derive(Debug, Clone)]
pub struct PrivatePostgresOptions {
    /// Where everything is kept. Made if missing.
    pub data_dir: PathBuf,
    /// Where `postgres` and `initdb` are; `None` looks in the usual places.
    pub bin_dir: Option<PathBuf>,
    /// System user to run as; only root can and must switch, by default to the owner of the data that is there, else to
    /// `postgres`.
    pub user: Option<String>,
    /// `false` gives up all safety against power cuts: for tests, never for people.
    pub durable: bool,
}

impl PrivatePostgresOptions {
    /// The usual options.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), bin_dir: None, user: None, durable: true }
    }
}

/// Why there is no private PostgreSQL. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// No usable binaries.
    #[error(
        "no PostgreSQL 14 or later was found ({looked}): install it (`apt-get install postgresql`), point \
        `--pg-bin-dir` at its `bin` directory, or set DATABASE_URL"
    )]
    NoBinaries {
        /// Where it was looked for.
        looked: String,
    },
    /// The data directory is of another major version.
    #[error(
        "the data directory {data_dir} was made by PostgreSQL {data}, but only PostgreSQL {found} was found: install \
        PostgreSQL {data} next to it (or point `--pg-bin-dir` at it), or move the data over with `pg_upgrade` or \
        `pg_dump`"
    )]
    OtherVersion {
        /// The data directory.
        data_dir: PathBuf,
        /// Its major version.
        data: String,
        /// Versions of the binaries there are.
        found: String,
    },
    /// Another process uses the data directory.
    #[error(
        "another muster (process {pid}) already runs on the data directory {data_dir}: use that one, stop it first, \
        or give this one another `--data-dir`; several processes can share one external PostgreSQL (DATABASE_URL)"
    )]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
        /// Who has it.
        pid: String,
    },
    /// A PostgreSQL that is not ours runs on the data directory.
    #[error(
        "a PostgreSQL server (process {pid}) that this muster did not start still uses {data_dir}: stop it first"
    )]
    StillRunning {
        /// The data directory.
        data_dir: PathBuf,
        /// Its postmaster.
        pid: i32,
    },
    /// There is nobody to run as.
    #[error("{0}")]
    User(String),
    /// The user cannot get to the data directory.
    #[error(
        "the user `{user}` that PostgreSQL runs as cannot enter {directory}, which is above the data directory: choose \
        another `--data-dir`, such as /var/lib/muster, or run `chmod o+x {directory}`"
    )]
    Unreachable {
        /// Who.
        user: String,
        /// Which directory stops them.
        directory: PathBuf,
    },
    /// The path cannot be used.
    #[error("the data directory {data_dir} cannot be used: {reason}")]
    BadPath {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file or program could not be used.
    #[error("could not {op} {path}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `initdb` failed.
    #[error("initdb could not make a database in {data_dir}:\n{output}")]
    Initdb {
        /// The data directory.
        data_dir: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The server does not come up.
    #[error("PostgreSQL did not become ready: {reason}; the end of {log}:\n{tail}")]
    NotReady {
        /// What was seen.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// Last lines of it.
        tail: String,
    },
    /// The server does not go down.
    #[error("PostgreSQL (process {pid}) did not stop")]
    NotStopped {
        /// Its postmaster.
        pid: i32,
    },
}

impl PrivatePostgresError {
    pub(crate) fn io(op: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { op, path: path.to_owned(), source }
    }
}

/// A running private PostgreSQL. If it dies it is started again; when this is dropped it is told to stop.
#[derive(Debug)]
pub struct PrivatePostgres {
    child: Child,
    socket_dir: PathBuf,
    log: PathBuf,
    /// Locked for as long as this lives.
    _lock: File,
}

impl PrivatePostgres {
    /// Makes the data directory if it is missing, starts PostgreSQL and waits until it can be used.
    ///
    /// # Errors
    /// Everything that may be in the way, with what to do about it.
    pub async fn start(options: PrivatePostgresOptions) -> Result<Self, PrivatePostgresError> {
        let data_dir = options.data_dir.clone();
        let prepared = tokio::task::spawn_blocking(move || directory::prepare(&options))
            .await
            .map_err(|e| std::io::Error::other(e.to_string()))
            .map_err(PrivatePostgresError::io("prepare", &data_dir))??;
        let Prepared { command, socket_dir, log, lock } = prepared;
        let log_start = std::fs::metadata(&log).map_or(0, |meta| meta.len());
        let child = Child::start(command, log.clone())?;
        let server = Self { child, socket_dir, log, _lock: lock };
        match server.wait_until_ready().await {
            Ok(()) => Ok(server),
            Err(reason) => {
                let log = server.log.clone();
                // It failed already; whether it also fails to stop changes nothing for the reader.
                drop(server.stop().await);
                let tail = directory::log_tail(&log, log_start);
                Err(PrivatePostgresError::NotReady { reason, log, tail })
            }
        }
    }

    /// How to connect to it.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.database_options(NAME)
    }

    fn database_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .username(NAME)
            .password("")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Process id of the postmaster; `None` while it is being started again.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.child.pid()
    }

    /// Stops it in an orderly way: open transactions are rolled back, everything is written.
    ///
    /// # Errors
    /// When it does not go down.
    pub async fn stop(self) -> Result<(), PrivatePostgresError> {
        self.child.stop().await
    }

    async fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let last = match self.try_connect().await {
                Ok(()) => return Ok(()),
                Err(e) => e,
            };
            if let ChildState::Exited { times, status } = self.child.state()
                && times >= EXITS_WHILE_STARTING
            {
                return Err(format!("it ended at once with {status}"));
            }
            if Instant::now() > deadline {
                return Err(format!("no connection within {} s ({last})", READY_WITHIN.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Connects, and makes the database the first time.
    async fn try_connect(&self) -> Result<(), sqlx::Error> {
        match PgConnection::connect_with(&self.connect_options()).await {
            Ok(conn) => conn.close().await,
            // invalid_catalog_name: the server is up and the database is not there yet.
            Err(e) if e.as_database_error().and_then(|e| e.code()).as_deref() == Some("3D000") => {
                let mut conn = PgConnection::connect_with(&self.database_options("postgres")).await?;
                sqlx::raw_sql(AssertSqlSafe(format!("create database {NAME}"))).execute(&mut conn).await?;
                conn.close().await
            }
            Err(e) => Err(e),
        }
    }
}
